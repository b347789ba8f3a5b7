"""The actions on files: read_file, edit_file, create_file, list_dir. Nothing outside the workspace is touched."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path, PurePosixPath

from .parsing import ActionError

INSIDE = "/workspace"
MAX_FILE_BYTES = 4 * 2**20
MAX_ENTRIES = 500
UNLISTED = (".git", "__pycache__")


def locate(workspace: Path, given: str, action: str, *, writing: bool = False) -> tuple[Path, str]:
    """The real path of what the agent names, and its relative name for messages.

    Links are resolved: what counts is where a path ends. `/workspace/...`, as tracebacks have it, is fine.

    Raises:
        ActionError: the path leaves the workspace, or is to be written and lies in `.git`.
    """
    name = given
    if given == INSIDE or given.startswith(INSIDE + "/"):
        name = given[len(INSIDE) :].lstrip("/") or "."
    if not name.strip():
        raise ActionError(f'{action}: "path" is empty')
    if PurePosixPath(name).is_absolute():
        raise ActionError(f"{action}: {given} is an absolute path; paths are relative to {INSIDE}")
    root = workspace.resolve()
    try:
        target = (root / name).resolve()
    except (OSError, RuntimeError) as error:  # a loop of links
        raise ActionError(f"{action}: {given} cannot be resolved (a loop of links?)") from error
    if not target.is_relative_to(root):
        raise ActionError(f"{action}: {given} leads out of the workspace")
    relative = target.relative_to(root)
    if writing and any(part.lower() == ".git" for part in relative.parts):
        raise ActionError(f"{action}: {given} is in .git, which is not to be written")
    return target, str(relative)


def lstat(path: Path, action: str, name: str) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ActionError(f"{action}: {name}: {error.strerror}") from error


def read_text(path: Path, action: str, name: str) -> tuple[str, bool]:
    """The text of a regular file as it is, line ends included, and whether all of it was UTF-8."""
    status = lstat(path, action, name)
    if status is None:
        raise ActionError(f"{action}: {name} does not exist")
    if stat.S_ISDIR(status.st_mode):
        raise ActionError(f"{action}: {name} is a directory; use list_dir")
    if not stat.S_ISREG(status.st_mode):
        raise ActionError(f"{action}: {name} is not a regular file")
    if status.st_size > MAX_FILE_BYTES:
        raise ActionError(f"{action}: {name} is too large ({status.st_size} bytes); use run_command")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ActionError(f"{action}: {name}: {error.strerror}") from error
    if b"\0" in data:
        raise ActionError(f"{action}: {name} is a binary file ({len(data)} bytes)")
    try:
        return data.decode("utf-8"), True
    except UnicodeDecodeError:
        return data.decode("utf-8", "replace"), False


def text_to_edit(workspace: Path, path: str, action: str) -> tuple[Path, str, str, bool]:
    """A file that an edit is to change: (path, name, text, whether all of it is UTF-8).

    Raises:
        ActionError: it is not there, is no text file, or is not to be written.
    """
    target, name = locate(workspace, path, action, writing=True)
    if lstat(target, action, name) is None:
        raise ActionError(f"{action}: {name} does not exist; use create_file")
    return target, name, *read_text(target, action, name)


def lines_of(text: str) -> list[str]:
    """Lines with their ends, as editors, grep and tracebacks count them; ``splitlines`` also breaks at form feeds."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def write_text(path: Path, text: str, action: str, name: str) -> None:
    try:
        # In place, so that the file keeps its mode.
        with open(path, "w", encoding="utf-8", newline="") as handle:
            handle.write(text)
    except OSError as error:
        raise ActionError(f"{action}: {name}: {error.strerror}") from error


def read_file(workspace: Path, path: str, limit: int) -> str:
    target, name = locate(workspace, path, "read_file")
    text, is_utf8 = read_text(target, "read_file", name)
    lines = [f"read_file {name}: {len(text)} characters", text[:limit]]
    if not is_utf8:
        lines.append("... not UTF-8: bytes that cannot be decoded are shown as \ufffd")
    if len(text) > limit:
        lines.append(
            f"... cut at {limit} of {len(text)} characters: use run_command with sed -n to read the rest"
        )
    return "\n".join(lines)


def edit_file(workspace: Path, path: str, old: str | None, new: str | None, content: str | None) -> str:
    target, name, text, is_utf8 = text_to_edit(workspace, path, "edit_file")
    if content is not None:
        content = with_line_ends_of(text, content)
        write_text(target, content, "edit_file", name)
        return f"edit_file {name}: written ({len(content)} characters)"
    if not is_utf8:
        raise ActionError(f"edit_file: {name} is not UTF-8 text; use run_command")
    old, new = with_line_ends_of(text, old), with_line_ends_of(text, new)
    count, first = occurrences(text, old)
    if count == 0:
        raise ActionError(f'edit_file: "old" does not occur in {name}; copy it exactly, white space included')
    if count > 1:
        raise ActionError(f'edit_file: "old" occurs {count} times in {name}; give more surrounding text')
    write_text(target, text[:first] + new + text[first + len(old) :], "edit_file", name)
    line = text.count("\n", 0, first) + 1
    return f"edit_file {name}: replaced 1 occurrence at line {line}"


def with_line_ends_of(existing: str, text: str) -> str:
    """`text` with CRLF where the file has nothing but CRLF and the agent wrote plain line ends."""
    if "\r\n" in existing and existing.count("\n") == existing.count("\r\n") and "\r" not in text:
        return text.replace("\n", "\r\n")
    return text


def occurrences(text: str, part: str) -> tuple[int, int]:
    """How often `part` occurs, overlaps included (either of two would do for the agent), and where first."""
    first = position = text.find(part)
    count = 0
    while position >= 0:
        count += 1
        position = text.find(part, position + 1)
    return count, first


def create_file(workspace: Path, path: str, content: str) -> str:
    target, name = locate(workspace, path, "create_file", writing=True)
    status = lstat(target, "create_file", name)
    if status is not None:
        kind = "is a directory" if stat.S_ISDIR(status.st_mode) else "already exists; use edit_file"
        raise ActionError(f"create_file: {name} {kind}")
    if path.endswith("/"):
        raise ActionError(f"create_file: {path} names a directory, not a file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ActionError(f"create_file: a folder of {name} is a file") from error
    except OSError as error:
        raise ActionError(f"create_file: {name}: {error.strerror}") from error
    write_text(target, content, "create_file", name)
    return f"create_file {name}: written ({len(content)} characters)"


def folder_to_list(workspace: Path, path: str) -> tuple[Path, str]:
    """The folder that list_dir is to show, and its name.

    Raises:
        ActionError: it is none, or leaves the workspace.
    """
    target, name = locate(workspace, path, "list_dir")
    status = lstat(target, "list_dir", name)
    if status is None:
        raise ActionError(f"list_dir: {name} does not exist")
    if not stat.S_ISDIR(status.st_mode):
        raise ActionError(f"list_dir: {name} is a file; use read_file")
    return target, name


def list_dir(workspace: Path, path: str) -> str:
    target, name = folder_to_list(workspace, path)
    try:
        with os.scandir(target) as found:
            entries = sorted(
                entry.name + ("/" if entry.is_dir(follow_symlinks=False) else "")
                for entry in found
                if entry.name not in UNLISTED
            )
    except OSError as error:
        raise ActionError(f"list_dir: {name}: {error.strerror}") from error
    # Names that are no text must not break the conversation.
    entries = [entry.encode("utf-8", "replace").decode() for entry in entries]
    lines = [f"list_dir {name}: {len(entries)} {'entry' if len(entries) == 1 else 'entries'}"]
    lines += entries[:MAX_ENTRIES]
    if len(entries) > MAX_ENTRIES:
        lines.append(f"... and {len(entries) - MAX_ENTRIES} more")
    return "\n".join(lines)
