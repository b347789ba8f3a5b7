# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

from eval_envs.base_envs import Basic_Recorder


async def pick(entries: list[Entry], recorder: Basic_Recorder) -> list[Entry]:
    """The entries to show before a task, best first. What the very same issue taught is left out."""
    issue = str(recorder.init.get("problem_statement", ""))
    others = [entry for entry in entries if entry.issue != issue]
    chosen: list[Entry] = []
    for group in in_scope(others, str(recorder.init.get("project", ""))):
        scores = await relevance(query_of(recorder), group)
        ranked = sorted(zip(scores, range(len(group)), strict=True), reverse=True)
        chosen += [group[i] for score, i in ranked if score >= DESIGN["min_similarity"]]
    return chosen[: DESIGN["k"]]


def joined(entries: list[Entry], limit: int) -> str:
    """Texts of the entries in order, as many whole ones as fit into ``limit`` characters."""
    texts: list[str] = []
    for entry in entries:
        if sum(len(text) + 1 for text in texts) + len(entry.text) > limit:
            break
        texts.append(entry.text)
    return "\n".join(texts)
