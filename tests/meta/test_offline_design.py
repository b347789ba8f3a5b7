"""The offline model's designs: they compile, run, remember the right changes, and the search keeps moving."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

from core import meta_agent_prompt as prompts
from core.design_file import content_sha, source_problem
from core.gateway.offline.design import design
from core.gateway.offline.design.compose import compose, is_composed, recover
from core.gateway.offline.design.moves import follow
from core.gateway.offline.design.space import OPTIONS, Params, neighbours, read_summary, sample
from core.gateway.offline.notes import parse_edits
from core.meta_agent_past import first_sentence
from core.meta_agent_reply import extract_code
from evals import launch
from evals.eval_envs.base_envs import Basic_Recorder
from evals.workflows.memory_calls import render

from .runs import ASKED, BUGS, collected, run_of, start_of

BASELINES = sorted((Path(__file__).resolve().parents[2] / "memo_archive" / "baseline").glob("*.py"))
OWN = Params(layers=("fixes",), scope="project", k=32, min_similarity=0.0, budget=12000)


def ask(prompt: prompts.Prompt, seed: int = 1) -> str:
    messages = [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}]
    return design(prompt.purpose, messages, prompt.schema, seed)


def example(project: str = "geometry", memory: str = "", resolved: bool = False, steps: str = "") -> dict:
    return {
        "project": project,
        "problem_statement": "wrong result",
        "reward": 1.0 if resolved else 0.6,
        "resolved": resolved,
        "n_steps": 9,
        "memory_chars": len(memory),
        "memory": memory,
        "error": None,
        "steps": [{"step": 1, "action": steps, "observation": f"read {project}/spans.py"}],
    }


def case(source: str, examples=(), tried=(), reward: float = 0.7, origin=None) -> prompts.Case:
    return prompts.Case("abcd1234", source, reward, 0.02, 0.4, 14, 0.68, origin, examples, tried)


def changes(*arguments, **values) -> str:
    """What the analysis of a design suggests, in one text."""
    answer = json.loads(ask(prompts.analyze_prompt(case(*arguments, **values), "none")))
    return "\n".join(f"{c['priority']}: {c['what']}" for c in answer["suggested_changes"])


def memory_of(source: str, folder: Path, runs: list[Basic_Recorder]) -> object:
    """Import a design as an evaluation does and let it learn."""
    path = folder / f"memo_structure_{content_sha(source)}.py"
    path.write_text(source)
    memory = launch.load_design(path)()

    async def learn() -> None:
        for run in runs:
            await memory.general_update(run)

    asyncio.run(learn())
    return memory


def recall(memory: object, bug=ASKED[0]) -> str:
    return render(asyncio.run(memory.general_retrieve(start_of(bug))))


def test_every_sampled_design_imports_and_runs_on_recorded_runs(tmp_path):
    bare = Basic_Recorder(init={"project": "p", "problem_statement": "x"})
    runs = [bare, SimpleNamespace(init={}, steps=[], reward=0.0), *collected()[:3]]
    points = set()
    for seed in range(200):
        point = sample(random.Random(seed), {})
        source = compose(point)
        assert source_problem(source) is None
        path = tmp_path / f"memo_structure_{seed}.py"
        path.write_text(source)
        memory = launch.load_design(path)()

        async def live(memory=memory) -> list[str]:
            assert await memory.general_retrieve(start_of(ASKED[0])) == {}
            for run in runs:
                await memory.general_update(run)
            return [render(await memory.general_retrieve(start_of(bug))) for bug in ASKED[:2]]

        texts = asyncio.run(live())
        assert all(len(text) <= point.budget + 200 for text in texts)
        points.add(point)
    assert len(points) > 150


def test_a_file_says_where_in_the_space_it_is():
    for seed in range(200):
        point = sample(random.Random(seed), {})
        source = compose(point)
        assert is_composed(source) and recover(source) == point
        assert read_summary(first_sentence(source)) == point


@pytest.mark.parametrize(("form", "layer"), list(product(OPTIONS["form"], ("fixes", "cases"))))
def test_what_is_remembered_is_the_fix_and_none_of_the_tries(tmp_path, form, layer):
    memory = memory_of(compose(replace(OWN, layers=(layer,), form=form)), tmp_path, collected())
    found = {(note.before, note.after) for note in parse_edits(recall(memory))}
    assert found == {(bug.before, bug.after) for bug in BUGS if bug.project == "geometry"}


def test_a_note_has_the_canonical_form(tmp_path):
    text = recall(memory_of(compose(OWN), tmp_path, [run_of(BUGS[0])]))
    assert text == (
        "- In `geometry/spans.py` `clip_span`: test_clip_span failed with `AssertionError: assert 4 == 5`; "
        "fixed by changing `result = range(low, high)` to `result = range(low, high + 1)`"
    )


def test_raw_traces_can_be_read_as_fixes_too(tmp_path):
    memory = memory_of(compose(replace(OWN, layers=("traces",), tail=16)), tmp_path, [run_of(BUGS[0])])
    assert (BUGS[0].before, BUGS[0].after) in {(n.before, n.after) for n in parse_edits(recall(memory))}


def test_a_change_of_several_lines_in_a_file_never_read(tmp_path):
    run = run_of(BUGS[0])
    old, new = "    if x:\n        return 1", "    if not x:\n        x = 2\n        return 1"
    edit = {"action": "edit_file", "path": "geometry/new.py", "old": old, "new": new}
    passed = {"action": "run_command", "command": "python -m pytest -q"}
    run.steps = [
        {
            "step": 1,
            "thought": "",
            "action": edit,
            "observation": "[1/30] edit_file geometry/new.py: replaced",
        },
        {
            "step": 2,
            "thought": "",
            "action": passed,
            "observation": "[2/30] run_command: exit code 0\n3 passed",
        },
    ]
    notes = parse_edits(recall(memory_of(compose(OWN), tmp_path, [run])))
    assert [(n.before, n.after) for n in notes] == [("if x:", "if not x:\n    x = 2")]


def steps(*actions: tuple[dict, str]) -> list[dict]:
    return [
        {"step": n, "thought": "", "action": action, "observation": f"[{n}/30] {text}"}
        for n, (action, text) in enumerate(actions, 1)
    ]


def edit(path: str, old: str, new: str) -> tuple[dict, str]:
    return {
        "action": "edit_file",
        "path": path,
        "old": old,
        "new": new,
    }, f"edit_file {path}: replaced 1 occurrence"


def command(text: str, output: str) -> tuple[dict, str]:
    return {"action": "run_command", "command": text}, f"run_command: {output}"


@pytest.mark.parametrize(
    ("actions", "fixes"),
    [
        pytest.param([edit("g/a.py", "a(x)", "b(x)")], [("a(x)", "b(x)")], id="never tested, but solved"),
        pytest.param(
            [edit("tests/test_a.py", "a", "b"), edit("g/a.py", "a(x)", "b(x)")],
            [("a(x)", "b(x)")],
            id="changes of tests are no fixes",
        ),
        pytest.param(
            [
                edit("g/a.py", "a(x)", "b(x)"),
                command("git checkout g/a.py", "exit code 0\nUpdated 1 path"),
                edit("g/a.py", "a(x)", "c(x)"),
            ],
            [("a(x)", "c(x)")],
            id="undone with git",
        ),
        pytest.param(
            [
                edit("g/a.py", "a(x)", "b(x)"),
                command("python -m pytest -q", "exit code 0\n1 passed"),
                edit("g/a.py", "b(x)", "c(x)"),
            ],
            [("a(x)", "c(x)")],
            id="the end of a solved run counts",
        ),
        pytest.param(
            [edit("g/errors.py", "a(x)", "b(x)"), edit("g/errors.py", "y(1)", "z(1)")],
            [("a(x)", "b(x)"), ("y(1)", "z(1)")],
            id="two places of a file never read",
        ),
    ],
)
def test_which_changes_were_in_force(tmp_path, actions, fixes):
    run = run_of(BUGS[0])
    run.steps = steps(*actions, ({"action": "submit"}, "submitted"))
    notes = parse_edits(recall(memory_of(compose(OWN), tmp_path, [run])))
    assert sorted((note.before, note.after) for note in notes) == fixes


def test_runs_that_are_not_learned_from(tmp_path):
    green = run_of(BUGS[0])
    green.reward = 0.9
    for learn_from, expected in (("resolved", False), ("green", True)):
        text = recall(memory_of(compose(replace(OWN, learn_from=learn_from)), tmp_path, [green]))
        assert bool(text) == expected
    failed = run_of(BUGS[0], solved=False)
    for learn_from, expected in (("green", False), ("all", True)):
        source = compose(replace(OWN, layers=("cases",), learn_from=learn_from))
        assert bool(recall(memory_of(source, tmp_path, [failed]))) == expected


@pytest.mark.parametrize(
    ("scope", "own_first", "foreign"), [("project", True, 0), ("project_first", True, 2)]
)
def test_scope(tmp_path, scope, own_first, foreign):
    text = recall(memory_of(compose(replace(OWN, scope=scope)), tmp_path, collected()))
    places = [line.split("`")[1].split("/")[0] for line in text.splitlines()]
    assert places == ["geometry"] * 3 + ["ledger"] * foreign


@pytest.mark.parametrize("rank", ["words", "rare_words", "embedding"])
def test_the_nearest_issue_comes_first(tmp_path, rank):
    runs = [run_of(bug) for bug in BUGS]
    source = compose(replace(OWN, layers=("cases",), scope="all", rank=rank, k=1))
    asked = replace(ASKED[2], function="find_account_entry", task="t99")
    assert "find account gives" in recall(memory_of(source, tmp_path, runs), asked)


def test_merging_keeps_one_of_equal_changes_and_counts_it(tmp_path):
    again = replace(BUGS[0], function="clip_other", path="geometry/other.py")
    runs = [run_of(BUGS[0]), run_of(BUGS[1]), run_of(again)]
    merged = memory_of(compose(replace(OWN, keep="merged", rank="frequent")), tmp_path, runs)
    assert [entry.count for entry in merged.layers["fixes"].database] == [2, 1]
    assert "spans.py" in recall(merged).splitlines()[0]
    every = memory_of(compose(replace(OWN, keep="every")), tmp_path, runs)
    assert len(every.layers["fixes"].database) == 3


def test_k_and_the_threshold_and_the_budget_limit_what_is_shown(tmp_path):
    assert len(recall(memory_of(compose(replace(OWN, k=2)), tmp_path, collected())).splitlines()) == 2
    strict = memory_of(compose(replace(OWN, min_similarity=0.3, rank="rare_words")), tmp_path, collected())
    assert recall(strict, BUGS[1])
    unlike = Basic_Recorder(init={"project": "geometry", "problem_statement": "Nothing alike"})
    assert asyncio.run(strict.general_retrieve(unlike)) == {}
    long = [
        run_of(replace(bug, error="E" * 150, path=f"geometry/m{i}.py")) for i in range(8) for bug in BUGS[:2]
    ]
    text = recall(memory_of(compose(replace(OWN, budget=1500)), tmp_path, long))
    assert 1000 < len(text) <= 1500 and text.splitlines()[-1].endswith("`")


def test_what_the_very_same_issue_taught_is_not_shown(tmp_path):
    memory = memory_of(compose(OWN), tmp_path, [run_of(ASKED[0]), run_of(BUGS[0])])
    assert ASKED[0].path not in recall(memory, ASKED[0])
    assert ASKED[0].path in recall(memory, BUGS[0])


def test_conventions_survive_an_answer_that_is_no_document(tmp_path, monkeypatch):
    memory = memory_of(compose(Params(layers=("conventions",), learn_from="all")), tmp_path, collected())
    kept = recall(memory)
    assert kept
    from evals.utils.hire_agent import Agent

    async def useless(self, text, **_):
        return "Sorry, I cannot help with that."

    monkeypatch.setattr(Agent, "ask", useless)
    asyncio.run(memory.general_update(run_of(BUGS[0])))
    assert recall(memory) == kept


def test_answers_depend_on_messages_and_seed_alone():
    prompt = prompts.scratch_prompt([], "full")
    assert ask(prompt, 1) == ask(prompt, 1)
    assert len({ask(prompt, seed) for seed in range(20)}) > 15
    analysis = prompts.analyze_prompt(case(compose(OWN)), "full")
    assert ask(analysis, 1) == ask(analysis, 1) != ask(analysis, 2)


def test_hints_shift_what_a_first_design_is_about():
    def share(hints: str) -> float:
        points = [recover(extract_code(ask(prompts.scratch_prompt([], hints), s))) for s in range(60)]
        return sum(p.learn_from == "resolved" for p in points) / 60

    assert share("full") > share("none") + 0.12


def test_the_same_parent_leads_to_many_places():
    children = set()
    for seed in range(30):
        analysis = json.loads(ask(prompts.analyze_prompt(case(compose(OWN)), "none"), seed))
        children.add(extract_code(ask(prompts.generate_prompt(case(compose(OWN)), analysis, "none"), seed)))
    assert len(children) > 15 and compose(OWN) not in children


def test_a_design_already_tried_is_never_written_again():
    point = OWN.canonical()
    near = [compose(p) for _, _, p in neighbours(point)]
    tried = [prompts.Tried(content_sha(s), "ok", 0.5, first_sentence(s)) for s in [compose(point), *near]]
    for seed in range(20):
        prompt = prompts.generate_prompt(case(compose(point), tried=tried), {"suggested_changes": []}, "none")
        assert content_sha(extract_code(ask(prompt, seed))) not in {t.sha for t in tried}


def test_generate_follows_the_analysis():
    wanted = [("Set `k` from `32` to `4`", "k", 4), ("Add the layer `cases`", "layers", ("fixes", "cases"))]
    for what, name, value in wanted:
        analysis = {"suggested_changes": [{"priority": "high", "what": what, "why": "w"}]}
        hits = 0
        for seed in range(20):
            source = extract_code(ask(prompts.generate_prompt(case(compose(OWN)), analysis, "none"), seed))
            hits += getattr(recover(source), name) == value
        assert hits >= 17


def test_sentences_of_another_model_are_understood_where_they_can_be():
    point = replace(OWN, scope="all", k=8, keep="every")
    assert follow(point, "Restrict retrieval to notes from the same project.").scope == "project"
    assert follow(point, "Show fewer notes, the memory is too long").k == 4
    assert follow(point, "Deduplicate the stored notes").keep == "merged"
    assert follow(point, "Use embeddings for the semantic match").rank == "embedding"
    assert follow(point, "Paint it blue") == point


def test_analysis_fits_the_schema_for_every_baseline():
    for path in BASELINES:
        for examples in ((), [example()], [example(memory="- In `ledger/a.py`: changed `x` to `y(x)`")]):
            answer = json.loads(ask(prompts.analyze_prompt(case(path.read_text(), examples), "full")))
            jsonschema.validate(answer, prompts.ANALYSIS_SCHEMA)
            assert 1 <= len(answer["suggested_changes"]) <= 5


def test_analysis_answers_to_what_the_trajectories_show():
    tight = compose(replace(OWN, min_similarity=0.3, rank="words"))
    assert "high: Set `min_similarity` from `0.3` to `0.2`" in changes(tight, [example(), example()])
    mixed = compose(replace(OWN, scope="all"))
    foreign = example(memory="- In `ledger/a.py` `f`: t failed; fixed by changing `x` to `g(x)`")
    assert "high: Set `scope` from `all` to `project" in changes(mixed, [foreign, foreign])
    long = example(memory="- In `geometry/a.py` `f`: t failed; fixed by changing `x` to `total(x)`\n" * 80)
    assert "Set `budget` from `12000` to `6000`" in changes(compose(OWN), [long, long])
    prose = example(memory="Be careful and read the tests first.")
    traces = compose(replace(OWN, layers=("conventions", "traces")))
    assert "high: Replace the layer `traces` by `fixes`" in changes(traces, [prose])
    assert "high: Set `learn_from` from `green` to `resolved`" in changes(compose(OWN), [foreign], reward=0.6)
    used = example(
        memory="- In `geometry/a.py`: fixed by changing `x` to `total(x)`",
        steps='{"action": "edit_file", "path": "geometry/a.py", "old": "y", "new": "total(y)"}',
    )
    assert "medium: Set `k` from `2` to `4`" in changes(compose(replace(OWN, k=2)), [used], reward=0.8)


def test_analysis_learns_from_the_last_change_and_from_the_archive():
    parent = compose(replace(OWN, k=8))
    better = prompts.Origin("11112222", parent, {}, 0.03)
    assert "medium: Set `k` from `16` to `32`" in changes(compose(replace(OWN, k=16)), origin=better)
    worse = prompts.Origin("11112222", parent, {}, -0.03)
    assert "medium: Set `k` from `16` to `8`" in changes(compose(replace(OWN, k=16)), origin=worse)
    tried = [
        prompts.Tried(f"{n:08x}", "ok", reward, replace(OWN, rank=rank, k=k).canonical().summary())
        for n, (rank, k, reward) in enumerate(
            [("words", 4, 0.6), ("words", 8, 0.6), ("recent", 4, 0.8), ("recent", 8, 0.8)]
        )
    ]
    assert "medium: Set `rank` from `words` to `recent`" in changes(compose(OWN), tried=tried)


def test_a_broken_copy_of_a_composed_design_is_restored():
    broken = compose(OWN).replace("def final_edits(", "def final_edits((")
    reply = ask(prompts.repair_prompt(broken, "SyntaxError: '(' was never closed", [], "none"))
    assert extract_code(reply) == compose(OWN)


@pytest.mark.parametrize(
    ("point", "error", "gone"),
    [
        (replace(OWN, rank="embedding"), "File x, in relevance\nValueError: Embedding failed", "Embedding"),
        (replace(OWN, layers=("fixes", "conventions")), "RequestRejected: Agent was refused", "Agent"),
        (replace(OWN, layers=("cases", "fixes")), "in update\nclass CasesLayer: KeyError", "CasesLayer"),
        (replace(OWN, layers=("traces",)), "TypeError: anything", "TracesLayer"),
    ],
)
def test_a_design_that_fails_as_composed_loses_what_failed(point, error, gone):
    source = compose(point)
    fixed = extract_code(ask(prompts.repair_prompt(source, error, [], "none")))
    assert gone in source and gone not in fixed and source_problem(fixed) is None


def test_a_missing_import_in_a_design_of_another_hand_is_added():
    head = '"""Own."""\nfrom agents.memo_structure import MemoStructure\n\n\n'
    source = f'{head}class M(MemoStructure):\n    x = re.compile("a")\n'
    fixed = extract_code(
        ask(prompts.repair_prompt(source, "NameError: name 're' is not defined", [], "none"))
    )
    assert fixed == source.replace("from agents", "import re\nfrom agents", 1)


@pytest.mark.parametrize("source", ["", "def (", "I am sorry.", "x = 1\n", "class M(MemoStructure:\n"])
def test_whatever_is_handed_over_for_repair_comes_back_as_a_design(source):
    fixed = extract_code(ask(prompts.repair_prompt(source, "SyntaxError: invalid syntax", [], "none")))
    assert source_problem(fixed) is None and is_composed(fixed)


def test_a_repeated_source_is_answered_with_another():
    error = "This is exactly the source of 11112222. It must differ from the designs tried."
    fixed = extract_code(ask(prompts.repair_prompt(compose(OWN), error, [], "none")))
    assert fixed != compose(OWN) and source_problem(fixed) is None


def test_where_the_baselines_stand_is_guessed():
    guessed = {p.stem.removeprefix("memo_structure_"): recover(p.read_text()) for p in BASELINES}
    assert "conventions" in guessed["claude_md"].layers
    assert not any(is_composed(p.read_text()) for p in BASELINES)


def test_an_unknown_purpose_is_refused():
    with pytest.raises(ValueError, match="unknown purpose 'act'"):
        design("act", [{"role": "user", "content": "x"}], None, 1)
