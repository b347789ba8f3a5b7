"""What a run will take, said before it starts: calls, tokens and USD, and whether the budget is enough for it."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from core.design_file import NO_MEMORY
from core.eval_in_container import EXAMINATION
from core.experiments import h1, h2
from core.gateway.codex_provider import PREFIX as CODEX
from core.gateway.gateway import GatewaySettings, split_effort
from core.gateway.ledger import read_only, totals
from core.gateway.prices import cost_usd, price_of
from core.gateway.provider import Tokens
from core.meta_agent import PARENTS
from core.options import OFFLINE, Options, UsageError
from core.report.tables import short
from core.run import Run, split_of
from core.selection import ORIGINAL

START_DESIGNS = 3
"""no_mem, claude_md and one from scratch; then rewrites."""
WORTH_WHILE = 3
"""A search over fewer designs is none."""
LOOKED_AT = 20
"""Earlier runs that are searched for the step lengths of a model, the newest first."""


@dataclass(frozen=True)
class Work:
    """Model calls and their tokens, of one kind of work, on average."""

    calls: float = 0.0
    prompt: float = 0.0
    completion: float = 0.0
    cached: float = 0.0

    def __add__(self, other: Work) -> Work:
        return Work(
            *(a + b for a, b in zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True))
        )

    def __mul__(self, times: float) -> Work:
        return Work(*(a * times for a in dataclasses.astuple(self)))

    @property
    def tokens(self) -> float:
        return self.prompt + self.completion

    def usd(self, model: str) -> float | None:
        """At list prices; None when the model's is not known."""
        return cost_usd(model, Tokens(round(self.prompt), round(self.completion), round(self.cached)))


# A first prompt of about 2,000 tokens that grows by about 500 a step: what coding agents with short actions need.
TYPICAL_EPISODE = Work(15, 15 * 5500, 15 * 150)
TYPICAL_MEMORY = Work(1, 2500, 300)
TYPICAL_PROPOSAL = {"prompt": Work(3, 30_000, 8_000), "agent": Work(12, 300_000, 8_000)}
"""By how designs are proposed: an agent reads about a dozen files, each turn with all it has read before."""
_EPISODE = """
    SELECT COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(cached_tokens),
        COUNT(DISTINCT evaluation || '/' || phase || '/' || task || '/' || repeat)
    FROM calls WHERE status = 'ok' AND purpose = 'act' AND model = ?
"""
_PROPOSAL = """
    SELECT COUNT(*), SUM(prompt_tokens), SUM(completion_tokens), SUM(cached_tokens),
        COUNT(DISTINCT CASE WHEN purpose = '{first}' THEN task END)
    FROM calls WHERE status = 'ok' AND purpose IN ('{first}', '{also}', 'repair') AND model = ?
"""
_OF_PROPOSAL = {
    "prompt": _PROPOSAL.format(first="generate", also="analyze"),
    "agent": _PROPOSAL.format(first="explore", also="explore"),
}


def refuse_unknown_price(options: Options, settings: GatewaySettings) -> None:
    """Raise UsageError when the budget is in USD alone and a model's price is not known."""
    if options.max_cost_usd is None or options.max_tokens is not None:
        return
    for model in _models(options, settings):
        if price_of(model) is None:
            raise UsageError(
                f"the price of {model} is not known, so --max_cost_usd cannot count its calls: "
                "give --max_tokens as well, or instead"
            )


def refuse_unknown_cost(options: Options) -> None:
    """Raise UsageError when designs are to be chosen by a cost that cannot be known, or is the same for all."""
    if options.kind not in ("evolve", "h3") or options.objective != "cost":
        return
    model = options.execution_model.partition("/")[0]
    price = price_of(model)
    if price is None:
        raise UsageError(
            f"the price of {model} is not known, so --objective cost cannot compare: take tokens"
        )
    if not price.input:
        raise UsageError(f"{model} costs nothing, so --objective cost cannot tell designs apart: take tokens")


def expected(run: Run) -> list[str]:
    """Lines for people; none for a run that costs nothing and has no limit."""
    options = run.options
    models = _models(options, run.gateway.settings)
    limited = options.max_cost_usd is not None or options.max_tokens is not None
    if not limited and all(model == OFFLINE for model in models):
        return []
    folders = _recent(run.folder)
    episode, source = _measured(folders, models[0], _EPISODE, TYPICAL_EPISODE)
    proposal, _ = _measured(
        folders, models[-1], _OF_PROPOSAL[options.proposer], TYPICAL_PROPOSAL[options.proposer]
    )
    collected, scored, designs, proposals = _plan(run)
    once, each = episode * collected, (episode + TYPICAL_MEMORY) * scored
    making = proposal * (proposals / designs)
    whole = once + each * designs + making * designs
    costs = [work.usd(model) for work, model in ((once, models[0]), (each, models[0]), (making, models[-1]))]
    usd = None if None in costs else costs[0] + (costs[1] + costs[2]) * designs
    lines = [
        f"expected: about {short(round(whole.calls))} calls, {short(round(whole.tokens))} tokens, "
        f"{'cost unknown' if usd is None else f'{usd:.2f} USD'} for {designs} designs ({collected + scored * designs}"
        f" episodes of {episode.calls:.0f} steps, {source})"
    ]
    [spent] = totals(run.gateway.ledger_path)
    if spent.calls:
        lines.append(
            f"spent so far: {short(spent.prompt_tokens + spent.completion_tokens)} tokens, {spent.cost_note()}"
        )
    unpriced = [model for model in dict.fromkeys(models) if price_of(model) is None]
    if unpriced and options.max_cost_usd is not None:
        lines.append(
            f"the price of {', '.join(unpriced)} is not known: its calls count against --max_tokens, "
            "not against --max_cost_usd"
        )
    bought = []
    if options.max_cost_usd is not None and usd:
        bought.append((options.max_cost_usd - costs[0]) / max(costs[1] + costs[2], 1e-12))
    if options.max_tokens is not None:
        bought.append((options.max_tokens - once.tokens) / max((each + making).tokens, 1e-12))
    if bought and min(bought) < min(WORTH_WHILE, designs):
        lines.append(f"warning: the budget buys about {max(min(bought), 0):.1f} of the {designs} designs")
    return lines


def episodes_of(run: Run) -> int | None:
    """How many episodes the run has from beginning to end; None when that is not known beforehand."""
    if run.options.kind not in ("evaluate", "h1", "h2"):
        return None
    shared, of_each, designs, _ = _plan(run)
    return shared + of_each * designs


def _models(options: Options, settings: GatewaySettings) -> list[str]:
    """The execution model and, in an evolution, the meta model; as they are billed."""
    return [
        OFFLINE if settings.offline and not name.startswith(CODEX) else split_effort(name)[0]
        for name in options.models
    ]


def _plan(run: Run) -> tuple[int, int, int, int]:
    """(episodes that are shared, episodes of a design, designs, proposals of the meta model)."""
    options = run.options
    arms = {*options.memo_SHA, *([options.baseline] * options.has_control)}
    compared, memories = len(arms), len(arms - {NO_MEMORY})
    if options.kind == "h2":
        streamed, again = h2.runs_of(options, len(run.tasks), arms=1, memories=memories)
        return again, streamed, compared, 0
    if options.kind == "h1" and not options.grouped:
        scored, collected, _ = h1.runs_of(options, run.projects, arms=1, memories=memories)
        return collected, scored, compared, 0
    split = split_of(options, run.tasks)
    update, retrieve = len(split.update), len(split.retrieve)
    if options.kind in ("evaluate", "h1"):
        learning = memories if options.fresh_collection else bool(memories)
        return update * learning, retrieve * options.repeats, compared, 0
    scored = retrieve * options.repeats + (update if options.fresh_collection else 0)
    collected = 0 if options.fresh_collection else update
    proposals = proposals_in(options.steps, options.selection)
    examined = min(EXAMINATION["retrieve"], retrieve)
    designs = START_DESIGNS - 1 + proposals
    if options.kind == "h3":  # each search as an evolution, then the test, whose half is as large
        s = options.search_seeds
        return collected * (s + 1), scored + examined, designs * s + compared + s, proposals * s
    return collected, scored + examined, designs, proposals


def proposals_in(steps: int, selection: str) -> int:
    """Designs that the meta model is asked for in so many steps, that of the start included."""
    if selection != ORIGINAL:
        return 1 + steps * PARENTS
    parents, proposals = START_DESIGNS - 1, 1
    for _ in range(steps):
        made = min(parents, PARENTS)
        parents, proposals = parents + made, proposals + made
    return proposals


def _recent(folder: Path) -> Sequence[Path]:
    """This run's ledger, then those of the runs beside it, the newest first."""
    others = [path for path in folder.parent.glob("*/ledger.sqlite") if path.parent != folder]
    others.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    return [folder / "ledger.sqlite", *others[:LOOKED_AT]]


def _measured(ledgers: Sequence[Path], model: str, query: str, typical: Work) -> tuple[Work, str]:
    """The mean of the newest run that did such work with the model, and where it is from."""
    for path in ledgers:
        try:
            with closing(read_only(path)) as connection:
                *sums, n = connection.execute(query, (model,)).fetchone()
        except sqlite3.Error:  # of another version, or damaged: it has nothing to tell
            continue
        if n:
            return Work(*sums) * (1 / n), f"as measured in {path.parent.name}"
    return typical, "which is typical"
