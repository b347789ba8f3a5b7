"""Entry point of one evaluation subprocess: ``python -m launch FOLDER`` with ``evals/`` as working directory.

Reads ``FOLDER/spec.json``, runs the design on its tasks, appends every finished episode to ``episodes.jsonl``, keeps
what the memory has learned in ``memory/`` and writes ``result.json`` last. The design's code runs in this process, so
nothing secret may be in it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import itertools
import os
import random
import sys
import time
import traceback
import types
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

# `python -m` put evals/ first, where `utils` and `agents` would be second copies of the real packages.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from evals.agents.memo_structure import MemoStructure  # noqa: E402
from evals.contract import (  # noqa: E402
    Episode,
    EvalResult,
    EvalSpec,
    Phase,
    Updates,
    Verdict,
    read_episodes,
    write_json_atomic,
)
from evals.eval_envs.base_envs import Basic_Env  # noqa: E402
from evals.utils import gateway_client  # noqa: E402
from evals.utils.sandbox import probe  # noqa: E402
from evals.workflows.agent_workflow import Agent_Workflow  # noqa: E402
from evals.workflows.kept_memory import export, keep, load_kept  # noqa: E402
from evals.workflows.memory_calls import DesignError, MemoryCalls, Watch, design_traceback  # noqa: E402

ENVIRONMENTS = {"coding": ("envs_archive.coding_envs", "Coding_Env")}
ALIASES = {
    "agents": "evals.agents",
    "eval_envs": "evals.eval_envs",
    "utils": "evals.utils",
    "workflows": "evals.workflows",
    "langchain_chroma": "evals.utils.langchain_chroma",
    # Where the original's designs also take `Document` from; the packages above it are empty.
    "langchain": "",
    "langchain.docstore": "",
    "langchain.docstore.document": "evals.utils.langchain_chroma",
    "langchain_core": "",
    "langchain_core.documents": "evals.utils.langchain_chroma",
}
_copies = itertools.count()


class AliasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the short names that designs import stand for the real modules, each loaded once, when asked for."""

    def find_spec(self, fullname: str, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        head, _, rest = fullname.partition(".")
        if fullname in ALIASES:
            real = ALIASES[fullname]
        elif ALIASES.get(head):
            real = f"{ALIASES[head]}.{rest}"
        else:
            return None
        return importlib.util.spec_from_loader(fullname, self, origin=real, is_package=not real)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        if not spec.origin:
            return None  # an empty package
        module = importlib.import_module(spec.origin)
        self._real_spec = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """The real module is loaded already; only its own spec, which the import system replaced, is put back."""
        if module.__spec__.origin:
            module.__spec__ = self._real_spec


def load_design(path: Path) -> type[MemoStructure]:
    """The one memory design of a file: its concrete ``MemoStructure`` subclass that no other class there refines.

    A helper class may derive from ``MemoStructure`` too; of several leaves the last one in the file counts. The file
    is executed anew at every call: nothing is shared through its module or its classes.

    Raises:
        DesignError: the file cannot be imported or holds no design.
    """
    # A name of its own, or a file called json.py would stand in for the library.
    spec = importlib.util.spec_from_file_location(f"design_{next(_copies)}_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        raise DesignError(design_traceback(error)) from error
    designs = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, MemoStructure)
        and value.__module__ == module.__name__
    ]
    leaves = [
        one
        for one in designs
        if not inspect.isabstract(one) and not any(issubclass(o, one) for o in designs if o is not one)
    ]
    if not leaves:
        reason = "only abstract ones" if designs else "none"
        raise DesignError(f"the file must define one concrete subclass of MemoStructure; found {reason}")
    return leaves[-1]


def new_memory(watch: Watch, spec: EvalSpec) -> MemoryCalls:
    """A memory of the spec's design: empty, or the saved one it names.

    Raises:
        DesignError: the design cannot be imported, its constructor raised, or it cannot read what it saved.
    """
    with watch.limit(spec.memory_timeout_s, "importing the design"):
        design = load_design(Path(spec.design_path))
        inner = load_design(Path(spec.inner_path)) if spec.inner_path else None
    with watch.limit(spec.memory_timeout_s, "the constructor"):
        try:
            memory = design(inner) if inner else design()
        except BaseException as error:
            raise DesignError(design_traceback(error)) from error
    if spec.load_memory:
        with watch.limit(spec.memory_timeout_s, "load"):
            load_kept(memory, Path(spec.load_memory))
    return MemoryCalls(memory, watch, spec.memory_timeout_s, spec.memory_token_limit)


def grader(phase: Phase, repeat: int) -> Callable[[str, dict[str, bytes | None]], Awaitable[Verdict]]:
    """Asks the parent to grade the work of one episode."""
    return lambda task, changes: gateway_client.ask_grade(task, phase, repeat, changes)


def _seed_globals(seed: int) -> None:
    """A design that uses the global random generators does the same in every run, so that a run can be repeated."""
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(seed)


def environment(spec: EvalSpec) -> type[Basic_Env]:
    """The environment of the spec's tasks."""
    module, name = ENVIRONMENTS[spec.task_type]
    return getattr(importlib.import_module(module), name)


def tasks_of(spec: EvalSpec) -> list[dict[str, Any]]:
    """All tasks of the spec, each once."""
    return list({task["id"]: task for task in spec.update_tasks + spec.retrieve_tasks}.values())


async def evaluate(spec: EvalSpec, folder: Path, watch: Watch) -> Updates:
    """Run the spec; episodes go to ``folder/episodes.jsonl`` as they finish, behind those of a broken-off try.

    Returns:
        what it took the design to learn.
    """
    if spec.design_path is not None:
        new_memory(watch, spec)  # a design that cannot even be made is told so before any task is run
        _seed_globals(spec.seed)
    if spec.export:
        answers = await export(new_memory(watch, spec), spec.export)
        write_json_atomic(folder / "exported.json", answers)
        return Updates()
    episodes = folder / "episodes.jsonl"
    finished = read_episodes(episodes)
    new_environment, tasks, kind = environment(spec), tasks_of(spec), probe(spec.sandbox)
    with open(episodes, "a", encoding="utf-8") as sink:

        def on_episode(episode: Episode) -> None:
            sink.write(episode.to_json() + "\n")
            sink.flush()
            os.fsync(sink.fileno())

        def on_memory(memory: MemoryCalls, learned: list[Episode]) -> None:
            with watch.limit(spec.memory_timeout_s, "save"):
                keep(memory.memory, learned, spec, folder / "memory")

        workflow = Agent_Workflow(
            spec,
            lambda phase, repeat: new_environment(
                tasks, spec.env, kind, folder / "tmp", grader(phase, repeat)
            ),
            (lambda: new_memory(watch, spec)) if spec.design_path else None,
            on_episode,
            on_memory,
        )
        collected = read_episodes(Path(spec.collection)) if spec.collection else None
        await workflow.run_all_tasks(collected, finished)
    return workflow.updates


def main() -> int:
    started = time.monotonic()
    folder = Path(sys.argv[1])
    spec = EvalSpec.load(folder / "spec.json")
    (folder / "tmp").mkdir(exist_ok=True)
    os.chdir(folder / "tmp")  # where a design may write: the checkout is read-only, and not its place
    sys.meta_path.insert(0, AliasFinder())

    def finish(status: str, error: str | None = None, updates: Updates | None = None) -> None:
        seconds = round(time.monotonic() - started, 3)
        EvalResult(status, error=error, seconds=seconds, updates=updates or Updates()).save(
            folder / "result.json"
        )

    def on_hang(message: str) -> None:
        stalled = gateway_client.stalled()
        finish("infra_error" if stalled else "design_error", stalled or message)
        os._exit(0)

    gateway_client.connect(Path(os.environ["ALMA_GATEWAY"]), os.environ["ALMA_TOKEN"], spec.model)
    try:
        progress = folder / "episodes.jsonl"
        progress.touch()
        environment(spec).prepare_process(tasks_of(spec), probe(spec.sandbox), folder / "tmp")
        updates = asyncio.run(evaluate(spec, folder, Watch(on_hang, lambda: os.utime(progress))))
    except DesignError as error:
        finish("design_error", str(error))
    except MemoryError as error:
        finish("design_error", design_traceback(error))
    except (gateway_client.InfraError, OSError) as error:
        finish("infra_error", f"{type(error).__name__}: {error}")
    except BaseException as error:  # a fault of ours, or a design that has changed our modules
        finish("infra_error", "".join(traceback.format_exception(error)))
    else:
        finish("ok", updates=updates)
    # Threads that a design left running must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
