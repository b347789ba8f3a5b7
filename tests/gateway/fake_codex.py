"""A stand-in for ``codex app-server`` where the real one is not installed: the protocol as it was recorded from version
0.169.0, in front of the same provider, which it asks over HTTP as that does. Run as a program.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

lock = threading.Lock()
threads: dict[str, dict] = {}


def say(message: dict) -> None:
    with lock:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def note(method: str, **parameters) -> None:
    say({"method": method, "params": parameters, "emittedAtMs": int(time.time() * 1000)})


def user(text: str) -> dict:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def sample(provider: dict, key: str, thread: dict, turn: dict) -> tuple[str | None, dict, dict | None]:
    """Ask the provider once: (text, usage, error)."""
    instructions = [{"type": "input_text", "text": thread["baseInstructions"]}]
    head = [{"type": "message", "role": "developer", "content": instructions}]
    body = {"model": turn["model"], "input": head + thread["items"], "tools": [], "stream": True}
    body["reasoning"] = {"effort": turn.get("effort")}
    request = urllib.request.Request(
        provider["base_url"] + "/responses",
        json.dumps(body).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {key}"},
    )
    try:
        with urllib.request.urlopen(request) as response:
            text = response.read().decode()
    except urllib.error.HTTPError as error:
        return None, {}, http_fault(error)
    except (OSError, http.client.HTTPException) as error:
        return None, {}, {"codexErrorInfo": "other", "message": f"stream disconnected: {error}"}
    messages, usage, ended = [], {}, False
    for line in re.findall(r"^data: (.*)$", text, re.M):
        try:
            event = json.loads(line)
        except ValueError:
            break
        if event["type"] == "response.failed":
            return None, {}, {"codexErrorInfo": "contextWindowExceeded", "message": "out of room"}
        if event["type"] == "response.output_item.done":
            messages.append(event["item"])
        if event["type"] == "response.completed":
            usage, ended = event["response"]["usage"], True
    if not ended:
        return None, {}, {"codexErrorInfo": "other", "message": "stream closed before response.completed"}
    if any(item["type"] == "function_call" for item in messages):
        return sample(provider, key, thread, turn)  # "unsupported call", and the model is asked again
    return (messages[-1]["content"][0]["text"] if messages else None), usage, None


def http_fault(error: urllib.error.HTTPError) -> dict:
    text = error.read().decode()
    status = {"httpStatusCode": error.code}
    if error.code == 500:
        return {"codexErrorInfo": "internalServerError", "message": "experiencing high demand"}
    if error.code == 429:
        return {"codexErrorInfo": {"responseTooManyFailedAttempts": status}, "message": text}
    if error.code == 404:
        return {"codexErrorInfo": "modelNotFound", "message": text}
    if error.code == 400:
        return {"codexErrorInfo": "other", "message": text}
    return {"codexErrorInfo": {"httpConnectionFailed": status}, "message": text}


def run_turn(provider: dict, key: str, name: str, turn: dict, number: str) -> None:
    thread = threads[name]
    where = {"threadId": name, "turnId": number}
    note("turn/started", threadId=name, turn={"id": number, "status": "inProgress"})
    thread["items"] += [user(part["text"]) for part in turn["input"]]
    text, usage, fault = sample(provider, key, thread, turn)
    if text is not None:
        note("item/completed", item={"type": "agentMessage", "text": text, "phase": None}, **where)
    if usage:
        total = {
            "inputTokens": usage["input_tokens"],
            "cachedInputTokens": usage["input_tokens_details"]["cached_tokens"],
            "outputTokens": usage["output_tokens"],
            "reasoningOutputTokens": usage["output_tokens_details"]["reasoning_tokens"],
        }
        note("thread/tokenUsage/updated", tokenUsage={"total": total, "last": total}, **where)
    ended = {"id": number, "items": [], "status": "failed" if fault else "completed", "error": fault}
    note("turn/completed", threadId=name, turn=ended)


def main() -> None:
    if "app-server" not in sys.argv or "--strict-config" not in sys.argv:
        sys.exit("usage: codex app-server")
    setting = next(word for word in sys.argv if word.startswith("model_providers."))
    provider = dict(re.findall(r'(\w+)="([^"]*)"', setting))
    key = os.environ[provider["env_key"]]
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        parameters, result = message["params"], {}
        match message["method"]:
            case "initialize":
                result = {"userAgent": "fake/0.169.0"}
            case "thread/start":
                name = str(uuid.uuid4())
                threads[name] = {"baseInstructions": parameters["baseInstructions"], "items": []}
                result = {"thread": {"id": name}, "model": parameters["model"]}
            case "thread/inject_items":
                threads[parameters["threadId"]]["items"] += parameters["items"]
            case "thread/unsubscribe":
                threads.pop(parameters["threadId"], None)
            case "turn/start":
                number = str(uuid.uuid4())
                result = {"turn": {"id": number, "status": "inProgress"}}
                work = (provider, key, parameters["threadId"], parameters, number)
                threading.Thread(target=run_turn, args=work, daemon=True).start()
        say({"id": message["id"], "result": result})


if __name__ == "__main__":
    main()
