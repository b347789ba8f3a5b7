"""What a project says of how its tests are found and imported."""

import itertools

import pytest

from envs_archive.coding.pytest_settings import import_roots, kept_options, pytest_arguments


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


PACKAGE = {"src/shop/__init__.py": ""}
ROOTS = {
    "flat": ({"shop/__init__.py": ""}, []),
    "src": (PACKAGE, ["src"]),
    "a module in src": ({"src/shop.py": ""}, ["src"]),
    "src is a package": ({"src/__init__.py": "", "src/a.py": ""}, []),
    "src holds data": ({"src/data.txt": ""}, []),
    "named by setuptools": (
        {
            "python/shop/__init__.py": "",
            "pyproject.toml": '[tool.setuptools.packages.find]\nwhere = ["python"]\n',
        },
        ["python"],
    ),
    "named by poetry": (
        {"py/shop/a.py": "", "pyproject.toml": '[[tool.poetry.packages]]\ninclude = "shop"\nfrom = "py"\n'},
        ["py"],
    ),
    "outside": (PACKAGE | {"pyproject.toml": '[tool.setuptools.package-dir]\n"" = "../other"\n'}, ["src"]),
    "no TOML": (PACKAGE | {"pyproject.toml": "[tool.\n"}, ["src"]),
    "odd TOML": (
        PACKAGE | {"pyproject.toml": '[tool.setuptools]\npackages = ["shop"]\npackage-dir = 3\n'},
        ["src"],
    ),
}


@pytest.mark.parametrize("case", ROOTS)
def test_import_roots(tmp_path, case):
    files, roots = ROOTS[case]
    assert import_roots(write(tmp_path, files)) == roots


@pytest.mark.parametrize(
    "command, arguments",
    [
        ("python -m pytest -q tests", ["-q", "tests"]),
        ("pytest -o 'addopts='", ["-o", "addopts="]),
        ("/usr/bin/python3 -m pytest", []),
        ("make test", None),
        ("python -m unittest", None),
        ("python -m pytest 'x", None),
    ],
)
def test_arguments_of_a_test_command(command, arguments):
    assert pytest_arguments(command) == arguments


def test_options_that_are_kept(tmp_path):
    settings = (
        "[pytest]\npythonpath = helpers\npython_files = check_*.py\naddopts = -x --import-mode=importlib\n"
    )
    write(tmp_path, PACKAGE | {"pytest.ini": settings})
    command = "python -m pytest -q -o python_files=spec_*.py -p some.plugin -p no:randomly"
    found = kept_options(tmp_path, command)
    pairs = list(itertools.pairwise(found))
    assert ("-o", "pythonpath=/workspace/helpers /workspace/src") in pairs
    assert ("-o", "python_files=spec_*.py") in pairs  # the command's word counts for more than the file's
    assert "--import-mode=importlib" in found and ("-p", "some.plugin") in pairs
    assert "-x" not in found and "no:randomly" not in found
    assert "--import-mode=importlib" not in kept_options(tmp_path, "python -m pytest -o addopts=")


def test_nothing_said(tmp_path):
    assert kept_options(write(tmp_path, {"shop.py": ""}), "python -m pytest -q") == []
