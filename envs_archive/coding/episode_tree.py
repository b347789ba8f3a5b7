"""The workspace of one episode: over a large base an overlay, where this process can make one; else a copy of it.

The difference is in the time, with one exception: in an overlay a folder of the base is not renamed by the system call
(``os.rename``, ``git mv``), as in a container's image; ``mv`` and ``shutil.move`` copy it.
"""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cache
from pathlib import Path

from evals.utils import overlay
from evals.utils.overlay import Overlay
from evals.utils.removal import empty, remove_tree
from evals.utils.sandbox import SandboxKind, works

from .workspace import (
    CACHE_FOLDERS,
    WorkspaceError,
    changed_files,
    differing,
    list_files,
    make_workspace,
    regular_files,
)

LARGE = 300  # files; a base of fewer is copied in less time than an overlay is made and removed


@cache
def base_files(base: Path) -> tuple[str, ...]:
    """Its regular files, sorted. A base does not change."""
    return tuple(list_files(base))


def allow_overlays(bases: list[Path], kind: SandboxKind, scratch: Path) -> bool:
    """To be called before the process has started a thread: make overlays possible, if one of the bases is large.

    Without a boundary there are none: what a command has left running would keep a mount alive.

    Args:
        scratch: where the workspaces will be.
    """
    if kind.kind != "bwrap" or all(len(base_files(base)) < LARGE for base in bases):
        return False
    return overlay.own_namespace(scratch, lambda: works(kind))


class EpisodeTree:
    """Args:
    base: the prepared base.
    scratch: existing folder, in which the tree gets one of its own.
    place: an empty folder in which it is to be instead, as a copy; it is left behind empty.

    Raises:
        WorkspaceError: the tree cannot be made.
    """

    def __init__(self, base: Path, scratch: Path, place: Path | None = None) -> None:
        if not base.is_dir():
            raise WorkspaceError(f"the prepared base {base} is missing")
        self._base = base
        self._folder = Path(tempfile.mkdtemp(prefix="episode-", dir=scratch))
        self._place = place
        self.workspace = self._folder / "workspace" if place is None else place
        self._overlay: Overlay | None = None
        self._mounted = False
        if place is None and overlay.entered() and len(base_files(base)) >= LARGE:
            over = Overlay(base, self._folder / "changes", self.workspace)
            try:
                over.mount()
                self._overlay, self._mounted = over, True
            except OSError:  # too many mounts, say
                remove_tree(self._folder / "changes")
        if self._overlay is None:
            make_workspace(base, self.workspace)

    def changes(self) -> dict[str, bytes | None]:
        """What `workspace.changed_files` says of a copy. Nothing may run in the workspace, and it is of no more use."""
        if self._overlay is None:
            return changed_files(self.workspace, self._base)
        self._unmount()
        upper = self._overlay.upper
        after = dict(regular_files(upper))
        hidden = [name for name in _hidden(self._base, upper) if name not in after]
        return differing(upper, self._base, after, hidden)

    def remove(self) -> None:
        """Remove it from the disk."""
        self._unmount()
        remove_tree(self._folder)
        if self._place is not None:
            empty(self._place)

    def _unmount(self) -> None:
        if self._mounted:
            self._overlay.unmount()
            self._mounted = False


def _hidden(base: Path, upper: Path) -> list[str]:
    """The regular files of the base in whose place, or in place of a folder above, something else stands."""
    found: list[str] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(upper / prefix) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.name in (".git", *CACHE_FOLDERS):
                    continue
                status = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(status.st_mode) or _is_opaque(entry.path):
                    found.append(name)
                elif (base / name).is_dir() and not (base / name).is_symlink():
                    waiting.append(f"{name}/")
                else:
                    found.append(name)
    gone = set(found)
    return [name for name in base_files(base) if not gone.isdisjoint(_and_parents(name))]


def _and_parents(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _is_opaque(folder: str) -> bool:
    try:
        return os.getxattr(folder, "user.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False
