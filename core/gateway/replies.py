"""What a provider's HTTP answer means: an answer, a fault that passes or does not, a parameter it does not take."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from core.gateway.provider import ProviderError, Tokens
from core.gateway.retrying import PassingFault, retry_after_s

ESSENTIAL = frozenset({"model", "messages", "input"})
_RETRIED = frozenset({408, 409, 425, 429})
_CONTEXT = re.compile(
    r"maximum context length|context_length_exceeded|exceed_context_size|exceeds? .{0,40}context"
    r"|context window|prompt is too long|input is too long|exceeds? .{0,40}number of tokens",
    re.IGNORECASE,
)
_UNTAKEN = re.compile(
    r"unsupported|not support|unrecognized|unexpected|unknown|extra|not permitted|not allowed|does not take"
    r"|invalid (?:parameter|field|argument)",
    re.IGNORECASE,
)
_NAME = re.compile(r"['\"`](\w+)")


def fault_of(status: int, headers: Mapping[str, str], answer: Any, text: str) -> Exception:
    """The exception for an answer other than 200: a :class:`PassingFault` or a :class:`ProviderError`.

    Args:
        answer: the body's JSON, None when it is none; ``text`` its beginning.
    """
    given = answer.get("error") if isinstance(answer, dict) else None
    body = given if isinstance(given, dict) else answer if isinstance(answer, dict) else {}
    message = str(
        body.get("message") or given or body.get("detail") or text.strip()[:200] or "no reason given"
    )
    message = " ".join(message.split())
    code = body.get("code")
    if status >= 500 or status in _RETRIED:
        # Two kinds of 429 that waiting does not cure.
        hopeless = code == "insufficient_quota" or "request too large" in message.lower()
        if not hopeless:
            return PassingFault(
                f"HTTP {status}: {message}", wait_s=retry_after_s(headers), limited=status == 429
            )
    if status in (400, 413, 422) and _CONTEXT.search(f"{code} {body.get('type')} {message}"):
        code = "context_length_exceeded"
    return ProviderError(
        status if status >= 400 else 502,
        message if status >= 400 else f"HTTP {status}: {message}",
        code=None if code is None else str(code),
        kind=str(body.get("type") or "api_error"),
        param=body.get("param") if isinstance(body.get("param"), str) else _location(body.get("detail")),
    )


def _location(detail: Any) -> str | None:
    """The field that a FastAPI server complains of: ``{"detail": [{"loc": ["body", "seed"], ...}]}``."""
    try:
        return str(next(part for part in detail[0]["loc"] if part != "body"))
    except (TypeError, KeyError, IndexError, StopIteration):
        return None


def rejected_parameter(error: ProviderError, request: dict[str, Any]) -> str | None:
    """The optional parameter of a request that the provider refused it for; None when it was another reason."""
    message = str(error)
    if error.status not in (400, 422) or error.code == "context_length_exceeded":
        return None
    if not (_UNTAKEN.search(f"{error.code} {message}")):
        return None
    named = [error.param.partition(".")[0]] if error.param else []
    candidates = [*named, *_NAME.findall(message), *re.findall(r"\w+", message)]
    return next((name for name in candidates if name in request and name not in ESSENTIAL), None)


def check_answer(answer: Any, wanted: str, text: str) -> dict[str, Any]:
    """The answer, if it is one.

    Args:
        wanted: ``choices`` or ``data``.

    Raises:
        PassingFault: HTTP 200 with something else: a proxy's page, an error in disguise, half an answer.
    """
    if answer is None:
        raise PassingFault("the answer is not JSON")
    parts = answer.get(wanted) if isinstance(answer, dict) else None
    if not isinstance(parts, list) or not parts or not all(isinstance(part, dict) for part in parts):
        raise PassingFault(f"the answer has no {wanted}: {text[:200]}")
    if wanted == "choices" and not isinstance(parts[0].get("message"), dict):
        raise PassingFault(f"the answer has no message: {text[:200]}")
    return answer


def is_empty(answer: dict[str, Any]) -> bool:
    """A chat answer that says nothing and gives no reason for it."""
    choice = answer["choices"][0]
    message = choice["message"]
    said = message.get("content") or message.get("refusal") or message.get("tool_calls")
    return choice.get("finish_reason") in (None, "stop") and (not said or not str(said).strip())


def tokens_of(answer: dict[str, Any]) -> Tokens:
    """The usage an answer reports; zeros for what it does not say."""
    usage = answer.get("usage")
    usage = usage if isinstance(usage, dict) else {}

    def number(holder: Any, name: str) -> int:
        value = holder.get(name) if isinstance(holder, dict) else None
        return value if isinstance(value, int) and value > 0 else 0

    return Tokens(
        prompt=number(usage, "prompt_tokens"),
        completion=number(usage, "completion_tokens"),
        cached=number(usage.get("prompt_tokens_details"), "cached_tokens"),
        reasoning=number(usage.get("completion_tokens_details"), "reasoning_tokens"),
    )
