"""Filling in the JSON a memory design asks for, by the names of its fields."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import jsonschema

from core.gateway.offline import references
from core.gateway.offline.embedding import words_of
from core.gateway.offline.notes import code_span, parse_edits
from core.gateway.offline.ranking import rank, similarities
from core.gateway.offline.references import Form, Item, akin, confirmed, contradicted, form_of, signatures
from core.gateway.offline.roles import role_document, role_of
from core.gateway.offline.wording import content, description, keywords, steps, title, unique

if TYPE_CHECKING:
    from core.gateway.offline.memory import Lesson

_MAX_DEPTH = 12


@dataclass
class Facts:
    """What the answer may draw on.

    Attributes:
        document: the updated document; ``old`` is the one the prompt shows.
        items: what the prompt lists under ids; ``subject`` is the text around that.
        prompt, characters: what is asked, and the size allowed for it.
    """

    lessons: list[Lesson]
    document: str
    has_document: bool
    task: str
    project: str = ""
    candidates: list[tuple[int, str]] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    subject: str = ""
    old: str = ""
    prompt: str = ""
    characters: int = 12_000


def fill_form(schema: dict[str, Any], facts: Facts) -> Any:
    """Return a value that matches the schema, filled from the facts by the names of its fields.

    Where the facts cannot meet a constraint (a pattern, a minimum length), a neutral value stands in.
    """
    value = _Filler(schema, facts).value(schema, "", None, 0)
    try:
        jsonschema.validate(value, schema)
    except jsonschema.ValidationError:
        plain = _Filler(schema, Facts([], "", False, "")).value(schema, "", None, 0)
        if jsonschema.validators.validator_for(schema)(schema).is_valid(plain):
            return plain
    except jsonschema.SchemaError:
        pass  # the caller's schema is at fault; the filled value is still the best answer
    return value


class _Filler:
    def __init__(self, root: dict[str, Any], facts: Facts) -> None:
        self.root = root
        self.facts = facts

    def value(self, schema: Any, name: str, lesson: Lesson | None, depth: int) -> Any:
        """Fill one place. ``lesson`` is set inside a list that has one object per lesson."""
        schema = self._resolve(schema)
        if not isinstance(schema, dict):
            return None
        if "const" in schema:
            return schema["const"]
        if isinstance(schema.get("enum"), list) and schema["enum"]:
            return self._choice(schema["enum"], name, lesson)
        kind = schema.get("type")
        if isinstance(kind, list):
            kind = next((item for item in kind if item != "null"), "null")
        if kind is None:
            kind = "object" if "properties" in schema else "array" if "items" in schema else "string"
        hint = f"{name} {schema.get('description', '') or ''} {schema.get('title', '') or ''}"
        if kind == "object":
            return self._object(schema, lesson, depth)
        if kind == "array":
            return self._array(schema, name, hint, lesson, depth)
        if kind in ("integer", "number"):
            return self._number(schema, kind, name, lesson)
        if kind == "boolean":
            return self._boolean(name, lesson)
        return None if kind == "null" else self._string(schema, name, hint, lesson)

    def _resolve(self, schema: Any) -> Any:
        for _ in range(_MAX_DEPTH):
            if not isinstance(schema, dict):
                return schema
            if isinstance(reference := schema.get("$ref"), str) and reference.startswith("#"):
                target: Any = self.root
                for part in filter(None, reference[1:].split("/")):
                    target = target.get(part, {}) if isinstance(target, dict) else {}
                schema = target
                continue
            options = schema.get("anyOf") or schema.get("oneOf")
            if options:
                real = [o for o in options if not (isinstance(o, dict) and o.get("type") == "null")]
                schema = {
                    **{k: v for k, v in schema.items() if k not in ("anyOf", "oneOf")},
                    **(real or options)[0],
                }
                continue
            if isinstance(parts := schema.get("allOf"), list):
                merged: dict[str, Any] = {k: v for k, v in schema.items() if k != "allOf"}
                for part in parts:
                    part = self._resolve(part)
                    properties = {**merged.get("properties", {}), **part.get("properties", {})}
                    required = [*merged.get("required", []), *part.get("required", [])]
                    merged = {**merged, **part}
                    if properties:
                        merged |= {"properties": properties, "required": required}
                schema = merged
                continue
            return schema
        return {}

    def _object(self, schema: dict[str, Any], lesson: Lesson | None, depth: int) -> dict[str, Any]:
        properties = schema.get("properties") or {}
        required = schema.get("required") or []
        result = {
            key: self.value(part, key, lesson, depth + 1)
            for key, part in properties.items()
            if depth < _MAX_DEPTH or key in required
        }
        for key in required:
            if key not in result:
                result[key] = self.value(schema.get("additionalProperties") or {}, key, lesson, depth + 1)
        extra = schema.get("additionalProperties")
        if not properties and extra is not False and depth < _MAX_DEPTH:
            for item in [lesson] if lesson else self.facts.lessons:
                part = extra if isinstance(extra, dict) else {"type": "string"}
                result[title(item)] = self.value(part, "content", item, depth + 1)
        return result

    def _array(
        self, schema: dict[str, Any], name: str, hint: str, lesson: Lesson | None, depth: int
    ) -> list[Any]:
        least, most = schema.get("minItems", 0), schema.get("maxItems", 50)
        part = self._resolve(schema.get("items", {"type": "string"}))
        kind = part.get("type") if isinstance(part, dict) else None
        if depth >= _MAX_DEPTH:
            return []
        values: list[Any]
        form = form_of(name, part.get("properties") or {}) if isinstance(part, dict) and not lesson else None
        if form is not None and (form.choice is not None or self.facts.items):
            values = self._referring(form, part, name, depth)[:most]
        elif kind == "object" or (isinstance(part, dict) and "properties" in part):
            chosen = [lesson] if lesson else self.facts.lessons
            values = [self.value(part, name, item, depth + 1) for item in chosen[:most]]
        elif isinstance(part, dict) and isinstance(part.get("enum"), list):
            values = [self._choice(part["enum"], name, lesson)]
        elif kind in ("integer", "number"):
            values = self._ranked()[: min(most, 5)]
        elif kind in ("boolean", "array"):
            values = []
        else:
            values = [self._shaped(text, part) for text in self._texts(name, hint, lesson)]
        if schema.get("uniqueItems"):
            values = [v for i, v in enumerate(values) if v not in values[:i]]
        spare = (
            [option for option in part.get("enum", []) if option not in values]
            if isinstance(part, dict)
            else []
        )
        while len(values) < least:
            filler = self.value(part, name, lesson, depth + 1)
            if schema.get("uniqueItems") and filler in values:
                filler = spare.pop(0) if spare else f"{filler} ({len(values) + 1})"
            values.append(filler)
        return values[:most]

    def _referring(self, form: Form, part: dict[str, Any], name: str, depth: int) -> list[Any]:
        """Objects that say something of listed entries: operations on them, tags for them, or new wordings."""
        items = self.facts.items
        if form.choice is None:
            return self._rewritten(form, part, akin(items, self.facts.subject))
        values: list[Any] = []

        def say(option: Any, item: Item | None, lesson: Lesson) -> None:
            id = form.id_value(item)
            if option is None or id is None:
                return
            value = self.value(part, name, lesson, depth + 1)
            value[form.choice] = option
            if form.id:
                value[form.id] = id
            if item is not None:
                value |= {key: item.text for key in value if key not in (form.id, form.choice)}
            if value not in values:
                values.append(value)

        for lesson in self.facts.lessons:
            known = confirmed(items, lesson)
            for item in known:
                say(form.option(references.CONFIRM), item, lesson)
            for item in contradicted(items, lesson):
                say(form.option(references.CONTRADICT), item, lesson)
            if not known and lesson.kind != "unknown":
                say(form.option(references.ADD), None, lesson)
        return values

    def _rewritten(self, form: Form, part: dict[str, Any], items: list[Item]) -> list[Any]:
        """New wordings of entries in the light of the subject: only of those about the same change."""
        subject = self.facts.subject
        own = signatures(parse_edits(subject))
        values = []
        for item in items:
            if not own & signatures(item.edits) or form.id_value(item) is None:
                continue
            edits = [*item.edits, *parse_edits(subject)]
            places = unique(" ".join(map(code_span, filter(None, (e.path, e.function)))) for e in edits)
            value: dict[str, Any] = {form.id: form.id_value(item)}
            for key, schema in part["properties"].items():
                if key == form.id:
                    continue
                listed = self._resolve(schema).get("type") == "array"
                sentence = f"Seen {len(places)} times: {', '.join(places)}"
                value[key] = keywords(f"{item.text} {subject}") if listed else sentence
            values.append(value)
        return values

    def _ranked(self) -> list[int]:
        texts = [text for _, text in self.facts.candidates]
        return [self.facts.candidates[i][0] for i in rank(self.facts.task, texts)]

    def _texts(self, name: str, hint: str, lesson: Lesson | None) -> list[str]:
        """The entries of a list of strings."""
        lessons = [lesson] if lesson else self.facts.lessons
        low = name.lower()
        if re.search(r"keyword|tag|term|topic|concept|quer", low):
            text = " ".join(content(item) for item in lessons) or self.facts.task
            return keywords(text)
        if re.search(r"file|path|module", low):
            return unique(item.note.path for item in lessons if item.note)
        if re.search(r"function|method|symbol", low):
            return unique(item.note.function for item in lessons if item.note)
        if re.search(r"test", low):
            return unique(test for item in lessons for test in item.episode.failures)
        if re.search(r"error|symptom", low):
            return unique(error for item in lessons for error in item.episode.failures.values())
        if re.search(r"avoid|mistake|pitfall|fail|dont|do_not|unsuccess|harm", low):
            return [content(item) for item in lessons if item.kind == "failed"]
        if re.search(r"delet|remov|obsolete|outdated|drop", low):
            return []
        if re.search(r"link|related|neighbo|connect", low):
            return [item.id for item in akin(self.facts.items, self.facts.subject)]
        if lessons and re.search(r"steps?$|procedure|routine", low):
            return [step for item in lessons for step in steps(item)]
        if self.facts.candidates and re.search(r"id$|ids$|select|relevant|rank", low):
            return [str(number) for number in self._ranked()[:5]]
        if (
            lesson is None
            and self.facts.has_document
            and re.search(r"\b(?:all|updated|complete|full|merged)", hint, re.I)
        ):
            lines = [line[2:] for line in self.facts.document.split("\n") if line.startswith("- ")]
            return lines or [content(item) for item in lessons]
        return [content(item) for item in lessons if item.kind != "failed"] or [
            content(item) for item in lessons
        ]

    def _string(self, schema: dict[str, Any], name: str, hint: str, lesson: Lesson | None) -> str:
        return self._shaped(self._said(name.lower(), hint, lesson), schema)

    def _shaped(self, text: str, schema: Any) -> str:
        if not isinstance(schema, dict):
            return text
        most, least = schema.get("maxLength"), schema.get("minLength", 0)
        if isinstance(most, int) and len(text) > most:
            text = text[:most]
        return text if len(text) >= least else text + "." * (least - len(text))

    def _said(self, name: str, hint: str, lesson: Lesson | None) -> str:
        lessons = [lesson] if lesson else self.facts.lessons
        first = lessons[0] if lessons else None
        note = next((item.note for item in lessons if item.note), None)
        whole = lesson is None and re.search(
            r"document|markdown|sheet|playbook|updated|conventions|memory|notes|full|bank"
            + ("|content$" if self.facts.has_document else ""),
            name,
        )
        if whole:
            return self.facts.document
        if lesson is None and lessons and first.episode.edits + len(first.episode.failures) and role_of(name):
            facts = self.facts
            return role_document(role_of(name), facts.old, lessons, facts.prompt, facts.characters)
        if first is None:
            if re.search(r"quer|keyword|search", name):
                return " ".join(keywords(self.facts.task))
            return self.facts.document if not self.facts.task or self.facts.has_document else ""
        episode = first.episode
        if re.search(r"(?:^|_)id$", name):
            return blake2b(first.line.encode(), digest_size=4).hexdigest()
        if re.search(r"title|name$|headline|heading|topic|label", name) and not re.search(
            r"func|file|test|proj", name
        ):
            return title(first)
        rules: list[tuple[str, str]] = [
            (r"path|file|module|location|where", note.path if note else ""),
            (r"function|method|symbol", note.function if note else ""),
            (r"project|repo", episode.project or self.facts.project),
            (
                r"outcome|status|result|verdict",
                {"fix": "solved", "failed": "failed", "unknown": "unknown"}[first.kind],
            ),
            (r"^before|^old|buggy|wrong", note.before if note else ""),
            (r"^after|^new_code|^new$|fixed_code|replacement|correct", note.after if note else ""),
            (r"test", ", ".join(episode.failures)),
            (r"error|exception|symptom", next(iter(episode.failures.values()), "")),
            (r"issue|problem|task|goal|intent|query", episode.issue or description(first)),
            (r"keyword|tag", ", ".join(keywords(content(first)))),
            (r"section|group|scope", episode.project or self.facts.project or "general"),
            (r"categor|type|kind", "pitfall" if first.kind == "failed" else "bug fix"),
            (r"descri|summar|when|trigger|condition|situation|scenario|context", description(first)),
        ]
        for pattern, text in rules:
            if re.search(pattern, name) and text:
                return text
        return "\n".join(content(item) for item in lessons)

    def _choice(self, options: list[Any], name: str, lesson: Lesson | None) -> Any:
        first = lesson or (self.facts.lessons[0] if self.facts.lessons else None)
        wanted = ["none", "skip", "noop", "no", "unknown", "other"]
        if first is not None:
            wanted = {
                "fix": ["success", "solved", "fix", "pass", "resolved", "helpful", "strategy", "yes"],
                "failed": ["fail", "pitfall", "mistake", "avoid", "unsolved", "harmful", "warning", "no"],
                "unknown": ["unknown", "neutral", "other"],
            }[first.kind]
            wanted += ["add", "new", "create", "insert", "bug", "medium", "general"]
        for word in wanted:
            for option in options:
                parts = words_of(str(option))
                if any(part.startswith(word) if len(word) > 2 else part == word for part in parts):
                    return option
        texts = [str(option) for option in options]
        return options[rank(f"{name} {content(first) if first else ''}", texts)[0]]

    def _number(self, schema: dict[str, Any], kind: str, name: str, lesson: Lesson | None) -> int | float:
        first = lesson or (self.facts.lessons[0] if self.facts.lessons else None)
        low = schema.get("minimum", schema.get("exclusiveMinimum"))
        high = schema.get("maximum", schema.get("exclusiveMaximum"))
        number = 1.0
        if re.search(r"reward|score|pass_rate", name) and first and first.episode.reward is not None:
            number = first.episode.reward
        elif re.search(r"confidence|importance|priority|quality|utility|relevance|weight|score|rating", name):
            share = 0.3 if first is None or first.kind == "failed" else 0.9
            number = (low or 0) + share * ((high if high is not None else 1) - (low or 0))
        elif re.search(r"harm|fail", name):
            number = float(bool(first and first.kind == "failed"))
        elif re.search(r"index|id$|choice|select", name):
            number = float(self._ranked()[0]) if self.facts.candidates else 0.0
        elif re.search(r"edits|tries|attempts", name) and first:
            number = float(first.episode.edits)
        if kind == "integer":
            number = round(number)
        step = schema.get("multipleOf")
        if step:
            number = round(number / step) * step
        margin = step or (1 if kind == "integer" else 1e-6)
        if low is not None and (number < low or (number == low and "exclusiveMinimum" in schema)):
            number = low + (margin if "exclusiveMinimum" in schema else 0)
        if high is not None and (number > high or (number == high and "exclusiveMaximum" in schema)):
            number = high - (margin if "exclusiveMaximum" in schema else 0)
        return int(number) if kind == "integer" else float(number)

    def _boolean(self, name: str, lesson: Lesson | None) -> bool:
        lessons = [lesson] if lesson else self.facts.lessons
        solved = any(item.kind == "fix" for item in lessons)
        if re.search(r"fail|error|harm|avoid|wrong|duplicate|delet|remov|skip", name):
            return bool(lessons) and not solved and not re.search(r"duplicate|delet|remov|skip", name)
        if re.search(r"succe|solv|pass|fixed|correct|helpful|resolved", name):
            return solved
        if self.facts.candidates or not lessons:
            texts = [text for _, text in self.facts.candidates]
            return max(similarities(self.facts.task, texts), default=0.0) > 0.2
        return True
