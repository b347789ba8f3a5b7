"""The flags of run_main.py: names, defaults and what --help says of them. What goes with what is checked there."""

from __future__ import annotations

import argparse
import math
from typing import NoReturn

from .options import UsageError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (run_main.py --help lists the flags)")


def parser(description: str) -> argparse.ArgumentParser:
    p = _Parser(
        prog="run_main.py",
        description=description,
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
        "whole line, greedy the one that is believed to be the best, random any",
    )
    add(
        "--evaluation",
        choices=["full", "race"],
        default="full",
        help="race: score a rewrite beside its parent on a third of the tasks, and on more only while it is "
        "not probably worse (default full: all tasks)",
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
