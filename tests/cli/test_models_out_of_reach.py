"""A refused key, an unknown model, a server that is down: one line, the right exit code, nothing lost, no score."""

import json

import pytest

from tests.gateway.stub import Answer, StubProvider, chat, error, run_main

LISTED = {"object": "list", "data": [{"id": "qwen3:latest"}, {"id": "llama-3"}]}


@pytest.fixture
def provider():
    stub = StubProvider()
    yield stub
    stub.stop()


def run(tmp_path, base_url, *arguments):
    done = run_main(tmp_path, base_url, "--memo_SHA", "no_mem", "--train_size", "2", *arguments)
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (401, error("Incorrect API key provided", "invalid_api_key"), "Incorrect API key provided"),
        (403, error("this project is archived"), "this project is archived"),
    ],
)
def test_a_refused_key_is_said_before_anything_is_written(tmp_path, provider, status, body, words):
    provider.default = lambda seen: Answer(status, body)
    code, err = run(tmp_path, provider.url)
    assert code == 2 and len(err.splitlines()) == 1
    assert words in err and "OPENAI_API_KEY" in err and "sk-secret" not in err
    assert not (tmp_path / "logs").exists()


def test_a_server_that_is_down_is_said_before_anything_is_written(tmp_path):
    code, err = run(tmp_path, "http://127.0.0.1:1/v1")
    assert code == 1
    assert "http://127.0.0.1:1/v1 does not answer" in " ".join(err.split())
    assert "Traceback" not in err
    assert not (tmp_path / "logs").exists()


def test_an_address_that_is_none_is_wrong_usage(tmp_path):
    code, err = run(tmp_path, "localhost:11434/v1")
    assert code == 2 and "http://" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(404, "model_not_found"), (429, "insufficient_quota"), (401, "invalid_api_key")]
)
def test_a_run_that_can_go_no_further_stops_at_once_and_can_be_resumed(tmp_path, provider, status, code):
    """The server lists its models readily, and turns the first call down for good."""
    provider.default = lambda seen: (
        Answer(body=LISTED) if seen.path.endswith("/models") else Answer(status, error("not for you", code))
    )
    exit_code, err = run(tmp_path, provider.url, "--execution_model", "qwen4")
    assert exit_code == 1
    assert "model qwen4: not for you" in err and "--resume run" in err
    assert "qwen4 is not known" in err and "qwen3:latest" in err
    assert "Traceback" not in err
    summary = json.loads((tmp_path / "logs/run/summary.json").read_text())
    assert summary["state"] == "interrupted" and summary["designs"] == []
    assert len([seen for seen in provider.seen if seen.path.endswith("/chat/completions")]) == 1


def test_a_listed_model_is_taken_with_or_without_its_tag(tmp_path, provider):
    provider.default = lambda seen: Answer(
        body=LISTED if seen.path.endswith("/models") else chat('{"action": "submit"}')
    )
    code, err = run(tmp_path, provider.url, "--execution_model", "qwen3/low")
    assert code == 0 and "not known" not in err
