"""ALMA for coding agents, from the shell: evolve memory designs, evaluate them, run experiments.

    python run_main.py                                              evolve on the benchmark's training half
    python run_main.py --status test --memo_SHA no_mem,claude_md     evaluate designs, with a paired comparison
    python run_main.py --experiment h1 --memo_SHA claude_md          does memory help? paired over all tasks
    python run_main.py --experiment h2 --project P --memo_SHA claude_md   does it accumulate within one project?
    python run_main.py --experiment h3                               does evolution without hints beat designs by hand?
    python run_main.py --resume RUN                                 go on with a run that was stopped
    python run_main.py --export RUN claude_md --to AGENTS.md        what a design has learned, as a document
    python run_main.py --replay RUN                                 do a finished run again from its ledger, and compare
    python run_main.py --pack RUN                                   one file of it, for others to replay
    python run_main.py --check_tasks --tasks swebench:FILE           which SWE-bench instances can be run here?
    python run_main.py --report RUN                                 what it found, as one HTML page to read
    python run_main.py --costs RUN                                  what its model calls cost, and what they were for

Results go to stdout, progress to stderr; everything a run produced is in logs/RUN. Exit codes: 0 done, 2 wrong usage,
3 stopped at the budget (resumable), 130 interrupted (resumable), 1 anything else.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime
import os
import re
import signal
import sys
from pathlib import Path

from dotenv import load_dotenv

from core import flags
from core.options import OFFLINE, PROJECT_ROOT, Options, UsageError, log_dir
from core.selection import ORIGINAL

EXIT_DONE, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130
DEFAULT_MODELS = {"meta_model": "gpt-4.1", "execution_model": "gpt-4o-mini"}
BY_HAND = ("claude_md", "claude_md_seeded", "memory_bank", "rag_codebase")
"""What h3 compares evolved designs with, unless it is told."""
SEARCH_FLAGS = ("evaluation", "confirm", "objective", "proposer")
PLAIN_NAME = r"[A-Za-z0-9][\w.-]*"
EXPERIMENT_FLAGS = {
    "builds": "h1",
    "folds": "h1",
    "grouped": "h1",
    "project": "h2",
    "orders": "h2",
    "search_seeds": "h3",
}


def parser() -> argparse.ArgumentParser:
    return flags.parser(__doc__)


def folder_of(flag: str, run: str) -> Path:
    """The folder of the run that ``flag`` names.

    Raises:
        UsageError: there is none.
    """
    if not re.fullmatch(r"[\w.-]+", run):
        raise UsageError(f"{flag} takes the name of a run in {log_dir()}, not '{run}'")
    folder = log_dir() / run
    if not (folder / "options.json").is_file():
        raise UsageError(f"{folder} is no run: it has no options.json")
    return folder


def options_from(args: argparse.Namespace) -> Options:
    """Complete and check the command line.

    Raises:
        UsageError: something cannot be done as asked.
    """
    if args.plan is not None and (args.grouped or args.resume):
        raise UsageError("--plan goes with --experiment h1, h2 or h3, without --grouped or --resume")
    if args.resume:
        begun = Options.load(folder_of("--resume", args.resume) / "options.json")
        larger = {name: getattr(args, name) for name in ("max_cost_usd", "max_tokens")}
        return dataclasses.replace(
            begun, **{name: value for name, value in larger.items() if value is not None}
        )
    reachable = bool(os.environ.get("OPENAI_API_KEY") or os.environ.get("OPENAI_BASE_URL"))
    models = {
        name: getattr(args, name) or (default if reachable else OFFLINE)
        for name, default in DEFAULT_MODELS.items()
    }
    designs = [name.strip() for name in (args.memo_SHA or "").split(",") if name.strip()]
    if args.experiment:
        kind = args.experiment
        if kind == "h3":
            designs = designs or list(BY_HAND)
        if not designs:
            raise UsageError(
                f"--experiment {kind} needs --memo_SHA: the design or designs to compare with --baseline"
            )
    elif args.plan is not None:
        raise UsageError("--plan goes with --experiment h1, h2 or h3")
    elif designs:
        kind = "evaluate"
    elif args.status == "test":
        raise UsageError(
            "--status test needs --memo_SHA: which designs to evaluate, for example no_mem,claude_md"
        )
    else:
        kind = "evolve"
    for name, its_own in EXPERIMENT_FLAGS.items():
        if kind != its_own and getattr(args, name) != parser().get_default(name):
            raise UsageError(f"--{name} goes with --experiment {its_own}")
    if kind in ("evolve", "h3"):
        if args.update_task == "test":
            raise UsageError("--update_task test goes with --memo_SHA: designs evolve without the test half")
        if args.evaluation == "race" and args.rollout_type == "sequential":
            raise UsageError(
                "--evaluation race goes with --rollout_type batched: a memory that learns on needs all tasks"
            )
        if args.objective != "reward" and args.selection == ORIGINAL:
            raise UsageError(
                f"--selection {ORIGINAL} is defined on the reward: take another with --objective"
            )
    else:
        for name in SEARCH_FLAGS:
            if getattr(args, name) != parser().get_default(name):
                raise UsageError(f"--{name} goes with evolution or --experiment h3")
    if kind == "h3" and args.hints == "full":
        raise UsageError("--experiment h3 is evolution without hints: leave --hints full out")
    if len(set(designs)) < len(designs):
        raise UsageError("--memo_SHA names a design twice")
    name = args.result_dir or f"{datetime.datetime.now():%Y%m%d-%H%M%S}-{kind}"
    if not re.fullmatch(PLAIN_NAME, name):
        raise UsageError(f"--result_dir takes a plain folder name, not '{name}'")
    if (log_dir() / name / "options.json").exists():
        raise UsageError(f"{log_dir() / name} exists: take another --result_dir, or --resume {name}")
    if args.to:
        raise UsageError("--to goes with --export RUN DESIGN")
    tasks = PROJECT_ROOT / "data/coding" / ("longitudinal.jsonl" if kind == "h2" else "tasks.jsonl")
    by_kind = {
        "tasks": args.tasks or str(tasks),
        "repeats": args.repeats or (1 if kind == "h2" else 3),
        "hints": args.hints or ("none" if kind == "h3" else "full"),
    }
    own = {field: getattr(args, field) for field in Options.__dataclass_fields__ if hasattr(args, field)}
    return Options(
        **{**own, **models, **by_kind, "memo_SHA": designs},
        kind=kind,
        name=name,
        offline=models["execution_model"] == OFFLINE and not reachable,
    )


def main(argv: list[str] | None = None) -> int:
    dotenv = os.environ.get("DOTENV_PATH")
    if dotenv and not Path(dotenv).is_file():
        return _fail(f"DOTENV_PATH names no file: {dotenv}", EXIT_USAGE)
    load_dotenv(dotenv or PROJECT_ROOT / ".env")
    try:
        args = parser().parse_args(argv)
        if args.doctor:
            from core.doctor import examine

            return examine(args.sandbox)
        # A polite kill is an interruption like Ctrl-C: the run ends in order and can be resumed. Shells start what runs
        # in the background with Ctrl-C ignored, and then both would be.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
        if args.costs or args.report or args.pack or args.replay:
            return _look_at(args)
        if args.check_tasks:
            return _check_tasks(args)
        options = None if args.export else options_from(args)
        # Imported late: --help and a wrong flag should not wait for scipy.
        from core.commands import execute
        from core.memory_export import export_memory

        if options is None:
            return asyncio.run(export_memory(*args.export, args.to))
        return asyncio.run(execute(options, resume=bool(args.resume), plan=args.plan))
    except UsageError as error:
        return _fail(str(error), EXIT_USAGE)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _check_tasks(args: argparse.Namespace) -> int:
    from core.check_tasks import check_tasks

    name = args.result_dir or f"{datetime.datetime.now():%Y%m%d-%H%M%S}-check"
    if not re.fullmatch(PLAIN_NAME, name):
        raise UsageError(f"--result_dir takes a plain folder name, not '{name}'")
    sources = (args.tasks or "", args.repo_cache, args.environments)
    return asyncio.run(check_tasks(*sources, log_dir() / name, args.repeats or 3, args.sandbox))


def _look_at(args: argparse.Namespace) -> int:
    """What is done with a run that exists."""
    if args.costs:
        from core.report.costs import print_costs

        return print_costs(folder_of("--costs", args.costs))
    if args.report:
        from core.report.write import print_report

        return print_report(folder_of("--report", args.report))
    if args.pack:
        from core.pack import pack

        print(pack(folder_of("--pack", args.pack)))
        return EXIT_DONE
    from core.replay import replay

    packed = Path(args.replay)
    return asyncio.run(replay(packed if packed.is_file() else folder_of("--replay", args.replay)))


def _fail(message: str, code: int) -> int:
    print(f"run_main.py: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
