"""The offline model: programs that answer chat and embedding requests with no network and no key.

Pure functions of the request. Each purpose lives in its own module, imported when it is first asked.
"""

from __future__ import annotations

from typing import Any


def complete(request: dict[str, Any], purpose: str) -> str:
    """Answer a chat completion request.

    Args:
        request: as posted to ``/v1/chat/completions``; ``messages``, ``seed`` and the JSON schema of
            ``response_format`` are read.
        purpose: ``act``, ``memory``, ``analyze``, ``explore``, ``generate`` or ``repair``.

    Raises:
        ValueError: an unknown purpose.
    """
    messages = request["messages"]
    seed = request.get("seed") or 0
    if purpose == "act":
        from core.gateway.offline.repair import act

        return act(messages, seed)
    schema = _schema(request)
    if purpose == "memory":
        from core.gateway.offline.memory import remember

        return remember(messages, schema, seed)
    if purpose in ("analyze", "explore", "generate", "repair"):
        from core.gateway.offline.design import design

        return design(purpose, messages, schema, seed)
    raise ValueError(f"the offline model has no purpose {purpose!r}")


def embed(texts: list[str]) -> list[list[float]]:
    """One vector per text, in order."""
    from core.gateway.offline import embedding

    return embedding.embed(texts)


def _schema(request: dict[str, Any]) -> dict[str, Any] | None:
    response_format = request.get("response_format") or {}
    return (response_format.get("json_schema") or {}).get("schema")
