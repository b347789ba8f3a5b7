"""The answer to ``analyze``: what the trajectories and scores say about a design, and which moves follow from it."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from statistics import mean
from typing import Any, NamedTuple

from core.gateway.offline.design.compose import recover
from core.gateway.offline.design.moves import added, dropped, replaced, set_to
from core.gateway.offline.design.reading import EpisodeView, Situation
from core.gateway.offline.design.space import (
    OPTIONS,
    Params,
    differences,
    hint_weights,
    neighbours,
    read_summary,
    step,
)

MAX_CHANGES = 5
NOTABLE = 0.005  # a smaller difference of mean rewards says nothing
CONTENT_RANKS = ("words", "rare_words", "embedding")


class Change(NamedTuple):
    priority: str
    name: str
    what: str
    why: str


class Findings(NamedTuple):
    """Shares are of the episodes shown, 0 to 1; ``foreign`` of the files named in memory; ``size`` in characters."""

    empty: float
    foreign: float
    used: float
    solved: float
    size: float
    shows_code: bool


def analyze(seen: Situation, system: str, rng: random.Random) -> dict[str, Any]:
    """Fill the schema of an analysis with what can be seen in the prompt."""
    point = recover(seen.source or "")
    findings = examine(seen.episodes)
    changes = choose_changes(seen, point, findings, system, rng)
    return {
        "learned_from_suggestion_example": _lesson(seen, point),
        "trajectory_score_assessment": [_assess(episode) for episode in seen.episodes],
        "content_quality_issues": _issues(findings, len(seen.episodes)),
        "structure_and_coherence": (
            f"The design {point.summary()[0].lower()}{point.summary()[1:]} "
            f"It has {len(point.layers)} layer(s): {', '.join(point.layers)}."
        ),
        "suggested_changes": [{"priority": c.priority, "what": c.what, "why": c.why} for c in changes],
    }


def examine(episodes: list[EpisodeView]) -> Findings:
    """Measure what memory handed over and whether it shows in the agent's edits."""
    filled = [e for e in episodes if e.memory_chars]
    return Findings(
        empty=1 - len(filled) / len(episodes) if episodes else 0.0,
        foreign=mean([_foreign(e) for e in filled]) if filled else 0.0,
        used=mean([_used(e) for e in filled]) if filled else 0.0,
        solved=mean([e.resolved for e in episodes]) if episodes else 0.0,
        size=mean([e.memory_chars for e in filled]) if filled else 0.0,
        shows_code=any(_new_code(e.memory) for e in filled),
    )


def _foreign(episode: EpisodeView) -> float:
    """Share of the files named in memory that lie in folders this episode never touches."""
    tops = [path.split("/")[0] for path in re.findall(r"\b[\w-]+(?:/[\w-]+)+\.py\b", episode.memory)]
    own = {path.split("/")[0] for path in re.findall(r"\b[\w-]+(?:/[\w-]+)+\.py\b", episode.steps)}
    tops = [top for top in tops if top != "tests"]
    return sum(top not in own for top in tops) / len(tops) if tops else 0.0


def _new_code(memory: str) -> set[str]:
    """Identifiers of the code that memory recommends and the code before it lacks."""
    names: set[str] = set()
    for before, after in re.findall(r"`([^`]+)` (?:to|->) `([^`]+)`", memory):
        names |= set(re.findall(r"\w{3,}", after)) - set(re.findall(r"\w+", before))
    removed = set(re.findall(r"\w+", " ".join(re.findall(r"^\s*-(?!--)(.*)$", memory, re.MULTILINE))))
    for line in re.findall(r"^\s*\+(?!\+\+)(.*)$", memory, re.MULTILINE):
        names |= set(re.findall(r"\w{3,}", line)) - removed
    return names


def _used(episode: EpisodeView) -> bool:
    edits = " ".join(re.findall(r'"new": ?"((?:[^"\\]|\\.)*)', episode.steps))
    return bool(_new_code(episode.memory) & set(re.findall(r"\w{3,}", edits)))


def _assess(episode: EpisodeView) -> dict[str, str]:
    state = "resolved" if episode.resolved else "not resolved"
    label = f"{episode.project}: reward {episode.reward:.2f}, {state}, {episode.memory_chars} characters of memory"
    if not episode.memory_chars:
        help_ = "Memory was empty here; any fix known from this project would have been more than nothing."
    elif _foreign(episode) > 0.5:
        help_ = "Most files named in memory are not of this repository; notes of the same project could help."
    elif _used(episode):
        help_ = "An edit of the agent uses names that memory recommended; more notes of this kind could help."
    else:
        help_ = "No edit of the agent uses what memory recommended; a closer match or fewer, surer notes could help."
    return {"label": label, "how_it_can_help": help_}


def _issues(findings: Findings, count: int) -> list[str]:
    issues = []
    if findings.empty > 0:
        issues.append(f"Memory was empty in {findings.empty:.0%} of {count} episodes.")
    if findings.foreign > 0.2:
        issues.append(f"{findings.foreign:.0%} of the files named in memory belong to other projects.")
    if findings.size and not findings.shows_code:
        issues.append("Memory names no change of code (before and after), only text about runs.")
    if findings.size > 3000 and findings.used < 0.34:
        issues.append(
            f"Memory is long ({findings.size:.0f} characters) and seldom shows in the agent's edits."
        )
    return issues


def _lesson(seen: Situation, point: Params) -> str:
    if seen.parent_source is None or seen.change is None:
        return "There is no earlier change to learn from."
    names = ", ".join(differences(recover(seen.parent_source), point)) or "code outside the known settings"
    effect = "helped" if seen.change > NOTABLE else "hurt" if seen.change < -NOTABLE else "made no difference"
    return f"Changing {names} {effect}: reward {seen.change:+.4f}."


def choose_changes(
    seen: Situation, point: Params, findings: Findings, system: str, rng: random.Random
) -> list[Change]:
    """At most five moves, one per dimension, by priority; the last are exploration."""
    found: list[Change] = []
    sources: list[Callable[[], Iterator[Change]]] = [
        lambda: _from_trajectories(seen, point, findings, rng),
        lambda: _from_last_change(seen, point),
        lambda: _from_archive(seen, point),
        lambda: _exploring(point, system, rng),
    ]
    for source in sources:
        for change in source():
            if change.name not in {c.name for c in found}:
                found.append(change)
    found.sort(key=lambda change: ("high", "medium", "low").index(change.priority))
    return found[:MAX_CHANGES]


def _from_trajectories(
    seen: Situation, point: Params, findings: Findings, rng: random.Random
) -> Iterator[Change]:
    if not seen.episodes:
        return
    delta = (seen.reward or 0.0) - (seen.no_memo_reward or 0.0)
    empty = f"memory was empty in {findings.empty:.0%} of the episodes"
    if findings.empty >= 0.34:
        if point.min_similarity > 0:
            lower = step(point, "min_similarity", -1).min_similarity
            yield Change(
                "high", *set_to(point, "min_similarity", lower), f"{empty}: the threshold may be too high"
            )
        if point.learn_from == "resolved":
            yield Change("medium", *set_to(point, "learn_from", "green"), f"{empty}: too few runs are kept")
        if point.scope == "project":
            yield Change(
                "low", *set_to(point, "scope", "project_first"), f"{empty}: the project alone has too little"
            )
        elif point.layers == ("conventions",):
            yield Change("high", *added("fixes"), f"{empty}: curated text alone gave nothing")
    if findings.foreign >= 0.4 and point.scope != "project":
        scope = "project" if point.scope == "project_first" else rng.choice(("project", "project_first"))
        why = f"{findings.foreign:.0%} of the files in memory are of other projects"
        yield Change("high", *set_to(point, "scope", scope), why)
    if findings.size and not findings.shows_code and "fixes" not in point.layers:
        why = "memory shows no code before and after, which is what the agent could act on"
        if len(point.layers) > 1 or rng.random() < 0.5:
            yield Change("high", *replaced(point.layers[-1], "fixes"), why)
        else:
            yield Change("high", *added("fixes"), why)
    if delta < -NOTABLE:
        why = f"the score is {delta:+.4f} against no memory: it misleads"
        if point.learn_from != "resolved":
            yield Change("high", *set_to(point, "learn_from", "resolved"), why)
        if (fewer := step(point, "k", -1)) != point:
            yield Change("medium", *set_to(point, "k", fewer.k), why)
    if findings.size > 3000 and findings.used < 0.34:
        why = f"{findings.size:.0f} characters, and few edits take anything from them"
        yield Change("medium", *set_to(point, "budget", step(point, "budget", -1).budget), why)
    if findings.size and findings.used < 0.34:
        rank = rng.choice([name for name in CONTENT_RANKS if name != point.rank])
        why = "what is retrieved seldom fits the task at hand"
        yield Change("medium" if point.rank in CONTENT_RANKS else "high", *set_to(point, "rank", rank), why)
    if delta > NOTABLE and findings.size < 2500:
        why = f"memory helps ({delta:+.4f} against none) and is short: there is room for more of it"
        if (more := step(point, "k", 1)) != point:
            yield Change("medium", *set_to(point, "k", more.k), why)
        if findings.size > 0.7 * point.budget and (more := step(point, "budget", 1)) != point:
            yield Change("medium", *set_to(point, "budget", more.budget), why)


def _from_last_change(seen: Situation, point: Params) -> Iterator[Change]:
    """Go on in a direction that helped; take back what hurt."""
    if seen.parent_source is None or seen.change is None or abs(seen.change) <= NOTABLE:
        return
    before = recover(seen.parent_source)
    for name in differences(before, point):
        if seen.change < 0 and name != "layers":
            why = f"changing it went with {seen.change:+.4f}"
            yield Change("medium", *set_to(point, name, getattr(before, name)), why)
        elif seen.change > 0 and name in ("k", "budget", "min_similarity", "tail"):
            options = OPTIONS[name]
            direction = (
                1 if options.index(getattr(point, name)) > options.index(getattr(before, name)) else -1
            )
            further = step(point, name, direction)
            if further != point:
                why = f"the last move in this direction went with {seen.change:+.4f}"
                yield Change("medium", *set_to(point, name, getattr(further, name)), why)


def _from_archive(seen: Situation, point: Params) -> Iterator[Change]:
    """Values whose designs scored better on average than those with this design's value."""
    scored = [(p, t.reward) for t in seen.tried if t.reward is not None and (p := read_summary(t.note))]
    gains = []
    for name in OPTIONS:
        groups: dict[Any, list[float]] = {}
        for other, reward in scored:
            groups.setdefault(getattr(other, name), []).append(reward)
        own = groups.get(getattr(point, name))
        for value, rewards in groups.items():
            if own and value != getattr(point, name) and mean(rewards) - mean(own) > NOTABLE:
                gains.append((mean(rewards) - mean(own), name, value, len(rewards)))
    for gain, name, value, count in sorted(gains, key=lambda g: -g[0])[:2]:
        why = f"the {count} design(s) with it scored {gain:+.4f} on average against those like this one"
        yield Change("medium" if count > 1 else "low", *set_to(point, name, value), why)


def _exploring(point: Params, system: str, rng: random.Random) -> Iterator[Change]:
    weights = hint_weights(system)
    near = neighbours(point)
    while near:
        chances = [max(weights.get((n, v if n != "layers" else v[-1]), 1.0), 0.1) for n, v, _ in near]
        name, value, _ = near.pop(rng.choices(range(len(near)), chances)[0])
        why = "not tried from here yet"
        if name != "layers":
            yield Change("low", *set_to(point, name, value), why)
        elif len(value) < len(point.layers):
            yield Change("low", *dropped(next(x for x in point.layers if x not in value)), why)
        elif len(value) > len(point.layers):
            yield Change("low", *added(value[-1]), why)
        else:
            yield Change("low", *replaced(point.layers[-1], value[-1]), why)
