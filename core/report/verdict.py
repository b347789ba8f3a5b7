"""What a run shows and what it does not, in sentences that claim no more than the numbers do."""

from __future__ import annotations

from collections.abc import Sequence

from core.experiments.contrasts import Contrast, Measure
from core.experiments.evaluate import Row
from core.experiments.power import ALPHA
from core.pareto import OUTCOME, Objective
from core.report.tables import interval_in_words, percent, points


def sentences(contrasts: Sequence[Contrast], control: str, primary: str, repeats: int) -> list[str]:
    """One paragraph per arm: the figures, what they show, what they leave open.

    Args:
        contrasts: all arms against ``control``, then the primary arm against the others.
        repeats: runs of each task per build.
    """
    against_others = [c for c in contrasts if c.against != control]
    said = []
    for contrast in [c for c in contrasts if c.against == control]:
        title = "Primary contrast" if contrast.arm == primary else "Further"
        parts = [f"{title}: {figures(contrast)}", conclusion(contrast)]
        if contrast.arm == primary:
            parts += [_beyond(c) for c in against_others]
        said.append(" ".join(parts))
    return [*said, _open_questions(contrasts[0], repeats)]


_BEST: dict[Objective, str] = {
    "reward": "comes out best",
    "resolved": "comes out best by resolved tasks",
    "tokens": "comes out best for the memory tokens that it takes",
    "cost": "comes out best for what it costs",
}


def of_evolution(
    rows: Sequence[Row], failed: int, control: str | None, best: str | None, objective: Objective, test: str
) -> list[str]:
    """What a search shows, which is little: it has picked the best of many on the tasks it scores.

    Args:
        rows: of the scored designs.
        failed: how many designs came to nothing.
        best: the design that the search names.
        objective: what it names it by.
        test: the command that scores it on tasks that had no part in choosing it.
    """
    designs = [row for row in rows if row.design != control]
    if not designs:
        return ["No design could be scored: nothing can be concluded."]
    begin = f"{len(designs)} designs with memory were scored and {failed} failed."
    first = next((row for row in designs if row.design == best), None)
    if first is None:
        return [f"{begin} Which is the best only the archive tells, and it does not."]
    base = next((row for row in rows if row.design == control), None)
    against = f"; {control} has {base.score.reward:.3f} ({percent(base.score.resolved)})" if base else ""
    return [
        f"{begin} {best} {_BEST[objective]}, with reward {first.score.reward:.3f} ({percent(first.score.resolved)} "
        f"resolved) on {_stands_on(first, rows)}{_beside(first, designs, objective)}{against}.",
        "That is no evidence that it helps: the best of many is flattered by the tasks that chose it. Unseen tasks "
        f"tell: {test}",
    ]


def _stands_on(row: Row, rows: Sequence[Row]) -> str:
    """The tasks of a score, where designs may have been scored on some of them."""
    most, own = max(r.score.n_tasks for r in rows), row.score.n_tasks
    return f"{own if own == most else f'{own} of {most}'} training task{'s' * (most != 1)}"


def _beside(best: Row, designs: Sequence[Row], objective: Objective) -> str:
    """How many designs have the same score as the best, or a higher one, which does not make them better."""
    outcome = OUTCOME[objective]
    others = [getattr(r.score, outcome) - getattr(best.score, outcome) for r in designs if r is not best]
    same, higher = sum(x == 0 for x in others), sum(x > 0 for x in others)
    said = f"; {same} more {'has' if same == 1 else 'have'} the same {outcome}" if same else ""
    if higher and objective == outcome:
        said += f"; {higher} with more {'is' if higher == 1 else 'are'} believed to be no better, or not confirmed"
    return said


def figures(contrast: Contrast) -> str:
    """The difference in resolved tasks with what is needed to judge it."""
    m = contrast.resolved
    p = m.paired
    adjusted = (
        "" if m.p_holm is None else f", adjusted for all arms {m.p_holm:.3f} (Holm), {m.p_max_t:.3f} (max-T)"
    )
    test = "" if p.se == 0 else f"t {p.p:.3f}, "
    return (
        f"{contrast.arm} resolves {points(p.delta)} points against {contrast.against}, {said_of(m)} "
        f"(p: {test}sign flip {p.p_permutation:.3f}{adjusted}; n = {p.n} tasks, {p.better} better, {p.worse} worse)."
    )


def said_of(m: Measure) -> str:
    """The interval that a claim goes by."""
    return interval_in_words(m.range_shown, m.p_shown, m.p_holm is not None)


def ruled_out(ends: tuple[float, float]) -> str:
    """What a difference that is not shown can still be said not to be.

    Of an interval that leaves out 0 all the same, as when p is adjusted for the number of arms and it is not, nothing
    is said on the side of 0: there the test doubts it.
    """
    low, high = (100 * end for end in ends)
    if low > 0:
        return f"a gain above {high:.1f} points is ruled out at 95 %"
    if high < 0:
        return f"a loss beyond {-low:.1f} points is ruled out at 95 %"
    return f"a gain above {high:.1f} and a loss beyond {max(0.0, -low):.1f} points are ruled out at 95 %"


def conclusion(contrast: Contrast) -> str:
    """What can and what cannot be concluded about one arm against another."""
    m = contrast.resolved
    p = m.paired
    if m.p_shown >= ALPHA:
        return f"Not shown: that {contrast.arm} helps, or that it harms. {_left_open(m)}"
    word = "more" if p.delta > 0 else "fewer"
    effect = "" if p.delta > 0 else " It harms."
    return f"Shown: on tasks like these {contrast.arm} resolves {word}.{effect} {_other_projects(m)}"


def _left_open(m: Measure) -> str:
    """What a result that shows nothing leaves possible."""
    p = m.paired
    if p.few:
        differ = p.better + p.worse
        found = f"Only {differ} of {p.n} tasks came out differently: too few to say how small a difference would show"
    else:
        found = f"A true difference below {100 * m.mde_shown:.1f} points would be missed more than one time in five"
    return f"{found}; {ruled_out(m.range_shown)}."


def _other_projects(m: Measure) -> str:
    p = m.paired
    if 2 / 2**p.clusters >= ALPHA:
        return f"With {p.clusters} project{'s' * (p.clusters != 1)} nothing can be said about other projects."
    if p.p_cluster < ALPHA:
        return f"It holds across projects too ({p.clusters} projects, sign flip {p.p_cluster:.3f})."
    return (
        f"That it holds for other projects is not shown ({p.clusters} projects, sign flip {p.p_cluster:.3f})."
    )


def _beyond(contrast: Contrast) -> str:
    m = contrast.resolved
    shown = "shown" if m.p_shown < ALPHA else "not shown"
    return (
        f"A difference to {contrast.against} is {shown} ({points(m.paired.delta)} points, "
        f"p {m.p_shown:.3f}, not adjusted)."
    )


def _open_questions(contrast: Contrast, repeats: int) -> str:
    m = contrast.resolved
    builds = len(m.by_build)
    if builds == 1:
        return (
            "Every memory was built once: how much depends on the order of learning and the cut of the tasks is not "
            "known (--builds 3 tells)."
        )
    each = ", ".join(points(delta) for delta in m.by_build)
    over = m.over_builds
    if over.se > 0:
        low, high = over.interval
        ranged = f"for new builds too: 95 % {points(low)} to {points(high)}, p {over.p:.3f}"
    else:
        ranged = "all builds and tasks alike"
    return f"The {builds} builds of {contrast.arm}, {repeats} runs per task each: {each} points; {ranged}."
