"""Entries that a prompt lists under ids, and what a run says of them: confirmed, contradicted, or akin."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from core.gateway.offline.documents import change_signature
from core.gateway.offline.notes import EditNote, parse_edits
from core.gateway.offline.ranking import similarities

if TYPE_CHECKING:
    from core.gateway.offline.memory import Lesson

_LISTED = re.compile(
    r"^[ \t>*-]*(?:\[([A-Za-z]{0,12}[ _#-]?[\w.-]{1,24})\]|(?:id|#)\s*[:=]?\s*([\w-]{1,24})\s*[:|)\]-]|(\d{1,4})[.):])"
    r"[ \t]*(\S.*)$",
    re.M | re.I,
)
AKIN = 0.45  # cosine from which two texts are about the same thing

# What the options of an operation mean, by the beginnings of their words.
ADD = ("add", "new", "creat", "insert", "append")
CONFIRM = (
    "agree",
    "upvote",
    "support",
    "confirm",
    "keep",
    "reinforc",
    "increment",
    "helpful",
    "positive",
    "useful",
)
CONTRADICT = ("remov", "delet", "downvote", "disagree", "drop", "prun", "harmful", "negative", "mislead")

_ID = re.compile(r"(?:^|_)(?:id|index|number|ref|reference|target|key)$")
_REWRITES = re.compile(r"updat|chang|rewrit|evol|neighbo|revis|refin|existing|modif")


@dataclass(frozen=True)
class Item:
    """An entry of a list in the prompt."""

    id: str
    text: str

    @property
    def edits(self) -> list[EditNote]:
        return parse_edits(self.text)


def listed_items(text: str) -> list[Item]:
    """The entries of a prompt that stand behind an id, each id once."""
    found: dict[str, Item] = {}
    for match in _LISTED.finditer(text):
        id = match.group(1) or match.group(2) or match.group(3)
        found.setdefault(id, Item(id, match.group(4)))
    return list(found.values())


def without_items(text: str) -> str:
    """The text around the listed entries."""
    return _LISTED.sub("", text)


def signatures(edits: list[EditNote]) -> set[Any]:
    """What the edits take out and put in, wherever they stand."""
    return {s for s in (change_signature(note.before, note.after) for note in edits) if any(s)}


def confirmed(items: list[Item], lesson: Lesson) -> list[Item]:
    """Entries that say what the lesson says: the same change of code, or the same words."""
    said = lesson.line.removeprefix("- ")
    own = signatures([lesson.note]) if lesson.kind == "fix" and lesson.note else set()
    return [item for item in items if own & signatures(item.edits) or said in item.text]


def contradicted(items: list[Item], lesson: Lesson) -> list[Item]:
    """Entries that advise what a failed run has tried in vain."""
    if lesson.kind != "failed":
        return []
    tried = {change_signature(change.before, change.after) for change in lesson.episode.tried}
    return [item for item in items if tried & signatures(item.edits)]


def akin(items: list[Item], subject: str) -> list[Item]:
    """Entries about the same change as the subject, or in much the same words, the closest first."""
    own = signatures(parse_edits(subject))
    scored = zip(similarities(subject, [item.text for item in items]), items, strict=True)
    ranked = [(1.0 if own & signatures(item.edits) else score, item) for score, item in scored]
    ranked.sort(key=lambda pair: -pair[0])
    return [item for score, item in ranked if score >= AKIN]


@dataclass(frozen=True)
class Form:
    """How the objects of a list refer to entries: the names of their id and of their choice."""

    id: str | None
    choice: str | None
    options: tuple[Any, ...]
    whole_number: bool
    rewrites: bool

    def option(self, beginnings: tuple[str, ...]) -> Any:
        """The option that means one of these, or None."""
        words = [(option, re.findall(r"[a-z]+", str(option).lower())) for option in self.options]
        for beginning in beginnings:
            for option, parts in words:
                if any(part.startswith(beginning) for part in parts):
                    return option
        return None

    def id_value(self, item: Item | None) -> Any:
        """An entry's id as the form wants it; None when it cannot be given."""
        if not self.whole_number:
            return item.id if item else ""
        digits = re.sub(r"\D", "", item.id) if item else "0"
        return int(digits) if digits else None


def form_of(name: str, properties: dict[str, Any]) -> Form | None:
    """How a list of objects refers to entries of the prompt; None when it does not."""
    ids = [key for key in properties if _ID.search(key.lower())]
    choices = [key for key, part in properties.items() if isinstance(part, dict) and part.get("enum")]
    id, choice = next(iter(ids), None), next(iter(choices), None)
    whole = bool(id) and properties[id].get("type") in ("integer", "number")
    options = tuple(properties[choice]["enum"]) if choice else ()
    form = Form(id, choice, options, whole, bool(_REWRITES.search(name.lower())))
    operates = form.option(ADD) is not None
    tags = bool(id) and form.option(CONFIRM) is not None and form.option(CONTRADICT) is not None
    return form if operates or tags or (id and not choice and form.rewrites) else None
