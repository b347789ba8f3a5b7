"""What one command can and cannot do: output, limits, what it leaves behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from evals.utils.sandbox import Limits
from evals.utils.session import CHANNEL_FD, Session, clean_output

REPOSITORY = Path(__file__).resolve().parents[2]


def running(marker: str) -> list[str]:
    """Processes of this machine whose command line holds the marker (and that are no zombies)."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            if marker in line and str(os.getpid()) != folder.name:
                found.append(line)
    return found


def wait_running(marker: str) -> None:
    end = time.monotonic() + 10
    while not any(line.startswith("sleep") for line in running(marker)):
        assert time.monotonic() < end, "the command never started"
        time.sleep(0.02)


def wait_gone(marker: str, seconds: float = 5.0) -> list[str]:
    end = time.monotonic() + seconds
    while (left := running(marker)) and time.monotonic() < end:
        time.sleep(0.02)
    return left


@pytest.fixture
def marker() -> str:
    """An argument of sleep that no other process here has."""
    return f"9{os.getpid()}.{time.monotonic_ns() % 10**9}"


def test_output_and_exit_code_of_a_shell_command(run):
    (result,) = run("echo out; echo err >&2; cd /; exit 7")
    assert (result.output, result.exit_code, result.timed_out, result.error) == ("out\nerr\n", 7, False, None)


def test_a_signal_gives_the_exit_code_a_shell_gives(run):
    (result,) = run("kill -SEGV $$")
    assert result.exit_code == 128 + signal.SIGSEGV


def test_words_are_not_read_by_a_shell(run):
    (result,) = run(["printf", "%s|", "a b", "$HOME", ";"])
    assert result.output == "a b|$HOME|;|"


def test_a_missing_program_is_127(run):
    shell, words = run("no-such-program", ["no-such-program"])
    assert shell.exit_code == words.exit_code == 127
    assert "no-such-program" in words.output


def test_files_stay_in_the_workspace_between_commands(run, workspace):
    results = run("echo one > a.txt", "cat /workspace/a.txt", "pwd")
    assert [result.output for result in results] == ["", "one\n", "/workspace\n"]
    assert (workspace / "a.txt").read_text() == "one\n"


def test_tmp_lasts_for_the_session_and_not_longer(run):
    assert run("echo x > /tmp/kept; mkdir -p $HOME/d", "cat /tmp/kept; ls $HOME")[1].output == "x\nd\n"
    assert run("cat /tmp/kept")[0].exit_code == 1


def test_the_environment_is_fixed_and_nothing_is_inherited(run, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "sesame-0451")
    (result,) = run("env", env={"EXTRA": "1"})
    names = {line.partition("=")[0] for line in result.output.splitlines()}
    assert "SECRET_KEY" not in names
    assert {"EXTRA", "HOME", "PATH", "LANG", "TZ", "PYTHONHASHSEED", "PYTHONDONTWRITEBYTECODE"} <= names
    assert "PYTHONHASHSEED=0\n" in result.output and "TZ=UTC\n" in result.output
    assert "HOME=/tmp/home\n" in result.output
    assert "sesame" not in result.output


def test_python_is_this_interpreter_and_writes_no_bytecode(run, workspace):
    (workspace / "mod.py").write_text("X = 1\n")
    (result,) = run("python -c 'import sys, mod; print(sys.executable, hash(\"a\"))'")
    again = run("python -c 'import sys, mod; print(sys.executable, hash(\"a\"))'")[0]
    assert result.output.split()[0] == sys.executable
    assert result.output == again.output
    assert not (workspace / "__pycache__").exists()


def test_a_timeout_keeps_what_was_printed_and_kills_the_tree(run, marker):
    slow, after = run(f"echo before; (sleep {marker} & sleep {marker}); echo never", "echo alive", wall_s=0.4)
    assert slow.timed_out and slow.exit_code is None and slow.output == "before\n"
    assert 0.4 <= slow.seconds < 3
    assert after.output == "alive\n"
    assert not running(marker)


def test_a_daemon_does_not_outlive_its_command(run, marker, workspace):
    daemon = textwrap.dedent(f"""
        import os, sys, time
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("started", "w").close()
                os.execvp("sleep", ["sleep", "{marker}"])
            os._exit(0)
        while not os.path.exists("started"):
            time.sleep(0.01)
        print("gone")
    """)
    (workspace / "daemon.py").write_text(daemon)
    result, second = run("python daemon.py", f"nohup setsid sleep {marker} > /dev/null 2>&1 & echo started")
    assert (result.output, second.output) == ("gone\n", "started\n")
    assert not running(marker)


def test_the_daemon_is_gone_before_the_next_command_starts(run, marker):
    _, after = run(
        f"(setsid sleep {marker} &) ; echo",
        [
            "sh",
            "-c",
            f"cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -c 'sleep {marker[:-1]}'[{marker[-1]}]",
        ],
    )
    assert after.output == "0\n"


def test_a_flood_is_cut_in_the_middle(run):
    limits = Limits(output_bytes=2000, wall_s=20)
    (result,) = run("echo FIRST; head -c 50000000 /dev/zero | tr '\\0' 'x'; echo; echo LAST", limits=limits)
    assert result.truncated and result.exit_code == 0
    assert result.output.startswith("FIRST\nxxx") and result.output.endswith("xxx\nLAST\n")
    assert "bytes of output cut]" in result.output and len(result.output) < 2100


def test_an_endless_flood_ends_at_the_timeout(run):
    (result,) = run("yes", wall_s=0.5)
    assert result.timed_out and result.truncated and len(result.output) < 70_000


def test_short_output_is_not_cut(run):
    (result,) = run("head -c 1000 /dev/zero | tr '\\0' 'x'", limits=Limits(output_bytes=1000))
    assert result.output == "x" * 1000 and not result.truncated


def test_escape_codes_and_binary_become_text(run):
    (result,) = run(["printf", r"\033[31mred\033[0m\033]0;title\007 \000\377 caf\303\251\r\nend\n"])
    assert result.output == "red \ufffd\ufffd café\nend\n"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x1b[1;32mok\x1b[m", "ok"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"10%\r20%\r\n", "10%\n20%\n"),
        (b"a\x08b\x07", "a\ufffdb\ufffd"),
        (b"\x1b(Bplain\x1b=", "plain"),
        ("\N{SNOWMAN}".encode()[:2], "\ufffd"),
    ],
)
def test_clean_output(raw, text):
    assert clean_output(raw) == text


def test_standard_input_is_empty(run):
    results = run("cat", "python -c 'input()'", "python", wall_s=10)
    assert results[0].exit_code == 0
    assert "EOFError" in results[1].output
    assert (results[2].output, results[2].exit_code) == ("", 0)


def test_memory_is_limited(run):
    code = "x = bytearray(400 << 20); print(len(x))"
    (result,) = run(["python", "-c", code], limits=Limits(memory_mb=300))
    assert "MemoryError" in result.output and result.exit_code == 1


def test_memory_of_many_processes_is_limited(run):
    code = "import os, time\nfor _ in range(4): os.fork()\nx = b'x' * (40 << 20)\ntime.sleep(20)"
    (result,) = run(["python", "-c", code], limits=Limits(memory_mb=300), wall_s=15)
    assert result.exit_code == 137 and "more than 300 MiB of memory" in result.output


def test_cpu_time_is_limited(run):
    (result,) = run(["python", "-c", "while True: pass"], limits=Limits(cpu_s=1), wall_s=15)
    assert result.exit_code == 128 + signal.SIGXCPU


def test_file_size_is_limited(run, workspace):
    code = "open('big', 'wb').write(b'x' * (3 << 20))"
    (result,) = run(["python", "-c", code], limits=Limits(file_mb=1))
    assert "File too large" in result.output
    assert (workspace / "big").stat().st_size <= 1 << 20


def test_disk_use_is_limited(run):
    fill = "for i in 1 2 3 4 5 6; do head -c 1000000 /dev/urandom > part$i; done; sleep 20"
    (result,) = run(fill, limits=Limits(disk_mb=4), wall_s=10)
    assert "more than 4 MiB on disk" in result.output and result.seconds < 5


def test_a_fork_bomb_is_stopped(run):
    bomb = textwrap.dedent("""
        import os, time
        for _ in range(40):
            if os.fork() == 0:
                time.sleep(30)
        time.sleep(30)
    """)
    first, after = run(["python", "-c", bomb], "echo alive", limits=Limits(processes=12), wall_s=20)
    assert "more than 12 processes" in first.output and first.exit_code == 137 and first.seconds < 10
    assert after.output == "alive\n"


def test_the_private_channel(kind, workspace):
    code = f"import os; said = os.read({CHANNEL_FD}, 100); os.write({CHANNEL_FD}, said[::-1] * 100000); print('public')"

    async def body():
        async with Session(kind, workspace) as session:
            return [
                await session.run(["python", "-c", code], channel=b"abc"),
                await session.run(["python", "-c", code]),
                await session.run(["true"], channel=b""),
            ]

    talked, without, silent = asyncio.run(body())
    assert talked.output == "public\n" and talked.channel == b"cba" * 100000
    assert "Bad file descriptor" in without.output and without.channel == b""
    assert silent.channel == b"" and silent.exit_code == 0


def test_readonly_binds_and_their_names(kind, workspace, tmp_path):
    extra = tmp_path / "extra"
    extra.mkdir()
    (extra / "helper.py").write_text("print('helped')\n")

    async def body():
        binds = [(extra, "/helpers")]
        async with Session(kind, workspace, readonly=binds, env={"PYTHONPATH": "/helpers"}) as session:
            return [
                await session.run("cat /helpers/helper.py; python -c 'import helper; print(helper.__file__)'")
            ]

    (result,) = asyncio.run(body())
    assert result.output == "print('helped')\nhelped\n/helpers/helper.py\n"


def test_many_commands_leave_no_descriptor_and_no_zombie(kind, workspace):
    async def body():
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        async with Session(kind, workspace) as session:
            # The supervisor inherits the low limit: a leak of one descriptor per command would end it.
            resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
            try:
                await session.start()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            before = len(os.listdir("/proc/self/fd"))
            for _ in range(80):
                result = await session.run("true", channel=b"")
                assert (result.exit_code, result.error) == (0, None)
            inherited = await session.run("ls /proc/self/fd")
            zombies = await session.run(
                "cat /proc/[0-9]*/status | grep -A3 '^Name:.*true' | grep -c 'State:.Z'"
            )
            return before, len(os.listdir("/proc/self/fd")), inherited.output.split(), zombies.output

    before, after, inherited, zombies = asyncio.run(body())
    assert after == before
    assert inherited == ["0", "1", "2", "3"]  # 3 is the folder that ls reads
    assert zombies == "0\n"


def test_thirty_sessions_at_once(kind, tmp_path):
    async def episode(number: int) -> str:
        folder = tmp_path / str(number)
        folder.mkdir()
        async with Session(kind, folder) as session:
            await session.run(f"echo {number} > mine")
            return (await session.run("cat mine")).output

    async def body():
        return await asyncio.gather(*map(episode, range(30)))

    assert asyncio.run(body()) == [f"{number}\n" for number in range(30)]


def test_closing_ends_a_running_command(kind, workspace, marker):
    async def body():
        async with Session(kind, workspace) as session:
            command = asyncio.create_task(session.run(f"sleep {marker}"))
            await asyncio.to_thread(wait_running, marker)
            command.cancel()
            with pytest.raises(asyncio.CancelledError):
                await command
            return await session.run("echo again")

    assert asyncio.run(body()).output == "again\n"
    assert not wait_gone(marker)


def test_a_supervisor_that_dies_is_an_error_and_the_next_command_works(kind, workspace, marker):
    async def body():
        async with Session(kind, workspace) as session:
            await session.start()
            command = asyncio.create_task(session.run(f"sleep {marker}"))
            await asyncio.to_thread(wait_running, marker)
            own = session._process.pid
            for supervisor in Path(f"/proc/{own}/task/{own}/children").read_text().split():
                os.kill(int(supervisor), signal.SIGKILL)
            return await asyncio.wait_for(command, 5), await session.run("echo again")

    died, after = asyncio.run(body())
    assert died.exit_code is None and died.error.startswith("sandbox: ")
    assert after.output == "again\n" and after.error is None
    assert not wait_gone(marker)


def test_a_session_that_cannot_start_is_an_error(bwrap, tmp_path):
    async def body():
        async with Session(bwrap, tmp_path / "missing") as session:
            return await session.run("true")

    assert "missing" in asyncio.run(body()).error


def test_kill_9_of_the_harness_leaves_nothing(kind, workspace, marker):
    harness = textwrap.dedent(f"""
        import asyncio, sys
        from pathlib import Path
        from evals.utils.sandbox import probe
        from evals.utils.session import Session

        async def main():
            async with Session(probe({kind.kind!r}), Path({str(workspace)!r})) as session:
                await session.run("(setsid sleep {marker} &); exec sleep {marker}")

        asyncio.run(main())
    """)
    process = subprocess.Popen([sys.executable, "-c", harness], cwd=REPOSITORY)
    end = time.monotonic() + 10
    while len([line for line in running(f"sleep {marker}") if line.startswith("sleep")]) < 2:
        assert time.monotonic() < end, "the command never started"
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not wait_gone(marker)
