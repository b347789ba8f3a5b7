"""What a provider's prompt cache sees of an episode: each request begins with the bytes of the one before."""

from __future__ import annotations

import itertools
import json

import pytest

from evals.agents.base import count_tokens
from evals.workflows.history import CUT, KEPT, cut_old_observations

from .stub import Answer, Seen, chat, run_main

ACTIONS = [
    {"action": "list_dir", "path": "."},
    {"action": "search", "pattern": "def ", "path": "."},
    {"action": "run_command", "command": "python -m pytest -q 2>&1 | tail -5"},
    {"action": "read_file", "path": "README.md"},
]


def act(seen: Seen) -> Answer:
    if seen.path.endswith("/models"):
        return Answer(404)
    step = sum(message["role"] == "assistant" for message in seen.json["messages"])
    return Answer(body=chat(json.dumps(ACTIONS[step % len(ACTIONS)])))


def conversations(provider) -> list[str]:
    """The messages of every chat request, as sent."""
    bodies = [seen.body.decode() for seen in provider.seen if seen.path.endswith("/chat/completions")]
    return [body[body.index('"messages":[') : body.rindex("}],") + 1] for body in bodies]


def test_an_episodes_requests_are_prefixes_of_each_other(tmp_path, provider):
    provider.default = act
    done = run_main(
        tmp_path, provider.url, "--memo_SHA", "no_mem", "--train_size", "2", "--execution_model", "m"
    )
    assert done.returncode == 0, done.stderr
    sent = conversations(provider)
    assert len(sent) == 30
    assert all(after.startswith(before) for before, after in itertools.pairwise(sent))
    tokens = [count_tokens(text) for text in sent]
    assert sum(tokens[:-1]) / sum(tokens[1:]) >= 0.95
    # Everything but the messages is the same in each.
    rests = {seen.body.decode().replace(text, "") for seen, text in zip(provider.seen[1:], sent, strict=True)}
    assert len(rests) == 1


def test_a_limited_history_is_cut_seldom_and_the_cuts_are_recorded(tmp_path, provider):
    provider.default = act
    limited = [
        "--history_limit",
        "3000",
        "--memo_SHA",
        "no_mem",
        "--train_size",
        "2",
        "--execution_model",
        "m",
    ]
    done = run_main(tmp_path, provider.url, *limited)
    assert done.returncode == 0, done.stderr
    sent = conversations(provider)
    [episode] = (tmp_path / "logs/run/evaluations/no_mem_eval_1/episodes.jsonl").read_text().splitlines()
    cut = json.loads(episode)["cut_observations"]
    assert 0 < cut == sent[-1].count(CUT.partition(" of {}")[0])
    breaks = sum(not after.startswith(before) for before, after in itertools.pairwise(sent))
    assert 0 < breaks < len(sent) / 3


@pytest.mark.parametrize("limit", [100, 400, 5000])
def test_cutting_keeps_the_task_the_answers_and_the_last_messages(limit):
    history = [
        {"role": ("user", "assistant")[n % 2], "content": f"{n} " + "words of a message " * 20}
        for n in range(21)
    ]
    before = [dict(message) for message in history]
    done = cut_old_observations(history, limit)
    changed = [n for n, (old, new) in enumerate(zip(before, history, strict=True)) if old != new]
    assert len(changed) == done == (0 if limit == 5000 else len(range(2, 21 - KEPT, 2)))
    assert all(n % 2 == 0 and 0 < n < 21 - KEPT for n in changed)
    assert cut_old_observations(history, limit) == 0
