"""The guards around a design's code: time limits, one update at a time, plain data out, a size limit on its text.

They stand in the workflow and not in each design, so that every design keeps the same rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import datetime
import enum
import json
import re
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from evals.agents.base import count_tokens, truncate_to_tokens
from evals.agents.memo_structure import MemoStructure
from evals.eval_envs.base_envs import Basic_Recorder
from evals.utils.gateway_client import InfraError, stalled

_FILE = re.compile(r'\bFile "([^"\n]+)"')
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]+")
ABSURD_CHARACTERS = 4_000_000
"""A memory larger than any model's context is a broken design, not one to be cut to size."""


class DesignError(Exception):
    """The design raised, hung, or broke its contract. The text goes to the repair prompt."""


@dataclass(frozen=True)
class Recalled:
    """What a design handed out: the plain value for the records, the text for the prompt, and its size."""

    value: Any
    text: str
    tokens: int


class Watch:
    """Ends the process when design code holds the event loop longer than its limit (``while True: pass``).

    ``asyncio`` limits cannot interrupt code that never awaits, so a thread does.

    Args:
        on_hang: called from the thread with a message; must end the process.
        on_start: called before every limited block: a sign of progress.
    """

    def __init__(self, on_hang: Callable[[str], None], on_start: Callable[[], None] = lambda: None) -> None:
        self._on_hang = on_hang
        self._on_start = on_start
        self._deadlines: dict[int, tuple[float, str]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="design-watch", daemon=True).start()

    @contextlib.contextmanager
    def limit(self, seconds: float, what: str) -> Iterator[None]:
        """Everything inside the block must end within ``seconds``."""
        self._on_start()
        key = id(object())
        with self._lock:
            while key in self._deadlines:
                key += 1
            self._deadlines[key] = (time.monotonic() + seconds, f"{what} ran longer than {seconds:g} s")
        try:
            yield
        finally:
            with self._lock:
                del self._deadlines[key]

    def _run(self) -> None:
        while True:
            time.sleep(0.5)
            now = time.monotonic()
            with self._lock:
                late = [message for deadline, message in self._deadlines.values() if now > deadline]
            if late:
                self._on_hang(late[0])


class MemoryCalls:
    """One memory of a design, called only through here.

    Args:
        memory: the design's instance.
        watch: ends the process if a call blocks the loop.
        timeout_s: limit of each call to the design.
        token_limit: longer memory text is cut, at a line's end.
    """

    def __init__(self, memory: MemoStructure, watch: Watch, timeout_s: float, token_limit: int) -> None:
        self._memory = memory
        self._watch = watch
        self._timeout_s = timeout_s
        self._token_limit = token_limit
        self._guard = ReadWrite()

    @property
    def memory(self) -> MemoStructure:
        """The design's own object."""
        return self._memory

    async def retrieve(self, recorder: Basic_Recorder) -> Recalled:
        """Ask the design for what it knows before a task. Only ``recorder.init`` is filled.

        Raises:
            DesignError: it raised, hung, or returned something that is no plain data.
        """
        async with self._guard.reading():
            value = await self._call("general_retrieve", recorder)
        try:
            with self._watch.limit(self._timeout_s, "reading what general_retrieve returned"):
                plain = to_plain(value)
                text = render(plain)
        except Exception as error:  # its parts may be objects with code of their own
            raise DesignError(
                f"general_retrieve returned what cannot be turned into text: {error}"
            ) from error
        if len(text) > ABSURD_CHARACTERS:
            raise DesignError(
                f"general_retrieve returned {len(text):,} characters: larger than any model's context"
            )
        if count_tokens(text) > self._token_limit:
            text = truncate_to_tokens(text, self._token_limit)
            plain = text
        return Recalled(plain, text, count_tokens(text))

    async def update(self, recorder: Basic_Recorder) -> None:
        """Hand a finished task to the design.

        Raises:
            DesignError: it raised or hung.
        """
        async with self._guard.writing():
            await self._call("general_update", recorder)

    async def _call(self, name: str, recorder: Basic_Recorder) -> Any:
        # A design gets its own copy: what it does to the recorder must not reach the agent's run or other designs.
        own = copy.deepcopy(recorder)
        # The watch waits a little longer than asyncio, which gives the better message where it can interrupt at all.
        with self._watch.limit(self._timeout_s + 5, name):
            task: asyncio.Future[Any] | None = None
            try:
                task = asyncio.ensure_future(_no_exit(getattr(self._memory, name), own))
                await asyncio.wait({task}, timeout=self._timeout_s)
                if not task.done():
                    if reason := stalled():
                        raise InfraError(f"{name}: {reason}")
                    raise DesignError(f"{name} ran longer than {self._timeout_s:g} s")
                return task.result()
            except (InfraError, DesignError):
                raise
            except Exception as error:
                raise DesignError(design_traceback(error)) from error
            finally:
                if task is not None:
                    task.cancel()


class ReadWrite:
    """Any number of readers, or one writer: a design that awaits in the middle of an update is never asked
    about a half-written memory, and two updates never overwrite each other."""

    def __init__(self) -> None:
        self._readers = 0
        self._idle = asyncio.Condition()
        self._turn = asyncio.Lock()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        async with self._turn:  # behind a writer that waits
            self._readers += 1
        try:
            yield
        finally:
            async with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        async with self._turn:
            async with self._idle:
                await self._idle.wait_for(lambda: self._readers == 0)
            yield


async def _no_exit(method: Callable[[Any], Any], recorder: Basic_Recorder) -> Any:
    """Call a design; ``sys.exit`` in it ends the design, not the evaluation."""
    try:
        return await method(recorder)
    except (SystemExit, KeyboardInterrupt, GeneratorExit) as error:
        raise DesignError(design_traceback(error)) from error


def design_traceback(error: BaseException) -> str:
    """The traceback from the design's own first frame on: what a repair needs, without the harness.

    The same in every run and on every machine: without addresses, and with files named as they are imported.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = next(
        (i for i, frame in enumerate(frames) if "memo_structure" in frame.filename.rsplit("/", 1)[-1]), 0
    )
    shown = ["Traceback (most recent call last):\n", *traceback.format_list(frames[own:])]
    text = "".join([*shown, *traceback.format_exception_only(error)]).strip()
    return _ADDRESS.sub("at 0x...", _FILE.sub(lambda found: f'File "{_place(found[1])}"', text))


def _place(filename: str) -> str:
    """A file's name below the folder it is imported from; of a design, its name alone."""
    name = filename.rsplit("/", 1)[-1]
    roots = [root for root in sys.path if root and filename.startswith(root + "/")]
    return name if not roots or "memo_structure" in name else filename[len(max(roots, key=len)) + 1 :]


def to_plain(value: Any) -> Any:
    """Plain JSON data out of what designs return: dataclasses, numpy scalars and arrays, sets, tuples, dates.

    Raises:
        TypeError: something else is in it.
    """
    # Exact values: a subclass may do anything when it is used.
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, enum.Enum):
        return to_plain(value.value)
    if isinstance(value, str):
        # Half a surrogate pair, as cutting text can leave, is no text for JSON.
        return str.__str__(value).encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int.__add__(value, 0)
    if isinstance(value, float):
        return float.__add__(value, 0.0)  # numpy's are floats too
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_plain({field.name: getattr(value, field.name) for field in dataclasses.fields(value)})
    if isinstance(value, dict):
        return {to_plain(str(key)): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | deque):
        return [to_plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((to_plain(item) for item in value), key=repr)
    if isinstance(value, datetime.date | datetime.time | PurePath):
        return str(value)
    if hasattr(value, "tolist"):  # numpy, without importing it for designs that do not use it
        return to_plain(value.tolist())
    raise TypeError(f"{type(value).__name__} is no plain data")


def render(value: Any) -> str:
    """The text that goes into the prompt: a single string as it is, otherwise one section per key."""
    if not value:
        return ""
    if isinstance(value, str):
        return value.strip()
    if not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False, indent=1)
    parts = {key: item for key, item in value.items() if item not in (None, "", [], {})}
    if len(parts) == 1 and isinstance(only := next(iter(parts.values())), str):
        return only.strip()
    return "\n\n".join(
        f"## {key}\n{item.strip() if isinstance(item, str) else json.dumps(item, ensure_ascii=False, indent=1)}"
        for key, item in parts.items()
    )
