"""One episode's workspace as a place to run commands in: ``async with Session(kind, workspace) as session``."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import secrets
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from evals.utils.cgroups import Cgroup, new_group
from evals.utils.container import end_container, python_in
from evals.utils.removal import remove_tree
from evals.utils.sandbox import (
    HERE,
    INSIDE,
    CommandResult,
    Limits,
    SandboxKind,
    View,
    bwrap_argv,
    clean_env,
    sandboxed_argv,
)
from evals.utils.subprocesses import start_process

WORKSPACE = "/workspace"
CHANNEL_FD = 3
START_S = 30.0
CONTAINER_START_S = 300.0  # the image may have to be fetched
REPLY_GRACE_S = 15.0
STOP_S = 10.0
_REPLY_BYTES = 64 << 20

# CSI and OSC sequences, then any other two- or three-character escape.
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[PX^_][^\x1b\n]*(?:\x1b\\)?|[ -/]*[0-~])"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean_output(data: bytes) -> str:
    """Text for a model to read: UTF-8 with replacement, no terminal escapes, no control characters."""
    text = data.decode("utf-8", "replace")
    text = _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROLS.sub("\ufffd", text)


class _Names:
    """The names a command sees and the host paths behind them, where there are no mounts (``process``)."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._to_host = dict(pairs)
        self._to_inside = {
            real: inside for inside, host in pairs for real in (host, str(Path(host).resolve()))
        }
        self._inside = self._pattern(self._to_host, r"(?<![\w./-])")
        self._host = self._pattern(self._to_inside, "")

    @staticmethod
    def _pattern(names: Mapping[str, str], before: str) -> re.Pattern[str]:
        longest_first = sorted(names, key=len, reverse=True)
        return (
            re.compile(f"{before}(?:{'|'.join(map(re.escape, longest_first))})(?![\\w-])")
            if names
            else re.compile("(?!)")
        )

    def to_host(self, text: str) -> str:
        return self._inside.sub(lambda match: self._to_host[match.group()], text)

    def to_inside(self, text: str) -> str:
        return self._host.sub(lambda match: self._to_inside[match.group()], text)


class Session:
    """Commands in one workspace, one at a time, each within the same limits.

    In ``bwrap`` a command sees the system and the interpreter (read-only), the workspace at /workspace, the
    ``readonly`` binds and an empty /tmp that lasts as long as the session; no network and none of our processes.
    In ``process`` the same names are translated in commands, environment and output, and nothing is kept apart.
    Whatever a command leaves running is killed before its result is returned. When our process dies, so does the
    sandbox (in ``bwrap`` also when the thread that started it ends: use the event loop's thread).

    Args:
        kind: from ``probe``.
        workspace: the host folder that is /workspace inside.
        limits: see ``Limits``.
        readonly: further (host path, path inside) pairs.
        env: further environment variables of every command.
        preload: trusted modules that are loaded ahead of every plain run of pytest, with pytest itself.
        command_env: variables of commands alone, None for one that they must not have: what makes them run with another
            Python (``PATH``) must not reach the programs of the sandbox itself.
        place: of a ``container``: where the workspace is inside, if an image needs it elsewhere. Commands may say
            /workspace even so, and their output does.
    """

    def __init__(
        self,
        kind: SandboxKind,
        workspace: Path,
        limits: Limits | None = None,
        *,
        readonly: Sequence[tuple[Path, str]] = (),
        env: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        command_env: Mapping[str, str | None] | None = None,
        place: str = WORKSPACE,
    ) -> None:
        self.kind = kind
        self.workspace = Path(workspace).absolute()
        self.limits = limits or Limits()
        self._readonly = tuple((Path(host).absolute(), inside) for host, inside in readonly)
        self._env = dict(env or {})
        self._preload = list(preload)
        self._command_env = dict(command_env or {})
        self._lock = asyncio.Lock()
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._private: Path | None = None
        self._group: Cgroup | None = None
        self._place = place
        self._names = _Names([] if place == WORKSPACE else [(WORKSPACE, place)])
        self._argv: list[str] = []

    @property
    def started(self) -> bool:
        """Whether its sandbox is running."""
        return self._process is not None

    async def __aenter__(self) -> Session:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def run(
        self, command: str | Sequence[str], *, wall_s: float | None = None, channel: bytes | None = None
    ) -> CommandResult:
        """Run a command in /workspace and wait for its end.

        Args:
            command: a text for ``sh -c``, or the words of a command that needs no shell.
            wall_s: seconds until it is killed; default: the session's ``limits.wall_s``.
            channel: not None opens a *private channel*: file descriptor ``CHANNEL_FD`` (3) of the command's process
                is a socket from which it can read these bytes (at most 64 KiB; then end of file) and to which it can
                write up to 16 MiB, returned as ``CommandResult.channel``. Given as words, ``[sys.executable, "-m",
                "pytest", ...]`` runs on the fast path, where the descriptor is not inherited by further programs.

        A sandbox that cannot be started or that dies is no exception but ``CommandResult.error``; the next command
        starts a new one.
        """
        async with self._lock:
            wall_s = self.limits.wall_s if wall_s is None else wall_s
            started = time.monotonic()
            try:
                if self._process is None:
                    await self._start()
                return await self._ask(command, wall_s, channel)
            except (TimeoutError, OSError, EOFError, ValueError) as error:
                said = await self._stop()
                why = " ".join((said or str(error) or type(error).__name__).split())[:500]
                return CommandResult(None, "", seconds=time.monotonic() - started, error=f"sandbox: {why}")
            except BaseException:
                # Cancelled in the middle of a command: its answer must not meet the next question.
                await self._stop()
                raise

    async def start(self) -> None:
        """Start the sandbox now instead of with the first command.

        Raises:
            OSError, EOFError, TimeoutError: it cannot be started.
        """
        async with self._lock:
            if self._process is None:
                try:
                    await self._start()
                except BaseException:
                    await self._stop()
                    raise

    async def renew(self) -> None:
        """Make the session fit for another use: outside the workspace nothing is left of earlier commands.

        What may outlive this: objects of System V and POSIX message queues and shared memory outside /dev/shm. A
        sandbox that cannot be emptied is ended, and the next command starts a new one.
        """
        async with self._lock:
            if self._process is None:
                return
            try:
                self._send({"renew": True})
                reply, _ = await asyncio.wait_for(self._receive(), START_S)
                emptied = reply["empty"]
            except (TimeoutError, OSError, EOFError, ValueError):
                emptied = False
            if not emptied:
                await self._stop()

    async def close(self) -> None:
        """End the sandbox; nothing of it is left running."""
        async with self._lock:
            await self._stop()
            if self._private is not None:
                await asyncio.to_thread(remove_tree, self._private)
                self._private = None

    async def _start(self) -> None:
        if self.kind.kind == "container":
            await self._start_container()
            return
        ours, theirs = socket.socketpair()
        try:
            argv, env = self._command_line(theirs.fileno())
            self._group = new_group(self.limits)
            if self._group is not None:
                argv = self._group.entering(argv)
            self._process = await start_process(
                *argv,
                env=env,
                pass_fds=[theirs.fileno()],
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                # Ctrl-C in the terminal is for us: we end our sessions in order.
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        await asyncio.wait_for(self._receive(), START_S)

    async def _start_container(self) -> None:
        """As ``_start``. No descriptor reaches into a container, so the supervisor connects to a socket in a folder."""
        self._private = self._private or Path(tempfile.mkdtemp(prefix="session-"))
        place = self._private / f"control-{secrets.token_hex(8)}"
        fixed = {"COLUMNS": "100", "NO_COLOR": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PWD": self._place}
        settings = asdict(self.limits) | {"connect": f"/run/control/{place.name}", "cwd": self._place}
        settings |= {
            "preload": self._preload,
            "command_env": self._command_env,
            "tmpfs": ["/tmp"],
            "scratch": ["/tmp"],
            "home": "/tmp/home",
        }
        view = View(
            readonly=(*self._readonly, (self._private, "/run/control")),
            writable=((self.workspace, self._place),),
            cwd=self._place,
            env={**fixed, **self._env},
        )
        argv, env = sandboxed_argv(
            self.kind,
            [sys.executable, f"{INSIDE}/sandbox_supervisor.py", json.dumps(settings)],
            view,
            replace(self.limits, cpu_s=0),  # of each command, not of the supervisor
        )
        self._argv = argv
        connected: asyncio.Future[tuple] = asyncio.get_running_loop().create_future()
        server = await asyncio.start_unix_server(
            lambda reader, writer: connected.done() or connected.set_result((reader, writer)), place
        )
        try:
            self._process = await start_process(
                *argv,
                env=env,
                cwd=self._private,  # where podman's monitor leaves a file when memory runs out
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            ended = asyncio.ensure_future(self._process.wait())
            await asyncio.wait(
                [connected, ended], timeout=CONTAINER_START_S, return_when=asyncio.FIRST_COMPLETED
            )
            ended.cancel()
            if not connected.done():
                raise EOFError("the container did not start")
            self._reader, self._writer = connected.result()
        finally:
            server.close()
            place.unlink(missing_ok=True)
        await asyncio.wait_for(self._receive(), START_S)

    def _command_line(self, fd: int) -> tuple[list[str], dict[str, str]]:
        fixed = {"COLUMNS": "100", "NO_COLOR": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        settings = asdict(self.limits) | {
            "fd": fd,
            "preload": self._preload,
            "command_env": self._command_env,
        }
        if self.kind.kind == "bwrap":
            env = clean_env({**fixed, "HOME": "/tmp/home", "PWD": WORKSPACE, **self._env})
            tmpfs = ["/tmp", "/dev/shm"]
            settings |= {"cwd": WORKSPACE, "tmpfs": tmpfs, "scratch": tmpfs, "home": "/tmp/home"}
            inner = [sys.executable, f"{INSIDE}/sandbox_supervisor.py", json.dumps(settings)]
            view = View(readonly=self._readonly, writable=((self.workspace, WORKSPACE),), cwd=WORKSPACE)
            return bwrap_argv(self.kind, view, inner, nests=False), env
        if self._private is None:
            self._private = Path(tempfile.mkdtemp(prefix="session-"))
            (self._private / "home").mkdir()
        pairs = [(WORKSPACE, str(self.workspace)), ("/tmp", str(self._private))]
        # A checkout below /tmp: its interpreter keeps its path.
        pairs += [(prefix, prefix) for prefix in {sys.prefix, sys.base_prefix}]
        self._names = _Names(pairs + [(inside, str(host)) for host, inside in self._readonly])
        given = {name: self._names.to_host(value) for name, value in self._env.items()}
        private = {
            "HOME": str(self._private / "home"),
            "TMPDIR": str(self._private),
            "PWD": str(self.workspace),
        }
        home = {"scratch": [str(self._private)], "home": private["HOME"]}
        settings["command_env"] = {
            name: value and self._names.to_host(value) for name, value in self._command_env.items()
        }
        settings |= {"cwd": str(self.workspace), "tmpfs": [], **home}
        inner = [sys.executable, str(HERE / "sandbox_supervisor.py"), json.dumps(settings)]
        # With no namespace to end, a guard ends what a supervisor leaves that was killed.
        view = View(cwd=str(self.workspace), env={**fixed, **private, **given})
        return sandboxed_argv(self.kind, inner, view)

    async def _ask(self, command: str | Sequence[str], wall_s: float, channel: bytes | None) -> CommandResult:
        assert self._writer is not None
        words = (
            self._names.to_host(command)
            if isinstance(command, str)
            else list(map(self._names.to_host, command))
        )
        if self.kind.kind == "container" and not isinstance(words, str):
            words = [python_in(self.kind) if word == sys.executable else word for word in words]
        encoded = None if channel is None else base64.b64encode(channel).decode("ascii")
        self._send({"command": words, "wall_s": wall_s, "channel": encoded})
        await self._writer.drain()
        reply, (head, tail, said) = await asyncio.wait_for(self._receive(), wall_s + REPLY_GRACE_S)
        if reply["cut"]:
            text = f"{clean_output(head)}\n... [{reply['cut']} bytes of output cut] ...\n{clean_output(tail)}"
        else:
            text = clean_output(head + tail)
        text = self._names.to_inside(text)
        if reply["stopped"]:
            text += f"{'' if not text or text.endswith(chr(10)) else chr(10)}[stopped: {reply['stopped']}]\n"
        return CommandResult(
            exit_code=reply["exit_code"],
            output=text,
            timed_out=bool(reply["timed_out"]),
            truncated=bool(reply["cut"]),
            seconds=float(reply["seconds"]),
            channel=said,
        )

    def _send(self, request: dict) -> None:
        assert self._writer is not None
        body = json.dumps(request).encode()
        self._writer.write(struct.pack("!I", len(body)) + body)

    async def _receive(self) -> tuple[dict, list[bytes]]:
        assert self._reader is not None
        size = struct.unpack("!I", await self._reader.readexactly(4))[0]
        if size > _REPLY_BYTES:
            raise ValueError("an impossible reply")
        reply = json.loads(await self._reader.readexactly(size))
        if sum(reply["blobs"]) > _REPLY_BYTES:
            raise ValueError("an impossible reply")
        return reply, [await self._reader.readexactly(length) for length in reply["blobs"]]

    async def _stop(self) -> str:
        """End the sandbox if there is one; the last line it wrote about itself."""
        process, writer = self._process, self._writer
        self._process = self._reader = self._writer = None
        if writer is not None:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
        if process is None:
            return ""
        # The end of the socket tells the supervisor to end; a bwrap or a guard takes everything along when told to.
        ended = asyncio.ensure_future(process.communicate())
        done, _ = await asyncio.wait([ended], timeout=2)
        if not done:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            if self._argv and not (await asyncio.wait([ended], timeout=STOP_S))[0]:
                await asyncio.to_thread(end_container, self._argv)
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        _, errors = await ended
        if self._group is not None:
            await asyncio.to_thread(self._group.remove)
            self._group = None
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""
