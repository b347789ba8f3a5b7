"""Folders that show another one and keep what is changed apart from it: overlayfs, without root.

Making one costs the same for ten files and for ten thousand. Only a process in namespaces of its own may mount:
``own_namespace`` takes this one there, which works before it has started a thread. Only programs started from here see
the mounts, and the kernel removes them with the last of these.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000
_MS_REC, _MS_PRIVATE = 0x4000, 0x40000
_MNT_DETACH = 2
_entered = False


def own_namespace(folder: Path, works: Callable[[], bool] = lambda: True) -> bool:
    """Take this process to a user and a mount namespace of its own, where overlays below ``folder`` can be made;
    whether it is there now. A child tries it first: where it does not work, nothing has happened.

    Its user and group keep their numbers, and what it may do to files stays as it was.

    Args:
        works: asked there whether what else is needed works too.
    """
    global _entered
    if not _entered and sys.platform == "linux":
        _entered = _in_child(lambda: _enter() and _usable(folder) and works()) and _enter()
    return _entered


def entered() -> bool:
    """Whether ``own_namespace`` has taken this process there."""
    return _entered


def _in_child(answer: Callable[[], bool]) -> bool:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if answer() else 1
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def _enter() -> bool:
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", _CLONE_NEWUSER | _CLONE_NEWNS)
        # The kernel allows no mapping of groups before the first is written.
        for name, text in (("setgroups", "deny"), ("uid_map", user), ("gid_map", group)):
            line = text if isinstance(text, str) else f"{text} {text} 1"
            Path("/proc/self", name).write_text(line)
        _call("mount", b"none", b"/", None, _MS_REC | _MS_PRIVATE, None)
    except OSError:
        return False
    return True


def _usable(folder: Path) -> bool:
    """Whether an overlay whose changes are kept below ``folder`` works: found out by making and using one."""
    place = Path(tempfile.mkdtemp(prefix=".overlay-", dir=folder))
    try:
        base, seen = place / "base", place / "seen"
        (base / "folder").mkdir(parents=True)
        for name in ("kept", "changed", "gone", "folder/inner"):
            (base / name).write_text(name)
        overlay = Overlay(base, place / "changes", seen)
        overlay.mount()
        try:
            with open(seen / "changed", "r+") as file:
                file.write("CHANGED")
            (seen / "gone").unlink()
            shutil.rmtree(seen / "folder")
            (seen / "folder").mkdir()  # asks more of the file system than a new one: it must hide the old one
            names, inner = sorted(os.listdir(seen)), os.listdir(seen / "folder")
        finally:
            overlay.unmount()
        untouched = sorted(path.name for path in base.rglob("*")) == sorted(
            ["kept", "changed", "gone", "folder", "inner"]
        )
        return names == ["changed", "folder", "kept"] and not inner and untouched
    except OSError:
        return False
    finally:
        shutil.rmtree(place, ignore_errors=True)


class Overlay:
    """One such folder.

    Args:
        base: what it shows; nothing is ever written there, and nobody else must.
        changes: new folder, for what is changed.
        seen: new folder, where both are seen together.
    """

    def __init__(self, base: Path, changes: Path, seen: Path) -> None:
        self._base, self._seen, self._changes = base, seen, changes
        self.upper = changes / "upper"
        """What was changed, in the form of overlayfs: files whole; a character device for what is gone."""

    def mount(self) -> None:
        """Make the folders and mount.

        Raises:
            OSError: it does not work here.
        """
        work = self._changes / "work"
        for folder in (self._changes, self.upper, work, self._seen):
            folder.mkdir()
        status = self._base.stat()
        os.chmod(self.upper, 0o755)
        os.utime(self.upper, ns=(status.st_mtime_ns, status.st_mtime_ns))
        with contextlib.ExitStack() as stack:
            places = []
            for folder in (self._base, self.upper, work):
                descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
                stack.callback(os.close, descriptor)
                # A path may hold what has a meaning in the options, and be longer than they may be.
                places.append(f"/proc/self/fd/{descriptor}")
            options = "lowerdir={},upperdir={},workdir={},userxattr".format(*places)
            target = os.fsencode(self._seen)
            try:
                # Nothing here has to outlive a power cut: without `volatile` the end would wait for the disk.
                _call("mount", b"overlay", target, b"overlay", 0, f"{options},volatile".encode())
            except OSError:
                _call("mount", b"overlay", target, b"overlay", 0, options.encode())

    def unmount(self) -> None:
        """Undo it; ``upper`` stays."""
        _call("umount2", os.fsencode(self._seen), _MNT_DETACH)


def _call(name: str, *arguments: int | bytes | None) -> None:
    function = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if function is None:
        raise OSError(f"no {name} here")
    typed = [ctypes.c_ulong(value) if isinstance(value, int) else value for value in arguments]
    if function(*typed) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
