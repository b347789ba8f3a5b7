"""``--save_memory`` and ``--load_memory``: memories that outlive their run, one folder per design."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from core.design_file import Design
from core.eval_in_container import folder_name, memory_folder
from core.options import Options, UsageError
from core.run import split_of
from envs_archive.coding.tasks import Task
from evals.contract import EvalSpec
from evals.workflows.kept_memory import Card, source_key


def check_memories(options: Options, designs: Sequence[Design], tasks: Mapping[str, Task]) -> None:
    """Whether memories can be loaded and saved as asked.

    Raises:
        UsageError: a memory is missing, is another design's, or knows a task it would be scored on.
    """
    if options.kind != "evaluate":
        if options.load_memory or options.save_memory:
            raise UsageError("--load_memory and --save_memory go with an evaluation: --memo_SHA DESIGN")
        return
    scored = [tasks[name].public("") for name in split_of(options, tasks).retrieve]
    for design in learning(designs):
        if options.load_memory:
            card = _read(memory_folder(options.load_memory, design.sha))
            if card.source != source_key(design.path, design.inner):
                raise UsageError(
                    f"the memory in {options.load_memory} was saved by another version of {design.sha}"
                )
            met = card.met(scored)
            if met:
                raise UsageError(
                    f"the memory of {design.sha} has learned from {len(met)} of the tasks to score, the first is "
                    f"{met[0]}: score other tasks (--status, --train_size)"
                )
        if options.save_memory:
            folder = memory_folder(options.save_memory, design.sha)
            if folder.exists() and _read(folder).source != source_key(design.path, design.inner):
                raise UsageError(f"{folder} exists: take another --save_memory")
            existing = next(parent for parent in [folder, *folder.parents] if parent.exists())
            if not existing.is_dir():
                raise UsageError(f"--save_memory: {existing} is no folder")


def save_memories(options: Options, run_folder: Path, designs: Sequence[Design]) -> list[str]:
    """Copy what each design has learned to ``--save_memory``; returns lines for people."""
    if not options.save_memory:
        return []
    lines = []
    for design in learning(designs):
        found = evaluations_of(run_folder, design.sha)
        target = memory_folder(options.save_memory, design.sha)
        try:
            Card.read(found[0] / "memory" if found else run_folder)
        except ValueError as error:
            lines.append(f"{design.sha}: no memory saved: {error}")
            continue
        temporary = target.with_name(f".{target.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(found[0] / "memory", temporary, ignore=_no_files)
        shutil.rmtree(target, ignore_errors=True)
        temporary.rename(target)
        lines.append(f"{design.sha}: memory saved in {target}")
    return lines


def learning(designs: Sequence[Design]) -> list[Design]:
    """Those of the designs that have a memory."""
    return [design for design in designs if design.has_memory]


def evaluations_of(run_folder: Path, label: str) -> list[Path]:
    """Folders of a design's evaluations in a run: the score first, of several the last one first."""
    name = folder_name(label)
    found = []
    for folder in (run_folder / "evaluations").glob(f"{name}_*_*"):
        mode, _, number = folder.name.removeprefix(f"{name}_").rpartition("_")
        if number.isdigit() and (folder / "memory").is_dir() and _evaluated(folder) == label:
            found.append((mode != "eval", mode, -int(number), folder))
    return [folder for *_, folder in sorted(found)]


def _evaluated(folder: Path) -> str | None:
    """The design that an evaluation was of: folders of ``a`` and of ``a_b`` begin alike."""
    try:
        return EvalSpec.load(folder / "spec.json").design
    except (OSError, ValueError, TypeError):
        return None


def _no_files(folder: str, names: list[str]) -> list[str]:
    """Links, pipes and the like: a design wrote this folder, and a link would be followed outside its sandbox."""
    paths = {name: Path(folder, name) for name in names}
    return [name for name, p in paths.items() if p.is_symlink() or not (p.is_file() or p.is_dir())]


def _read(folder: Path) -> Card:
    try:
        return Card.read(folder)
    except ValueError as error:
        raise UsageError(str(error)) from error
