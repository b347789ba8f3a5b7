"""The further actions on files of the extended action space: numbered lines, a tree, and edits that can be undone."""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .file_actions import (
    UNLISTED,
    folder_to_list,
    lines_of,
    locate,
    read_text,
    text_to_edit,
    with_line_ends_of,
    write_text,
)
from .parsing import ActionError

DEFAULT_LINES = 200
MAX_TREE_ENTRIES = 400


def read_lines(workspace: Path, path: str, offset: int, limit: int | None, chars: int) -> str:
    """Lines of a file with their numbers, as many whole ones as fit into ``chars``; a longer line is cut.

    Args:
        offset: number of the first line, from 1.
        limit: how many lines at most.
    """
    target, name = locate(workspace, path, "read_file")
    text, is_utf8 = read_text(target, "read_file", name)
    lines = [line.rstrip("\r\n") for line in lines_of(text)]
    if offset > max(len(lines), 1):
        raise ActionError(f"read_file: {name} has {len(lines)} lines; offset {offset} lies behind its end")
    shown: list[str] = []
    used = 0
    for number, line in enumerate(lines[offset - 1 : offset - 1 + (limit or DEFAULT_LINES)], offset):
        row = f"{number:>6}\t{line}"
        if shown and used + len(row) + 1 > chars:
            break
        if len(row) > chars:
            row = f"{row[:chars]}... ({len(line)} characters in this line)"
        shown.append(row)
        used += len(row) + 1
    last = offset + len(shown) - 1
    out = [f"read_file {name}: {len(text)} characters, lines {offset}-{last} of {len(lines)}", *shown]
    if not is_utf8:
        out.append("... not UTF-8: bytes that cannot be decoded are shown as \ufffd")
    if last < len(lines):
        out.append(f"... {len(lines) - last} more lines: go on with offset {last + 1}")
    return "\n".join(out)


def replace_lines(workspace: Path, path: str, start: int, end: int, new: str) -> str:
    """Put ``new`` in the place of the lines from ``start`` to ``end``; ``end`` = ``start`` - 1 inserts before it."""
    target, name, text, is_utf8 = text_to_edit(workspace, path, "replace_lines")
    if not is_utf8:
        raise ActionError(f"replace_lines: {name} is not UTF-8 text; use run_command")
    lines = lines_of(text)
    if start > len(lines) + 1 or end > len(lines):
        raise ActionError(f"replace_lines: {name} has {len(lines)} lines; there is no line {max(start, end)}")
    new = with_line_ends_of(text, new)
    if new and not new.endswith("\n") and (end < len(lines) or text.endswith("\n")):
        new += "\r\n" if "\r\n" in text else "\n"
    before = "".join(lines[: start - 1])
    if new and before and not before.endswith("\n"):
        before += "\n"
    after = before + new + "".join(lines[end:])
    write_text(target, after, "replace_lines", name)
    count = len(lines_of(new))
    done = (
        f"replaced lines {start}-{end} by {count}"
        if end >= start
        else f"inserted {count} lines before line {start}"
    )
    return f"replace_lines {name}: {done}"


def list_tree(workspace: Path, path: str, depth: int) -> str:
    """A folder and what lies in it, ``depth`` levels deep."""
    target, name = folder_to_list(workspace, path)
    rows: list[str] = []
    left_out = _walk(target, 0, depth, rows)
    out = [f"list_dir {name}: {len(rows) + left_out} entries, {depth} levels deep", *rows]
    if left_out:
        out.append(f"... and {left_out} more: list a folder of them")
    return "\n".join(out)


def _walk(folder: Path, level: int, depth: int, rows: list[str]) -> int:
    """Append the entries of a folder; returns how many had no room."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(((e.name, e.is_dir(follow_symlinks=False)) for e in found), key=lambda e: e[0])
    except OSError as error:
        rows.append(f"{'  ' * level}... cannot be read: {error.strerror}")
        return 0
    left_out = 0
    for entry, is_folder in entries:
        if entry in UNLISTED:
            continue
        if len(rows) >= MAX_TREE_ENTRIES:
            left_out += 1
            continue
        shown = entry.encode("utf-8", "replace").decode()
        rows.append(f"{'  ' * level}{shown}{'/' if is_folder else ''}")
        if is_folder and level + 1 < depth:
            left_out += _walk(folder / entry, level + 1, depth, rows)
    return left_out


@dataclass(frozen=True)
class _Edit:
    name: str
    before: bytes | None  # None: there was no file
    after: bytes


@dataclass
class Edits:
    """The edits of one episode: refused when they break the syntax of a Python file, undone the last one first."""

    _done: list[_Edit] = field(default_factory=list)

    def carry_out(self, workspace: Path, action: dict, edit: Callable[[], str]) -> str:
        """Carry out an edit action with ``edit``, a function without arguments that gives its observation.

        Raises:
            ActionError: it cannot be done, or would break the file; the file is as it was.
        """
        target, name = locate(workspace, action["path"], action["action"], writing=True)
        before = _content(target)
        seen = edit()
        after = _content(target) or b""
        if (
            name.endswith(".py")
            and (problem := _syntax(after))
            and not (before is not None and _syntax(before))
        ):
            _restore(target, before)
            raise ActionError(
                f"{action['action']}: refused, {name} would be no valid Python: {problem}; nothing was changed"
            )
        self._done.append(_Edit(name, before, after))
        return seen

    def undo(self, workspace: Path, path: str | None) -> str:
        """Take back the last edit, or the last one of a file."""
        wanted = locate(workspace, path, "undo_edit", writing=True)[1] if path is not None else None
        at = next((i for i in reversed(range(len(self._done))) if wanted in (None, self._done[i].name)), None)
        if at is None:
            raise ActionError(f"undo_edit: there is no edit{f' of {wanted}' if wanted else ''} to undo")
        edit = self._done[at]
        target, name = locate(workspace, edit.name, "undo_edit", writing=True)
        if _content(target) != edit.after:
            raise ActionError(f"undo_edit: {name} has changed since that edit; read it and edit it")
        _restore(target, edit.before)
        del self._done[at]
        return f"undo_edit {name}: {'removed again' if edit.before is None else 'as before the last edit'}"


def _content(path: Path) -> bytes | None:
    """None for what is no regular file, or cannot be read."""
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError:
        return None


def _restore(target: Path, before: bytes | None) -> None:
    if before is None:
        target.unlink()
    else:
        with open(target, "wb") as handle:  # in place, so that the file keeps its mode
            handle.write(before)


def _syntax(source: bytes) -> str | None:
    """What makes a source no Python, with its line; None when it is fine."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" + (f": {error.text.strip()}" if error.text else "")
    except (ValueError, RecursionError, MemoryError) as error:
        return str(error) or type(error).__name__
    return None
