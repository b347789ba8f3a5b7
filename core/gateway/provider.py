"""What the gateway asks of a provider of models, and the error shape all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import orjson


@dataclass
class Call:
    """One request.

    Attributes:
        body: the JSON to send.
        request: the same, parsed.
        costs: whether it has cost money or may be doing so: a provider sets it when it sends the request, and takes it
            back when the try came to nothing. A call that only waits to be sent can be given up.
    """

    body: bytes
    request: dict[str, Any]
    purpose: str
    costs: bool = False


@dataclass(frozen=True)
class Tokens:
    """Token counts of one call. ``cached`` is part of ``prompt``, ``reasoning`` of ``completion``."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0
    reasoning: int = 0

    def __add__(self, other: Tokens) -> Tokens:
        return Tokens(
            self.prompt + other.prompt,
            self.completion + other.completion,
            self.cached + other.cached,
            self.reasoning + other.reasoning,
        )


@dataclass(frozen=True)
class Reply:
    """A provider's answer: the response JSON in the OpenAI shape, as bytes that are handed on unchanged.

    ``tokens`` are those of all tries, since all are paid.
    """

    body: bytes
    tokens: Tokens
    retries: int = 0


class ProviderError(Exception):
    """A call that brought no answer.

    Args:
        status: HTTP status for the caller; 503 with code ``infra`` means that the fault is nobody's request.
        message: one line for people.
        code: the OpenAI error code, or ``infra``.
        kind: the OpenAI error ``type``.
        retries: tries made after the first.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        kind: str = "api_error",
        param: str | None = None,
        retries: int = 0,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.kind = kind
        self.param = param
        self.retries = retries

    @classmethod
    def infra(cls, message: str, *, retries: int = 0) -> ProviderError:
        """An outage: never the fault of the design or the agent, so never to be scored."""
        return cls(503, message, code="infra", kind="infra_error", retries=retries)

    @classmethod
    def from_payload(cls, status: str, payload: bytes) -> ProviderError:
        """The fault again that was entered as ``error <HTTP status>`` with this payload."""
        error = orjson.loads(payload)["error"]
        return cls(
            int(status.split()[1]),
            error["message"],
            code=error["code"],
            kind=error["type"],
            param=error["param"],
        )

    def payload(self) -> dict[str, Any]:
        """The error in the OpenAI shape."""
        return {"error": {"message": str(self), "type": self.kind, "param": self.param, "code": self.code}}


class Provider(Protocol):
    """A source of models. Every method raises :class:`ProviderError` and nothing else for a failed call."""

    name: str

    async def start(self) -> None: ...

    async def complete(self, call: Call) -> Reply: ...

    async def embed(self, call: Call) -> Reply: ...

    async def models(self) -> list[str]: ...

    async def close(self) -> None: ...
