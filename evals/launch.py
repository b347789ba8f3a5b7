"""Entry point of one evaluation subprocess: ``python -m launch FOLDER`` with ``evals/`` as working directory.

Reads ``FOLDER/spec.json``, runs the design on its tasks, appends every finished episode to ``episodes.jsonl`` and
writes ``result.json`` last. The design's code runs in this process, so nothing secret may be in it.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import time
import traceback
import types
from collections.abc import Awaitable, Callable
from pathlib import Path

# `python -m` put evals/ first, where `utils` and `agents` would be second copies of the real packages.
sys.path[0] = str(Path(__file__).resolve().parent.parent)

from evals.agents.memo_structure import MemoStructure  # noqa: E402
from evals.contract import EvalResult, EvalSpec, Phase, Verdict, read_episodes  # noqa: E402
from evals.utils import gateway_client  # noqa: E402
from evals.utils.sandbox import probe  # noqa: E402
from evals.workflows.agent_workflow import Agent_Workflow  # noqa: E402
from evals.workflows.memory_calls import DesignError, MemoryCalls, Watch, design_traceback  # noqa: E402

ENVIRONMENTS = {"coding": ("envs_archive.coding_envs", "Coding_Env")}
ALIASES = {
    "agents": "evals.agents",
    "eval_envs": "evals.eval_envs",
    "utils": "evals.utils",
    "workflows": "evals.workflows",
    "langchain_chroma": "evals.utils.langchain_chroma",
}


class AliasFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Makes the short names that designs import stand for the real modules, each loaded once, when asked for."""

    def find_spec(self, fullname: str, path=None, target=None) -> importlib.machinery.ModuleSpec | None:
        head, _, rest = fullname.partition(".")
        if head not in ALIASES:
            return None
        real = ALIASES[head] + (f".{rest}" if rest else "")
        return importlib.util.spec_from_loader(fullname, self, origin=real)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        module = importlib.import_module(spec.origin)
        self._real_spec = module.__spec__
        return module

    def exec_module(self, module: types.ModuleType) -> None:
        """The real module is loaded already; only its own spec, which the import system replaced, is put back."""
        module.__spec__ = self._real_spec


def load_design(path: Path) -> type[MemoStructure]:
    """The one memory design of a file: its concrete ``MemoStructure`` subclass that no other class there refines.

    A helper class may derive from ``MemoStructure`` too; of several leaves the last one in the file counts.

    Raises:
        DesignError: the file cannot be imported or holds no design.
    """
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
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


def new_memory(design: type[MemoStructure], watch: Watch, spec: EvalSpec) -> MemoryCalls:
    """An empty memory of the design.

    Raises:
        DesignError: its constructor raised.
    """
    with watch.limit(spec.memory_timeout_s, "the constructor"):
        try:
            memory = design()
        except BaseException as error:
            raise DesignError(design_traceback(error)) from error
    return MemoryCalls(memory, watch, spec.memory_timeout_s, spec.memory_token_limit)


def grader(phase: Phase, repeat: int) -> Callable[[str, dict[str, bytes | None]], Awaitable[Verdict]]:
    """Asks the parent to grade the work of one episode."""
    return lambda task, changes: gateway_client.ask_grade(task, phase, repeat, changes)


async def evaluate(spec: EvalSpec, folder: Path, watch: Watch) -> None:
    """Run the spec; episodes go to ``folder/episodes.jsonl`` as they finish."""
    episodes = folder / "episodes.jsonl"
    finished = read_episodes(episodes)
    # A line that a kill cut short is dropped before anything is appended behind it.
    episodes.write_text("".join(e.to_json() + "\n" for e in finished), encoding="utf-8")
    design = None
    if spec.design_path is not None:
        with watch.limit(spec.memory_timeout_s, "importing the design"):
            design = load_design(Path(spec.design_path))
    module, name = ENVIRONMENTS[spec.task_type]
    environment = getattr(importlib.import_module(module), name)
    tasks = list({task["id"]: task for task in spec.update_tasks + spec.retrieve_tasks}.values())
    kind = probe(spec.sandbox)
    with open(episodes, "a", encoding="utf-8") as sink:

        def on_episode(episode) -> None:
            sink.write(episode.to_json() + "\n")
            sink.flush()
            os.fsync(sink.fileno())

        workflow = Agent_Workflow(
            spec,
            lambda phase, repeat: environment(tasks, spec.env, kind, folder / "tmp", grader(phase, repeat)),
            (lambda: new_memory(design, watch, spec)) if design else None,
            on_episode,
        )
        collected = read_episodes(Path(spec.collection)) if spec.collection else None
        await workflow.run_all_tasks(collected, [e for e in finished if e.phase == "retrieve"])


def main() -> int:
    started = time.monotonic()
    folder = Path(sys.argv[1])
    spec = EvalSpec.load(folder / "spec.json")
    (folder / "tmp").mkdir(exist_ok=True)
    sys.meta_path.insert(0, AliasFinder())

    def finish(status: str, error: str | None = None) -> None:
        EvalResult(status, error=error, seconds=round(time.monotonic() - started, 3)).save(
            folder / "result.json"
        )

    def on_hang(message: str) -> None:
        finish("design_error", message)
        os._exit(0)

    gateway_client.connect(Path(os.environ["ALMA_GATEWAY"]), os.environ["ALMA_TOKEN"])
    try:
        progress = folder / "episodes.jsonl"
        progress.touch()
        asyncio.run(evaluate(spec, folder, Watch(on_hang, lambda: os.utime(progress))))
    except DesignError as error:
        finish("design_error", str(error))
    except MemoryError as error:
        finish("design_error", design_traceback(error))
    except (gateway_client.InfraError, OSError) as error:
        finish("infra_error", f"{type(error).__name__}: {error}")
    except BaseException as error:  # a fault of ours, or a design that has changed our modules
        finish("infra_error", "".join(traceback.format_exception(error)))
    else:
        finish("ok")
    # Threads that a design left running must not keep the process.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
