"""The fast path: a plain pytest command, run in a fork of the supervisor, says what the real command says."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import textwrap

import pytest

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


def both(kind, workspace, plain: str, real: str):
    """The same command on both paths, each in a session of its own, so that both start alike."""

    async def one(command: str, fast: bool):
        shutil.rmtree(workspace / ".pytest_cache", ignore_errors=True)
        async with Session(kind, workspace) as session:
            taken = []
            receive = session._receive

            async def spy():
                answer = await receive()
                taken.append(answer[0].get("fast"))
                return answer

            session._receive = spy
            result = await session.run(command)
            assert taken[-1] is fast, f"{command}: fast path {taken[-1]}"
            return result

    async def body():
        return [await one(plain, True), await one(real, False)]

    return asyncio.run(body())


def stable(text: str) -> str:
    text = re.sub(r"\d+\.\d\ds", "0.00s", text)
    return re.sub(r"0x[0-9a-f]{6,}", "0x0", text)


@pytest.mark.parametrize(
    "arguments",
    [
        "-q",
        "-v -rA",
        "-q tests/test_cart.py::test_total --tb=short",
        "-q 'tests/test_cart.py::test_text[a b]' -s",
        '-x -k "total or empty" --durations=2',
        "--collect-only -q",
        "--no-such-option",
        "tests/no_such_file.py",
        "--version",
        "-q -p no:cacheprovider -o addopts= --maxfail=1",
        "--lf -l --showlocals",
    ],
)
def test_the_same_text_as_the_real_command(kind, suite, arguments):
    fast, real = both(kind, suite, f"python -m pytest {arguments}", f"true && python -m pytest {arguments}")
    assert stable(fast.output) == stable(real.output)
    assert fast.exit_code == real.exit_code


def test_the_pytest_script_too(kind, suite):
    fast, real = both(kind, suite, "pytest -q --rootdir=.", "true && pytest -q --rootdir=.")
    assert stable(fast.output) == stable(real.output)


@pytest.mark.parametrize(
    "code",
    [
        "import sys; sys.exit(3)",
        "import os; os._exit(0)",
        "import atexit, threading, time\natexit.register(print, 'at exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.1), print('thread'))).start()\ndef test_a(): pass",
        "raise KeyboardInterrupt",
        "import os, signal\ndef test_a(): os.kill(os.getpid(), signal.SIGTERM)",
        "def test_a():\n    import ctypes; ctypes.string_at(0)",
        "def f(n): return f(n + 1)\ndef test_a():\n    try: f(0)\n    except RecursionError: print('deep')",
    ],
)
def test_unusual_ends_are_the_same(kind, workspace, code):
    (workspace / "test_end.py").write_text(code + "\n")
    fast, real = both(kind, workspace, "python -m pytest -q -s", "true && python -m pytest -q -s")
    assert fast.exit_code == real.exit_code
    # A crash prints the interpreter's own stack, in which our frames stand where runpy's would; and a shell may add
    # a line of its own about a signal.
    if real.exit_code < 128:
        assert stable(fast.output) == stable(real.output)


@pytest.mark.parametrize("command", ["cd /workspace && python -m pytest -q", "python3 -m pytest -q 2>&1"])
def test_common_dressings_are_still_plain(kind, suite, command):
    fast, real = both(kind, suite, command, f"true && {command}")
    assert stable(fast.output) == stable(real.output)


@pytest.mark.parametrize(
    "command",
    [
        "python -m pytest -q | cat",
        "python -m pytest -q > out.txt; cat out.txt",
        "python -m pytest -q $HOME/../workspace",
        "python -m pytest -q tests/*.py",
        "X=1 python -m pytest -q",
        "python -m pytest -q `echo tests`",
        'python -m pytest -q "$PWD"',
        "python -B -m pytest -q",
        "python -m pytest -q # all",
        "python -m pytest -q &&\nls",
    ],
)
def test_what_needs_a_shell_gets_one(kind, suite, command):
    async def body():
        async with Session(kind, suite) as session:
            replies = []
            receive = session._receive

            async def spy():
                replies.append(await receive())
                return replies[-1]

            session._receive = spy
            await session.run(command)
            return replies[-1][0]["fast"]

    assert asyncio.run(body()) is False


@pytest.mark.parametrize("path", ["pdb.py", "tests/getpass.py", "code/__init__.py", "src/pluggy.py"])
def test_a_workspace_that_shadows_a_loaded_module_is_run_for_real(kind, suite, path):
    shadow = suite / path
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("print('the workspace was imported')\n")

    async def body():
        async with Session(kind, suite) as session:
            receive, replies = session._receive, []

            async def spy():
                replies.append(await receive())
                return replies[-1]

            session._receive = spy
            await session.run("python -m pytest -q")
            return replies[-1][0]["fast"]

    assert asyncio.run(body()) is False


def test_a_module_of_a_package_shadows_nothing(kind, suite):
    (suite / "shop" / "json.py").write_text("")
    fast, _ = both(kind, suite, "python -m pytest -q", "true && python -m pytest -q")
    assert fast.exit_code == 1


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
