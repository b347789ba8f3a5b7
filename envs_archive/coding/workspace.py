"""Trees of one task: the prepared base, the agent's copy of it, and what the agent changed.

A base is a git repository with one commit, no remote, no tag, no reflog and no hook. Its commit id depends on
the task's files alone. Git is never run in a tree an agent has written to: its configuration may start programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

from evals.utils.subprocesses import start_process

from .tasks import Task

FIXED_TIME = (
    1_700_000_000  # seconds since 1970: dates of the commit and of all files, so that `ls -l` repeats
)
CACHE_FOLDERS = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"})
MAX_CHANGED_FILE = 4 * 2**20  # bytes; a changed file above it is no source code
MAX_CHANGED_TOTAL = 32 * 2**20  # bytes over all changed files; the largest are left out first
_FICLONE = 0x40049409
_GIT_CONFIG = """\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = false
\tlogallrefupdates = false
\tcheckStat = minimal
[user]
\tname = Agent
\temail = agent@localhost
[gc]
\tauto = 0
"""


class WorkspaceError(OSError):
    """A task's tree could not be made: an infrastructure fault, never the agent's."""


class PatchError(ValueError):
    """A patch does not apply to the tree it was meant for."""


def _git_environment(tree: Path) -> dict[str, str]:
    who = {
        f"GIT_{role}_{key}": value
        for role in ("AUTHOR", "COMMITTER")
        for key, value in (("NAME", "Base"), ("EMAIL", "base@localhost"), ("DATE", f"{FIXED_TIME} +0000"))
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        # A tree inside some other checkout must not be taken for a part of it.
        "GIT_CEILING_DIRECTORIES": str(tree.resolve().parent),
        **who,
    }


async def _git(
    tree: Path, *arguments: str, stdin: str | None = None, variables: Mapping[str, str] | None = None
) -> str:
    """Run git in `tree`, isolated from the user's configuration; returns stdout.

    Raises:
        WorkspaceError: git is missing or fails; the message holds git's first lines.
    """
    try:
        process = await start_process(
            "git",
            "-c",
            "safe.directory=*",  # a base that another user prepared
            *arguments,
            cwd=tree,
            env=_git_environment(tree) | dict(variables or {}),
            stdin=asyncio.subprocess.PIPE if stdin is not None else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
    except FileNotFoundError as error:
        raise WorkspaceError("git is not installed") from error
    out, err = await process.communicate(stdin.encode() if stdin is not None else None)
    if process.returncode:
        message = "; ".join(err.decode(errors="replace").strip().splitlines()[:3])
        raise WorkspaceError(f"git {arguments[0]} failed: {message}")
    return out.decode(errors="replace")


async def prepare_base(
    task: Task, folder: Path, install: Callable[[Path], Awaitable[None]] | None = None
) -> Path:
    """Make the base of `task` as `folder`, or leave it when it is there already; returns `folder`.

    Args:
        install: does to the tree, before it is committed, what an installation of the project does. The tree of a
            task with an image is there only when it has made it.

    Raises:
        WorkspaceError: the sources cannot be fetched or copied.
    """
    if (folder / ".git").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Built beside its place and renamed: neither two at once nor a kill in between leaves half a base.
    building = Path(tempfile.mkdtemp(prefix=".base-", dir=folder.parent))
    try:
        tree = building / "tree"
        if task.git_url:
            await _export_commit(task.git_url, task.base_commit, tree)
        elif task.files is not None:
            _write_files(task.files, tree)
        elif task.repo_path is not None:
            await asyncio.to_thread(_copy_source, task.repo_path, tree)
        elif install is None or not task.official.image:
            raise WorkspaceError(f"task {task.instance_id} has no workspace")
        if install is not None:
            await install(tree)
        await _commit_everything(tree)
        _fix_times(tree)
        with contextlib.suppress(OSError):  # somebody else was quicker
            os.rename(tree, folder)
        if not (folder / ".git").is_dir():
            raise WorkspaceError(f"cannot write the base of {task.instance_id} to {folder}")
    except (OSError, ValueError) as error:
        raise WorkspaceError(f"cannot prepare the base of {task.instance_id}: {error}") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return folder


def _write_files(files: Mapping[str, str], tree: Path) -> None:
    tree.mkdir()
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def _copy_source(source: Path, tree: Path) -> None:
    def skipped(folder: str, names: list[str]) -> set[str]:
        return {n for n in names if n == ".git" or n in CACHE_FOLDERS or n.endswith(".pyc")}

    shutil.copytree(source, tree, symlinks=True, ignore=skipped)
    inside = tree.resolve()
    for path in tree.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(inside):
            raise WorkspaceError(f"{source}: the link {path.relative_to(tree)} leads out of the folder")


async def _export_commit(url: str, commit: str, tree: Path) -> None:
    """Take the tree of one commit, and nothing of its history."""
    if Path(url).is_dir():
        await _export_local(Path(url).resolve(), commit, tree)
        return
    clone = tree.with_name("clone")
    clone.mkdir()
    await _git(clone, "init", "-q", "--template=", ".")
    # A bundle, say, is relative to where the user is, not to the scratch folder.
    if Path(url).exists():
        url = str(Path(url).resolve())
    try:
        await _git(clone, "fetch", "-q", "--depth=1", "--no-tags", url, commit)
    except WorkspaceError:  # servers may refuse a bare commit id: take everything, then the commit
        await _git(clone, "fetch", "-q", "--no-tags", url, "+refs/*:refs/all/*")
    tree.mkdir()
    await _git(clone, "read-tree", commit)
    await _git(clone, "checkout-index", "-a", "-f", f"--prefix={tree}/")
    shutil.rmtree(clone)


async def _export_local(repository: Path, commit: str, tree: Path) -> None:
    """The same out of a repository on this disk, to which nothing is written.

    A mirror may lack large files, and the tree may do without: only missing source is an error.
    """
    folder = repository / ".git" if (repository / ".git").exists() else repository
    if folder.is_file():  # a work tree or a submodule: where its repository is, stands in the file
        folder = (repository / folder.read_text(encoding="utf-8").partition(":")[2].strip()).resolve()
    tree.mkdir()
    index = tree.with_name("index")
    reading = {"GIT_DIR": str(folder), "GIT_WORK_TREE": str(tree), "GIT_INDEX_FILE": str(index)}
    reading["GIT_NO_LAZY_FETCH"] = "1"
    try:
        await _git(tree, "cat-file", "-e", f"{commit}^{{commit}}", variables=reading)
    except WorkspaceError as error:
        raise WorkspaceError(f"commit {commit} is not in {repository}") from error
    await _git(tree, "read-tree", commit, variables=reading)
    why = ""
    try:
        await _git(tree, "checkout-index", "-a", "-f", f"--prefix={tree}/", variables=reading)
    except WorkspaceError as error:
        why = f" ({error})"
    listed = (await _git(tree, "ls-files", "-s", "-z", variables=reading)).split("\0")[:-1]
    files = [line.partition("\t")[2] for line in listed if not line.startswith("160000 ")]
    missing = [name for name in files if name.endswith(".py") and not os.path.lexists(tree / name)]
    if missing:
        raise WorkspaceError(f"{repository} lacks {len(missing)} files of commit {commit}: {missing[0]}{why}")
    index.unlink()


async def _commit_everything(tree: Path) -> None:
    await _git(tree, "init", "-q", "--template=", "--initial-branch=main", ".")
    (tree / ".git" / "config").write_text(_GIT_CONFIG)
    # Every file goes straight into a pack, and no time goes into finding what resembles what: of ten thousand files
    # that takes many times as long as all the rest, and saves little.
    quickly = ("-c", "core.bigFileThreshold=1", "-c", "core.compression=1", "-c", "pack.window=0")
    await _git(tree, *quickly, "add", "-A", "-f", ".")
    tree_id = (await _git(tree, "write-tree")).strip()
    commit = (await _git(tree, "commit-tree", tree_id, "-m", "Base")).strip()
    await _git(tree, "update-ref", "refs/heads/main", commit)
    await _git(tree, *quickly, "repack", "-a", "-d", "-q")  # one pack: quick to copy
    for leftover in ("branches", "hooks", "description", "info", "objects/info"):
        path = tree / ".git" / leftover
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _fix_times(tree: Path) -> None:
    for folder, _, files in os.walk(tree):
        for name in files:
            os.utime(os.path.join(folder, name), (FIXED_TIME, FIXED_TIME), follow_symlinks=False)
        os.utime(folder, (FIXED_TIME, FIXED_TIME))


def make_workspace(base: Path, target: Path, *, with_git: bool = True) -> Path:
    """Copy a prepared base to `target`; shares blocks where the file system can (reflink).

    Args:
        target: must not exist, or be an empty folder.
        with_git: False leaves `.git` out.

    Raises:
        WorkspaceError: the base is missing or cannot be copied.
    """
    if not base.is_dir():
        raise WorkspaceError(f"the prepared base {base} is missing")
    try:
        _copy_folder(str(base), str(target), Copier(), frozenset() if with_git else frozenset({".git"}))
    except OSError as error:
        raise WorkspaceError(f"cannot copy {base} to {target}: {error}") from error
    return target


class Copier:
    """Copies one file or link; asks for a reflink until the file system says that it has none."""

    def __init__(self) -> None:
        self.reflink = True

    def copy(self, source: str, target: str) -> None:
        with open(source, "rb", buffering=0) as reading:
            status = os.fstat(reading.fileno())
            mode = 0o755 if status.st_mode & 0o100 else 0o644
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            try:
                if not self._cloned(descriptor, reading.fileno()):
                    while data := os.read(reading.fileno(), 2**20):
                        _write_all(descriptor, data)
                os.fchmod(descriptor, mode)  # whatever the umask
                os.utime(descriptor, ns=(status.st_mtime_ns, status.st_mtime_ns))
            finally:
                os.close(descriptor)

    @staticmethod
    def link(leads_to: str, target: str) -> None:
        os.symlink(leads_to, target)
        os.utime(target, (FIXED_TIME, FIXED_TIME), follow_symlinks=False)

    def _cloned(self, target: int, source: int) -> bool:
        if not self.reflink:
            return False
        try:
            fcntl.ioctl(target, _FICLONE, source)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EIO):
                raise
            self.reflink = False
        return self.reflink


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _copy_folder(source: str, target: str, copier: Copier, skipped: frozenset[str]) -> None:
    with contextlib.suppress(FileExistsError):
        os.mkdir(target, 0o755)
    with os.scandir(source) as entries:
        for entry in entries:
            destination = os.path.join(target, entry.name)
            if entry.name in skipped:
                continue
            if entry.is_symlink():
                copier.link(os.readlink(entry.path), destination)
            elif entry.is_dir():
                _copy_folder(entry.path, destination, copier, frozenset())
            else:
                copier.copy(entry.path, destination)
    os.utime(target, (FIXED_TIME, FIXED_TIME))


def list_files(tree: Path) -> list[str]:
    """Relative paths of the regular files of a tree, sorted; no `.git`, no caches."""
    return sorted(name for name, _ in regular_files(tree))


def regular_files(tree: Path) -> Iterator[tuple[str, os.stat_result]]:
    """(relative path, lstat) of every regular file; links and folders behind links are left out."""
    waiting = [(str(tree), "")]
    if not os.access(tree, os.R_OK | os.X_OK):
        os.chmod(tree, 0o755)
    while waiting:
        folder, prefix = waiting.pop()
        # A folder below the longest possible path, say: nothing in it is source.
        with contextlib.suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    if entry.name != ".git" and entry.name not in CACHE_FOLDERS:
                        if not os.access(entry.path, os.R_OK | os.X_OK):
                            os.chmod(entry.path, 0o755)
                        waiting.append((entry.path, f"{prefix}{entry.name}/"))
                elif stat.S_ISREG(status.st_mode) and not entry.name.endswith(".pyc"):
                    yield prefix + entry.name, status


def changed_files(workspace: Path, base: Path) -> dict[str, bytes | None]:
    """What differs between an agent's workspace and the base it was copied from.

    Returns:
        Relative path -> new content, None for a file that is gone (a link in its place counts as gone).
        Regular files only; no `.git`, no caches, no names that are not UTF-8, nothing above MAX_CHANGED_FILE.
    """
    after = dict(regular_files(workspace))
    gone = [name for name in list_files(base) if name not in after]
    return differing(workspace, base, after, gone)


def differing(
    tree: Path, base: Path, after: Mapping[str, os.stat_result], gone: Sequence[str]
) -> dict[str, bytes | None]:
    """As `changed_files`, of those regular files of a tree, and of files of the base that are gone from it."""
    changed: dict[str, bytes | None] = dict.fromkeys(gone)
    total = 0
    for name, status in sorted(after.items(), key=lambda item: (item[1].st_size, item[0])):
        if status.st_size > MAX_CHANGED_FILE or not _is_text_name(name):
            continue
        content = _read_regular(tree / name)
        if _content_of(base / name, len(content)) == content:
            continue
        total += len(content)
        if total > MAX_CHANGED_TOTAL:
            break
        changed[name] = content
    return dict(sorted(changed.items()))


def _content_of(path: Path, size: int) -> bytes | None:
    """Of a regular file of that size."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_size == size:
            return path.read_bytes()
    return None


def _is_text_name(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read_regular(path: Path) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        descriptor = os.open(path, flags)
    except PermissionError:
        os.chmod(path, 0o644)
        descriptor = os.open(path, flags)
    with os.fdopen(descriptor, "rb") as handle:
        return handle.read(MAX_CHANGED_FILE)


async def apply_patch(tree: Path, patch_text: str) -> None:
    """Apply a unified diff to a tree that no agent has written to. An empty patch changes nothing.

    Raises:
        PatchError: the patch does not apply; nothing was changed.
    """
    if not patch_text.strip():
        return
    if not patch_text.endswith("\n"):
        patch_text += "\n"
    try:
        await _git(tree, "apply", "--whitespace=nowarn", "-", stdin=patch_text)
    except WorkspaceError as error:
        raise PatchError(f"the patch does not apply: {error}") from error
