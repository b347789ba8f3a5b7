"""Runs inside the sandbox (standard library only): the fast path of a session for plain pytest commands.

Which commands are plain, whether running them in a fork of an interpreter that has pytest imported already comes to
the same, and the run itself.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import os
import re
import runpy
import signal
import sys
import threading

# What a pytest run loads besides its default plugins, measured with -X importtime.
LOADED_BY_A_RUN = (
    "_pytest._argcomplete",
    "pdb",
    "faulthandler",
    "getpass",
    "readline",
    "email.parser",
    "attr",
)
SCAN_ENTRIES = 4000

_WORD = re.compile(r"""(?:[A-Za-z0-9_@%+=:,./\[\]-]+|'[^']*'|"[^"$`\\!]*")+""")
_PART = re.compile(r"""'([^']*)'|"([^"]*)"|([^'"]+)""")


def plain_words(command: str, cwd: str) -> list[str] | None:
    """The words of a command in which a shell would find nothing to do; None when it would.

    ``cd <workspace> &&`` in front and ``2>&1`` at the end change nothing here and are dropped.
    """
    command = command.strip(" \t\n")
    command = re.sub(rf"^cd {re.escape(cwd)}/? && ", "", command)
    command = re.sub(r" 2>&1$", "", command)
    words = []
    position = 0
    while position < len(command):
        match = _WORD.match(command, position)
        if not match:
            return None
        words.append("".join("".join(part) for part in _PART.findall(match.group())))
        position = match.end()
        if position < len(command) and command[position] not in " \t":
            return None
        while position < len(command) and command[position] in " \t":
            position += 1
    return words


def pytest_words(command: str | list[str], cwd: str) -> tuple[str, list[str]] | None:
    """(``module`` or the path of the pytest script, arguments) when the command is a plain run of pytest."""
    words = plain_words(command, cwd) if isinstance(command, str) else command
    if not words:
        return None
    folder = os.path.dirname(sys.executable)
    if words[0] in ("python", "python3", sys.executable):
        # A wanted name must mean this interpreter, as the first entry of PATH makes it.
        known = words[0] == sys.executable or os.path.exists(os.path.join(folder, words[0]))
        return ("module", words[3:]) if known and words[1:3] == ["-m", "pytest"] else None
    script = os.path.join(folder, "pytest")
    return (script, words[1:]) if words[0] == "pytest" and os.path.exists(script) else None


def shadows(root: str, loaded: set[str]) -> bool:
    """Whether a file of the workspace would be imported in place of a module that is loaded here already.

    Only folders that are no packages can get onto ``sys.path``. A workspace too large to look through counts as one.
    """
    seen = 0
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        names: list[str] = []
        packages: list[str] = []
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                seen += 1
                name = entry.name
                if entry.is_dir(follow_symlinks=True):
                    if name not in (".git", "__pycache__", "node_modules"):
                        packages.append(name)
                elif name.endswith((".py", ".pyc", ".so")):
                    names.append(name)
        if seen > SCAN_ENTRIES:
            return True
        if folder == root or "__init__.py" not in names:
            if any(name.partition(".")[0] in loaded for name in names):
                return True
            for name in packages:
                if name in loaded and os.path.exists(os.path.join(folder, name, "__init__.py")):
                    return True
        waiting.extend(path for name in packages if not os.path.islink(path := os.path.join(folder, name)))
    return False


def preload(workspace: str, also: list[str] | None = None) -> bool:
    """Import pytest and what a run of it loads; False when there is none.

    Args:
        also: further modules that every run will load.
    """
    path = sys.path[:]
    # PYTHONPATH may name the workspace: what an agent wrote there must not run in the supervisor.
    sys.path[:] = [
        entry for entry in path if not os.path.realpath(entry).startswith(os.path.realpath(workspace))
    ]
    try:
        importlib.import_module("pytest")
        plugins = importlib.import_module("_pytest.config").default_plugins
    except ImportError:
        sys.path[:] = path
        return False
    for name in [*(f"_pytest.{plugin}" for plugin in plugins), *LOADED_BY_A_RUN, *(also or [])]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    sys.path[:] = path
    gc.collect()
    # The collector would touch, and so copy, every page that the children share with us.
    gc.freeze()
    return True


def run_pytest(how: str, arguments: list[str], cwd: str) -> None:
    """In the child: what ``python -m pytest`` (or the pytest script) does, ending as an interpreter ends."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_IGN)
    for name in ("sandbox_init", "sandbox_pytest", "__main__"):
        sys.modules.pop(name, None)
    sys.argv = [how, *arguments]
    code = 0
    try:
        if how == "module":
            sys.path.insert(0, cwd)
            runpy.run_module("pytest", run_name="__main__", alter_sys=True)
        else:
            sys.path.insert(0, os.path.dirname(how))
            runpy.run_path(how, run_name="__main__")
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        if end.code is not None and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        code = 1
        sys.excepthook(*sys.exc_info())
    with contextlib.suppress(BaseException):
        threading._shutdown()
    with contextlib.suppress(BaseException):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(BaseException):
            stream.flush()
    os._exit(code & 0xFF)
