"""Reads the meta agent's prompts: sections under headings, fenced blocks, scores, episodes, designs already tried."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

_FENCE = re.compile(r"^(`{3,})(\w*)\s*$")
_EPISODE = re.compile(r"Episode \d+: reward ([\d.]+), (resolved|not resolved), (\d+) steps")
_TRIED = re.compile(r"^- (\w+) \((?:reward ([\d.]+)|failed)\): (.*)$")


@dataclass(frozen=True)
class Section:
    """Text under one heading, with its fenced blocks (language, content) taken apart."""

    title: str
    text: str
    blocks: list[tuple[str, str]]

    def block(self, language: str, number: int = 0) -> str | None:
        """The ``number``-th block of a language; None when there are not so many."""
        found = [content for name, content in self.blocks if name == language]
        return found[number] if number < len(found) else None


@dataclass(frozen=True)
class EpisodeView:
    reward: float
    resolved: bool
    project: str
    issue: str
    memory: str
    memory_chars: int
    steps: str


@dataclass(frozen=True)
class TriedView:
    """``reward`` is None for a design that failed."""

    sha: str
    reward: float | None
    note: str


@dataclass
class Situation:
    """What a prompt of the meta agent says; missing parts stay None or empty."""

    sha: str = ""
    source: str | None = None
    reward: float | None = None
    no_memo_reward: float | None = None
    by_edits: bool = False
    second_sha: str = ""
    second_source: str | None = None
    parent_source: str | None = None
    change: float | None = None
    analysis: Any = None
    error: str = ""
    episodes: list[EpisodeView] = field(default_factory=list)
    tried: list[TriedView] = field(default_factory=list)
    shas: set[str] = field(default_factory=set)


def sections(text: str) -> list[Section]:
    """Split at ``#`` and ``##`` headings outside of fences."""
    found: list[Section] = []
    title, lines, blocks = "", [], []
    fence, language, inside = "", "", []
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1] == fence and not mark[2]:
                blocks.append((language, "\n".join(inside)))
                fence, inside = "", []
            else:
                inside.append(line)
        elif mark:
            fence, language = mark[1], mark[2]
        elif re.match(r"##? \S", line):
            found.append(Section(title, "\n".join(lines), blocks))
            title, lines, blocks = line.lstrip("# "), [], []
        else:
            lines.append(line)
    if fence:
        blocks.append((language, "\n".join(inside)))
    found.append(Section(title, "\n".join(lines), blocks))
    return found


def read_situation(user: str) -> Situation:
    """Understand the user message of a prompt for ``analyze``, ``generate`` or ``repair``."""
    seen = Situation(by_edits="\n<<<<<<< SEARCH\n" in user.partition("\n# Design ")[0])
    for section in sections(user):
        title = section.title
        if match := re.match(r"Design (\w+)$", title):
            seen.sha, seen.source = match[1], _with_newline(section.block("python"))
        elif match := re.match(r"Second design (\w+)$", title):
            seen.second_sha, seen.second_source = match[1], _with_newline(section.block("python"))
        elif title in ("Design under repair", "Design that was to be edited"):
            seen.source = _with_newline(section.block("python"))
        elif title == "What went wrong":
            seen.error = section.blocks[0][1] if section.blocks else section.text
        elif title == "Score":
            seen.reward = _number(r"^reward: ([\d.]+)", section.text)
            seen.no_memo_reward = _number(r"^reward without memory: ([\d.]+)", section.text)
        elif title == "How it came about":
            seen.parent_source = _with_newline(section.block("python"))
            seen.change = _number(r"change in reward: ([+-][\d.]+)", section.text)
        elif title == "Analysis":
            seen.analysis = _json(section.block("json"))
        elif match := _EPISODE.match(title):
            seen.episodes.append(_episode(match, section))
        elif title == "Designs already tried":
            _read_tried(section.text, seen)
        elif title == "Turned down before they were scored":
            seen.shas |= set(re.findall(r"^- (\w+): ", section.text, re.MULTILINE))
    return seen


def _read_tried(text: str, seen: Situation) -> None:
    for line in text.splitlines():
        if match := _TRIED.match(line):
            reward = float(match[2]) if match[2] else None
            seen.tried.append(TriedView(match[1], reward, match[3]))
            seen.shas.add(match[1])
        elif line.startswith("Earlier ones: "):
            seen.shas |= set(line.removeprefix("Earlier ones: ").split(", "))


def _episode(match: re.Match[str], section: Section) -> EpisodeView:
    contents = [content for _, content in section.blocks] + [""] * 3
    size = _number(r"Memory it was shown \((\d+) characters\)", section.text) or 0
    project = re.search(r"^Project: (.*)$", section.text, re.MULTILINE)
    return EpisodeView(
        reward=float(match[1]),
        resolved=match[2] == "resolved",
        project=project[1].strip() if project else "",
        issue=contents[0],
        memory=contents[1] if size else "",
        memory_chars=int(size),
        steps=contents[2],
    )


def _with_newline(source: str | None) -> str | None:
    return None if source is None else source.strip("\n").rstrip() + "\n"


def _number(pattern: str, text: str) -> float | None:
    match = re.search(pattern, text, re.MULTILINE)
    return float(match[1]) if match else None


def _json(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return text
