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


NAMES = ("{run}", "{logs}", "{project}", "{packages}", "{python}", "{prefix}", "{base}", "{home}")


class Places:
    """Args:
    run_dir: the run's folder.
    """

    def __init__(self, run_dir: Path) -> None:
        folders = (
            run_dir,
            run_dir.parent,
            PROJECT_ROOT,
            Path(sysconfig.get_path("purelib")),
            Path(sysconfig.get_path("stdlib")),
            Path(sys.prefix),
            Path(sys.base_prefix),
            Path.home(),
        )
        named: dict[str, str] = {}
        for name, folder in zip(NAMES, folders, strict=True):
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
