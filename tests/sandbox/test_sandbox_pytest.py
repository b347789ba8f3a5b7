"""The fast path: a plain pytest command, run in a fork of the supervisor, says what the real command says."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import textwrap

import pytest

from evals.utils import sandbox_pytest as fast_path
from evals.utils.sandbox import CommandResult
from evals.utils.session import Session

SUITE = {
    "shop/__init__.py": "",
    "shop/cart.py": "def total(prices):\n    return sum(prices[1:])\n",
    "tests/test_cart.py": """
        import os, random, sys
        import pytest
        from shop.cart import total

        def test_total():
            assert total([1, 2, 3]) == 6

        def test_empty():
            assert total([]) == 0

        @pytest.mark.parametrize("text", ["a b", "[x]"])
        def test_text(text, capsys, tmp_path, monkeypatch):
            print(text)
            assert capsys.readouterr().out == text + "\\n"

        def test_dicts():
            assert {"a": [1, 2], "b": {3}} == {"a": [1, 3], "b": {4}}

        def test_process():
            print(sys.argv, sys.path[:2], sys.flags, os.getcwd(), hash("seed"), sys.stdin.read(), __name__)
            print(sorted(os.environ.items()), file=sys.stderr)
            assert 0

        @pytest.mark.skip(reason="later")
        def test_skipped(): ...

        @pytest.mark.xfail
        def test_expected(): assert 0

        def test_warns():
            import warnings
            warnings.warn("old")

        def test_error(missing_fixture): ...
    """,
}


@pytest.fixture
def suite(workspace):
    for name, text in SUITE.items():
        path = workspace / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return workspace


class Compared:
    """One session in which a command is run on both paths, each from the same start."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.fast = None
        receive = session._receive

        async def spy():
            answer = await receive()
            self.fast = answer[0].get("fast")
            return answer

        session._receive = spy

    async def run(self, command: str) -> CommandResult:
        shutil.rmtree(self.session.workspace / ".pytest_cache", ignore_errors=True)
        await self.session.run("rm -rf /tmp/pytest-of-user")
        return await self.session.run(command)

    async def both(self, command: str) -> tuple[CommandResult, CommandResult]:
        fast = await self.run(command)
        assert self.fast, f"{command}: not on the fast path"
        real = await self.run(f"true && {command}")
        assert not self.fast
        return fast, real


def stable(text: str) -> str:
    text = re.sub(r"\d+\.\d\ds", "0.00s", text)
    return re.sub(r"0x[0-9a-f]{6,}", "0x0", text)


async def assert_same(kind, workspace, commands):
    async with Session(kind, workspace) as session:
        compared = Compared(session)
        for command in commands:
            fast, real = await compared.both(command)
            assert stable(fast.output) == stable(real.output), command
            assert fast.exit_code == real.exit_code, command


def test_the_same_text_as_the_real_command(bwrap, suite):
    arguments = [
        "-v -rA",
        "-q tests/test_cart.py::test_total --tb=short",
        "-q 'tests/test_cart.py::test_text[a b]' -s",
        '-x -k "total or empty"',
        "--collect-only -q",
        "--no-such-option",
        "tests/no_such_file.py",
        "--version",
        "-q -p no:cacheprovider -o addopts= --maxfail=1",
        "--lf -l",
    ]
    asyncio.run(assert_same(bwrap, suite, [f"python -m pytest {each}" for each in arguments]))


def test_the_same_text_with_other_spellings(kind, suite):
    commands = ["pytest -q --rootdir=.", "cd /workspace && python3 -m pytest -q 2>&1"]
    asyncio.run(assert_same(kind, suite, commands))


ENDS = [
    "import sys; sys.exit(3)",
    "import os; os._exit(0)",
    "import atexit, threading, time\natexit.register(print, 'at exit')\n"
    "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\ndef test_a(): pass",
    "raise KeyboardInterrupt",
    "import os, signal\ndef test_a(): os.kill(os.getpid(), signal.SIGTERM)",
    "def test_a():\n    import ctypes; ctypes.string_at(0)",
    "def f(n): return f(n + 1)\ndef test_a():\n    try: f(0)\n    except RecursionError: print('deep')",
]


def test_unusual_ends_are_the_same(bwrap, workspace):
    async def body():
        async with Session(bwrap, workspace) as session:
            compared = Compared(session)
            for code in ENDS:
                (workspace / "test_end.py").write_text(code + "\n")
                fast, real = await compared.both("python -m pytest -q -s")
                assert fast.exit_code == real.exit_code, code
                # A crash prints the interpreter's own stack, in which our frames stand where runpy's would; and a
                # shell may add a line of its own about a signal.
                if real.exit_code < 128:
                    assert stable(fast.output) == stable(real.output), code

    asyncio.run(body())


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("python -m pytest -q", ["python", "-m", "pytest", "-q"]),
        ("  pytest 'a b'\"c d\"e  ", ["pytest", "a bc de"]),
        ("pytest tests/t.py::test_x[1-a]", ["pytest", "tests/t.py::test_x[1-a]"]),
        ("cd /workspace && pytest -q 2>&1", ["pytest", "-q"]),
        ("cd /elsewhere && pytest", None),
        ("pytest | cat", None),
        ("pytest > out.txt", None),
        ("pytest; ls", None),
        ("pytest &", None),
        ("pytest\nls", None),
        ("pytest $HOME", None),
        ('pytest "$PWD"', None),
        ('pytest "a\\"b"', None),
        ("pytest `echo tests`", None),
        ('pytest "`echo tests`"', None),
        ("pytest tests/*.py", None),
        ("pytest tests/test_?.py", None),
        ("pytest ~/x", None),
        ("pytest {a,b}", None),
        ("pytest # all", None),
        ("pytest a\\ b", None),
        ("pytest 'open", None),
        ("", []),
    ],
)
def test_which_commands_need_a_shell(command, words):
    assert fast_path.plain_words(command, "/workspace") == words


@pytest.mark.parametrize(
    "command", ["X=1 python -m pytest", "python -B -m pytest", "python -m unittest", "ls", "", []]
)
def test_which_commands_are_no_plain_pytest(command):
    assert fast_path.pytest_words(command, "/workspace") is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("pdb.py", True),
        ("tests/pdb.py", True),
        ("pdb/__init__.py", True),
        ("src/deep/pdb.cpython-311-x86_64-linux-gnu.so", True),
        ("pdb/other.py", False),
        ("shop/pdb.py", False),
        (".git/pdb.py", False),
        ("pdb.txt", False),
        ("pdb_tools.py", False),
    ],
)
def test_what_shadows_a_loaded_module(suite, path, expected):
    (suite / path).parent.mkdir(exist_ok=True, parents=True)
    (suite / path).write_text("")
    assert fast_path.shadows(str(suite), {"pdb"}) is expected


def test_a_workspace_too_large_to_look_through_counts_as_shadowing(suite, monkeypatch):
    monkeypatch.setattr(fast_path, "SCAN_ENTRIES", 3)
    assert fast_path.shadows(str(suite), set())


def test_a_workspace_that_shadows_a_loaded_module_is_run_for_real(kind, suite):
    (suite / "pdb.py").write_text("print('imported from the workspace')\n")

    async def body():
        async with Session(kind, suite) as session:
            compared = Compared(session)
            result = await compared.run("python -m pytest -q -k total")
            return result, compared.fast

    result, fast = asyncio.run(body())
    assert not fast and "imported from the workspace" in result.output


def test_runs_do_not_see_each_other(run, workspace):
    (workspace / "test_state.py").write_text(
        "import json, sys\ndef test_clean():\n    assert not hasattr(json, 'spoiled')\n    json.spoiled = True\n"
    )
    results = run(*["python -m pytest -q"] * 3)
    assert [result.exit_code for result in results] == [0, 0, 0]


def test_an_edited_source_is_read_anew(kind, suite):
    async def body():
        async with Session(kind, suite) as session:
            before = await session.run("python -m pytest -q -k total")
            (suite / "shop/cart.py").write_text("def total(prices):\n    return sum(prices[0:])\n")
            return before, await session.run("python -m pytest -q -k total")

    before, after = asyncio.run(body())
    assert (before.exit_code, after.exit_code) == (1, 0)


def test_code_on_pythonpath_in_the_workspace_is_not_imported_by_the_supervisor(kind, workspace):
    (workspace / "src").mkdir()
    (workspace / "src" / "pytest.py").write_text("open('owned', 'w')\nraise SystemExit(9)\n")
    (workspace / "src" / "pdb.py").write_text("open('owned', 'w')\n")

    async def body():
        async with Session(kind, workspace, env={"PYTHONPATH": "/workspace/src"}) as session:
            return [await session.run("python -m pytest -q"), await session.run("echo alive")]

    first, second = asyncio.run(body())
    assert first.exit_code == 9 and second.output == "alive\n"


def test_the_channel_reaches_pytest_and_not_what_it_starts(kind, workspace):
    (workspace / "test_channel.py").write_text(
        "import os, subprocess\n"
        "def test_it():\n"
        "    assert os.read(3, 10) == b'nonce'\n"
        "    assert subprocess.run('echo evil >&3', shell=True, close_fds=False).returncode != 0\n"
        "    os.write(3, b'verdict')\n"
    )

    async def body():
        async with Session(kind, workspace) as session:
            return await session.run([sys.executable, "-m", "pytest", "-q"], channel=b"nonce")

    result = asyncio.run(body())
    assert (result.exit_code, result.channel) == (0, b"verdict"), result.output
