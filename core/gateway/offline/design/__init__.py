"""The offline model as a designer of memories: a search over a space of designs, guided by what its prompt shows.

It is a program, not a language model: ``analyze`` measures trajectories and scores and turns them into moves in the
space, ``generate`` makes the moves and composes the file, ``repair`` goes back to something that works, ``explore``
reads the archive's files first.
"""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

from core.gateway.offline.design.analyze import analyze
from core.gateway.offline.design.explore import explore
from core.gateway.offline.design.reading import read_situation
from core.gateway.offline.design.write import generate, repair


def design(purpose: str, messages: list[dict[str, Any]], schema: dict[str, Any] | None, seed: int) -> str:
    """Answer a call of the meta agent; the same arguments give the same answer.

    Args:
        purpose: ``analyze`` (JSON of the prompt's schema), ``generate`` or ``repair`` (a file in a fence, or edits), or
            ``explore`` (an action).
        messages: system and user message; what comes after them is read for ``explore`` alone.
        schema: the answer's schema for ``analyze``; its properties are the fields of the answer.

    Raises:
        ValueError: another purpose.
    """
    system = "\n".join(str(m["content"]) for m in messages if m["role"] == "system")
    user = next((str(m["content"]) for m in messages if m["role"] == "user"), "")
    digest = hashlib.sha256(f"{seed}\0{purpose}\0{system}\0{user}".encode()).hexdigest()
    rng = random.Random(digest)
    if purpose == "explore":
        return explore(messages, system, rng)
    seen = read_situation(user)
    if purpose == "analyze":
        answer = analyze(seen, system, rng)
        wanted = (schema or {}).get("properties", answer)
        return json.dumps({name: answer[name] for name in answer if name in wanted}, ensure_ascii=False)
    if purpose == "generate":
        return generate(seen, system, rng)
    if purpose == "repair":
        return repair(seen, rng)
    raise ValueError(f"unknown purpose '{purpose}' (known: analyze, explore, generate, repair)")
