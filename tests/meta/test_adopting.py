"""A search goes on only from scores on its own tasks, and what it prints goes on with the same tasks."""

from __future__ import annotations

import json
import shlex

import pytest

import run_main
from core.adopting import adoption_problem
from core.commands import _check_checkpoint
from core.next_commands import evolve_on_command, score_command
from core.options import UsageError
from core.run import split_of, tasks_of

from .conftest import evolve


@pytest.fixture
def adopted(new_archive):
    """An archive whose designs ran on tasks of the benchmark's training half."""
    archive = new_archive("adopted")
    evolve(archive, parents=1)
    options = options_of()
    scored = split_of(options, tasks_of(options)).retrieve
    for record in archive.records:
        names = dict(zip(record.runs["reward"], scored, strict=False))
        record.runs = {kind: {names[t]: v for t, v in of.items()} for kind, of in record.runs.items()}
    return archive


def options_of(*arguments: str):
    return run_main.options_from(run_main.parser().parse_args([*arguments, "--result_dir", "adopting"]))


def problem_of(archive, *arguments: str) -> str | None:
    options = options_of(*arguments)
    tasks = tasks_of(options)
    return adoption_problem(
        archive, split_of(options, tasks).retrieve, list(tasks)[options.train_size :], tasks
    )


def test_scores_on_other_tasks_are_refused(adopted):
    assert problem_of(adopted) is None
    assert "take its --tasks and --train_size" in problem_of(adopted, "--train_size", "40")
    for record in adopted.records:
        record.runs = {}
    assert problem_of(adopted, "--train_size", "40") is None  # an archive from before runs were kept
    adopted.records[0].runs = {"reward": {}, "resolved": {}, "memory_tokens": {}}
    assert "scored on no task" in problem_of(adopted)


def test_trajectories_of_the_test_half_are_refused_without_runs_too(adopted):
    tasks = tasks_of(options_of())
    record = next(r for r in adopted.records if r.examples)
    examples = adopted.examples(record)
    examples[0]["problem_statement"] = tasks[list(tasks)[-1]].problem_statement
    (adopted.run_dir / record.examples).write_text(json.dumps(examples))
    assert "this run's test half" in problem_of(adopted)


def test_the_command_line_refuses_before_anything_is_written(new_archive):
    """The archive as another run left it, with the tasks of the recorded runs."""
    archive = new_archive("other")
    evolve(archive, parents=1)
    for record in archive.records:  # baselines alone have files where the command line looks
        assert record.runs
    kept = [r for r in archive.records if r.sha in ("no_mem", "claude_md")]
    path = archive.run_dir / "archive.json"
    data = json.loads(path.read_text())
    data["records"] = [r for r in data["records"] if r["sha"] in {k.sha for k in kept}]
    path.write_text(json.dumps(data))
    options = options_of("--history_ckpt_path", str(path))
    with pytest.raises(UsageError, match="scored on tasks that this run does not score on"):
        _check_checkpoint(options, tasks_of(options))


def test_printed_commands_take_up_the_same_tasks():
    given = ["--train_size", "40", "--update_size", "5", "--repeats", "2", "--memory_tokens", "900"]
    options = options_of(*given)
    for command in (score_command(options, "abcd1234"), evolve_on_command(options, "logs/a b/archive.json")):
        words = shlex.split(command)
        again = options_of(*words[2:])
        for name in ("tasks", "train_size", "update_size", "repeats", "memory_tokens"):
            assert getattr(again, name) == getattr(options, name)
    assert score_command(options_of(), "abcd1234").endswith("--memo_SHA no_mem,abcd1234")
