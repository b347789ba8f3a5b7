"""Runs inside the sandbox for as long as a session lasts: takes one request after the other from its socket,
forks a child for each command, keeps it within its limits, ends everything it left, and answers.

A plain pytest command is run by the forked child itself, which has pytest imported already; see ``sandbox_pytest``.
Request and reply: a 4-byte length, JSON; a reply is followed by the command's output and what came over its channel.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys
import time

import sandbox_init as init
from sandbox_pytest import preload, pytest_words, run_pytest, shadows

CHANNEL_FD = 3
CHANNEL_BYTES = 16 * init.MIB


def open_channel(encoded: str | None) -> tuple[socket.socket | None, socket.socket | None]:
    """Our end and the command's end of a private channel that holds these bytes already; Nones without one."""
    if encoded is None:
        return None, None
    ours, theirs = socket.socketpair()
    ours.settimeout(1)
    ours.sendall(base64.b64decode(encoded))
    ours.shutdown(socket.SHUT_WR)
    ours.setblocking(False)
    return ours, theirs


class Output:
    """Keeps the first and the last half of what is written to it."""

    def __init__(self, limit: int) -> None:
        self.head = bytearray()
        self.tail: collections.deque[bytes] = collections.deque()
        self.half = limit // 2
        self.tail_size = 0
        self.total = 0

    def write(self, data: bytes) -> None:
        self.total += len(data)
        room = self.half - len(self.head)
        if room > 0:
            self.head += data[:room]
            data = data[room:]
        if data:
            self.tail.append(data)
            self.tail_size += len(data)
            while self.tail_size - len(self.tail[0]) >= self.half:
                self.tail_size -= len(self.tail.popleft())

    def read(self) -> tuple[bytes, bytes, int]:
        """(head, tail, number of bytes cut between them)."""
        tail = b"".join(self.tail)
        tail = tail[max(0, len(tail) - self.half) :]
        return bytes(self.head), tail, self.total - len(self.head) - len(tail)


class Supervisor:
    """The loop. ``settings``: fd, cwd, the limits by name, and the file systems whose use counts as disk."""

    def __init__(self, settings: dict) -> None:
        self.settings = settings
        self.cwd = settings["cwd"]
        if "connect" in settings:
            self.control = socket.socket(socket.AF_UNIX)
            self.control.connect(settings["connect"])
        else:
            self.control = socket.socket(fileno=settings["fd"])
        self.control.set_inheritable(False)
        self.wake, wake_in = os.pipe()
        for fd in (self.wake, wake_in):
            os.set_blocking(fd, False)
        for number in (
            signal.SIGINT,
            signal.SIGTERM,
            signal.SIGHUP,
            signal.SIGQUIT,
            signal.SIGUSR1,
            signal.SIGUSR2,
        ):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake_in, warn_on_full_buffer=False)
        self.preloaded: bool | None = None
        # Mount points, when the interpreter or a bind lies below /tmp.
        os.makedirs(settings["home"], exist_ok=True)
        self.fixed = {root: set(os.listdir(root)) - {"home"} for root in settings["scratch"]}

    def serve(self) -> None:
        self.send({"ready": True})
        while (request := self.receive()) is not None:
            if request.get("renew"):
                self.send({"empty": self.empty_scratch()})
            else:
                self.send(*self.run(request))

    def empty_scratch(self) -> bool:
        """Empty the folders that a command may write besides the workspace; whether they are empty now."""
        for root in self.settings["scratch"]:
            for folder, folders, names in self.scratch_folders(root):
                for name in names:
                    with contextlib.suppress(OSError):
                        os.unlink(os.path.join(folder, name))
                for name in folders:
                    path = os.path.join(folder, name)
                    with contextlib.suppress(OSError):
                        os.unlink(path) if os.path.islink(path) else os.rmdir(path)
            if set(os.listdir(root)) - self.fixed[root]:
                return False
        os.mkdir(self.settings["home"])
        return True

    def scratch_folders(self, root: str) -> list[tuple[str, list[str], list[str]]]:
        """What ``os.walk`` finds below a scratch folder, innermost first, without what was there from the start."""
        found = []
        for folder, folders, names in os.walk(root):
            if folder == root:
                folders[:] = [name for name in folders if name not in self.fixed[root]]
            with contextlib.suppress(OSError):
                os.chmod(folder, 0o1777 if folder == root else 0o700)
            found.append((folder, list(folders), names))
        return found[::-1]

    def receive(self) -> dict | None:
        header = self.read_exactly(4)
        body = self.read_exactly(struct.unpack("!I", header)[0]) if header else None
        return json.loads(body) if body else None

    def read_exactly(self, size: int) -> bytes | None:
        data = bytearray()
        while len(data) < size:
            chunk = self.control.recv(size - len(data))
            if not chunk:
                return None
            data += chunk
        return bytes(data)

    def send(self, reply: dict, *blobs: bytes) -> None:
        body = json.dumps({**reply, "blobs": [len(blob) for blob in blobs]}).encode()
        self.control.sendall(b"".join([struct.pack("!I", len(body)), body, *blobs]))

    def run(self, request: dict) -> tuple[dict, bytes, bytes, bytes]:
        """Run one command to its end: (reply, head of output, tail of output, channel)."""
        started = time.monotonic()
        pytest = self.fast_path(request["command"])
        out, out_in = os.pipe()
        channel, channel_in = open_channel(request.pop("channel"))
        child = os.fork()
        if child == 0:
            self.become(request["command"], pytest, out_in, channel_in)
        os.close(out_in)
        if channel_in is not None:
            channel_in.close()
        reply, output, said = self.attend(child, out, channel, started + request["wall_s"])
        os.close(out)
        if channel is not None:
            channel.close()
        head, tail, cut = output.read()
        reply |= {"cut": cut, "seconds": time.monotonic() - started, "fast": pytest is not None}
        return reply, head, tail, bytes(said)

    def fast_path(self, command: str | list[str]) -> tuple[str, list[str]] | None:
        pytest = pytest_words(command, self.cwd)
        if pytest is None or "PATH" in self.settings["command_env"]:  # another Python than this one
            return None
        if self.preloaded is None:
            self.preloaded = preload(self.cwd, self.settings["preload"])
        loaded = {name.partition(".")[0] for name in sys.modules}.difference(
            sys.builtin_module_names, ["__main__"]
        )
        return pytest if self.preloaded and not shadows(self.cwd, loaded) else None

    def attend(self, child: int, out: int, channel: socket.socket | None, deadline: float) -> tuple:
        """Read and watch until the command ends or must be ended; nothing of it runs afterwards."""
        output = Output(self.settings["output_bytes"])
        said = bytearray()
        os.set_blocking(out, False)
        poll = select.poll()
        poll.register(self.wake, select.POLLIN)
        poll.register(self.control, select.POLLHUP)
        poll.register(out, select.POLLIN)
        if channel is not None:
            poll.register(channel, select.POLLIN)
        reply: dict = {"exit_code": None, "timed_out": False, "stopped": ""}
        begun = time.monotonic()
        next_look, next_walk = begun + 0.02, begun + 0.5
        done = False
        while not done:
            now = time.monotonic()
            if now >= deadline:
                reply["timed_out"] = True
                break
            if now >= next_look:
                reply["stopped"] = init.over_limit(self.settings)
                if not reply["stopped"] and now >= next_walk:
                    reply["stopped"] = init.over_disk(
                        [self.cwd], self.settings["tmpfs"], self.settings["disk_mb"]
                    )
                    next_walk = time.monotonic() + 1
                if reply["stopped"]:
                    reply["exit_code"] = 128 + signal.SIGKILL
                    break
                # A fork bomb shows in its first moments; a program that lives long is looked at less often.
                next_look = time.monotonic() + min(0.1, max(0.02, (now - begun) / 10))
            for fd, event in poll.poll(max(0.0, min(deadline, next_look) - now) * 1000 + 0.5):
                if fd == self.wake:
                    with contextlib.suppress(BlockingIOError):
                        os.read(self.wake, 4096)
                    status = self.reap(child)
                    if status is not None:
                        reply["exit_code"] = init.status_code(status)
                        done = True
                elif fd == self.control.fileno() and event & (select.POLLHUP | select.POLLERR):
                    # Nobody waits for the answer any more.
                    init.end_everything(child)
                    os._exit(0)
                elif fd == out:
                    if not self.drain(out, output.write, once=True):
                        poll.unregister(out)
                elif channel is not None and fd == channel.fileno() and not self.hear(channel, said):
                    poll.unregister(channel)
        init.end_everything(child)
        self.drain(out, output.write, once=False)
        if channel is not None:
            while self.hear(channel, said) and select.select([channel], [], [], 0)[0]:
                pass
        return reply, output, said

    @staticmethod
    def reap(child: int) -> int | None:
        """Collect ended processes; the status of ``child`` when it is one of them."""
        found = None
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == child:
                    found = status
        return found

    @staticmethod
    def drain(out: int, write, *, once: bool) -> bool:
        """Read what is there; False at the end of the file."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(out, 65536):
                write(data)
                if once:
                    return True
            return False
        return True

    @staticmethod
    def hear(channel: socket.socket, said: bytearray) -> bool:
        try:
            data = channel.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        said += data[: max(0, CHANNEL_BYTES - len(said))]
        return bool(data)

    def become(self, command, pytest, out: int, channel: socket.socket | None) -> None:
        """In the child: turn into the command. Never returns."""
        try:
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.dup2(out, 1)
            os.dup2(out, 2)
            kept = CHANNEL_FD
            if channel is not None:
                os.dup2(channel.fileno(), CHANNEL_FD, inheritable=pytest is None)
                kept += 1
                channel.detach()
            self.control.detach()
            init.reset_signals()
            os.closerange(kept, 512)
            os.setsid()
            init.prctl(init.PR_SET_PDEATHSIG, signal.SIGKILL)
            os.umask(0o022)
            if not os.access(self.cwd, os.R_OK | os.W_OK | os.X_OK):  # an earlier command took them away
                os.chmod(self.cwd, 0o755)
            os.chdir(self.cwd)
            init.set_rlimits(self.settings, address_space=True)
            if pytest is not None:
                init.prctl(init.PR_SET_DUMPABLE, 1)
                run_pytest(*pytest, self.cwd)
            for name, value in self.settings["command_env"].items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})
            argv = ["sh", "-c", command] if isinstance(command, str) else command
            os.execvp(argv[0], argv)
        except OSError as error:
            with contextlib.suppress(OSError):
                os.write(2, f"sandbox: {error.strerror}: {error.filename or command}\n".encode())
        finally:
            os._exit(127)


def main() -> None:
    init.own_the_tree()
    # Commands have our user id: without this they could read our memory and open our socket under /proc.
    init.prctl(init.PR_SET_DUMPABLE, 0)
    # Our own folder is no part of what a command may import.
    del sys.path[0]
    try:
        Supervisor(json.loads(sys.argv[1])).serve()
    except (ConnectionError, KeyboardInterrupt):
        pass
    finally:
        init.end_everything()
        os._exit(0)


if __name__ == "__main__":
    main()
