"""Evaluates designs: one spec, one folder, one sandboxed subprocess, one result."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from core.evaluation_files import BadOutcome, clear, read_kept, read_outcome
from core.evaluation_process import HANGING, OVER_LIMITS, expected_episodes, run_subprocess
from core.gateway.gateway import Gateway
from core.grading_desk import GradingDesk, Key
from core.image_rooms import ImageRooms
from core.progress import Progress
from core.together import of_shared
from envs_archive.coding.swebench.sites import mounted
from envs_archive.coding.tasks import Split, Task
from evals.contract import Episode, EvalResult, EvalSpec, Verdict, write_atomic
from evals.utils.removal import remove_tree
from evals.utils.sandbox import SandboxKind
from evals.utils.session import clean_output

TRIES = 3
LEAST_FREE_BYTES = 64 << 20
EXAMINATION = {"update": 2, "retrieve": 3}


class InfraError(Exception):
    """An evaluation could not be finished for reasons outside the design."""


@dataclass(frozen=True)
class EvaluationSettings:
    """What all evaluations of a run have in common.

    Attributes:
        memory_tokens: limit of the memory text in a prompt.
        inner: what each control wraps, by the control's label.
        action_spaces: of the agents of designs, by label, where not that of ``env``.
        load_memory: folders of saved memories to start from, by the design's label.
    """

    model: str
    rollout: Literal["batched", "sequential"] = "batched"
    repeats: int = 3
    seed: int = 42
    update_concurrency: int = 10
    retrieve_concurrency: int = 10
    concurrent_evaluations: int = 5
    fresh_collection: bool = False
    interleaved: bool = False
    memory_tokens: int = 4000
    inner: dict[str, Path] = field(default_factory=dict)
    action_spaces: dict[str, str] = field(default_factory=dict)
    load_memory: dict[str, Path] = field(default_factory=dict)
    history_limit: int | None = None
    memory_timeout_s: float = 300.0
    env: dict[str, Any] = field(default_factory=dict)


class Evaluates(Protocol):
    """What the evolution loop needs of an evaluator."""

    @property
    def tasks(self) -> Sequence[str]:
        """The tasks that designs are scored on."""

    async def evaluate(
        self, sha: str, path: Path | None, mode: str, tasks: Sequence[str] | None = None, again: int = 0
    ) -> EvalResult:
        """Evaluate one design.

        Args:
            mode: ``test`` is the examination; any other name is that of a score, or of a part of one.
            tasks: score on these alone.
            again: the how manieth repetition, each with a seed of its own for the agent.

        Raises:
            InfraError: it could not be finished, whatever the design does.
        """


class Evaluator:
    """Evaluates designs on the tasks of one split.

    Args:
        run_dir: the run's folder; evaluations get ``evaluations/<sha>_<mode>_<n>`` in it.
        split: ids of the update and the retrieve tasks.
        tasks, bases: complete tasks and prepared bases by id.
        progress: told what begins and ends.
        images: where commands of tasks with an image run.
    """

    def __init__(
        self,
        run_dir: Path,
        split: Split,
        tasks: dict[str, Task],
        bases: dict[str, Path],
        gateway: Gateway,
        desk: GradingDesk,
        kind: SandboxKind,
        settings: EvaluationSettings,
        progress: Progress,
        images: ImageRooms,
    ) -> None:
        self._run_dir = run_dir
        self._split = split
        self._tasks = tasks
        self._bases = bases
        self._gateway = gateway
        self._desk = desk
        self._kind = kind
        self._settings = settings
        self._progress = progress
        self._images = images
        self._slots = asyncio.Semaphore(settings.concurrent_evaluations)
        self._collecting: asyncio.Future[list[Episode]] | None = None

    @property
    def tasks(self) -> Sequence[str]:
        return self._split.retrieve

    async def evaluate(
        self, sha: str, path: Path | None, mode: str, tasks: Sequence[str] | None = None, again: int = 0
    ) -> EvalResult:
        """Examine (``test``) or score a design on this run's tasks; see ``Evaluates``."""
        update, retrieve = self._split.update, list(self._split.retrieve if tasks is None else tasks)
        repeats = self._settings.repeats
        if mode == "test":
            update, retrieve = update[: EXAMINATION["update"]], retrieve[: EXAMINATION["retrieve"]]
            repeats = 1
        return await self.evaluate_on(sha, path, mode, update, retrieve, repeats, again=again)

    async def evaluate_on(
        self,
        label: str,
        path: Path | None,
        mode: str,
        update: list[str],
        retrieve: list[str],
        repeats: int,
        learned: Sequence[Episode] | None = None,
        again: int = 0,
    ) -> EvalResult:
        """Build a memory from the ``update`` tasks' episodes and score it on ``retrieve``.

        Args:
            learned: the episodes to build it from, in the order of ``update``, where not those of the collection.
            again: added to the agent's seed.

        Raises:
            InfraError: it could not be finished.
        """
        collection = None
        if learned is not None:
            episodes = [dataclasses.replace(e, phase="update", repeat=0) for e in learned]
            collection = self._keep_episodes(" ".join([label, mode, *update]), episodes)
        elif path is not None and update and not self._settings.fresh_collection:
            collection = await self._collection(update)
        async with self._slots:
            return await self._evaluate(label, path, mode, update, retrieve, repeats, collection, again)

    async def _collection(self, update: list[str]) -> Path:
        """Episodes of the update tasks, run once without memory and shared by all designs of the run."""
        if self._collecting is None:
            self._collecting = asyncio.ensure_future(self._collect())
        episodes = {e.task: e for e in await of_shared(self._collecting)}
        return self._keep_episodes(" ".join(update), [episodes[task] for task in update])

    def _keep_episodes(self, key: str, episodes: Sequence[Episode]) -> Path:
        """Write episodes that a memory is built from into a file of their own; ``key`` says which they are."""
        folder = self._run_dir / "collection"
        folder.mkdir(exist_ok=True)
        digest = hashlib.sha256(f"{self._settings.seed} {key}".encode()).hexdigest()
        path = folder / f"{digest[:12]}.jsonl"
        content = "".join(e.to_json() + "\n" for e in episodes).encode("utf-8")
        if not path.exists() or path.read_bytes() != content:
            write_atomic(path, content)
        return path

    async def _collect(self) -> list[Episode]:
        async with self._slots:
            result = await self._evaluate("collection", None, "collect", self._split.update, [], 1, None)
        return result.episodes

    async def _evaluate(
        self,
        label: str,
        path: Path | None,
        mode: str,
        update: list[str],
        retrieve: list[str],
        repeats: int,
        collection: Path | None,
        again: int = 0,
    ) -> EvalResult:
        settings = self._settings
        spec = EvalSpec(
            design=label,
            design_path=str(path) if path else None,
            model=settings.model,
            update_tasks=[self._public(task) for task in update],
            retrieve_tasks=[self._public(task) for task in retrieve],
            rollout=settings.rollout,
            repeats=repeats,
            seed=settings.seed + again,
            interleaved=settings.interleaved,
            collection=str(collection) if collection else None,
            memory_token_limit=settings.memory_tokens,
            inner_path=_text(settings.inner.get(label)),
            load_memory=_text(settings.load_memory.get(label)),
            update_concurrency=settings.update_concurrency,
            retrieve_concurrency=settings.retrieve_concurrency,
            memory_timeout_s=settings.memory_timeout_s,
            sandbox=self._kind.kind,
            history_limit=settings.history_limit,
            env={
                **settings.env,
                "action_space": settings.action_spaces.get(label, settings.env["action_space"]),
            },
        )
        folder = self._folder(label, mode, spec)
        result = EvalResult("infra_error")
        for _ in range(TRIES):
            result = await self._try(spec, folder)
            if result.status != "infra_error":
                return result
            if self._gateway.answers.stopped:
                raise InfraError(self._gateway.answers.stopped)
        if path is not None and not self._outside_failed(folder) and await self._works_without_design():
            # The design's process can claim an outage, or kill itself; nothing that we have seen confirms one.
            error = f"no outage was seen, and yet the evaluation failed {TRIES} times: {result.error}"
            result = EvalResult("design_error", error=error)
            result.save(folder / "result.json")
            return result
        raise InfraError(f"evaluation of {label} ({mode}) failed {TRIES} times: {result.error}; see {folder}")

    async def _try(self, spec: EvalSpec, folder: Path) -> EvalResult:
        self._progress.began(folder.name, spec, self._desk.verdicts(folder.name).keys())
        result = None
        try:
            async with self._images.lend(spec, folder.name) as lent:
                result = await run_evaluation(lent, folder, self._gateway, self._desk, self._kind)
            return result
        finally:
            self._progress.ended(folder.name, spec.design, result)

    def _outside_failed(self, folder: Path) -> bool:
        activity = self._gateway.activities.of(folder.name)
        full = shutil.disk_usage(self._run_dir).free < LEAST_FREE_BYTES
        return full or activity.outages > 0 or self._desk.failed(folder.name)

    async def _works_without_design(self) -> bool:
        """Whether an evaluation of nothing comes to its end here: sandbox, interpreter, gateway and disk are fine."""
        spec = EvalSpec("health", None, self._settings.model, [], [], sandbox=self._kind.kind)
        folder = Path(tempfile.mkdtemp(prefix="health-", dir=self._run_dir))
        try:
            result = await run_evaluation(spec, folder, self._gateway, self._desk, self._kind)
            return result.status == "ok"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _public(self, task: str) -> dict[str, Any]:
        row = self._tasks[task].public(self._bases[task])
        official = self._tasks[task].official
        if official is not None and not official.image:
            row["environment"] = mounted(self._tasks[task], self._bases[task], self._kind)
        return row

    def _folder(self, label: str, mode: str, spec: EvalSpec) -> Path:
        """The folder of this very evaluation: an earlier, perhaps unfinished one of its spec, or the next number."""
        number = 1
        while True:
            folder = self._run_dir / "evaluations" / f"{folder_name(label)}_{mode}_{number}"
            if _holds(folder, spec):
                folder.mkdir(parents=True, exist_ok=True)
                return folder
            number += 1


def folder_name(label: str) -> str:
    """A design's label as part of a folder's name."""
    return label.replace(":", "-")


def memory_folder(root: str, label: str) -> Path:
    """The folder of a design's memory below ``--save_memory`` or ``--load_memory``."""
    return Path(root).expanduser().resolve() / folder_name(label)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _holds(folder: Path, spec: EvalSpec) -> bool:
    """Whether a folder is that of this evaluation: it is new, or what it was made for is the same."""
    try:
        return _identity(EvalSpec.load(folder / "spec.json")) == _identity(spec)
    except FileNotFoundError:
        return True
    except (ValueError, TypeError):  # spoilt: what lies beside it cannot be trusted to be of this evaluation
        shutil.rmtree(folder)
        return True


def _identity(spec: EvalSpec) -> EvalSpec:
    """The spec without what may differ between two sessions of a run: where its files lie, and the sandbox."""

    def name(path: str | None) -> str | None:
        return None if path is None else Path(path).name

    def tasks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**row, "base": name(row["base"]), "environment": None} for row in rows]

    return dataclasses.replace(
        spec,
        design_path=name(spec.design_path),
        inner_path=name(spec.inner_path),
        load_memory=name(spec.load_memory),
        collection=name(spec.collection),
        update_tasks=tasks(spec.update_tasks),
        retrieve_tasks=tasks(spec.retrieve_tasks),
        sandbox="",
    )


async def run_evaluation(
    spec: EvalSpec, folder: Path, gateway: Gateway, desk: GradingDesk, kind: SandboxKind
) -> EvalResult:
    """Run one evaluation subprocess to its end. A finished folder of the same spec is read, not run again.

    Returns:
        the result; rewards are those of the grading desk, whatever the subprocess wrote.
    """
    desk.expect(folder.name, expected_episodes(spec))
    finished = _finished(spec, folder, desk.verdicts(folder.name))
    if finished is not None:
        return finished
    _mend(spec, folder, desk.verdicts(folder.name))
    clear(folder / "spec.json")
    spec.save(folder / "spec.json")
    token = gateway.issue_token({"evaluation": folder.name, "design": spec.design})
    try:
        code, output = await run_subprocess(spec, folder, gateway, token, kind)
    finally:
        gateway.revoke(token)
        await asyncio.to_thread(remove_tree, folder / "tmp")
    try:
        if code == HANGING:
            raise BadOutcome(output)
        result = read_outcome(folder)
    except FileNotFoundError:
        last = clean_output(output.encode()).strip().rsplit("\n", 1)[-1][:300] or "it printed nothing"
        # Our code never ends without a result; a kill from outside is no exit code.
        ended_itself = spec.design_path is not None and code in (0, OVER_LIMITS)
        status = "design_error" if ended_itself else "infra_error"
        result = EvalResult(status, error=f"the evaluation process ended with code {code}: {last}")
    except BadOutcome as error:
        result = EvalResult("design_error", error=str(error))
    result = _checked(spec, result, desk.verdicts(folder.name))
    clear(folder / "result.json")
    if result.status != "infra_error":
        result.save(folder / "result.json")
    return result


def _finished(spec: EvalSpec, folder: Path, verdicts: dict[Key, Verdict]) -> EvalResult | None:
    """The result of an earlier session; None when there is none, or it met an outage, or its files are spoilt."""
    try:
        written = read_outcome(folder)
    except (FileNotFoundError, BadOutcome):
        return None
    result = _checked(spec, written, verdicts)
    return None if result.status == "infra_error" or result.status != written.status else result


def _mend(spec: EvalSpec, folder: Path, verdicts: dict[Key, Verdict]) -> None:
    """Leave of a broken-off try only the episodes that need not run again: whole, and with a verdict."""
    clear(folder / "result.json")
    remove_tree(folder / "tmp")
    path = folder / "episodes.jsonl"
    kept = {(e.phase, e.task, e.repeat): e for e in read_kept(folder)}
    # A stream that learns on is gone through again from its beginning (its calls are in the ledger).
    streams = spec.rollout == "sequential"
    lines = [e.to_json() for k, e in kept.items() if k in verdicts and not (streams and k[0] == "retrieve")]
    # Anything else is replaced in one step, so that no finished episode is ever away.
    if path.is_dir() or not lines:
        clear(path)
    if lines:
        write_atomic(path, "".join(line + "\n" for line in lines).encode("utf-8"))


def _checked(spec: EvalSpec, result: EvalResult, verdicts: dict[Key, Verdict]) -> EvalResult:
    """The result with the desk's verdicts in place of what the process wrote; every expected episode must be there."""
    if result.status != "ok":
        return result
    written = {(e.phase, e.task, e.repeat): e for e in result.episodes}
    expected = expected_episodes(spec)
    missing = [key for key in expected if key not in written or key not in verdicts]
    if missing:
        return EvalResult(
            "design_error", error=f"{len(missing)} episodes are missing, the first is {missing[0]}"
        )
    episodes = [
        dataclasses.replace(
            written[key],
            reward=verdicts[key].reward,
            resolved=verdicts[key].resolved,
            f2p_rate=verdicts[key].f2p_rate,
            p2p_rate=verdicts[key].p2p_rate,
            flags=verdicts[key].flags,
        )
        for key in expected
    ]
    return dataclasses.replace(result, episodes=episodes)
