"""What a memory has learned, as a file: the default behind ``MemoStructure.save`` and ``MemoStructure.load``.

All attributes are kept, with whatever they share: text, containers, numpy arrays, graphs, ``Chroma`` collections,
layers and other objects of the design's own classes. Locks come back unlocked. The format is pickle, but
reading it builds nothing except the types named here and the design's own classes: a memory that someone
else hands over is data, not a program.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import pickle
import sys
import threading
import types
from collections import defaultdict
from pathlib import Path
from typing import Any

STATE_FILE = "state.pickle"
_FORMAT = "alma memory 1"
_LOCKS = {
    "lock": asyncio.Lock,
    "event": asyncio.Event,
    "condition": asyncio.Condition,
    "thread lock": threading.Lock,
    "thread rlock": threading.RLock,
}
_LOCK_TYPES = {type(make()): name for name, make in _LOCKS.items()}
_SEMAPHORES = {"semaphore": asyncio.Semaphore, "bounded semaphore": asyncio.BoundedSemaphore}
_OWN = {
    "evals.agents.memory_files": ("_new_lock", "_new_semaphore", "_without_factory"),
    "evals.agents.memo_structure": ("Sub_memo_layer", "MemoStructure"),
    "evals.eval_envs.base_envs": ("Basic_Recorder",),
    "envs_archive.coding_envs": ("CodingRecorder",),
    "evals.utils.hire_agent": ("Agent", "Embedding"),
    "evals.utils.langchain_chroma": ("Chroma", "Document"),
}
_LIBRARY = {
    "builtins": (
        *("set", "frozenset", "bytearray", "complex", "range", "slice", "object"),
        *("dict", "list", "tuple", "int", "str", "float", "bool", "bytes"),
    ),
    "collections": ("deque", "defaultdict", "OrderedDict", "Counter", "ChainMap"),
    "datetime": ("datetime", "date", "time", "timedelta", "timezone"),
    "decimal": ("Decimal",),
    "fractions": ("Fraction",),
    "uuid": ("UUID", "SafeUUID"),
    "pathlib": ("PurePosixPath", "PosixPath", "PureWindowsPath", "WindowsPath"),
    "pathlib._local": ("PurePosixPath", "PosixPath", "PureWindowsPath", "WindowsPath"),
    "random": ("Random",),
    "re": ("_compile",),
    "types": ("SimpleNamespace",),
    "copyreg": ("_reconstructor",),
    "numpy": ("ndarray", "dtype"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.numeric": ("_frombuffer",),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
}
_ALLOWED = _OWN | _LIBRARY


class NotSaved(ValueError):
    """The memory holds something that cannot be kept, or a file that is no memory of this design."""


def save_attributes(memory: Any, folder: Path) -> None:
    """Write all attributes of a memory to ``folder``.

    Raises:
        NotSaved: an attribute cannot be kept; the message names it.
        OSError: the folder cannot be written.
    """
    state, modules = vars(memory), _modules(memory)
    try:
        data = _dumped(state)
        _Reader(data, modules).load()  # better to hear of it now than at the next start
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError, NotSaved) as error:
        raise NotSaved(f"{_culprit(state, modules)}: {error}") from error
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / STATE_FILE, "wb") as handle:
        pickle.dump((_FORMAT, {name: _file(module) for name, module in modules.items()}), handle)
        handle.write(data)


def load_attributes(memory: Any, folder: Path) -> None:
    """Give a freshly made memory the attributes that were saved in ``folder``.

    Raises:
        NotSaved: the file is none that ``save_attributes`` wrote for this design.
        OSError: it cannot be read.
    """
    path = folder / STATE_FILE
    with open(path, "rb") as handle:
        try:
            head = _Reader(handle, {}).load()
            if not (isinstance(head, tuple) and len(head) == 2 and head[0] == _FORMAT):
                raise NotSaved(f"{path}: no saved memory")
            now = {_file(module): module for module in _modules(memory).values()}
            state = _Reader(handle, {name: now[file] for name, file in head[1].items() if file in now}).load()
        except NotSaved:
            raise
        except Exception as error:  # pickle raises nearly anything at a broken file
            raise NotSaved(f"{path}: cannot be read: {error}") from error
    _adopt(vars(memory), state)


def _modules(memory: Any) -> dict[str, types.ModuleType]:
    """The modules of a design's own classes, by name: its file, and that of a design it wraps."""
    parts = [memory, *vars(memory).values()]
    kinds = [part if isinstance(part, type) else type(part) for part in parts]
    names = {kind.__module__ for kind in kinds if hasattr(kind, "general_retrieve")}
    return {name: sys.modules[name] for name in sorted(names)}


def _file(module: types.ModuleType) -> str:
    """What a module is known by in every process: its name may differ from one to the next."""
    return Path(module.__file__ or module.__name__).name


def _dumped(state: Any) -> bytes:
    buffer = io.BytesIO()
    _Writer(buffer, protocol=pickle.HIGHEST_PROTOCOL).dump(state)
    return buffer.getvalue()


def _culprit(state: dict[str, Any], modules: dict[str, types.ModuleType]) -> str:
    for name, value in state.items():
        try:
            _Reader(_dumped(value), modules).load()
        except Exception:
            return f"attribute {name!r}"
    return "the memory"


def _adopt(fresh: dict[str, Any], state: dict[str, Any]) -> None:
    """Take over saved attributes; a ``defaultdict`` keeps the factory its constructor gave it."""
    for name, value in state.items():
        known = fresh.get(name)
        if isinstance(known, defaultdict) and isinstance(value, dict):
            value = defaultdict(known.default_factory, value)
        elif (
            hasattr(value, "__dict__")
            and hasattr(known, "__dict__")
            and type(known) is type(value)
            and not isinstance(value, type)
        ):
            _adopt_factories(vars(value), vars(known))
        fresh[name] = value


def _adopt_factories(state: dict[str, Any], fresh: dict[str, Any]) -> None:
    for name, value in state.items():
        known = fresh.get(name)
        if (
            isinstance(value, defaultdict)
            and value.default_factory is None
            and isinstance(known, defaultdict)
        ):
            value.default_factory = known.default_factory


def _new_lock(kind: str) -> Any:
    return _LOCKS[kind]()


def _new_semaphore(kind: str, value: int) -> Any:
    return _SEMAPHORES[kind](value)


def _without_factory() -> defaultdict[Any, Any]:
    return defaultdict(None)


class _Writer(pickle.Pickler):
    def reducer_override(self, value: Any) -> Any:
        kind = _LOCK_TYPES.get(type(value))
        if kind is not None:
            return _new_lock, (kind,)
        for name, semaphore in _SEMAPHORES.items():
            if type(value) is semaphore:
                return _new_semaphore, (name, value._value)
        if type(value) is defaultdict and isinstance(value.default_factory, types.FunctionType):
            return _without_factory, (), None, None, iter(value.items())
        return NotImplemented


class _Reader(pickle.Unpickler):
    """Builds only what is allowed: data types, and the classes of the design's own modules, by their old names."""

    def __init__(self, source: Any, modules: dict[str, types.ModuleType]) -> None:
        super().__init__(io.BytesIO(source) if isinstance(source, bytes) else source)
        self._modules = modules

    def find_class(self, module: str, name: str) -> Any:
        if module in self._modules:
            found: Any = self._modules[module]
            for part in name.split("."):
                found = getattr(found, part)
            if getattr(found, "__module__", None) == self._modules[module].__name__:
                return found
        elif name in _ALLOWED.get(module, ()):
            return getattr(importlib.import_module(module), name)
        elif module.startswith("networkx.classes."):  # a graph keeps views of itself
            found = getattr(importlib.import_module(module), name)
            if isinstance(found, type):
                return found
        raise NotSaved(f"{module}.{name} is no data")
