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
import math
import os
import re
import signal
import sys
from pathlib import Path
from typing import NoReturn

from dotenv import load_dotenv

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


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (run_main.py --help lists the flags)")


def parser() -> argparse.ArgumentParser:
    p = _Parser(
        prog="run_main.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = p.add_argument_group("what to do").add_argument
    add(
        "--status",
        choices=["train", "test"],
        default="train",
        help="train evolves (or, with --memo_SHA, scores) on the first --train_size tasks, test scores on the others",
    )
    add(
        "--memo_SHA",
        metavar="DESIGN[,DESIGN...]",
        help="designs to evaluate: a baseline's name, an archived SHA or a .py file; each is compared with the first",
    )
    add(
        "--experiment",
        choices=["h1", "h2", "h3"],
        help="h1: does memory help? Every task paired with itself, memory cross-fitted. h2: does it accumulate "
        "within one project? Its tasks in a row. h3: does evolution without hints beat designs made by hand?",
    )
    add(
        "--baseline",
        metavar="DESIGN",
        default="no_mem",
        help="the control arm of an experiment (default no_mem)",
    )
    add(
        "--builds",
        type=_at_least(1),
        default=1,
        metavar="N",
        help="h1: build every memory N times, with other cuts, orders and seeds (default 1)",
    )
    add(
        "--folds",
        type=_at_least(2),
        default=2,
        metavar="K",
        help="h1: cut the tasks into K parts; memory of the others is scored on each (default 2: halves)",
    )
    add(
        "--plan",
        nargs="?",
        const="",
        metavar="RUN",
        help="of an experiment: print what it would take and could show, and stop; RUN is an earlier run to estimate "
        "from",
    )
    add(
        "--grouped",
        action="store_true",
        help="h1: compare means of repeats on the split of --status and --train_size instead; underpowered",
    )
    add("--project", metavar="P", help="h2: the project whose tasks are the series")
    add(
        "--orders",
        type=_at_least(1),
        default=6,
        metavar="K",
        help="h2: random orders of the tasks, each with seeds of its own (default 6)",
    )
    add(
        "--search_seeds",
        type=_at_least(1),
        default=3,
        metavar="S",
        help="h3: independent searches (default 3)",
    )
    add("--resume", metavar="RUN", help="go on with the run logs/RUN; finished evaluations are not repeated")
    add(
        "--replay",
        metavar="RUN|FILE",
        help="do a finished run (or a packed one) again, every model call answered from its ledger, and compare",
    )
    add("--pack", metavar="RUN", help="write a finished run into one file, without keys and paths")
    add(
        "--report",
        metavar="RUN",
        help="write report.html and figures/ of a run: scores, designs, every episode; also while it goes on",
    )
    add("--costs", metavar="RUN", help="print tokens and USD of a run by purpose, design and model")
    add("--history_ckpt_path", metavar="FILE", help="evolve on from another run's archive.json")
    add(
        "--export",
        nargs=2,
        metavar=("RUN", "DESIGN"),
        help="write what a design has learned in the run logs/RUN as Markdown, for a repository's AGENTS.md",
    )
    add("--to", metavar="FILE", help="where --export writes")
    add = p.add_argument_group("memory").add_argument
    add(
        "--memory_tokens",
        type=_at_least(1),
        default=4000,
        metavar="N",
        help="limit of the memory text in a prompt, the same for every design (default 4000)",
    )
    add("--save_memory", metavar="DIR", help="keep what each evaluated design has learned in DIR/DESIGN")
    add(
        "--load_memory",
        metavar="DIR",
        help="start from what --save_memory kept; nothing is learned before the scoring unless --update_size is given",
    )
    add = p.add_argument_group("tasks").add_argument
    add("--task_type", choices=["coding"], default="coding")
    add(
        "--tasks",
        metavar="FILE",
        help="task file (default: the 54-task benchmark; of h2: the series in data/coding/longitudinal.jsonl), or "
        "swebench:FILE, rows of SWE-bench as parquet, json or jsonl, or swebench:OWNER/NAME at Hugging Face",
    )
    add(
        "--repo_cache", metavar="DIR", help="of swebench: tasks: clones of their repositories, as OWNER__NAME"
    )
    add(
        "--environments",
        metavar="FILE",
        help="of swebench: tasks: which Python and packages they need (default: data/swebench/environments.yaml)",
    )
    add(
        "--check_tasks",
        action="store_true",
        help="of swebench: tasks: build their environments, grade the solution and no change --repeats times, list "
        "which are usable and why others are not, and write those that are into a file",
    )
    add(
        "--train_size",
        type=_at_least(0),
        default=27,
        metavar="N",
        help="the first N tasks are the training half (default 27)",
    )
    add("--update_size", type=_at_least(0), metavar="N", help="build memory from only N tasks")
    add(
        "--update_task",
        choices=["train", "test"],
        help="build memory from this half instead (distribution shift)",
    )
    add(
        "--rollout_type",
        choices=["batched", "sequential"],
        default="batched",
        help="batched: memory is read-only while it is scored; sequential: it learns on",
    )
    add(
        "--repeats",
        type=_at_least(1),
        metavar="N",
        help="runs of every task (default 3; of h2: 1 in each order)",
    )
    add(
        "--seed",
        type=_at_least(0),
        default=42,
        metavar="N",
        help="seeds the agent and the search (default 42)",
    )
    add(
        "--fresh_collection",
        action="store_true",
        help="repeat the update episodes for every design, as the original does",
    )
    add = p.add_argument_group("models").add_argument
    add(
        "--execution_model",
        metavar="MODEL",
        help="model of the coding agent and of designs (default gpt-4o-mini with a key, else offline)",
    )
    add(
        "--meta_model",
        metavar="MODEL",
        help="model that writes designs (default gpt-4.1 with a key, else offline)",
    )
    for name, what in (("rpm", "requests"), ("tpm", "tokens")):
        add(
            f"--{name}",
            type=_at_least(1),
            metavar="N",
            help=f"send at most N {what} a minute to each model (default: what its server tells)",
        )
    add(
        "--action_space",
        choices=["seed", "extended"],
        default="seed",
        help="what the agent may do: the original's seven actions, or also numbered lines, replace_lines, undo_edit, "
        "semantic_search and a directory tree (extended:DESIGN takes it for one design)",
    )
    add(
        "--history_limit",
        type=_at_least(1000),
        metavar="TOKENS",
        help="cut old observations out of the agent's conversation beyond this length (default: never)",
    )
    add(
        "--max_cost_usd",
        type=_amount,
        metavar="USD",
        help="stop before more than this is spent on models (exit code 3); --resume takes a larger one",
    )
    add("--max_tokens", type=_at_least(1), metavar="N", help="the same, for prompt and completion tokens")
    add = p.add_argument_group("evolution").add_argument
    add("--steps", type=_at_least(0), default=10, metavar="N", help="steps of evolution (default 10)")
    add(
        "--selection",
        choices=["alma", "greedy", "random", "rank", "thompson"],
        default="alma",
        help="how parents are chosen: alma as in the paper, up to five a step, the next step when all are scored "
        "(default); the others one after the other as results come in: rank by their order, thompson by their "
        "whole line, greedy the best, random any",
    )
    add(
        "--evaluation",
        choices=["full", "race"],
        default="full",
        help="race: score a rewrite beside its parent on a third of the tasks, and on more only while it cannot be "
        "told from it (default full: all tasks)",
    )
    add(
        "--confirm",
        action="store_true",
        help="score a design that would be the best once more, with another seed, before it is",
    )
    add(
        "--objective",
        choices=["reward", "resolved", "tokens", "cost"],
        default="reward",
        help="what designs are chosen by: the mean share of tests that pass (default), or of tasks resolved; tokens, "
        "cost: that no other gives at least as much reward for fewer tokens of memory text, or for fewer USD",
    )
    add(
        "--proposer",
        choices=["prompt", "agent"],
        default="prompt",
        help="how designs are written: prompt shows the meta model one design and asks twice (default); agent lets it "
        "look around in the whole archive, as files, until it submits",
    )
    add(
        "--hints",
        choices=["full", "none"],
        help="none strips all advice on memory from the meta prompts (default full; h3: none)",
    )
    add = p.add_argument_group("execution").add_argument
    add("--result_dir", metavar="NAME", help="name of the run folder in logs/ (default: a timestamp)")
    add(
        "--sandbox",
        choices=["auto", "bwrap", "container", "process"],
        default="auto",
        help="how generated code and agent commands are contained (process: no boundary)",
    )
    add("--doctor", action="store_true", help="print what this machine offers for containing them, and end")
    add(
        "--max_container_concurrent",
        type=_at_least(1),
        default=2,
        metavar="N",
        help="evaluations at a time (default 2)",
    )
    add(
        "--batch_max_update_concurrent",
        type=_at_least(1),
        default=10,
        metavar="N",
        help="update episodes at a time (default 10)",
    )
    add(
        "--batch_max_retrieve_concurrent",
        type=_at_least(1),
        default=10,
        metavar="N",
        help="retrieve episodes at a time (default 10)",
    )
    return p


def _at_least(least: int):
    def convert(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}")
        return value

    convert.__name__ = "whole number"
    return convert


def _amount(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError("must be 0 or more")
    return value


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
