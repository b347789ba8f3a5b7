"""What a project and its test command say of how its tests are found and imported, read from the trusted base.

Nothing that an agent writes into its workspace is heard here.
"""

from __future__ import annotations

import configparser
import itertools
import shlex
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

KEPT_SETTINGS = (
    "pythonpath",
    "markers",
    "python_files",
    "python_classes",
    "python_functions",
    "usefixtures",
    "asyncio_mode",
)
CUSTOMARY_ROOTS = ("src", "lib")
_IMPORT_MODE = "--import-mode"
_DISCOVERY = ("-t", "--top-level-directory", "-s", "--start-directory")


def import_roots(base: Path) -> list[str]:
    """Folders of a project that an installation in development mode would put on ``sys.path``, besides its top.

    A project is run from its tree, not installed, so that tests meet the agent's version of it.
    """
    named = [part for table in _package_tables(base) for part in table]
    return [name for name in dict.fromkeys([*named, *CUSTOMARY_ROOTS]) if _is_root(base, name)]


def _package_tables(base: Path) -> list[list[str]]:
    """Folders that ``pyproject.toml`` names as the place of packages (setuptools, poetry)."""
    tool = _toml(base / "pyproject.toml").get("tool", {})
    setuptools, poetry = tool.get("setuptools", {}), tool.get("poetry", {})
    found = setuptools.get("packages", {})
    where = found.get("find", {}).get("where", []) if isinstance(found, dict) else []
    folders = setuptools.get("package-dir", {})
    sources = [entry.get("from") for entry in poetry.get("packages", []) if isinstance(entry, dict)]
    tables = [where, [folders.get("")] if isinstance(folders, dict) else [], sources]
    return [[name for name in table if isinstance(name, str)] for table in tables if isinstance(table, list)]


def _is_root(base: Path, name: str) -> bool:
    parts, folder = PurePosixPath(name).parts, base / name
    if not parts or parts[0] == "/" or ".." in parts or not folder.is_dir() or folder.is_symlink():
        return False
    if (folder / "__init__.py").exists():
        return False
    return any(folder.glob("*.py")) or any(folder.glob("*/*.py"))


def pytest_arguments(command: str) -> list[str] | None:
    """The arguments of the pytest run that a test command is; None when it is something else."""
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if words[:1] and PurePosixPath(words[0]).name == "pytest":
        return words[1:]
    python = bool(words) and PurePosixPath(words[0]).name.startswith("python")
    return words[3:] if python and words[1:3] == ["-m", "pytest"] else None


def unittest_folders(command: str) -> list[str]:
    """The folders from which a run of ``python -m unittest`` names modules, besides the top of the project."""
    words = _words(command)
    if "unittest" not in words:
        return []
    named = [value for option in _DISCOVERY for value in _values(words, option)]
    named += [
        word.partition("=")[2] for word in words if word.startswith(("--start-directory=", "--top-level-"))
    ]
    after = words[words.index("unittest") + 1 :]
    if after[:1] == ["discover"]:  # the first word that is no option is where to begin
        named += [word for word in after[1:2] if not word.startswith("-")]
    inside = (PurePosixPath(name) for name in named)
    return [str(path) for path in dict.fromkeys(inside) if not path.is_absolute() and ".." not in path.parts]


def kept_options(base: Path, test_cmd: str) -> list[str]:
    """Options of pytest that make it find and import tests under another configuration as it does in the project."""
    found = next((table for table in map(_settings_table, _config_files(base)) if table is not None), {})
    asked = pytest_arguments(test_cmd) or []
    overridden = dict(setting.partition("=")[::2] for setting in _values(asked, "-o"))
    table = {**found, **overridden}
    settings = {}
    for name in KEPT_SETTINGS:
        items = _items(table.get(name))
        if name == "pythonpath":
            own = [item for entry in items for item in entry.split()]
            roots = [*own, *unittest_folders(test_cmd), *import_roots(base)]
            items = [f"/workspace/{item}" for item in dict.fromkeys(roots)]
        if items:
            settings[name] = "\n".join(items) if name == "markers" else " ".join(items)
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    added = [*_words(table.get("addopts")), *asked]
    modes = [word for word in added if word.startswith(f"{_IMPORT_MODE}=")]
    modes += [f"{_IMPORT_MODE}={value}" for value in _values(added, _IMPORT_MODE)]
    options += modes[-1:]
    plugins = [name for name in _values(added, "-p") if not name.startswith("no:")]
    return options + [word for name in dict.fromkeys(plugins) for word in ("-p", name)]


def _values(words: Sequence[str], option: str) -> list[str]:
    """What follows each occurrence of an option."""
    return [value for word, value in itertools.pairwise(words) if word == option]


def _items(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else str(value).strip().split("\n")


def _words(value: Any) -> list[str]:
    try:
        return [word for item in _items(value) for word in shlex.split(item)]
    except ValueError:
        return []


def _config_files(base: Path) -> list[tuple[Path, str]]:
    names = (("pytest.ini", "pytest"), (".pytest.ini", "pytest"), ("pyproject.toml", ""))
    names += (("tox.ini", "pytest"), ("setup.cfg", "tool:pytest"))
    return [(base / name, section) for name, section in names if (base / name).is_file()]


def _settings_table(source: tuple[Path, str]) -> Mapping[str, Any] | None:
    path, section = source
    if path.suffix == ".toml":
        return _toml(path).get("tool", {}).get("pytest", {}).get("ini_options")
    try:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(path.read_text(encoding="utf-8"))
        return parser[section] if parser.has_section(section) else None
    except (OSError, ValueError, configparser.Error):
        return None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
