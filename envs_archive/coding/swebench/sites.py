"""Installs the project of one instance: in development mode, into a thin environment of its own over the shared one.

The tree of every instance is another, and is always at /workspace where it is used; so the installation takes place
there, in a sandbox without network. What it makes in the tree (metadata, compiled modules, a generated version file) is
kept, and put into every further tree of the instance.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evals.contract import write_json_atomic
from evals.utils.removal import remove_tree
from evals.utils.sandbox import Limits, SandboxKind, View, sandboxed_argv
from evals.utils.session import WORKSPACE, clean_output
from evals.utils.subprocesses import start_process

from ..pytest_settings import import_roots
from ..tasks import Task
from ..workspace import CACHE_FOLDERS, make_workspace
from .images import find_image, known_image, take_repository
from .official import INSTALL, digest
from .venvs import MARKER, EnvironmentFault, Venv, build_venv, find_venv, home, locked, run

INSTALL_LIMITS = Limits(wall_s=3600, cpu_s=0, memory_mb=0, processes=512, file_mb=0, disk_mb=0)
_RELEASE = re.compile(r"\d+(\.\d+)*")
_BUILT = ("build", "dist")  # what a build leaves in the tree that nothing needs


def site_folder(task: Task) -> Path:
    """Where the installation of a task's project is kept, there or not. The agent sees the path: it does not tell the
    instance, by whose number a model may know the fix."""
    environment = task.official.environment
    parts = (environment.key, task.repo, task.base_commit, task.version)
    return home() / "projects" / digest(*parts, *environment.install, dict(environment.variables))


async def install(task: Task, tree: Path, kind: SandboxKind, say: Callable[[str], None]) -> None:
    """Make a checked-out tree what it is after an installation, and the task's environment if it is not there; or take
    it, installed, out of the task's image.

    Args:
        tree: of the base commit; nobody else writes to it meanwhile.

    Raises:
        EnvironmentFault: the environment or the project cannot be installed.
        OSError: there is no space, say.
    """
    if task.official.image:
        if not tree.exists():  # otherwise it is a copy of what has been taken before
            await take_repository(task, tree, kind, say)
        return
    venv = await build_venv(task.official.environment, say)
    site = site_folder(task)
    with await asyncio.to_thread(locked, site):
        if not (site / MARKER).exists():
            remove_tree(site)
            await _install(task, tree, venv, site, kind)
    await asyncio.to_thread(shutil.copytree, site / "products", tree, symlinks=True, dirs_exist_ok=True)


async def provide(task: Task, base: Path, kind: SandboxKind, say: Callable[[str], None]) -> None:
    """See that everything a prepared base runs with is there: the base may be older than the cache, or from elsewhere.

    Raises:
        EnvironmentFault, OSError: as ``install``.
    """
    if task.official.image:
        await find_image(task, kind, say)
        return
    await build_venv(task.official.environment, say)
    if not (site_folder(task) / MARKER).exists():
        site_folder(task).parent.mkdir(parents=True, exist_ok=True)
        scratch = site_folder(task).with_suffix(".tree")
        remove_tree(scratch)
        try:
            tree = await asyncio.to_thread(make_workspace, base, scratch, with_git=False)
            await install(task, tree, kind, say)
        finally:
            await asyncio.to_thread(remove_tree, scratch)


def mounted(task: Task, base: Path, kind: SandboxKind) -> dict[str, Any]:
    """What commands on a task need: ``folders`` to be seen at their own paths, ``variables`` (None: unset), their
    limit ``memory_mb``, and the ``image`` in which they run ("" for none).

    Raises:
        EnvironmentFault: they are not there.
    """
    environment = task.official.environment
    if task.official.image:
        image = known_image(task, kind)
        variables = dict(image.variables)
        return {"folders": [], "variables": variables, "memory_mb": environment.memory_mb, "image": image.id}
    venv, site = find_venv(environment), site_folder(task)
    if not (site / MARKER).exists():
        raise EnvironmentFault(f"{task.instance_id} has not been installed")
    variables = _variables(task, site)
    if kind.kind == "process":  # there is no /workspace to which the installation could point
        roots = [f"{WORKSPACE}/{name}" for name in import_roots(base)]
        variables["PYTHONPATH"] = ":".join([*roots, WORKSPACE])
    folders = [str(path) for path in _folders(venv, site)]
    return {"folders": folders, "variables": variables, "memory_mb": environment.memory_mb, "image": ""}


def _folders(venv: Venv, site: Path) -> list[Path]:
    folders = {venv.base, venv.base.resolve(), venv.folder, site}
    return sorted(folder for folder in folders if not folder.is_relative_to("/usr"))


def _variables(task: Task, site: Path) -> dict[str, str | None]:
    variables: dict[str, str | None] = {
        "PATH": f"{site}/bin:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": None,
        "PYTHONUSERBASE": None,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": None,  # the environment's plugins are wanted
    }
    return variables | dict(task.official.environment.variables)


async def _install(task: Task, tree: Path, venv: Venv, site: Path, kind: SandboxKind) -> None:
    what = f"{task.instance_id} cannot be installed in environment {task.official.environment.name}"
    site.parent.mkdir(parents=True, exist_ok=True)
    code, output = await run([str(venv.python), "-m", "venv", "--without-pip", str(site)])
    if code:
        raise EnvironmentFault(f"{what}: {' '.join(output.split())[-300:]}")
    own = next((site / "lib").glob("python*/site-packages"))
    # Read after the .pth file of the installation, so that the project goes before a release of it in the environment.
    (own / "zz-shared.pth").write_text(f"import site; site.addsitedir({str(venv.purelib)!r})\n")
    _copy_scripts(venv, site)
    before = _listing(tree)
    installable = any((tree / name).exists() for name in ("setup.py", "setup.cfg", "pyproject.toml"))
    commands = task.official.environment.install
    if commands == (INSTALL,) and not installable:
        commands = ()
    if not commands:
        roots = [WORKSPACE, *(f"{WORKSPACE}/{name}" for name in import_roots(tree))]
        (own / "workspace.pth").write_text("".join(f"{root}\n" for root in roots))
    for command in commands:
        code, output = await _sandboxed(task, command, tree, venv, site, kind)
        if code:
            (site / "install.log").write_text(output, encoding="utf-8")
            raise EnvironmentFault(
                f"{what}: {command!r} failed: {_reason(output)}; all of it in {site / 'install.log'}"
            )
    _keep_products(tree, before, site / "products")
    _move(own, tree)
    write_json_atomic(site / MARKER, {"instance": task.instance_id, "venv": str(venv.folder)})


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"(\w*Error|error|ERROR)\b.*:", line)]
    return " ".join((errors or lines or ["it printed nothing"])[-1 if not errors else 0].split())[:300]


def _copy_scripts(venv: Venv, site: Path) -> None:
    """The environment's programs, run by the interpreter that knows the project."""
    old, new = f"#!{venv.folder}/bin/python", f"#!{site}/bin/python"
    for path in (venv.folder / "bin").iterdir():
        if path.is_symlink() or not path.is_file() or (site / "bin" / path.name).exists():
            continue
        content = path.read_bytes()
        if content.startswith(old.encode()):
            target = site / "bin" / path.name
            first, end, rest = content.partition(b"\n")
            target.write_bytes(first.replace(old.encode(), new.encode(), 1) + end + rest)
            target.chmod(0o755)


async def _sandboxed(
    task: Task, command: str, tree: Path, venv: Venv, site: Path, kind: SandboxKind
) -> tuple[int, str]:
    release = found[0] if (found := _RELEASE.match(task.version)) else "0"
    variables = {
        # There is no history from which a version could be told.
        "SETUPTOOLS_SCM_PRETEND_VERSION": release,
        "PBR_VERSION": release,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        **_variables(task, site),
    }
    inside = str(tree) if kind.kind == "process" else WORKSPACE
    view = View(
        readonly=tuple((folder, str(folder)) for folder in _folders(venv, site) if folder != site),
        writable=((tree, inside), (site, str(site))),
        cwd=inside,
    )
    argv, env = sandboxed_argv(kind, ["sh", "-c", command], view, INSTALL_LIMITS)
    env = {name: value for name, value in {**env, **variables}.items() if value is not None}
    process = await start_process(
        *argv,
        env=env,
        cwd=tree,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), INSTALL_LIMITS.wall_s)
    except (TimeoutError, asyncio.CancelledError) as error:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()
        if isinstance(error, TimeoutError):
            return 1, f"it took longer than {INSTALL_LIMITS.wall_s:g} s"
        raise
    return process.returncode or 0, clean_output(output)


def _listing(tree: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file."""
    found = {}
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name != ".git" and name not in CACHE_FOLDERS]
        for name in files:
            path = Path(folder, name)
            status = path.lstat()
            found[str(path.relative_to(tree))] = (status.st_size, status.st_mtime_ns)
    return found


def _keep_products(tree: Path, before: dict[str, tuple[int, int]], products: Path) -> None:
    """Copy what the installation has made or changed in the tree; what it built on the way there is removed."""
    made_tops = {name for name in _BUILT if not any(path.startswith(f"{name}/") for path in before)}
    for name in made_tops:
        remove_tree(tree / name)
    products.mkdir()
    for name, seen in _listing(tree).items():
        if before.get(name) != seen and not name.endswith(".pyc"):
            (products / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(tree / name, products / name, follow_symlinks=False)


def _move(own: Path, tree: Path) -> None:
    """Say /workspace where a tool without a sandbox has written the tree's own path."""
    old = str(tree).encode()
    for path in [*own.glob("*"), *own.glob("*.dist-info/*")]:
        if path.is_file() and path.suffix in (".pth", ".py", ".egg-link", ".json", ""):
            content = path.read_bytes()
            if old in content:
                path.write_bytes(content.replace(old, WORKSPACE.encode()))
