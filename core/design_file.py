"""Design files: their names, their SHAs, and finding the one a user means."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import hashlib
from dataclasses import dataclass
from pathlib import Path

NO_MEMORY = "no_mem"
CONTROLS = ("placebo", "other_project", "shuffled")
"""Baselines that wrap another design: ``shuffled:ace``. Without one they wrap this:"""
WRAPPED = "claude_md"
PREFIX = "memo_structure_"
BASE_CLASS = "MemoStructure"
EXTENDED = "extended"
"""Before a design and a colon: its agent works with the extended action space, whatever the run's is."""


TOO_DEEP = (RecursionError, MemoryError)
"""What Python's parser raises for a source that is nested deeper than it can read."""


class DesignError(ValueError):
    """A design that cannot be used; the message is one line, ready for the user."""


@dataclass(frozen=True)
class Design:
    """A design to evaluate: its name (of a baseline) or SHA, its file, and the file of the design it wraps.

    ``action_space`` is that of the agent that uses it; None: the run's.
    """

    sha: str
    path: Path
    inner: Path | None = None
    action_space: str | None = None

    @property
    def has_memory(self) -> bool:
        return self.sha.removeprefix(f"{EXTENDED}:") != NO_MEMORY

    @property
    def extended(self) -> Design:
        """The same design for an agent with the extended action space."""
        return dataclasses.replace(self, sha=f"{EXTENDED}:{self.sha}", action_space=EXTENDED)


def content_sha(source: str) -> str:
    """First 8 hex digits of the SHA-256 of the source: the same code has the same name everywhere."""
    return hashlib.sha256(source.encode("utf-8")).hexdigest()[:8]


def file_name(sha: str) -> str:
    return f"{PREFIX}{sha}.py"


def source_problem(source: str, name: str = "design") -> str | None:
    """What is plainly wrong with a design's source, as one line; None when nothing is.

    A cheap look at the syntax tree: the code is not run here, so what only shows at import is found by the
    examination in its sandbox.
    """
    try:
        tree = ast.parse(source, filename=name)
    except SyntaxError as error:
        return f"{name}:{error.lineno or 1}: syntax error: {error.msg}"
    except ValueError as error:  # null bytes
        return f"{name}:1: {error}"
    except TOO_DEEP:
        return f"{name}: too deeply nested for Python: split long chains of operators, calls or elif"
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = {BASE_CLASS} | {
        alias.asname
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.name == BASE_CLASS and alias.asname
    }
    if any(_last_name(base) in names for node in classes for base in node.bases):
        return None
    return f"{name}: defines no subclass of {BASE_CLASS}"


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def available_designs(memo_archive: Path, task_type: str = "coding") -> dict[str, Path]:
    """All designs on disk by name or SHA, baselines before archived ones."""
    found: dict[str, Path] = {}
    for folder in ("baseline", task_type):
        for path in sorted((memo_archive / folder).glob(f"{PREFIX}*.py")):
            found.setdefault(path.stem.removeprefix(PREFIX), path)
    return found


def resolve_design(spec: str, memo_archive: Path, task_type: str = "coding") -> Design:
    """Find the design a user names: a baseline, an archived SHA, or the path of a Python file; or a control and
    any of these behind a colon; all that behind ``extended:`` for another action space.

    Args:
        memo_archive: the folder that holds ``baseline/`` and ``<task_type>/``.

    Raises:
        DesignError: no such design, or a file that cannot be read or holds no design.
    """
    control, _, wrapped = spec.partition(":")
    if control == EXTENDED and wrapped:
        design = resolve_design(wrapped, memo_archive, task_type)
        if design.action_space:
            raise DesignError(f"'{spec}': one {EXTENDED}: is enough")
        return design.extended
    if control in CONTROLS:
        if wrapped.partition(":")[0] in CONTROLS:
            raise DesignError(f"'{spec}': a control wraps a design, not another control")
        inner = resolve_design(wrapped or WRAPPED, memo_archive, task_type)
        outer = memo_archive / "baseline" / file_name(control)
        return Design(f"{control}:{inner.sha}" if wrapped else control, outer, inner.path)
    known = available_designs(memo_archive, task_type)
    if spec in known:
        name, path = spec, known[spec]
    elif spec.endswith(".py") or "/" in spec:
        path = Path(spec).expanduser().resolve()
        if not path.is_file():
            raise DesignError(f"design file not found: {spec}")
        name = ""
    else:
        raise DesignError(_unknown(spec, list(known)))
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DesignError(f"{spec}: cannot be read: {error}") from error
    problem = source_problem(source, str(path) if name else spec)
    if problem:
        raise DesignError(problem)
    return Design(name or content_sha(source), path)


def _unknown(spec: str, names: list[str]) -> str:
    close = difflib.get_close_matches(spec, names, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(close)}?" if close else f"available: {', '.join(names)}"
    return f"unknown design '{spec}' ({hint})"
