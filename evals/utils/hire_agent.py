"""``Agent`` and ``Embedding``: the models as memory designs and the agent's loop see them.

Both go through the gateway (``gateway_client``): a process that uses them holds no key.
"""

from __future__ import annotations

import array
import asyncio
import base64
import json
import re
import time
from typing import Any

from evals.utils import gateway_client
from evals.utils.gateway_client import InfraError, Refused, call_purpose, call_seed

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_BATCH = 256
_MAX_EMBEDDED_CHARS = 24_000


class Agent:
    """A chat model with a system prompt.

    Args:
        system_prompt: what it is told first.
        output_schema: a JSON schema; with it, answers are parsed, validated objects.
        model: its name; ``name/low`` (minimal, low, medium, high) also sets the reasoning effort. By default the
            run's execution model, so that no design needs to know which models a run can reach.
    """

    def __init__(
        self,
        system_prompt: str,
        output_schema: dict[str, Any] | None = None,
        model: str | None = None,
    ) -> None:
        self.system_prompt = system_prompt
        self.output_schema = output_schema or None
        self.model = model or gateway_client.default_model()
        self.history: list[dict[str, str]] = []

    def get_agent_config(self) -> dict[str, Any]:
        """The agent's settings and the conversation so far."""
        return {
            "model": self.model,
            "system_prompt": self.system_prompt,
            "output_schema": self.output_schema,
            "history": [dict(message) for message in self.history],
        }

    async def ask(
        self,
        user_input: str | list[dict[str, Any]],
        with_full_msg: bool = False,
        with_history: bool = False,
        temperature: float | None = None,
        reasoning_effort: str | None = None,
    ) -> Any:
        """Send a message and return the answer.

        Args:
            user_input: the user's message; with ``with_full_msg`` the whole list of messages, which is sent as
                it is and not kept in the history.
            with_history: send the earlier exchanges with it. Exchanges are kept either way.

        Returns:
            The answer's text; with an output schema the validated object, or, when a second try did not match
            the schema either, a dict with ``error`` and ``raw_output``.

        Raises:
            InfraError: an outage.
            ContextOverflow, Refused, RequestRejected: the provider will not serve this request.
        """
        if with_full_msg:
            messages = list(user_input)
        else:
            asked = {"role": "user", "content": _text(user_input)}
            earlier = self.history if with_history else []
            messages = [{"role": "system", "content": self._instructions()}, *earlier, asked]
        options: dict[str, Any] = {}
        if temperature is not None:
            options["temperature"] = temperature
        if reasoning_effort is not None:
            options["reasoning_effort"] = reasoning_effort
        answer = await self._complete(messages, options)
        result: Any = answer
        if self.output_schema is not None:
            answer, result = await self._matching(messages, answer, options)
        if not with_full_msg:
            self.history += [asked, {"role": "assistant", "content": answer}]
        return result

    async def _matching(
        self, messages: list[dict[str, Any]], answer: str, options: dict[str, Any]
    ) -> tuple[str, Any]:
        """The answer and its object; a first answer that does not fit the schema is sent back once."""
        try:
            return answer, _validated(answer, self.output_schema)
        except ValueError as error:
            complaint = (
                f"This answer cannot be used: {error}\nAnswer again with the corrected JSON object only."
            )
        again = [
            *messages,
            {"role": "assistant", "content": answer},
            {"role": "user", "content": complaint},
        ]
        answer = await self._complete(again, options)
        try:
            return answer, _validated(answer, self.output_schema)
        except ValueError as error:
            return answer, {"error": str(error), "raw_output": answer}

    async def _complete(self, messages: list[dict[str, Any]], options: dict[str, Any]) -> str:
        body: dict[str, Any] = {"model": self.model, "messages": messages, **options}
        if self.output_schema is not None:
            body["response_format"] = _response_format(self.output_schema)
        seed = call_seed.get()
        if seed is not None:
            body["seed"] = seed
        response = await gateway_client.request("/chat/completions", body, call_purpose.get())
        gateway_client.count(response)
        choice = response["choices"][0]
        message = choice["message"]
        content = _said(message, named=self.output_schema is None)
        if not content and (message.get("refusal") or choice.get("finish_reason") == "content_filter"):
            raise Refused(message.get("refusal") or "the content filter cut the answer")
        return content.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair is no text

    def _instructions(self) -> str:
        if self.output_schema is None:
            return self.system_prompt
        # Said in words too: some OpenAI-compatible servers ignore response_format.
        schema = json.dumps(self.output_schema, ensure_ascii=False)
        return f"{self.system_prompt}\n\nAnswer with one JSON value that matches this JSON schema:\n{schema}"


def _said(message: dict[str, Any], *, named: bool) -> str:
    """The text of an answer; of one that only calls a tool, the call as the JSON object it was meant to be.

    No tools are offered, but some servers take a JSON answer for a tool call.

    Args:
        named: the tool's name is the action.
    """
    content = message.get("content")
    if isinstance(content, list):  # parts, as some servers send them
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if content or not message.get("tool_calls"):
        return content or ""
    try:
        function = message["tool_calls"][0]["function"]
        arguments = json.loads(function["arguments"] or "{}")
        return json.dumps(
            {"action": function["name"], **arguments} if named else arguments, ensure_ascii=False
        )
    except (ValueError, TypeError, LookupError, RecursionError):
        return json.dumps(message["tool_calls"], ensure_ascii=False)


def _text(user_input: Any) -> str:
    return (
        user_input if isinstance(user_input, str) else json.dumps(user_input, ensure_ascii=False, default=str)
    )


def _response_format(schema: dict[str, Any]) -> dict[str, Any]:
    named = {"name": "output", "schema": schema, "strict": _is_strict(schema)}
    return {"type": "json_schema", "json_schema": named}


def _is_strict(schema: Any) -> bool:
    """Whether the API's strict mode takes the schema: every object closed, every property of it required."""
    if isinstance(schema, list):
        return all(_is_strict(part) for part in schema)
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" or "properties" in schema:
        properties = schema.get("properties", {})
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
        return all(_is_strict(part) for part in properties.values())
    return all(_is_strict(part) for name, part in schema.items() if name not in ("enum", "const", "default"))


def _validated(answer: str, schema: dict[str, Any] | None) -> Any:
    """The JSON value in an answer, also when it stands in a code fence.

    Raises:
        ValueError: it is no JSON that can be kept, or does not match the schema.
    """
    import jsonschema

    try:
        value = _read(answer)
        json.dumps(value, ensure_ascii=False).encode("utf-8")
        jsonschema.validate(value, schema)
    except RecursionError as error:
        raise ValueError("the JSON in it is nested too deeply") from error
    except UnicodeEncodeError as error:
        raise ValueError("a string in it holds half of a surrogate pair, which is no text") from error
    except jsonschema.ValidationError as error:
        raise ValueError(f"it does not match the schema: at {error.json_path}: {error.message}") from error
    return value


def _read(answer: str) -> Any:
    fenced = _FENCE.search(answer)
    try:
        return json.loads(answer)
    except ValueError as error:
        if fenced is None:
            raise ValueError(f"it is not valid JSON ({error})") from error
        try:
            return json.loads(fenced[1])
        except ValueError as inner:
            raise ValueError(f"the JSON in it is not valid ({inner})") from inner


class Embedding:
    """Turns texts into vectors; awaitable methods, and plain calls for code that has no event loop in hand.

    Args:
        model: its name.
        retries: tries per request when the service fails.
        retry_delay: seconds between them.

    Texts over 24,000 characters (about what the API takes) are embedded by their beginning.
    """

    def __init__(
        self, model: str = "text-embedding-3-small", retries: int = 3, retry_delay: float = 1.0
    ) -> None:
        self.model = model
        self.retries = retries
        self.retry_delay = retry_delay

    async def get_embedding(self, text: str) -> list[float]:
        """The vector of one text.

        Raises:
            InfraError: the service failed at every try.
        """
        return (await self.get_batch_embeddings([text]))[0]

    async def get_batch_embeddings(self, texts: list[str]) -> list[list[float]]:
        """One vector per text, in order.

        Raises:
            InfraError: the service failed at every try.
        """
        vectors: list[list[float]] = []
        for body in self._bodies(texts):
            for left in reversed(range(max(self.retries, 1))):
                try:
                    response = await gateway_client.request("/embeddings", body, "embed")
                    break
                except InfraError:
                    if not left:
                        raise
                    await asyncio.sleep(self.retry_delay)
            vectors += _vectors(response)
        return vectors

    def __call__(self, input: list[str]) -> list[list[float]]:
        """As :meth:`get_batch_embeddings`, blocking: outside an event loop or inside a running one."""
        vectors: list[list[float]] = []
        for body in self._bodies(input):
            for left in reversed(range(max(self.retries, 1))):
                try:
                    response = gateway_client.request_blocking("/embeddings", body, "embed")
                    break
                except InfraError:
                    if not left:
                        raise
                    time.sleep(self.retry_delay)
            vectors += _vectors(response)
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The vector of one text, blocking."""
        return self([text])[0]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """One vector per text, blocking."""
        return self(texts)

    @staticmethod
    async def compute_similarity(emb1: list[float], emb2: list[float], metric: str = "cosine") -> float:
        """Cosine similarity, from -1 to 1; 0 when one of the vectors is all zeros.

        Raises:
            ValueError: another metric.
        """
        return (await Embedding.compute_one_to_group_similarity(emb1, [emb2], metric))[0]

    @staticmethod
    async def compute_one_to_group_similarity(
        emb: list[float], group_emb: list[list[float]], metric: str = "cosine"
    ) -> list[float]:
        """Cosine similarity of one vector to each of a group.

        Raises:
            ValueError: another metric.
        """
        if metric != "cosine":
            raise ValueError(f"unknown similarity metric {metric!r}; known: cosine")
        if len(group_emb) == 0:
            return []
        import numpy

        one, group = numpy.asarray(emb, dtype=float), numpy.asarray(group_emb, dtype=float)
        lengths = numpy.linalg.norm(group, axis=1) * numpy.linalg.norm(one)
        products = group @ one
        return numpy.divide(products, lengths, out=numpy.zeros_like(products), where=lengths > 0).tolist()

    def _bodies(self, texts: list[str]) -> list[dict[str, Any]]:
        # The API refuses an empty text.
        wanted = [text[:_MAX_EMBEDDED_CHARS] or " " for text in texts]
        return [
            {"model": self.model, "input": wanted[start : start + _BATCH], "encoding_format": "base64"}
            for start in range(0, len(wanted), _BATCH)
        ]


def _vectors(response: dict[str, Any]) -> list[list[float]]:
    gateway_client.count(response)
    items = sorted(response["data"], key=lambda item: item["index"])
    return [_vector(item["embedding"]) for item in items]


def _vector(embedding: str | list[float]) -> list[float]:
    """Base64 of 32-bit floats is asked for (a third of the bytes); some servers send the numbers all the same."""
    if isinstance(embedding, str):
        return array.array("f", base64.b64decode(embedding)).tolist()
    return embedding
