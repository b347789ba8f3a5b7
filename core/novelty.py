"""What a proposal knows of what was tried before it, and whether a source is anything new beside that."""

from __future__ import annotations

import re
from functools import cached_property

from core.design_file import NO_MEMORY, content_sha, file_name
from core.memo_manager import Memo_Manager
from core.meta_agent_past import Tried, first_sentence
from core.pareto import Objective, design_worth
from core.program_key import program_key
from core.records import Attempt, Proposal, Record

_HEADING = re.compile(r"\s*(?:#{1,6}\s.*|(\*\*|__)[^*_]+\1:?)\s*$")
_MARKS = re.compile(r"^\s*(?:(?:[-*+\u2022>]|\d+[.)])\s+)+")
_EMPHASIS = re.compile(r"\*\*|`+")
DIFFER = "It must differ from the designs tried."


class Known:
    """The archive as it was when a proposal was begun: designs, and versions that did not get that far."""

    def __init__(self, archive: Memo_Manager, proposal: Proposal, objective: Objective = "reward") -> None:
        self._archive = archive
        self.records = archive.known_to(proposal)
        self._objective = objective
        designs = {r.content for r in self.records}
        entered = archive.proposals[: proposal.known]
        attempts = [a for r in self.records for a in r.attempts] + [a for p in entered for a in p.attempts]
        self._turned_down: dict[str, Attempt] = {}
        for a in attempts:
            # What was only asked whether it is meant does not hide why it failed when it came again.
            if (
                a.error is not None
                and a.content not in designs
                and not (a.alike and a.content in self._turned_down)
            ):
                self._turned_down[a.content] = a

    @cached_property
    def worth(self) -> dict[str, float]:
        """What the search is to raise of each scored design, by SHA."""
        return design_worth(self.records, self._objective)

    @cached_property
    def tried(self) -> list[Tried]:
        """For the prompts: the designs, then the versions that were turned down, each with the reason."""
        designs = [self._tried(r) for r in self.records if r.sha != NO_MEMORY]
        return designs + [
            Tried(a.content, "turned down", None, f"{first_sentence(source)} {_last_line(a.error)}")
            for a in self._turned_down.values()
            if (source := self._source(a)) is not None and program_key(source) is not None
        ]

    def rejected_source(self, content: str) -> str:
        """The source of a version that was turned down; empty when its file is gone."""
        return self._source(self._turned_down[content]) or ""

    def problem(self, source: str) -> str | None:
        """What is known of a source that need not be tried; None for a new program."""
        content, key = content_sha(source), program_key(source)
        for record in self.records:
            if record.content == content:
                return f"This is exactly the source of {record.sha}. {DIFFER}"
        if key is None:
            return None
        if key in self._programs:
            return f"This is the program of {self._programs[key]} under other names, comments or formatting. {DIFFER}"
        for attempt in (a for a in self._turned_down.values() if not a.alike):
            if content == attempt.content or program_key(self._source(attempt) or "") == key:
                return f"This program was tried before and turned down:\n{attempt.error}"
        return None

    def seems_like(self, behaviour: str | None) -> str | None:
        """What to say of a design that hands out the same texts as a known one; None when it does not."""
        twin = next((r for r in self.records if r.behaviour == behaviour is not None), None)
        if twin is None:
            return None
        return (
            f"In the examination it handed out the very same texts as {twin.sha}: on those tasks the agent would see "
            f"no difference. {DIFFER} If you are sure that it does on other tasks, send it again as it is."
        )

    @cached_property
    def _programs(self) -> dict[str, str]:
        keys = ((program_key(self._archive.source(record)), record.sha) for record in reversed(self.records))
        return {key: sha for key, sha in keys if key is not None}

    def _source(self, attempt: Attempt) -> str | None:
        try:
            return (self._archive.designs_dir / file_name(attempt.content)).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None

    def _tried(self, record: Record) -> Tried:
        note = first_sentence(self._archive.source(record))
        if record.error is not None:
            note += " It failed: " + _last_line(record.error)
        return Tried(
            record.sha,
            record.status,
            record.reward,
            note,
            record.hypothesis,
            record.compared,
            record.judged,
            record.memory_tokens,
            record.usd,
            self.worth.get(record.sha, 0.0),
        )


def as_read(text: str) -> str:
    """A memory text without what an agent hardly reads: lines that are only a heading (``#`` or bold), list and quote
    marks before a line, emphasis and code marks, punctuation at its end, upper case, white space. Other punctuation
    stays: in code it makes the difference."""
    lines = (_MARKS.sub("", line) for line in text.casefold().splitlines() if not _HEADING.match(line))
    words = (" ".join(_EMPHASIS.sub("", line).split()).rstrip(".:;,! ") for line in lines)
    return "\n".join(line for line in words if line)


def _last_line(error: str) -> str:
    return error.strip().splitlines()[-1][:200]
