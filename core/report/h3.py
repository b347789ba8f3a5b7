"""The end of an H3 experiment: what the searches promised and what the test kept, and what the designs are made of."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from core.design_file import Design, available_designs
from core.experiments.contrasts import Measure
from core.experiments.evaluate import Row
from core.experiments.h3 import NOT_BY_HAND, Found, Search, evolved_against_by_hand
from core.experiments.power import ALPHA
from core.experiments.promises import beside, promised
from core.experiments.statistics import holm
from core.experiments.structure import Structure, describe, similarity
from core.report.promises import CAUTION, promises_table
from core.report.tables import comparison, console, model_note, p_value, points
from core.report.verdict import ruled_out, said_of
from core.run import Run


@dataclasses.dataclass(frozen=True)
class Compared:
    """One design's structure beside those made by hand.

    Attributes:
        nearest, similarity: the baseline it is most like, and how much.
        new: ideas and stores that no baseline has.
        combined: whether no single baseline has all of its ideas and stores.
    """

    design: str
    structure: Structure
    nearest: str
    similarity: float
    new: list[str]
    combined: bool


def finish(run: Run, found: Found) -> bool:
    """Compare, write it down and print it.

    Returns:
        whether every search had a winner and all designs could be scored.
    """
    options = run.options
    measures = {
        value: evolved_against_by_hand(found, run.projects, options.seed, value)
        for value in ("resolved", "reward")
    }
    sources = baseline_sources(run.memo_archive)
    structures = [_compared(d, sources) for d in [*found.winners, *found.by_hand]]
    curses = [_curse(s, found.rows) for s in found.searches]
    run.designs = [
        {**row.summary(_parent(found, row.design)), **_of_search(found, row.design)} for row in found.rows
    ]
    said = [
        in_words(found, measures["resolved"], curses),
        *against_each(found, run.projects, options.seed),
        *_others(structures, {d.sha for d in found.winners}),
        *_seen(found.opened_before),
    ]
    run.summarise(
        "done",
        said=said,
        paired={"evolved against by hand": {v: m.summary() for v, m in measures.items() if m}},
        searches=curses,
        opened_before=found.opened_before,
        structure=[dataclasses.asdict(s) for s in structures],
    )
    out = console()
    title = f"{options.name}: H3, {options.search_seeds} searches of {options.steps} steps without hints"
    out.print(promises_table(curses, title))
    notes = ["SE over tasks (repeats averaged first); delta, interval and p paired by task."]
    if found.rows:
        n = next((r.score.n_tasks for r in found.rows if r.score), 0)
        comparison(found.rows, f"test half, opened once: {n} tasks x {options.repeats} repeats", notes)
    out.print(_structures(structures))
    for line in [*said, *model_note(options), f"Everything is in {run.folder}"]:
        out.print(line, markup=False, soft_wrap=True)
    return (
        len(found.rows) > 0
        and all(s.best for s in found.searches)
        and all(r.status == "ok" for r in found.rows)
    )


def baseline_sources(memo_archive: Path) -> dict[str, str]:
    """Sources of all designs made by hand, by name."""
    return {
        name: path.read_text(encoding="utf-8")
        for name, path in available_designs(memo_archive).items()
        if path.parent.name == "baseline" and name not in NOT_BY_HAND
    }


def _compared(design: Design, sources: dict[str, str]) -> Compared:
    source = design.path.read_text(encoding="utf-8")
    others = {name: text for name, text in sources.items() if name != design.sha}
    alike = {name: similarity(source, text) for name, text in others.items()}
    nearest = max(alike, key=alike.get)
    own = describe(source)
    features = _features(own)
    by_hand = {name: _features(describe(text)) for name, text in others.items()}
    return Compared(
        design.sha,
        own,
        nearest,
        alike[nearest],
        sorted(features - set().union(*by_hand.values())),
        not any(features <= theirs for theirs in by_hand.values()),
    )


def _features(structure: Structure) -> set[str]:
    return {*structure.ideas, *(f"keeps a {store}" for store in structure.stores)}


def _parent(found: Found, sha: str) -> str | None:
    return next((s.best.parent for s in found.searches if s.best and s.best.sha == sha), None)


def _of_search(found: Found, sha: str) -> dict[str, Any]:
    numbers = [s.number for s in found.searches if s.best and s.best.sha == sha]
    return {"searches": numbers} if numbers else {}


def _curse(search: Search, rows: Sequence[Row]) -> dict[str, Any]:
    named = {"search": search.number, "seed": search.seed}
    return beside(named | promised(search.archive.records, search.best), rows)


def _structures(structures: Sequence[Compared]) -> Table:
    table = Table(title="what they are made of (from their code; nothing is run)", title_justify="left")
    for name in (
        "design",
        "lines",
        "layers",
        "stores",
        "hands out",
        "model calls",
        "vectors",
        "ideas",
        "most like",
    ):
        table.add_column(name)
    for c in structures:
        s = c.structure
        table.add_row(
            c.design,
            str(s.lines),
            ", ".join(s.layers) or "-",
            ", ".join(s.stores) or "-",
            ", ".join(s.keys) or "-",
            str(s.model_calls),
            str(s.embedding_calls),
            "; ".join(s.ideas) or "-",
            f"{c.nearest} {c.similarity:.2f}",
            end_section=True,
        )
    return table


def in_words(found: Found, measure: Measure | None, curses: Sequence[dict[str, Any]]) -> str:
    """What the experiment shows and what it does not."""
    if measure is None:
        return "No search ended with a design that could be compared: nothing is shown."
    p = measure.paired
    searches = len(measure.by_build)
    over = ""
    if measure.over_builds is not None:
        over = f", over searches {p_value(measure.over_builds.p)}"
    figures = (
        f"On the test half the best designs of {searches} search{'es' * (searches > 1)} resolve {points(p.delta)} "
        f"points against the mean of {len(found.by_hand)} made by hand ({said_of(measure)}; p: sign "
        f"flip {p.p_permutation:.3f}{over}; n = {p.n} tasks, {p.better} better, {p.worse} worse)."
    )
    if measure.p_shown < ALPHA:
        word = "beats" if p.delta > 0 else "does worse than"
        verdict = f"Shown: on tasks like these evolution without hints {word} the mean of these designs made by hand."
    else:
        verdict = (
            "Not shown: that evolution without hints beats the mean of these designs made by hand, or does worse; "
            f"{ruled_out(measure.range_shown)}."
        )
    more = "" if searches >= 3 else " Fewer than three searches tell nothing about another one."
    return f"{figures} {verdict}{more} {_shrunk(curses)}"


def _shrunk(curses: Sequence[dict[str, Any]]) -> str:
    both = [(c["search_gain"], c["test_gain"]) for c in curses if c["test_gain"] is not None]
    if not both:
        return ""
    search, test = (sum(x) / len(both) for x in zip(*both, strict=True))
    return (
        f"The best of a search promised {points(search)} points of reward over no memory there and kept {points(test)} "
        f"in the test {CAUTION}."
    )


def against_each(found: Found, projects: dict[str, str], seed: int) -> list[str]:
    """The winners against each design made by hand, which may be better than the mean of them; and who is missing."""
    measures = {
        design.sha: evolved_against_by_hand(
            dataclasses.replace(found, by_hand=[design]), projects, seed, "resolved"
        )
        for design in found.by_hand
    }
    known = {sha: m for sha, m in measures.items() if m is not None}
    said = []
    if len(found.by_hand) > 1 and known:
        adjusted = holm([m.p_shown for m in known.values()])
        each = [
            f"{sha} {points(m.paired.delta)} (p {p:.3f})"
            for (sha, m), p in zip(known.items(), adjusted, strict=True)
        ]
        said.append(f"Against each of these, p adjusted for their number (Holm): {', '.join(each)}.")
    scored = {row.design for row in found.rows if row.score}
    lost = [s.number for s in found.searches if not (s.best and s.best.sha in scored)]
    if lost and found.rows:
        said.append(
            f"Left out: search {', '.join(map(str, lost))}, whose best could not be scored in the test."
        )
    return said


def _seen(runs: Sequence[str]) -> list[str]:
    if not runs:
        return []
    return [
        f"The test half had been opened before, in {', '.join(runs)}: who chose designs by what was seen there is not "
        "blind to it."
    ]


def _others(structures: Sequence[Compared], winners: set[str]) -> list[str]:
    """What of the winners' designs no baseline has."""
    said = []
    for c in structures:
        if c.design not in winners:
            continue
        new = f"has what no baseline has: {', '.join(c.new)}" if c.new else "has no idea that no baseline has"
        mixed = ", though no single one has all of its ideas" if c.combined and not c.new else ""
        said.append(f"{c.design} {new}{mixed}; most like {c.nearest} (similarity {c.similarity:.2f}).")
    return said
