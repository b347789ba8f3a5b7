"""The episodes of a run, packed for the browser of the report: an index for lists and filters, the rest compressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from core.report.html.packed import Series, Texts, piece
from core.report.html.safe import as_json, number, visible
from core.report.loaded_run import Evaluation, LoadedRun
from core.report.purposes import SCORE
from evals.contract import Episode, Verdict
from evals.workflows.memory_calls import render


@dataclass
class _Line:
    evaluation: Evaluation
    episode: Episode
    graded: bool


@dataclass
class EpisodeStore:
    """Filled with ``add`` while a run is loaded, then written into the page."""

    texts: Texts = field(default_factory=Texts)
    bodies: Series = field(default_factory=lambda: Series("body"))
    lines: list[_Line] = field(default_factory=list)

    def add(self, evaluation: Evaluation, episode: Episode, verdict: Verdict | None) -> None:
        """Pack one episode."""
        text = self._text
        steps = [
            [
                str(number(step.get("step")) or at),
                text(step.get("thought") or ""),
                text(as_json(step.get("action"))),
                text(step.get("observation") or ""),
            ]
            for at, step in enumerate(episode.trajectory, 1)
        ]
        body = {
            "issue": text(episode.init.get("problem_statement") or ""),
            "memory": text(_shown(episode.memory_retrieved)),
            "steps": steps,
            "rates": None if verdict is None else [verdict.f2p_rate, verdict.p2p_rate, verdict.seconds],
            "infra": text(episode.infra_error or ""),
            "ended": text(episode.ended),
        }
        self.bodies.add(body, 60 * len(steps) + 100)
        slim = Episode(
            episode.task,
            episode.phase,
            episode.repeat,
            episode.reward,
            episode.resolved,
            flags=episode.flags,
            steps=episode.steps,
            memory_tokens=episode.memory_tokens,
            seconds=episode.seconds,
            prompt_tokens=episode.prompt_tokens,
            completion_tokens=episode.completion_tokens,
        )
        self.lines.append(_Line(evaluation, slim, verdict is not None))

    def _text(self, value: Any) -> int:
        return self.texts.add(visible(value))

    def index(self, run: LoadedRun) -> dict[str, Any]:
        """What lists and filters need, as plain data: values by column, long ones by their number."""
        evaluations = list({id(line.evaluation): line.evaluation for line in self.lines}.values())
        evaluation_numbers = {id(evaluation): at for at, evaluation in enumerate(evaluations)}
        tasks = sorted({line.episode.task for line in self.lines})
        task_numbers = {task: at for at, task in enumerate(tasks)}
        kept = {id(evaluation) for evaluation in run.evaluations}
        beside = _control_rewards(run)
        rows = []
        for body, line in enumerate(self.lines):
            e, evaluation = line.episode, line.evaluation
            control = (
                beside.get((evaluation.block, e.task, e.repeat)) if evaluation.label != run.control else None
            )
            counts = id(evaluation) in kept and evaluation.purpose == SCORE and e.phase == "retrieve"
            worse = counts and line.graded and control is not None and e.reward < control - 1e-9
            rows.append(
                [
                    body,
                    evaluation_numbers[id(evaluation)],
                    task_numbers[e.task],
                    e.repeat,
                    e.phase,
                    round(e.reward, 4) if line.graded else None,
                    int(e.resolved),
                    [visible(flag) for flag in e.flags],
                    int(worse),
                    e.steps,
                    e.memory_tokens,
                    round(e.seconds, 1),
                    e.prompt_tokens + e.completion_tokens,
                ]
            )
        return {
            "evaluations": [[visible(v) for v in (e.name, e.label, e.block, e.purpose)] for e in evaluations],
            "tasks": [
                [visible(task), visible(facts.project), facts.fail_to_pass, facts.pass_to_pass]
                for task in tasks
                for facts in [run.tasks[task]]
            ],
            "rows": rows,
            "control": run.control and visible(run.control),
            "bodies": self.bodies.starts,
            "texts": self.texts.series.starts,
        }

    def elements(self, run: LoadedRun) -> Iterable[Markup]:
        """The elements that hold all of it."""
        yield piece("episodes", self.index(run))
        yield from self.bodies.elements()
        yield from self.texts.series.elements()


def _shown(memory: Any) -> str:
    """The memory as it stood in the prompt."""
    try:
        return render(memory)
    except (TypeError, ValueError, RecursionError, AttributeError):
        return as_json(memory)


def _control_rewards(run: LoadedRun) -> dict[tuple[str, str, int], float]:
    return {
        (evaluation.block, e.task, e.repeat): e.reward
        for evaluation in (run.scoring(run.control) if run.control else [])
        for e in evaluation.episodes
        if e.phase == "retrieve"
    }
