"""``Agent`` and ``Embedding`` as designs use them, over a real gateway."""

from __future__ import annotations

import array
import asyncio
import base64
import math

import pytest

from evals.utils import gateway_client
from evals.utils.gateway_client import InfraError, Usage, call_seed, call_usage
from evals.utils.hire_agent import Agent, Embedding, _is_strict

from .stub import Answer, chat, error, run

SCHEMA = {
    "type": "object",
    "properties": {"note": {"type": "string"}, "rank": {"type": "integer"}},
    "required": ["note", "rank"],
    "additionalProperties": False,
}


def contents(seen) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in seen.json["messages"]]


def test_history_is_kept_always_and_sent_when_asked(gateway, provider):
    provider.script = [Answer(body=chat(f"answer {number}")) for number in range(3)]
    agent = Agent("system")

    async def talk() -> None:
        await agent.ask("one")
        await agent.ask("two")
        await agent.ask("three", with_history=True)

    run(talk())
    assert contents(provider.seen[1]) == [("system", "system"), ("user", "two")]
    assert contents(provider.seen[2]) == [
        ("system", "system"),
        *(("user", "one"), ("assistant", "answer 0")),
        *(("user", "two"), ("assistant", "answer 1")),
        ("user", "three"),
    ]
    assert len(agent.get_agent_config()["history"]) == 6


def test_a_failed_call_leaves_the_history_as_it_was(start_gateway, provider):
    start_gateway(tries=1)
    provider.script = [Answer(500, error("down"))]
    agent = Agent("system")

    async def talk() -> None:
        with pytest.raises(InfraError):
            await agent.ask("lost", with_history=True)
        await agent.ask("again", with_history=True)

    run(talk())
    assert contents(provider.seen[1]) == [("system", "system"), ("user", "again")]


def test_a_full_list_of_messages_is_sent_as_it_is(gateway, provider):
    messages = [{"role": "system", "content": "mine"}, {"role": "user", "content": "hi"}]
    run(Agent("not this").ask(messages, with_full_msg=True))
    assert provider.seen[0].json["messages"] == messages


def test_who_names_no_model_gets_that_of_the_run(gateway, provider):
    token = gateway.gateway.issue_token({"design": "abc"})
    gateway_client.connect(gateway.gateway.socket_path, token, "qwen3-coder")
    run(Agent("x").ask("y"))
    run(Agent("x", model="gpt-4o-mini").ask("y"))
    assert [seen.json["model"] for seen in provider.seen] == ["qwen3-coder", "gpt-4o-mini"]


def test_options_are_sent_when_given_and_only_then(gateway, provider):
    run(Agent("x").ask("y"))
    assert set(provider.seen[0].json) == {"model", "messages"}

    async def seeded() -> None:
        call_seed.set(7)
        await Agent("x").ask("y", temperature=0.0)

    run(seeded())
    assert provider.seen[1].json["temperature"] == 0.0
    assert provider.seen[1].json["seed"] == 7


def test_text_that_is_not_valid_unicode_is_still_sent(gateway, provider):
    assert run(Agent("x").ask("broken \ud83d pair")) == "hello"
    assert contents(provider.seen[0])[1] == ("user", "broken ? pair")


@pytest.mark.parametrize(
    "text",
    ['{"note": "n", "rank": 1}', 'Sure!\n```json\n{"note": "n", "rank": 1}\n```\nDone.'],
    ids=["plain", "fenced"],
)
def test_an_answer_that_fits_the_schema_comes_parsed(gateway, provider, text):
    provider.script = [Answer(body=chat(text))]
    assert run(Agent("x", SCHEMA).ask("y")) == {"note": "n", "rank": 1}
    sent = provider.seen[0].json["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["schema"] == SCHEMA
    assert sent["json_schema"]["strict"] is True


@pytest.mark.parametrize("bad", ["no JSON at all", '{"note": "n"}', '{"note": "n", "rank": "high"}'])
def test_an_answer_that_does_not_fit_is_sent_back_once(gateway, provider, bad):
    provider.script = [Answer(body=chat(bad)), Answer(body=chat('{"note": "n", "rank": 2}'))]
    assert run(Agent("x", SCHEMA).ask("y")) == {"note": "n", "rank": 2}
    assert len(provider.seen) == 2
    assert contents(provider.seen[1])[2] == ("assistant", bad)
    assert contents(provider.seen[1])[3][0] == "user"


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("[" * 100_000, "nested too deeply"),
        ('{"note": "\\ud83d", "rank": 1}', "half of a surrogate pair"),
    ],
)
def test_an_answer_that_could_not_be_kept_comes_as_an_error(gateway, provider, bad, why):
    provider.script = [Answer(body=chat(bad)), Answer(body=chat(bad))]
    assert why in run(Agent("x", SCHEMA).ask("y"))["error"]


def test_an_answer_that_never_fits_comes_as_an_error(gateway, provider):
    provider.default = lambda seen: Answer(body=chat('{"note": 5, "rank": 1}'))
    result = run(Agent("x", SCHEMA).ask("y"))
    assert set(result) == {"error", "raw_output"}
    assert "$.note" in result["error"]
    assert result["raw_output"] == '{"note": 5, "rank": 1}'
    assert len(provider.seen) == 2


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        ({"type": "object", "properties": {"a": {}}}, False),
        ({**SCHEMA, "required": ["note"]}, False),
        ({**SCHEMA, "properties": {"note": {"type": "object", "properties": {}}, "rank": {}}}, False),
        ({"type": "array", "items": SCHEMA}, True),
        ({"anyOf": [SCHEMA, {"type": "object"}]}, False),
    ],
)
def test_strict_mode_is_asked_only_for_schemas_it_takes(schema, strict):
    assert _is_strict(schema) is strict


def test_usage_is_added_up_in_the_scope_that_caused_it(gateway, provider):
    async def episode(calls: int) -> Usage:
        usage = Usage()
        call_usage.set(usage)
        for _ in range(calls):
            await Agent("x").ask("y")
        return usage

    async def both() -> list[Usage]:
        return await asyncio.gather(episode(1), episode(3))

    one, three = run(both())
    assert (one.calls, one.prompt_tokens, one.completion_tokens) == (1, 10, 5)
    assert (three.calls, three.prompt_tokens, three.completion_tokens) == (3, 30, 15)


def embeddings(seen) -> Answer:
    """Vectors that name their text by its length, in reverse order, as base64 when asked."""
    request = seen.json
    vectors = [array.array("f", [float(len(text)), 1.0]) for text in request["input"]]
    as_text = request.get("encoding_format") == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.tobytes()).decode() if as_text else vector.tolist(),
        }
        for index, vector in enumerate(vectors)
    ]
    usage = {"prompt_tokens": len(vectors), "total_tokens": len(vectors)}
    return Answer(body={"object": "list", "data": data[::-1], "model": "m", "usage": usage})


def test_embedding_waits_or_blocks_as_the_caller_can(gateway, provider):
    provider.default = embeddings
    embedding = Embedding()

    async def inside() -> list[list[list[float]]]:
        return [
            await embedding.get_batch_embeddings(["a", "bb"]),
            [await embedding.get_embedding("a"), await embedding.get_embedding("bb")],
            embedding(["a", "bb"]),
            embedding.embed_documents(["a", "bb"]),
            [embedding.embed_query("a"), embedding.embed_query("bb")],
        ]

    expected = [[1.0, 1.0], [2.0, 1.0]]
    assert run(inside()) == [expected] * 5
    assert embedding(["a", "bb"]) == expected
    assert embedding([]) == []


def test_embedding_takes_long_lists_cuts_what_the_api_refuses_and_embeds_no_text_twice(gateway, provider):
    provider.default = embeddings
    usage = Usage()
    token = call_usage.set(usage)
    texts = ["x" * number for number in range(300)] + ["y" * 90_000]
    vectors = Embedding()(texts)
    assert vectors == Embedding()(texts) == run(Embedding().get_batch_embeddings(texts))
    call_usage.reset(token)
    assert [vector[0] for vector in vectors] == [1.0, *map(float, range(1, 300)), 24_000.0]
    assert [len(seen.json["input"]) for seen in provider.seen] == [1] * 301
    assert (usage.calls, usage.prompt_tokens) == (6, 301)


@pytest.mark.parametrize("blocking", [True, False])
def test_embedding_tries_as_often_as_it_was_told(start_gateway, provider, blocking):
    start_gateway(tries=1)
    provider.default = lambda seen: Answer(500, error("down"))
    embedding = Embedding(retries=4, retry_delay=0.01)
    with pytest.raises(InfraError):
        if blocking:
            embedding(["a"])
        else:
            run(embedding.get_embedding("a"))
    assert len(provider.seen) == 4


def test_similarity():
    half = math.sqrt(0.5)
    group = [[2.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    found = run(Embedding.compute_one_to_group_similarity([1.0, 0.0], group))
    assert found == pytest.approx([1.0, 0.0, half, -1.0, 0.0])
    assert run(Embedding.compute_similarity([1.0, 0.0], [1.0, 1.0])) == pytest.approx(half)
    assert run(Embedding.compute_one_to_group_similarity([1.0], [])) == []
    with pytest.raises(ValueError, match="manhattan"):
        run(Embedding.compute_similarity([1.0], [1.0], metric="manhattan"))


def call(name: str, arguments: str) -> dict:
    return {
        "tool_calls": [{"id": "1", "type": "function", "function": {"name": name, "arguments": arguments}}]
    }


def test_an_answer_that_only_calls_a_tool_is_read_as_what_it_says(gateway, provider):
    provider.script = [
        Answer(body=chat(None, **call("read_file", '{"path": "a.py"}'))),
        Answer(body=chat(None, **call("output", '{"note": "n", "rank": 1}'))),
        Answer(body=chat(None, **call("read_file", "{broken"))),
        Answer(body=chat([{"type": "text", "text": "in "}, {"type": "text", "text": "parts"}])),
    ]
    assert run(Agent("x").ask("y")) == '{"action": "read_file", "path": "a.py"}'
    assert run(Agent("x", SCHEMA).ask("y")) == {"note": "n", "rank": 1}
    assert "{broken" in run(Agent("x").ask("y"))
    assert run(Agent("x").ask("y")) == "in parts"


def test_an_empty_answer_is_asked_again_and_taken_when_it_is_meant(gateway, provider):
    provider.script = [Answer(body=chat("")), Answer(body=chat("  \n"))]
    usage = Usage()
    token = call_usage.set(usage)
    assert run(Agent("x").ask("y")) == "hello"
    provider.default = lambda seen: Answer(body=chat(""))
    assert run(Agent("x").ask("z")) == ""
    call_usage.reset(token)
    assert len(provider.seen) == 6
