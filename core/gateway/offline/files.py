"""What a run did to files, as far as its own actions and observations tell.

Of each file only fragments are known: contents that were read, and the ``old`` text of edits. Every
fragment keeps its first and its present form; an edit changes the fragments it falls into, or swallows
those it spans. The net change is then the difference of the two forms, and a try that was taken back
leaves none.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from dataclasses import dataclass, field
from typing import Any, NamedTuple

_HEADER_LINE = re.compile(r"\A\[\d+/\d+\] [^\n]*\n?")
_CUT_LINE = re.compile(r"\n?\.\.\. cut at \d+ of \d+ characters[^\n]*\Z")
_REFUSED = re.compile(
    r"\A\s*(?:\[\d+/\d+\] )?error\b|\boccurs (?:0|[2-9]|\d\d+) times\b|\bnot found in\b", re.I
)
_PRINTED = re.compile(
    r"^\s*(?:cat|sed -n [\"']?[\d,$]+p[\"']?|head(?: -n? ?\d+)?|tail(?: -n? ?\d+)?) ([\w./-]+)\s*$"
)
_RESTORED = re.compile(r"\bgit\s+(?:checkout|restore|stash|reset\s+--hard)\b(?P<rest>[^;&|]*)")
_DEF = re.compile(r"^(\s*)(?:async\s+)?def\s+(\w+)")
_TEST_PATH = re.compile(r"(?:^|/)(?:tests?/|test_[^/]*$|conftest\.py$)|_test\.py$")
_MAX_FRAGMENT = 200_000
_BY_LINES = re.compile(r"\A\[\d+/\d+\] read_file [^\n]*, lines \d+-\d+ of \d+\n")
_NUMBERED = re.compile(r"^ *\d+\t(.*)$", re.M)


def unnumbered(shown: str) -> list[str]:
    """The lines of a file that were shown with their numbers."""
    return _NUMBERED.findall(shown)


class Change(NamedTuple):
    """One contiguous change of a file: the lines before and after, without their common indentation."""

    before: str
    after: str
    path: str = ""
    function: str = ""


@dataclass
class _File:
    fragments: list[list[str]] = field(default_factory=list)  # [first form, present form]
    seen: list[str] = field(default_factory=list)

    def read(self, content: str) -> None:
        self.seen.append(content)
        first = content
        for fragment in list(self.fragments):
            was, now = fragment
            if was == now and now in content:
                self.fragments.remove(fragment)
            elif now and content.count(now) == 1 and first.count(now) == 1:
                first = first.replace(now, was)
                self.fragments.remove(fragment)
        self.fragments.insert(0, [first, content])

    def replace(self, old: str, new: str) -> None:
        holders = [fragment for fragment in self.fragments if old in fragment[1]]
        for fragment in holders:
            fragment[1] = fragment[1].replace(old, new, 1)
        if holders:
            return
        first = old
        for fragment in list(self.fragments):
            was, now = fragment
            if was != now and now and now in first:
                first = first.replace(now, was, 1)
                self.fragments.remove(fragment)
        self.fragments.append([first, new])

    def rewrite(self, content: str) -> None:
        # The longest text that was read is taken for the whole file: an agent reads before it rewrites.
        base = max((fragment for fragment in self.fragments), key=lambda f: len(f[0]), default=None)
        whole = base is not None and len(base[0]) > 0.5 * len(content)
        self.fragments = [[base[0] if base and whole else content, content]]


class FileHistory:
    """The files of one run."""

    def __init__(self) -> None:
        self._files: dict[str, _File] = {}

    def _file(self, path: str) -> _File:
        return self._files.setdefault(re.sub(r"^(?:\./|/workspace/)+", "", path), _File())

    def saw(self, path: str, observed: str) -> None:
        """Note the content a read action showed."""
        content = _CUT_LINE.sub("", _HEADER_LINE.sub("", observed))
        if _BY_LINES.match(observed):
            content = "\n".join(unnumbered(content))
        if content.strip() and not _REFUSED.search(observed[:200]):
            self._file(path).read(content[:_MAX_FRAGMENT])

    def edit(self, path: str, action: dict[str, Any], observed: str) -> bool:
        """Apply an edit action; return False when the observation says that it was refused."""
        if _REFUSED.search(observed[:300]):
            return False
        old, new, content = (action.get(key) for key in ("old", "new", "content"))
        if isinstance(old, str) and isinstance(new, str) and old:
            self._file(path).replace(old, new)
        elif isinstance(content, str):
            self._file(path).rewrite(content)
        else:
            return False
        return True

    def command(self, command: str, observed: str) -> None:
        """Follow shell commands that print one file or restore files from git."""
        if printed := _PRINTED.match(command):
            self.saw(printed.group(1), observed)
        elif restored := _RESTORED.search(command):
            names = [name for name in self._files if name and name in restored["rest"]]
            for name in names or list(self._files):
                file = self._files[name]
                file.fragments = [[was, was] for was, _ in file.fragments]

    def changes(self) -> list[Change]:
        """Return the net changes of source files so far, test files left out."""
        result: dict[Change, None] = {}
        for path, file in self._files.items():
            if _TEST_PATH.search(path):
                continue
            for was, now in file.fragments:
                if was != now:
                    for change in _hunks(was, now, path, file.seen):
                        result.setdefault(change)
        return list(result)


def _hunks(was: str, now: str, path: str, seen: list[str]) -> list[Change]:
    a, b = was.split("\n"), now.split("\n")
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    changes = []
    matcher = difflib.SequenceMatcher(None, middle_a, middle_b, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        if tag == "equal":
            continue
        before, after = tidy_lines(middle_a[i1:i2]), tidy_lines(middle_b[j1:j2])
        if before != after:
            function = _enclosing(a, head + i1) or _function_in(seen, before)
            changes.append(Change(before, after, path, function))
    return changes


def tidy_lines(lines: list[str]) -> str:
    """Return lines without their common indentation and without blank lines around them."""
    return textwrap.dedent("\n".join(line.rstrip() for line in lines)).strip("\n").rstrip()


def _enclosing(lines: list[str], index: int) -> str:
    """Return the name of the function around a line, or the one the line itself defines."""
    if index < len(lines) and (own := _DEF.match(lines[index])):
        return own.group(2)
    line = lines[index] if index < len(lines) else ""
    indent = len(line) - len(line.lstrip()) if line.strip() else 10_000
    for above in range(min(index, len(lines)) - 1, -1, -1):
        match = _DEF.match(lines[above])
        if match and len(match.group(1)) < indent:
            return match.group(2)
        if lines[above].strip() and lines[above][0] not in " \t)]}#" and indent < 10_000:
            # A class or a statement at the left margin ends the search; ")" may end a def of several lines.
            return ""
    return ""


def _function_in(seen: list[str], before: str) -> str:
    """Find the function of a changed line in contents that were read."""
    wanted = before.strip().split("\n")[0].strip()
    if not wanted:
        return ""
    names = set()
    for content in seen:
        lines = content.split("\n")
        names |= {_enclosing(lines, i) for i, line in enumerate(lines) if line.strip() == wanted}
    return names.pop() if len(names) == 1 else ""
