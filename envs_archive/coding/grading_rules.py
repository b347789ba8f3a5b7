"""Which of an agent's changes count: source files. Tests, test configuration and start-up hooks stay as they were."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from .tasks import Task
from .workspace import CACHE_FOLDERS

TEST_FOLDERS = frozenset({"tests", "test"})
CONFIGURATION = frozenset(
    {
        "conftest.py",
        "pytest.ini",
        ".pytest.ini",
        "pytest.toml",
        ".pytest.toml",
        "tox.ini",
        "setup.cfg",
        "setup.py",
        "sitecustomize.py",
        "usercustomize.py",
    }
)
IGNORED_FOLDERS = CACHE_FOLDERS | {".git", ".tox", ".nox", ".venv", "venv", "node_modules", ".eggs"}
# Start-up hooks, and compiled modules, which are imported in place of the source beside them.
IGNORED_ENDINGS = (
    ".pth",
    ".egg-link",
    ".pyc",
    ".pyo",
    ".so",
    ".pyd",
    ".dylib",
    ".egg",
    ".egg-info",
    ".dist-info",
)
GRADER_MODULES = frozenset(path.stem for path in (Path(__file__).parent / "grader").glob("*.py"))
# What the grading process itself imports must not be found in the submission.
RESERVED_MODULES = (
    frozenset(sys.stdlib_module_names)
    | {
        "pytest",
        "_pytest",
        "py",
        "pluggy",
        "iniconfig",
        "packaging",
        "pygments",
        "exceptiongroup",
        "tomli",
        "colorama",
        "hypothesis",
    }
    | GRADER_MODULES
)
_TEST_NAME = re.compile(r"(?:test_.*|.*_test|tests?)\.py")
_PATCHED = re.compile(r"^(?:---|\+\+\+) [ab]/(.+?)(?:\t.*)?$", re.MULTILINE)


def patched_paths(patch: str) -> set[str]:
    """The files that a unified diff names."""
    return set(_PATCHED.findall(patch))


def source_changes(task: Task, base: Path, changes: Mapping[str, bytes | None]) -> dict[str, bytes | None]:
    """The changes that are taken over for grading.

    What is left out costs nothing: the file is then as it is in the base.

    Args:
        changes: relative path -> new content, None for deleted. Comes from the sandbox: nothing in it is trusted.
    """
    trusted = patched_paths(task.test_patch) | {test.partition("::")[0] for test in task.expected}
    # A source folder may be called "test": what the reference solution touches is source.
    source = patched_paths(task.patch) - trusted
    taken: dict[str, bytes | None] = {}
    for name, content in changes.items():
        if name in trusted or not _is_plain(name) or _through_link(base, name):
            continue
        if _is_source(name, base, surely=name in source):
            taken[name] = content
    return taken


def _is_plain(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and str(path) == name and not path.is_absolute() and ".." not in path.parts


def _through_link(base: Path, name: str) -> bool:
    path = base / name
    return any(folder.is_symlink() for folder in (path, *path.parents) if folder.is_relative_to(base))


def _is_source(name: str, base: Path, surely: bool) -> bool:
    """`surely` overrules what the name says about being a test."""
    *folders, file = PurePosixPath(name).parts
    if not surely and (
        _TEST_NAME.fullmatch(file) or any(folder.lower() in TEST_FOLDERS for folder in folders)
    ):
        return False
    if any(folder in IGNORED_FOLDERS for folder in folders):
        return False
    if any(part.lower().endswith(IGNORED_ENDINGS) for part in (*folders, file)):
        return False
    if file.lower() in CONFIGURATION:
        return False
    if name == "__init__.py" and not (base / name).exists():
        return False  # would make the root a package, and move every test module into it
    return not _shadows(name, base)


def _shadows(name: str, base: Path) -> bool:
    """Whether a new file can be imported in place of a module that grading relies on: in any folder that is no
    package, since such a folder may be on `sys.path`."""
    folder = base
    for part in PurePosixPath(name).parts:
        importable = not (folder / "__init__.py").exists() or folder == base
        if importable and part.partition(".")[0] in RESERVED_MODULES and not (folder / part).exists():
            return True
        folder = folder / part
    return False
