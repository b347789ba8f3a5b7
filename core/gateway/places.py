"""Names for the paths that differ from machine to machine.

A traceback in a prompt holds the path of the checkout. So that a run can be replayed on another machine, requests
are compared, and packed, with such paths replaced by names.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import orjson

from core.options import PROJECT_ROOT

_EVERYWHERE = frozenset({"/", "/usr", "/usr/local", "/root", "/home", "/tmp", "/var", "/opt"})


class Places:
    """Args:
    run_dir: the run's folder.
    others: further folders, by the name that takes their place.
    """

    def __init__(self, run_dir: Path, others: dict[str, Path] | None = None) -> None:
        folders = {
            "{run}": run_dir,
            "{logs}": run_dir.parent,
            "{project}": PROJECT_ROOT,
            "{packages}": Path(sysconfig.get_path("purelib")),
            "{python}": Path(sysconfig.get_path("stdlib")),
            "{prefix}": Path(sys.prefix),
            "{base}": Path(sys.base_prefix),
            "{home}": Path.home(),
            **(others or {}),
        }
        named: dict[str, str] = {}
        for name, folder in folders.items():
            for path in (str(folder), str(folder.resolve())):
                if path not in _EVERYWHERE:
                    named.setdefault(path, name)
        longest_first = sorted(named.items(), key=lambda item: -len(item[0]))
        self._named = [(orjson.dumps(path)[1:-1], name.encode()) for path, name in longest_first]

    def named(self, text: bytes) -> bytes:
        """JSON or plain text with every known path in it replaced by its name."""
        for path, name in self._named:
            if path in text:
                text = text.replace(path, name)
        return text
