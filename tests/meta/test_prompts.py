from __future__ import annotations

import ast
import random

import jsonschema
import pytest

from core import meta_agent_prompt as prompts
from core.examples import clip, sample_examples
from core.gateway.offline.design.reading import read_situation, sections
from core.hypotheses import Compared
from core.meta_agent_past import Child, Tried, children_section, first_sentence, tried_section
from core.meta_agent_reply import HYPOTHESIS_CHARS, extract_code
from evals.contract import Episode
from evals.eval_envs.base_envs import Basic_Recorder

from .runs import ASKED, start_of, steps_of

SOURCE = '"""Keeps `x`.\n\n```text\nfence inside\n```\n"""\n# Score\nx = 1\n'


def episodes(n: int = 12, phase: str = "retrieve") -> list[Episode]:
    bug = ASKED[0]
    return [
        Episode(
            task=f"t{i}",
            phase=phase,
            repeat=1,
            reward=i / (n - 1),
            resolved=i == n - 1,
            init=start_of(bug).init,
            memory_retrieved={"notes": f"note {i}"},
            trajectory=steps_of(bug, solved=False),
            infra_error="outage" if i % 3 == 0 else None,
        )
        for i in range(n)
    ]


def case(**changes) -> prompts.Case:
    values = {
        "sha": "abcd1234",
        "source": SOURCE,
        "reward": 0.7,
        "reward_se": 0.03,
        "resolved": 0.4,
        "tasks": 14,
        "no_memo_reward": 0.65,
        "origin": prompts.Origin("11112222", "y = 2\n", {"suggested_changes": []}, -0.02),
        "examples": sample_examples(episodes(), random.Random(1)),
        "tried": [
            prompts.Tried("11112222", "ok", 0.72, "Old."),
            prompts.Tried("33334444", "design_error", None, "Bad."),
        ],
    }
    return prompts.Case(**{**values, **changes})


def test_what_a_prompt_says_can_be_read_back():
    seen = read_situation(prompts.generate_prompt(case(), {"suggested_changes": [1]}, "full").user)
    assert (seen.sha, seen.source, seen.reward, seen.no_memo_reward) == ("abcd1234", SOURCE, 0.7, 0.65)
    assert seen.analysis == {"suggested_changes": [1]}
    assert [(t.sha, t.reward) for t in seen.tried] == [("11112222", 0.72), ("33334444", None)]
    seen = read_situation(prompts.analyze_prompt(case(), "full").user)
    assert (seen.parent_source, seen.change) == ("y = 2\n", -0.02)
    assert len(seen.episodes) == len(case().examples)
    assert seen.episodes[0].project == "geometry" and seen.episodes[0].memory.startswith("note ")
    assert "edit_file" in seen.episodes[0].steps
    seen = read_situation(prompts.repair_prompt(SOURCE, "Traceback\nValueError: x", [], "none").user)
    assert (seen.source, seen.error) == (SOURCE, "Traceback\nValueError: x")


def test_hints_are_stripped_and_the_interface_never():
    full, bare = prompts.system_prompt("full"), prompts.system_prompt("none")
    assert full.startswith(bare)
    for block in prompts.HINTS.values():
        assert block in full and block not in bare
    for name, field in Basic_Recorder.__dataclass_fields__.items():
        assert f"- `{name}` ({field.metadata['type']}): {field.metadata['description']}" in bare
    assert "class MemoStructure(ABC):" in bare and "async def general_retrieve" in bare


def test_hints_reach_every_prompt_only_when_asked_for():
    for hints in ("full", "none"):
        for prompt in (
            prompts.analyze_prompt(case(), hints),
            prompts.generate_prompt(case(), {}, hints),
            prompts.scratch_prompt([], hints),
            prompts.repair_prompt("x", "y", [], hints),
        ):
            assert (prompts.TASK_HINT in prompt.system) == (hints == "full")
            assert prompts.TASK_HINT not in prompt.user


def test_the_interface_shown_is_a_design_a_file_can_be_built_on():
    code = next(
        text for section in sections(prompts.interface()) for language, text in section.blocks if language
    )
    assert {node.name for node in ast.parse(code).body} == {"Sub_memo_layer", "MemoStructure"}


def test_prompts_are_bounded_however_long_trajectories_are():
    long = episodes()
    for episode in long:
        episode.memory_retrieved = {"a": "m" * 100_000}
        episode.trajectory = [
            {"step": i, "action": {"action": "x" * 9000}, "observation": "y" * 9000} for i in range(90)
        ]
    examples = sample_examples(long, random.Random(1))
    assert len(prompts.trajectories(examples)) < 1.2 * prompts.TRAJECTORIES_CHARS


def test_many_tried_designs_are_all_named():
    many = [prompts.Tried(f"{i:08x}", "ok", 0.5, "n" * 100) for i in range(200)]
    seen = read_situation(prompts.scratch_prompt(many, "none").user)
    assert seen.shas == {t.sha for t in many}
    assert len(tried_section(many)) < 8000


def test_the_best_designs_are_told_in_detail_however_long_ago_they_were_tried():
    many = [prompts.Tried(f"{i:08x}", "ok", 0.9 if i == 3 else 0.5, f"note {i}.") for i in range(100)]
    text = tried_section(many)
    assert "- 00000003 (reward 0.9000): note 3." in text and "note 99." in text and "note 50." not in text


HUGE = "\n".join(f"line{i} = '{'y' * 60}'" for i in range(5_000))
MEANT = {"hypothesis": "h" * HYPOTHESIS_CHARS, "compared": Compared("not decided", -0.123456, 9999, 0.123456)}


def test_no_archive_makes_a_prompt_longer_than_it_may_be():
    """Thousands of designs, all with sources, notes and errors without measure; and each hides code fences."""
    source = '"""' + "word " * 9000 + '."""\n' + HUGE + "\n" + "`" * 50
    long = episodes(30)
    for episode in long:
        episode.init = {"project": "p", "problem_statement": "s" * 90_000}
        episode.memory_retrieved = {"a": "m" * 100_000}
        step = {"step": 1, "action": {"action": "x" * 9000}, "observation": "y" * 9000}
        episode.trajectory = [step] * 90
    ideas = [prompts.Tried(f"{i:08x}", "ok", i % 97 / 97, "n" * 5000, **MEANT) for i in range(5000)]
    ideas += [prompts.Tried(f"{i:08x}", "turned down", None, "e" * 5000) for i in range(5000)]
    children = [Child(f"{i:08x}", source, i / 4000, **MEANT) for i in range(2000)]
    children += [Child(f"{i:08x}", HUGE[: 30_000 + i], 1 + i / 4000, **MEANT) for i in range(10)]
    big = case(
        source=HUGE[:35_000],
        tried=ideas,
        children=children,
        examples=sample_examples(long, random.Random(1)),
        origin=prompts.Origin("1" * 8, source, {"suggested_changes": ["c" * 90_000]}, -0.02, **MEANT),
        second=prompts.Second("2" * 8, source, 0.5, 0.5, {"t" * 500 + str(i): 0.5 for i in range(500)}),
    )
    analysis = {"suggested_changes": ["c" * 500_000]}
    for prompt in (
        prompts.analyze_prompt(big, "full"),
        prompts.generate_prompt(big, analysis, "full"),
        prompts.scratch_prompt(ideas, "full"),
        prompts.repair_prompt(source, "e" * 90_000, ideas, "full"),
    ):
        # The system message is lengthened by two sentences before it is sent.
        assert len(prompt.system) + len(prompt.user) < prompts.PROMPT_CHARS - 2000
    sizes = [len(p.user) for p in (prompts.analyze_prompt(big, "full"), prompts.analyze_prompt(big, "none"))]
    assert sizes[0] == sizes[1] > 100_000


def test_of_many_rewrites_the_best_and_the_worst_are_shown_with_what_they_changed():
    before = "a = 1\nb = 2\nc = 3\n"
    children = [Child(f"{i:08x}", before.replace("2", str(i + 20)), i / 10, f"try {i}") for i in range(12)]
    text = children_section("parent", before, children)
    shown = [line.split()[2].rstrip(":") for line in text.split("\n") if line.startswith("## Rewrite")]
    assert shown == [f"{i:08x}" for i in (11, 10, 9, 2, 1, 0)]
    assert "Hypothesis: try 11\n" in text and "-b = 2\n+b = 31" in text and "try 5" not in text
    assert children_section("parent", before, children[:4]).count("## Rewrite") == 4


def test_examples_come_from_three_bins_and_from_failures_and_only_from_the_retrieve_phase():
    chosen = sample_examples([*episodes(30), *episodes(30, "update")], random.Random(1))
    failed = [e for e in chosen if e["error"]]
    rewards = [e["reward"] for e in chosen if not e["error"]]
    assert len(failed) == 3
    assert [sum(low <= r < high for r in rewards) for low, high in ((0, 0.33), (0.33, 0.66), (0.66, 2))] == [
        3,
        3,
        3,
    ]
    assert sample_examples(episodes(5, "update"), random.Random(1)) == []


def test_the_sample_does_not_depend_on_the_order_of_finishing():
    shuffled = episodes(30)
    random.Random(2).shuffle(shuffled)
    assert sample_examples(shuffled, random.Random(1)) == sample_examples(episodes(30), random.Random(1))


def test_clip_keeps_both_ends_and_says_what_is_missing():
    assert clip("abc", 3) == "abc"
    assert clip("a" * 50 + "z" * 50, 9) == "a" * 6 + "\n[... 91 characters left out ...]\nzzz"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        ("Here:\n```python\nx = 1\n```\nand\n```python\ny = 2\n```", "x = 1\n"),
        ("```py\nx = 1\n\n\n```", "x = 1\n"),
        ("```json\n{}\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("x = 1", "x = 1\n"),
        ("I cannot do that.", None),
        ("", None),
        ("```python\n\n```", None),
        ("```python\nx = 1", "x = 1\n"),
        (
            '```python\nx = """\n```\ninner\n```\n"""\ny = 2\n```\nbye',
            'x = """\n```\ninner\n```\n"""\ny = 2\n',
        ),
        ("````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''\n"),
        ("```python\ndef broken(:\n```", "def broken(:\n"),
    ],
)
def test_code_is_extracted(reply, code):
    assert extract_code(reply) == code


def test_the_analysis_schema_is_valid_and_strict():
    jsonschema.Draft202012Validator.check_schema(prompts.ANALYSIS_SCHEMA)
    assert set(prompts.ANALYSIS_SCHEMA["required"]) == set(prompts.ANALYSIS_SCHEMA["properties"])


def test_first_sentence():
    assert first_sentence('"""Keeps one\nthing. And more."""\n') == "Keeps one thing."
    assert first_sentence("x = 1\n") == "(no description)"


def test_size_of_memory_and_the_end_of_a_race_are_shown_and_the_line_can_still_be_read():
    judged = "reject: worse, p 0.010: -0.2 against its parent on 9 of 27 tasks (0 up, 9 down)"
    tried = tried_section([Tried("abcd1234", "ok", 0.5, "A note.", None, None, judged, 321.4)])
    assert judged in tried and "321 tokens" in tried
    read = read_situation(tried).tried
    assert [(one.sha, one.reward) for one in read] == [("abcd1234", 0.5)]
    shown = children_section("p", "a\n", [Child("abcd1234", "b\n", -0.2, None, None, judged, 321.4)])
    assert judged in shown and "tokens of memory text, mean: 321\n" in shown


def test_what_designs_are_judged_by_is_shown_and_orders_them():
    """By worth, which with a price is not the reward."""
    cheap = Child("aaaa1111", "x = 2\n", 0.00, memory_tokens=100, usd=0.01, worth=0.0)
    dear = Child("bbbb2222", "x = 3\n", 0.02, memory_tokens=4000, usd=0.25, worth=-1.0)
    second = prompts.Second("cccc3333", "x = 4\n", 0.5, 0.5, {"t": 0.25}, 300, 0.0625)
    shown = case(children=[dear, cheap], memory_tokens=900, usd=0.125, second=second)
    text = prompts.analyze_prompt(shown, "none").user
    assert text.index("## Rewrite aaaa1111") < text.index("## Rewrite bbbb2222")
    for tokens, usd in ((100, 0.01), (4000, 0.25), (900, 0.125), (300, 0.0625)):
        line = f"tokens of memory text, mean: {tokens}\nUSD of all model calls of a run: {usd:.6f}"
        assert text.count(line) == 1
    many = [
        prompts.Tried(f"{i:08x}", "ok", i / 100, "N.", memory_tokens=5, usd=0.5, worth=-float(i))
        for i in range(40)
    ]
    listed = prompts.scratch_prompt(many, "none").user
    assert "- 00000000 (" in listed and "- 00000010 (" not in listed  # of the older ones the worthiest
    assert "Memory text: 5 tokens. A run costs 0.500000 USD." in listed
