"""Checks one instance: its reference solution must be resolved, doing nothing must not, every time."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from evals.utils.removal import remove_tree

from ..clean_tree import GradingError
from ..grading import changes_from_patch
from ..grading_rooms import GradingRooms
from ..grading_rules import source_changes
from ..tasks import Task
from ..workspace import PatchError, apply_patch, make_workspace, prepare_base
from .grading import Graded, run_tests
from .sites import install, provide
from .venvs import EnvironmentFault

_NETWORK = re.compile(
    r"name resolution|Name or service not known|getaddrinfo|gaierror|Network is unreachable|ConnectionError"
    r"|Max retries exceeded|URLError|NewConnectionError|nodename nor servname|Cannot connect to host",
    re.IGNORECASE,
)


@dataclass
class Checked:
    """What is known of one row.

    Attributes:
        usable: the solution was resolved and doing nothing was not, each time.
        reason: why not.
        gold, nop: how often the solution, and no change, were resolved.
        seconds: of one grading of the solution, the mean.
        remarks: what does not stop its use.
    """

    name: str
    environment: str
    usable: bool = False
    reason: str = ""
    fail_to_pass: int = 0
    pass_to_pass: int = 0
    graded: bool = False
    gold: int = 0
    nop: int = 0
    seconds: float = 0.0
    remarks: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class _Unusable(Exception):
    """The reason is the message."""


async def check(
    task: Task, bases: Path, rooms: GradingRooms, repeats: int, say: Callable[[str], None]
) -> Checked:
    """Prepare an instance; grade its solution and no change ``repeats`` times. What is wrong with it is no exception.

    Args:
        bases: existing folder; the instance's base is there while it is checked.
    """
    done = Checked(task.instance_id, task.official.environment.name)
    done.fail_to_pass, done.pass_to_pass = len(task.fail_to_pass), len(task.pass_to_pass)
    base = bases / task.instance_id
    try:
        await prepare_base(task, base, partial(install, task, kind=rooms.kind, say=say))
        await provide(task, base, rooms.kind, say)
        await _check_graded(task, base, rooms, repeats, done)
        done.usable = True
    except _Unusable as error:
        done.reason = str(error)
    except (
        EnvironmentFault,
        GradingError,
        ValueError,
        OSError,
    ) as error:  # PatchError and WorkspaceError are some
        done.reason = " ".join(str(error).split())
    finally:
        await asyncio.to_thread(remove_tree, base)
    return done


async def _check_graded(task: Task, base: Path, rooms: GradingRooms, repeats: int, done: Checked) -> None:
    await _test_patch_applies(task, base)
    try:
        solution = await changes_from_patch(base, task.patch)
    except PatchError as error:
        raise _Unusable(f"patch does not apply to the base commit: {error}") from error
    if not source_changes(task, base, solution):
        raise _Unusable("nothing of its solution counts as source: only tests or configuration are changed")
    done.graded = True
    seconds = 0.0
    failed = None
    for _ in range(repeats):
        started = time.monotonic()
        gold = await run_tests(task, base, solution, rooms)
        seconds += time.monotonic() - started
        done.gold += _resolved(task, gold)
        failed = failed or (None if _resolved(task, gold) else gold)
        if done.gold == 0:
            break  # it is not the chance of one run
    done.seconds = seconds / repeats if done.gold else seconds
    if failed is not None:
        times = "" if done.gold == 0 else f" in {repeats - done.gold} of {repeats} runs"
        raise _Unusable(f"the solution is not resolved{times}: {_why(task, failed)}")
    for _ in range(repeats):
        nop = await run_tests(task, base, {}, rooms)
        done.nop += _resolved(task, nop)
    if done.nop:
        raise _Unusable(
            "doing nothing is resolved" + ("" if done.nop == repeats else f" in {done.nop} of {repeats} runs")
        )
    _remark(task, nop, done)


async def _test_patch_applies(task: Task, base: Path) -> None:
    scratch = base.with_name(f"{base.name}.patched")
    try:
        tree = await asyncio.to_thread(make_workspace, base, scratch, with_git=False)
        await apply_patch(tree, task.test_patch)
    except PatchError as error:
        raise _Unusable(f"test_patch does not apply to the base commit: {error}") from error
    finally:
        await asyncio.to_thread(remove_tree, scratch)


def _resolved(task: Task, graded: Graded) -> bool:
    return graded.counts == (list(task.fail_to_pass), list(task.pass_to_pass))


def _remark(task: Task, nop: Graded, done: Checked) -> None:
    if nop.counts.fail_to_pass:
        done.remarks.append(
            f"without a change {len(nop.counts.fail_to_pass)} FAIL_TO_PASS tests pass already"
        )
    if lost := len(task.pass_to_pass) - len(nop.counts.pass_to_pass):
        done.remarks.append(f"without a change {lost} PASS_TO_PASS tests fail")


def _why(task: Task, gold: Graded) -> str:
    """Why a solution is not resolved, by the first test that is missing."""
    if gold.ended:
        return gold.ended
    passed = {*gold.counts.fail_to_pass, *gold.counts.pass_to_pass}
    failing = [test for test in task.expected if test not in passed]
    ran = [test for test in failing if test in gold.statuses]
    test = (ran or failing)[0]
    reason = next((why for name, why in gold.reasons.items() if name.startswith(test)), "")
    reason = reason or next(iter(gold.reasons.values()), "")
    network = [why for why in gold.reasons.values() if _NETWORK.search(why)]
    said = "it needs the network, which a sandbox has not: " if network else ""
    what = gold.statuses.get(test, "was not run")
    tests = f"{len(failing)} of {len(task.expected)} tests; {test} {what}"
    return f"{said}{tests}" + (f": {network[0] if network else reason}" if reason else "")
