"""Environments are built once with pip, whole or not at all, and say why they cannot be."""

import asyncio
import dataclasses
import json
import sys

import pytest

from envs_archive.coding.swebench.official import Environment
from envs_archive.coding.swebench.venvs import (
    EnvironmentFault,
    build_venv,
    find_python,
    find_venv,
    venv_folder,
)

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(autouse=True)
def no_index(monkeypatch):
    """pip finds what is handed to it, and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")


def wheel(folder, name, version="1.0"):
    """A wheel made by hand."""
    import zipfile

    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}.py", "VALUE = 42\n")
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(
            f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
        )
    return path


def test_built_whole_or_gone_on_with(tmp_path, monkeypatch):
    said = []
    broken = Environment("trial", "a/b", MINOR, ("alpha==1.0", "omega_of_nowhere==3.1"))
    wheel(tmp_path, "alpha")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(
        EnvironmentFault, match=r"trial \(Python .*omega_of_nowhere==3.1 is in no package index"
    ):
        asyncio.run(build_venv(broken, said.append))
    with pytest.raises(EnvironmentFault, match="has not been built"):
        find_venv(broken)
    began = (venv_folder(broken) / "bin" / "python").lstat().st_mtime_ns
    wheel(tmp_path, "omega_of_nowhere", "3.1")
    venv = asyncio.run(build_venv(broken, said.append))
    assert (venv.folder / "bin" / "python").lstat().st_mtime_ns == began  # what was there was gone on with
    assert json.loads((venv.folder / "complete.json").read_text())["packages"] == list(broken.packages)
    assert (venv.purelib / "omega_of_nowhere.py").exists()
    said.clear()
    assert asyncio.run(build_venv(broken, said.append)) == venv
    assert said == []


def test_other_packages_are_another_environment():
    one = Environment("trial", "a/b", "3.9", ("a==1",))
    assert venv_folder(one) == venv_folder(dataclasses.replace(one, test_timeout=3.0))
    assert venv_folder(one) != venv_folder(dataclasses.replace(one, packages=("a==2",)))


def test_which_python():
    found = asyncio.run(find_python(MINOR))
    assert found.name.startswith("python")
    with pytest.raises(EnvironmentFault, match=r"no Python 3\.99 here: install one"):
        asyncio.run(find_python("3.99"))
