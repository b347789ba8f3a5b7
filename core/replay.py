"""``--replay``: a finished run is done again, every model call answered from its ledger, and everything is compared.

The real loop runs: selection, prompts, evaluations in their sandboxes, grading, statistics. Only the models are not
there. So a replay needs no key and no network; and a change of the program that would ask a model something else is
found at the first request that differs.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import shutil
import sqlite3
import tarfile
import tempfile
from contextlib import closing
from pathlib import Path

from core.commands import KINDS, OUTAGES, sandbox_of
from core.gateway.gateway import GatewaySettings
from core.gateway.ledger import read_only, totals
from core.inputs import Inputs, made_with
from core.options import MEMO_ARCHIVE, Options, UsageError
from core.progress import Progress
from core.replay_check import TIMES, Outcome, differences, first_unknown, memory_texts_were_scrubbed
from core.run import Run, open_run, state_of, tasks_of

EXIT_SAME, EXIT_DIFFERS = 0, 1
SHOWN = 5


async def replay(source: Path) -> int:
    """Replay a run's folder or a packed run; returns the exit code: 0 when every number is the same.

    What the replay made is removed, unless it differs: then it is left for a look.

    Raises:
        UsageError: there is nothing that can be replayed.
    """
    scratch = Path(tempfile.mkdtemp(prefix="alma-replay-"))
    keep = False
    try:
        folder = _unpack(source, scratch / "packed") if source.is_file() else source
        options = _finished(folder)
        with Progress() as progress:
            outcome = await _run_again(options, folder, scratch, progress)
            keep = bool(outcome.differences)
            _report(folder.name, outcome, Inputs(folder), progress)
            if keep:
                progress.say(f"what the replay made is in {scratch / 'logs' / options.name}")
        return EXIT_DIFFERS if keep else EXIT_SAME
    finally:
        if not keep:
            shutil.rmtree(scratch, ignore_errors=True)


def _unpack(file: Path, target: Path) -> Path:
    """The run's folder out of a packed run."""
    try:
        with tarfile.open(file, "r:gz") as tar:
            tar.extractall(target, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise UsageError(f"{file} is no packed run: {error}") from error
    found = [path.parent for path in target.glob("*/options.json")]
    if len(found) != 1:
        raise UsageError(f"{file} is no packed run: it holds {len(found)} runs")
    return found[0]


def _finished(folder: Path) -> Options:
    """The options of a run that was done.

    Raises:
        UsageError: it was not.
    """
    options = Options.load(folder / "options.json")
    state = state_of(folder)
    if state != "done":
        raise UsageError(f"{folder} is {state}: only a finished run can be replayed; --resume it first")
    for name in ("inputs/tasks.jsonl", "ledger.sqlite"):
        if not (folder / name).exists():
            raise UsageError(f"{folder} cannot be replayed: it has no {name}")
    return options


async def _run_again(options: Options, source: Path, scratch: Path, progress: Progress) -> Outcome:
    folder, inputs = scratch / "logs" / options.name, Inputs(source)
    memo_archive = _memo_archive(scratch / "memo_archive", inputs, options.task_type)
    folder.mkdir(parents=True)
    Inputs(folder).keep_around(inputs)
    _copy_ledger(source / "ledger.sqlite", folder / "ledger.sqlite")
    if inputs.history is not None:
        options = dataclasses.replace(options, history_ckpt_path=str(inputs.history))
    tasks = tasks_of(options, inputs)
    kind = sandbox_of(options)
    settings = GatewaySettings(replay=True)
    async with open_run(
        options, folder, tasks, kind, progress, settings=settings, memo_archive=memo_archive
    ) as run:
        progress.say(
            f"replay of {options.name}: {options.kind}, {totals(run.gateway.ledger_path)[0].calls} calls"
        )
        answers = run.gateway.answers
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # its tables stand in the run's own output
                await KINDS[options.kind](run)
        except OUTAGES as error:
            if answers.unknown is None:
                raise UsageError(f"the replay could not be finished: {error}") from error
            return Outcome([first_unknown(run, source, answers)])
        return _compared(run, source)


def _compared(run: Run, source: Path) -> Outcome:
    asked = run.gateway.answers.replayed
    with closing(read_only(run.gateway.ledger_path)) as connection:
        rows = connection.execute("SELECT id FROM calls WHERE status = 'ok'").fetchall()
    unasked = sum(id not in asked for (id,) in rows)
    ignored = {"memory_tokens"} if memory_texts_were_scrubbed(source) else set()
    return Outcome(
        differences(source, run.folder, TIMES | ignored), len(rows) - unasked, unasked, frozenset(ignored)
    )


def _memo_archive(folder: Path, inputs: Inputs, task_type: str) -> Path:
    """An archive of designs with the baselines of here and the run's own: nothing of the user's is touched."""
    shutil.copytree(
        MEMO_ARCHIVE / "baseline", folder / "baseline", ignore=shutil.ignore_patterns("__pycache__")
    )
    if inputs.designs.is_dir():
        shutil.copytree(inputs.designs, folder / task_type)
    return folder


def _copy_ledger(source: Path, target: Path) -> None:
    try:
        with closing(read_only(source)) as old, closing(sqlite3.connect(target)) as new:
            old.backup(new)
    except sqlite3.Error as error:
        raise UsageError(f"{source} cannot be read: {error}") from error


def _report(name: str, outcome: Outcome, inputs: Inputs, progress: Progress) -> None:
    if not outcome.differences:
        print(f"{name}: every number is reproduced from {outcome.asked} recorded calls")
        if outcome.ignored:
            print("sizes of memory texts were not compared: packing took keys or paths out of them")
        if outcome.unasked:
            print(f"{outcome.unasked} recorded calls belong to work that an interruption threw away")
        return
    print(f"{name}: NOT reproduced")
    for line in outcome.differences[:SHOWN]:
        print(f"  {line}")
    if len(outcome.differences) > SHOWN:
        print(f"  and {len(outcome.differences) - SHOWN} more differences")
    then, now = inputs.made_with(), made_with()
    if then and then != now:
        changed = ", ".join(f"{k} {v} (here {now[k]})" for k, v in then.items() if now.get(k) != v)
        print(f"  The run was made with {changed}: that may be the reason.")
    if changed := inputs.changed_code():
        print(
            f"  Changed since the run was begun: {', '.join(changed[:10])}{', ...' if changed[10:] else ''}"
        )
