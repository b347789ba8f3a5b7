"""The offline curator with prompts that list entries under ids, ask for a role's document, or for tags."""

import json

import pytest

from core.gateway.offline.memory import remember
from core.gateway.offline.notes import parse_edits
from core.gateway.offline.references import listed_items
from tests.memory import runs

FIX = "In `mathlib/stats.py` `variance`: x failed; fixed by changing `return total / n` to `return total / (n - 1)`"
OTHER = "In `shop/cart.py` `total`: y failed; fixed by changing `sum(x)` to `round(sum(x), 2)`"
VAIN = "In `mathlib/stats.py` `variance`: z failed; fixed by changing `centre = mean(values)` to `centre = 0`"
SOLVED = f"Project: mathlib\nReward: 1.0\nIssue: variance is wrong\n\nSteps: {runs.solved()}"
FAILED = f"Project: mathlib\nReward: 0.5\nIssue: sum is wrong\n\nSteps: {runs.failed()}"


def ask(user, schema=None, system="You keep notes for a coding agent."):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    answer = remember(messages, schema, 0)
    return answer if schema is None else json.loads(answer)


def listing(**properties):
    item = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "object", "properties": {"changes": {"type": "array", "items": item}}}


NUMBER, TEXT = {"type": "integer"}, {"type": "string"}


@pytest.mark.parametrize(
    "form", ["[{}] {}", "{}. {}", "- [{}] helpful=0 harmful=2 :: {}", "> id: {} | {}", "#{}: {}"]
)
def test_listed_entries_are_found_in_any_notation(form):
    text = "Notes:\n" + "\n".join(form.format(i, line) for i, line in ((3, FIX), (14, OTHER)))
    found = listed_items(text)
    assert [item.id for item in found] == ["3", "14"]
    assert [len(item.edits) for item in found] == [1, 1]


@pytest.mark.parametrize(
    "words",
    [
        ("ADD", "EDIT", "AGREE", "REMOVE"),
        ("upvote", "downvote", "create"),
        ("DELETE", "REINFORCE", "INSERT", "NOOP"),
    ],
)
def test_operations_confirm_contradict_and_add(words):
    schema = listing(operation={"enum": list(words)}, id=NUMBER, text=TEXT)
    entries = f"# Existing insights\n[1] {OTHER}\n[2] {FIX}\n[7] {VAIN}\n\n"
    confirm = next(w for w in words if w.lower() in ("agree", "upvote", "reinforce"))
    against = next(w for w in words if w.lower() in ("remove", "downvote", "delete"))
    add = next(w for w in words if w.lower() in ("add", "create", "insert"))
    [said] = ask(f"{entries}# Run\n{SOLVED}", schema)["changes"]
    assert (said["operation"], said["id"]) == (confirm, 2)
    kinds = {(s["operation"], s["id"]) for s in ask(f"{entries}# Run\n{FAILED}", schema)["changes"]}
    assert (against, 7) in kinds and not any(operation == confirm for operation, _ in kinds)
    [said] = ask(f"# Existing insights\n[1] {OTHER}\n\n# Run\n{SOLVED}", schema)["changes"]
    assert (said["operation"], said["id"]) == (add, 0)
    assert [(n.before, n.after) for n in parse_edits(said["text"])] == [runs.FIX]


def test_tags_are_given_to_the_entries_that_a_run_bears_on_and_to_no_others():
    schema = listing(id=TEXT, tag={"enum": ["helpful", "harmful", "neutral"]})
    entries = (
        f"# Playbook\n[b-01] helpful=0 :: {OTHER}\n[b-02] helpful=1 :: {FIX}\n[b-03] helpful=1 :: {VAIN}\n"
    )
    assert ask(f"{entries}\n{SOLVED}", schema)["changes"] == [{"id": "b-02", "tag": "helpful"}]
    assert ask(f"{entries}\n{FAILED}", schema)["changes"] == [{"id": "b-03", "tag": "harmful"}]
    assert ask(SOLVED, schema)["changes"] == []


def test_what_a_list_says_already_is_not_added_again():
    schema = listing(type={"enum": ["ADD"]}, section=TEXT, content=TEXT)
    [added] = ask(f"# Playbook\n[1] {OTHER}\n\n{SOLVED}", schema)["changes"]
    assert added["section"] == "mathlib" and runs.FIX[1] in added["content"]
    assert ask(f"# Playbook\n[1] {FIX}\n\n{SOLVED}", schema)["changes"] == []


def test_neighbours_of_a_new_note_are_linked_and_rewritten():
    schema = {
        "type": "object",
        "properties": {
            "links": {"type": "array", "items": TEXT},
            "updates": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": TEXT, "context": TEXT, "tags": {"type": "array", "items": TEXT}},
                },
            },
        },
    }
    note = FIX.replace("variance", "spread").replace("stats.py", "more.py")
    answer = ask(f"# New note\n{note}\n\n# Neighbours\n[n1] {OTHER}\n[n2] {FIX}\n", schema)
    assert answer["links"][0] == "n2"
    [update] = answer["updates"]
    assert update["id"] == "n2" and "`mathlib/more.py` `spread`" in update["context"] and update["tags"]


def test_a_document_gets_what_belongs_to_its_role():
    names = ["overview", "conventions_and_patterns", "technical_setup", "recent_focus", "history"]
    schema = {"type": "object", "properties": {name: TEXT for name in names}}
    answer = ask(f"Test command: python -m pytest -q\n{SOLVED}", schema)
    assert "Project mathlib" in answer["overview"] and "`mathlib/stats.py`" in answer["overview"]
    assert "python -m pytest -q" in answer["technical_setup"]
    assert answer["history"] == "- solved: variance is wrong"
    assert "fixed by" in answer["recent_focus"]
    assert len(set(answer.values())) >= 4
    known = "# Current history\n<document>\n# Log\n- solved: an old one\n</document>\n\n"
    grown = ask(known + FAILED, {"type": "object", "properties": {"history": TEXT}})["history"]
    assert grown == "# Log\n- solved: an old one\n- not solved (reward 0.50): sum is wrong"


@pytest.mark.parametrize(
    "request_",
    [
        "Wrap the whole sheet in the tags <sheet> and </sheet>.",
        "All of it must be wrapped inside the <sheet> block:\n<sheet>\n[...]\n</sheet>",
        "Write it between <sheet> and </sheet>.",
    ],
)
def test_an_answer_is_wrapped_as_the_instructions_ask(request_):
    answer = ask(SOLVED, system=f"You curate a sheet. {request_}")
    assert answer.startswith("<sheet>\n") and answer.endswith("\n</sheet>")
    again = ask(
        f"## Previous sheet\n{answer}\n-----\n-----\n\n## Run\n{SOLVED}", system=f"You curate it. {request_}"
    )
    assert again == answer  # found without its tags and rules, and nothing new in it


def test_no_tags_where_none_are_asked_for():
    for system in (
        "Write <b>bold</b> notes.",
        "Keep what is inside <sheet>.",
        "You get the run in <run>...</run>.",
    ):
        assert not ask(SOLVED, system=system).startswith("<")
