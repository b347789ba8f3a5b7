"""Images in the layout of the official ones, of the tiny repository: for the stand-in engine, and for a real one."""

import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from small_instance import git

NAME = "swebench/sweb.eval.x86_64.acme_1776_shapes-1:latest"
ACTIVATE = """\
conda() {
  [ "$1" = activate ] || return 0
  if [ ! -d "/opt/miniconda3/envs/$2" ]; then echo "Could not find conda environment: $2" >&2; return 1; fi
  export PATH="/opt/miniconda3/envs/$2/bin:$PATH" CONDA_DEFAULT_ENV="$2" CONDA_PREFIX="/opt/miniconda3/envs/$2"
  export PYTHONPATH=/testbed  # in place of an installation in development mode
}
"""


def make_layout(root: Path, repository: Path, commit: str, python: str) -> Path:
    """`/opt/miniconda3` with an environment `testbed`, and `/testbed` with its history, below a new folder.

    Args:
        python: the text of the programs `python3` and `python`.
    """
    for folder in (conda := root / "opt/miniconda3", conda / "envs/testbed"):
        (folder / "bin").mkdir(parents=True)
        for name in ("python3", "python"):
            (folder / "bin" / name).write_text(python)
            (folder / "bin" / name).chmod(0o755)
    (conda / "bin/activate").write_text(ACTIVATE)
    git(root, "clone", "-q", str(repository), "testbed")
    git(root / "testbed", "checkout", "-q", commit)
    # What an installation in development mode leaves: ignored by git, needed by the tests.
    (root / "testbed/shapes_version.py").write_text("version = 1\n")
    return root


def real_root(root: Path) -> None:
    """What a layout needs to run alone: this machine's interpreter, pytest, bash and their libraries."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    source, target = Path(sys.base_prefix), root / "opt/python"
    (target / "bin").mkdir(parents=True)
    shutil.copy(Path(sys.base_prefix) / "bin" / Path(library).name, target / "bin/python")
    left_out = shutil.ignore_patterns(
        "test", "__pycache__", "idlelib", "tkinter", "config-*", "site-packages"
    )
    shutil.copytree(source / library, target / library, ignore=left_out)
    for name in ("pytest", "pluggy", "iniconfig", "packaging", "pygments"):
        for file in metadata.files(name) or ():
            if ".." not in file.parts and "__pycache__" not in file.parts:
                place = target / library / "site-packages" / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file.locate(), place)
    programs = ["/bin/bash", "/bin/sh", "/bin/grep", "/bin/ls", "/bin/cat", "/bin/sleep"]
    (root / "bin").mkdir()
    for program in programs:
        shutil.copy(program, root / "bin")
    binaries = [*programs, target / "bin/python", *(target / library / "lib-dynload").glob("*.so")]
    told = subprocess.run(["ldd", *map(str, binaries)], capture_output=True, text=True).stdout
    words = {
        word
        for line in told.splitlines()
        for word in line.split()
        if word.startswith("/") and ":" not in word
    }
    for path in words:
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name in ("tmp", "proc", "dev", "sys", "run", "etc"):
        (root / name).mkdir(exist_ok=True)


STAND_IN_PYTHON = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
REAL_PYTHON = '#!/bin/sh\nexec /opt/python/bin/python "$@"\n'
