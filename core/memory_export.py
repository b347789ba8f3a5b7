"""``--export RUN DESIGN --to FILE``: what a design has learned, as Markdown for a repository (AGENTS.md, CLAUDE.md).

The text comes through the design's own retrieval: its saved memory is asked, in the sandbox, about every task it has
learned from, and what it answers is put together with every passage once.
"""

from __future__ import annotations

import fcntl
import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.evaluation_files import read_exported, read_outcome
from core.evaluation_process import run_subprocess
from core.gateway.gateway import Gateway, GatewaySettings
from core.options import Options, UsageError, log_dir
from core.saved_memory import evaluations_of
from evals.contract import Episode, EvalSpec, read_episodes
from evals.utils.sandbox import SandboxUnavailable, probe
from evals.workflows.kept_memory import Card, source_key

BEGIN, END = "<!-- alma:begin -->", "<!-- alma:end -->"
_BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END) + "\n?", re.DOTALL)
EXIT_DONE, EXIT_FAILED = 0, 1


async def export_memory(run: str, design: str, to: str | None) -> int:
    """Write the document; returns the exit code.

    Raises:
        UsageError: no such run or memory, or nowhere to write.
    """
    if not to:
        raise UsageError("--export RUN DESIGN needs --to FILE: where the document goes")
    target = Path(to).expanduser().resolve()
    if target.is_dir() or not target.parent.is_dir():
        raise UsageError(f"--to {to}: no file can be written there")
    if not re.fullmatch(r"[\w.-]+", run):
        raise UsageError(f"--export takes the name of a run in {log_dir()}, not '{run}'")
    folder = log_dir() / run
    options = Options.load(folder / "options.json")
    evaluation, spec, card = _memory(folder, design)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UsageError(f"another process is working in {folder}") from error
        answers = await _ask(folder, evaluation, spec, options)
    if isinstance(answers, str):
        print(f"{design}: {answers}")
        return EXIT_FAILED
    text = document(answers, design, run, len(card.learned), options.execution_model)
    old = target.read_text(encoding="utf-8") if target.exists() else ""
    target.write_text(placed(old, text), encoding="utf-8")
    print(f"{target}: what {design} learned from {len(card.learned)} tasks, {len(text):,} characters")
    return EXIT_DONE


def _memory(folder: Path, design: str) -> tuple[Path, EvalSpec, Card]:
    """The evaluation whose memory is meant.

    Raises:
        UsageError: there is none, or the design has changed since.
    """
    found = evaluations_of(folder, design)
    if not found:
        raise UsageError(f"run {folder.name} holds no memory of a design '{design}'")
    spec = EvalSpec.load(found[0] / "spec.json")
    try:
        card = Card.read(found[0] / "memory")
        source = source_key(Path(spec.design_path), Path(spec.inner_path) if spec.inner_path else None)
    except (ValueError, OSError) as error:
        raise UsageError(str(error)) from error
    if source != card.source:
        raise UsageError(
            f"{spec.design_path} has changed since run {folder.name}: its memory is of no use to it"
        )
    return found[0], spec, card


async def _ask(
    folder: Path, evaluation: Path, spec: EvalSpec, options: Options
) -> list[dict[str, str]] | str:
    """The memory's answers, in a sandbox of their own; text when the design failed."""
    inits = _inits(evaluation, spec)
    if not inits:
        raise UsageError(f"the memory of {spec.design} has learned from no task")
    room = folder / "exports" / evaluation.name
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir(parents=True)
    try:
        kind = probe(options.sandbox)
    except SandboxUnavailable as error:
        raise UsageError(str(error)) from error
    asking = EvalSpec(
        design=spec.design,
        design_path=spec.design_path,
        inner_path=spec.inner_path,
        load_memory=str(evaluation / "memory"),
        export=inits,
        model=spec.model,
        update_tasks=[],
        retrieve_tasks=[],
        memory_token_limit=spec.memory_token_limit,
        seed=spec.seed,
        sandbox=kind.kind,
    )
    asking.save(room / "spec.json")
    gateway = Gateway(folder, GatewaySettings.from_environment(options.execution_model))
    await gateway.start()
    try:
        token = gateway.issue_token({"evaluation": f"export {evaluation.name}", "design": spec.design})
        code, output = await run_subprocess(asking, room, gateway, token, kind)
    finally:
        await gateway.stop()
    try:
        result = read_outcome(room)
        if result.status != "ok":
            return f"{result.status}: {(result.error or 'no reason given').splitlines()[-1]}"
        return read_exported(room)
    except (OSError, ValueError):
        return f"the export ended with code {code}: {output.strip()[-300:]}"


def _inits(evaluation: Path, spec: EvalSpec) -> list[dict[str, Any]]:
    """What the memory is asked about: the tasks it has learned from, by project; one that was loaded and has learned
    nothing since, about those it was scored on."""
    learned: list[Episode] = read_episodes(Path(spec.collection)) if spec.collection else []
    own = read_episodes(evaluation / "episodes.jsonl")
    learned += [e for e in own if e.phase == "update" or (spec.rollout == "sequential" and e.repeat == 1)]
    inits = {json.dumps(e.init, sort_keys=True): e.init for e in learned or own}
    return sorted(inits.values(), key=lambda init: str(init.get("project", "")))


def document(answers: Sequence[dict[str, str]], design: str, run: str, tasks: int, model: str) -> str:
    """Every passage once: first what holds in more than one project, then project by project."""
    seen: dict[str, set[str]] = {}
    for answer in answers:
        for passage in passages(answer["text"]):
            seen.setdefault(passage, set()).add(answer["project"])
    projects = sorted({answer["project"] for answer in answers})
    common = [p for p, where in seen.items() if len(where) > 1 or len(projects) == 1]
    lines = [
        BEGIN,
        "# Notes from earlier tasks",
        "",
        f"Collected by the memory design `{design}` from {tasks} tasks (run `{run}`, model `{model}`). They are "
        "experience, not rules: check them against the code.",
        "",
        *_joined(common),
    ]
    for project in projects:
        own = [p for p, where in seen.items() if where == {project} and p not in common]
        if own:
            lines += [f"## Project: {project}", "", *_joined(own)]
    return "\n".join(lines).rstrip() + f"\n{END}\n"


def _joined(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in (text.replace("<!-- alma:", "<!-- "), "")]


def passages(text: str) -> list[str]:
    """A text cut where a heading begins or a line is empty, but never inside a block of code."""
    parts: list[list[str]] = [[]]
    fenced = False
    for line in text.split("\n"):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and (not line.strip() or re.match(r"#{1,6} ", line)):
            parts.append([])
        if line.strip() or fenced:
            parts[-1].append(line.rstrip())
    return ["\n".join(part) for part in parts if part]


def placed(old: str, text: str) -> str:
    """The document in its file: in place of an earlier export, else behind what a person has written there."""
    if _BLOCK.search(old):
        return _BLOCK.sub(lambda _: text, old, count=1)
    return f"{old.rstrip()}\n\n{text}" if old.strip() else text
