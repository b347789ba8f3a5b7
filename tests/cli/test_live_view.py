"""What a terminal shows of a run: bars while it works, its lines above them, and a sane terminal afterwards."""

import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from fcntl import ioctl
from pathlib import Path

import pytest
from rich.console import Console

from core.live_view import Bar, LiveView
from evals.contract import EvalSpec

ROOT = Path(__file__).resolve().parents[2]
EVALUATE = ["--tasks", "data/coding/samples.jsonl", "--status", "test", "--memo_SHA", "no_mem,claude_md"]
EVALUATE += ["--train_size", "0", "--repeats", "1", "--result_dir", "run"]
HIDDEN, VISIBLE = b"\x1b[?25l", b"\x1b[?25h"


class Terminal:
    """A run in a terminal of this width; stdout is that terminal, or a file."""

    def __init__(self, tmp_path, width=80, stdout=None, **env):
        clean = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENAI", "NO_COLOR", "FORCE_COLOR"))
        }
        clean |= {"LOG_DIR": str(tmp_path / "logs"), "DOTENV_PATH": "", "TERM": "xterm-256color", **env}
        own, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
        self._own, self.seen = own, b""
        self.process = subprocess.Popen(
            [sys.executable, "run_main.py", *EVALUATE],
            cwd=ROOT,
            env=clean,
            stdin=theirs,
            stdout=stdout or theirs,
            stderr=theirs,
            preexec_fn=os.setsid,
        )
        os.close(theirs)

    def until(self, pattern, seconds=90):
        """Read until the pattern has come, or the end when it is None."""
        deadline = time.monotonic() + seconds
        while pattern is None or not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, self.seen[-2000:]
            if not select.select([self._own], [], [], 1)[0]:
                continue
            try:
                data = os.read(self._own, 65536)
            except OSError:  # the other side is closed
                data = b""
            if not data:
                assert pattern is None, self.seen[-2000:]
                return
            self.seen += data

    def end(self):
        self.until(None)
        os.close(self._own)
        return self.process.wait(timeout=30)


def test_a_run_draws_bars_and_its_result_goes_where_stdout_goes(tmp_path):
    with open(tmp_path / "out", "w") as out:
        terminal = Terminal(tmp_path, 70, stdout=out)
        terminal.until(rb"retrieve")
        code = terminal.end()
    assert code == 0, terminal.seen
    plain = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", terminal.seen).decode()
    assert re.search(r"all +episodes", plain) and "0/5" in plain and "━" in plain
    assert re.search(r"no_mem_eval_1 +retrieve", plain) and "tokens | no errors" in plain
    assert "no_mem: ok" in plain and "AVG reward" not in plain
    assert "AVG reward" in (tmp_path / "out").read_text()
    assert terminal.seen.rindex(VISIBLE) > terminal.seen.rindex(HIDDEN)
    assert "report.html" in plain and (tmp_path / "logs/run/report.html").exists()


@pytest.mark.parametrize("by", ["terminal", "signal"])
def test_an_interruption_leaves_the_terminal_as_it_was(tmp_path, by):
    terminal = Terminal(tmp_path, 44, NO_COLOR="1")
    terminal.until(re.escape(HIDDEN))
    if by == "signal":
        terminal.until(rb"update")
        terminal.process.send_signal(signal.SIGTERM)
    else:
        os.killpg(terminal.process.pid, signal.SIGINT)  # what a terminal does on Ctrl-C
    assert terminal.end() == 130
    assert terminal.seen.rindex(VISIBLE) > terminal.seen.rindex(HIDDEN)
    assert b"Traceback" not in terminal.seen
    assert not re.search(rb"\x1b\[[0-9;]*(3[0-7]|9[0-7]|38;)[0-9;]*m", terminal.seen), "a colour"


def spec(update=4, retrieve=5, collection="c.jsonl", repeats=2):
    tasks = [
        [{"id": f"{kind}{number}"} for number in range(size)]
        for kind, size in (("u", update), ("r", retrieve))
    ]
    return EvalSpec("notes", "notes.py", "offline", *tasks, collection=collection, repeats=repeats)


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def drawn(view, width=100, height=30):
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(view.render(console))
    lines = console.file.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    return [" ".join(line.split()) for line in lines]


def test_an_evaluation_goes_from_learning_to_scoring():
    view = LiveView(Clock())
    view.began("notes_eval_1", spec(), [])
    assert any(re.search(r"notes_eval_1 learn .*0/4", line) for line in drawn(view))
    evaluation = view.evaluation("notes_eval_1")
    for task in ("u0", "u0", "u1", "u2", "elsewhere"):
        evaluation.call("memory", "update", task)
    assert any(re.search(r"learn .*2/4", line) for line in drawn(view))
    evaluation.call("act", "retrieve", "r0")
    assert any(re.search(r"retrieve .*0/10", line) for line in drawn(view))
    for _ in range(3):
        evaluation.episode("retrieve")
    assert any(re.search(r"retrieve .*3/10", line) for line in drawn(view))
    view.ended("notes_eval_1")
    assert not any("notes_eval_1" in line for line in drawn(view))
    assert any(line.startswith("3 episodes") for line in drawn(view))


def test_what_an_earlier_session_did_counts_as_done_and_not_for_the_time_left():
    clock = Clock()
    view = LiveView(clock)
    view.episodes = 20
    graded = [("retrieve", f"r{number}", 1) for number in range(4)]
    view.began("notes_eval_1", spec(), graded)
    clock.now += 60
    view.evaluation("notes_eval_1").episode("retrieve")
    overall = next(line for line in drawn(view) if line.startswith("all"))
    assert "5/20" in overall and "15:00 left" in overall


@pytest.mark.parametrize(
    ("bar", "left"),
    [((10, 0), ""), ((10, 5), "1:40"), ((10, 10), ""), ((1000, 10), "2:45:00")],
)
def test_the_time_left_is_what_the_rest_takes_at_this_pace(bar, left):
    assert Bar(*bar, started=0.0).left(100.0) == left


@pytest.mark.parametrize("width", [20, 40, 63, 64, 200])
def test_it_fits_any_terminal(width):
    class Spent:
        failed, spent = 3, (12_345_678, 1.5)

    view = LiveView(Clock())
    view.meter = Spent()
    view.failed_designs.add("x")
    for number in range(40):
        view.began(f"a_design_with_quite_a_long_name_{number}_eval_1", spec(), [])
    lines = drawn(view, width, 12)
    assert len(lines) <= 12
    assert any("more" in line for line in lines)
    if width >= 100:
        assert any(
            "12,345,678 tokens, 1.5000 USD | 1 designs with errors, 3 model calls failed" in line
            for line in lines
        )
