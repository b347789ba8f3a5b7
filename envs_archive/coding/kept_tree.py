"""A folder that is made equal to one base after another: only what differs is written anew.

What a program has touched shows in the time of a file's last change, which the kernel keeps and no program can set.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from sys import intern

from evals.utils.removal import remove_tree

from .workspace import FIXED_TIME, Copier, WorkspaceError

KNOWN_BASES = 64  # whose listings are kept: 2 MB each for ten thousand files
COARSE_S = 2.0  # a file system whose clock does not tick meanwhile is of no use here

Stamp = tuple[int, ...]


@dataclass(frozen=True)
class Listing:
    """What a base holds, without its `.git`: what stands at each path (of a file, what tells two contents apart, and
    whether it may be executed; of a link, where it leads), and its folders, those above first."""

    files: dict[str, bytes | str]
    folders: tuple[str, ...]


def listing(base: Path) -> Listing:
    """Of a base; that of a prepared one is kept, for it stays as it is.

    Raises:
        WorkspaceError: there is none.
    """
    head = base / ".git" / "refs" / "heads" / "main"
    try:
        return _listing(base, head.read_text()) if head.exists() else _read(base)
    except OSError as error:
        raise WorkspaceError(f"the prepared base {base} is missing or cannot be read: {error}") from error


@lru_cache(maxsize=KNOWN_BASES)
def _listing(base: Path, commit: str) -> Listing:
    return _read(base)


def _read(base: Path) -> Listing:
    files: dict[str, bytes | str] = {}
    folders: list[str] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(base / prefix) as entries:
            for entry in entries:
                name = intern(prefix + entry.name)
                if name == ".git":
                    continue
                if entry.is_symlink():
                    files[name] = os.readlink(entry.path)
                elif entry.is_dir():
                    folders.append(name)
                    waiting.append(f"{name}/")
                else:
                    with open(entry.path, "rb", buffering=0) as file:
                        known = hashlib.blake2b(file.readall(), digest_size=32)
                    known.update(b"x" if entry.stat().st_mode & 0o100 else b"-")
                    files[name] = known.digest()
    return Listing(files, tuple(sorted(folders)))


class KeptTree:
    """Args:
    folder: existing and empty; its own from now on, and between two calls of ``become`` anybody's who runs in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[bytes | str, Stamp]] = {}

    def become(self, base: Path) -> None:
        """Make the folder equal to a base, without its `.git`. Nothing may run in it.

        Raises:
            WorkspaceError: the base is missing, or the folder cannot be written.
        """
        wanted = listing(base)
        known, self._known = self._known, {}
        try:
            kept = self._clear(wanted, known)
            self._fill(base, wanted, kept)
            there = str(self._folder)
            stamps = {name: kept.get(name) or _stamp(os.lstat(f"{there}/{name}")) for name in wanted.files}
            if self._clock_has_ticked(max((stamp[0] for stamp in stamps.values()), default=0)):
                self._known = {name: (what, stamps[name]) for name, what in wanted.files.items()}
        except OSError as error:
            raise WorkspaceError(f"cannot make {self._folder} equal to {base}: {error}") from error

    def _clear(self, wanted: Listing, known: dict[str, tuple[bytes | str, Stamp]]) -> dict[str, Stamp]:
        """Remove all but the folders that are wanted and the files that are as they should be; returns these."""
        folders = set(wanted.folders)
        kept: dict[str, Stamp] = {}
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            folder = self._folder / prefix
            _open(folder)
            with os.scandir(folder) as entries:
                for entry in entries:
                    name = prefix + entry.name
                    status = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(status.st_mode):
                        if name in folders:
                            kept[name] = _stamp(status)
                            waiting.append(f"{name}/")
                            continue
                        remove_tree(Path(entry.path))
                        if os.path.lexists(entry.path):
                            raise OSError(f"cannot remove {name}")
                        continue
                    what = wanted.files.get(name)
                    if what is not None and known.get(name) == (what, _stamp(status)):
                        kept[name] = _stamp(status)
                    else:
                        os.unlink(entry.path)
        return kept

    def _fill(self, base: Path, wanted: Listing, kept: Mapping[str, Stamp]) -> None:
        for name in wanted.folders:
            if name not in kept:
                os.mkdir(self._folder / name)
                os.chmod(self._folder / name, 0o755)
        copier = Copier()
        for name, what in wanted.files.items():
            if name in kept:
                continue
            if isinstance(what, str):
                copier.link(what, f"{self._folder}/{name}")
            else:
                copier.copy(f"{base}/{name}", f"{self._folder}/{name}")
        for name in (*wanted.folders, ""):
            os.utime(self._folder / name, (FIXED_TIME, FIXED_TIME))

    def _clock_has_ticked(self, newest: int) -> bool:
        """Wait until a change of a file can be told from what was done up to now."""
        end = time.monotonic() + COARSE_S
        with tempfile.TemporaryFile(dir=self._folder.parent) as probe:
            while os.fstat(probe.fileno()).st_ctime_ns <= newest:
                if time.monotonic() > end:
                    return False
                time.sleep(0.001)
                os.utime(probe.fileno())
        return True


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ctime_ns, status.st_ino, status.st_size, status.st_mode


def _open(folder: Path) -> None:
    """Give a folder the mode that it should have, and no attributes."""
    if stat.S_IMODE(os.lstat(folder).st_mode) != 0o755:
        os.chmod(folder, 0o755)
    with contextlib.suppress(OSError):
        for name in os.listxattr(folder):
            os.removexattr(folder, name)
