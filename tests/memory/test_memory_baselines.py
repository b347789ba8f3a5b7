"""The baseline designs, run on recorded runs with the offline model behind a real gateway."""

import difflib
from pathlib import Path

import pytest

from core.gateway.offline.notes import parse_edits
from evals.eval_envs.base_envs import Basic_Recorder
from tests.memory import runs

FOLDER = Path(__file__).parents[2] / "memo_archive" / "baseline"


def recorder(project="mathlib", issue="variance is wrong", steps=(), reward=1.0):
    return Basic_Recorder({"project": project, "problem_statement": issue, "files": []}, list(steps), reward)


LOWER = runs.small_fix("shop/names.py", "add", "key = name", "key = name.lower()")


async def learned(design):
    await design.general_update(recorder(steps=runs.solved()))
    await design.general_update(recorder("shop", "names differ in case", LOWER))
    await design.general_update(recorder(issue="again", steps=runs.failed(), reward=0.5))
    return design


def text_of(memory):
    return "\n".join(memory.values())


def test_no_memory_gives_and_keeps_nothing(load_baseline, with_gateway):
    design = load_baseline("no_mem").NoMemory()

    async def work():
        await learned(design)
        return await design.general_retrieve(recorder())

    assert with_gateway(work()) == {}


@pytest.mark.parametrize("name, cls", [("claude_md", "ClaudeMd"), ("claude_md_seeded", "ClaudeMdSeeded")])
def test_the_document_carries_the_fixes_own_project_first(load_baseline, with_gateway, name, cls):
    design = getattr(load_baseline(name), cls)()
    seed = design.conventions.database

    async def work():
        await learned(design)
        return [await design.general_retrieve(recorder(p, steps=[], reward=0)) for p in ("shop", "mathlib")]

    shop, mathlib = with_gateway(work())
    for memory in (shop, mathlib):
        text = text_of(memory)
        assert [(n.before, n.after) for n in parse_edits(text)].count(runs.FIX) == 1
        assert "- Not fixed (reward 0.50)" in text
        assert all(line in text for line in seed.split("\n"))
    assert text_of(shop).startswith("## Project: shop")
    assert text_of(mathlib).startswith("## Project: mathlib")


def test_a_bad_reply_never_wipes_the_document(load_baseline):
    layer = load_baseline("claude_md").ClaudeMd().conventions
    layer.accept("```markdown\n# Conventions\n- one\n- two\n- three\n```")
    kept = layer.database
    assert kept == "# Conventions\n- one\n- two\n- three"
    for reply in ("", "   ", "I cannot help with that.", "- one", "```\n```"):
        layer.accept(reply)
        assert layer.database == kept
    layer.accept(kept + "\n- four")
    assert layer.database.endswith("- four")


def test_the_retrieved_document_is_bounded(load_baseline, with_gateway):
    design = load_baseline("claude_md").ClaudeMd()
    design.conventions.database = "".join(
        f"## Project: p{i}\n" + f"- note of p{i}\n" * 100 for i in range(20)
    )

    async def work():
        return await design.general_retrieve(recorder("p17"))

    text = text_of(with_gateway(work()))
    assert len(text) <= 12_000 and text.startswith("## Project: p17\n")
    assert text.split("\n")[-1].startswith("- note of p")


def test_the_seed_has_the_length_it_had_and_teaches_no_edit(load_baseline):
    module = load_baseline("claude_md_seeded")
    assert len(module.SEED) == 1_986
    assert parse_edits(module.SEED) == []
    assert [line[0] for line in module.SEED.split("\n") if line[:1].isdigit()] == list("1234567")


def test_the_seeded_variant_differs_in_its_seed_only(load_baseline):
    plain = (FOLDER / "memo_structure_claude_md.py").read_text()
    seeded = (FOLDER / "memo_structure_claude_md_seeded.py").read_text()
    seeded = seeded.replace(load_baseline("claude_md_seeded").SEED, "")
    changed = [
        line
        for line in difflib.ndiff(plain.split("\n"), seeded.split("\n"))
        if line[0] in "+-" and line[2:].strip()
    ]
    assert len(changed) == 8  # the docstring, SEED, its use, the class's name


def test_the_most_similar_trajectory_is_handed_over(load_baseline, with_gateway):
    design = load_baseline("trajectory_retrieval").TrajectoryRetrieval()

    async def work():
        empty = await design.general_retrieve(recorder())
        await learned(design)
        close = await design.general_retrieve(recorder(issue="the variance of two numbers is wrong"))
        own = await design.general_retrieve(recorder("shop", "names differ in case"))
        far = await design.general_retrieve(recorder("zoo", "giraffes look too small on photographs"))
        return empty, close, own, far

    empty, close, own, far = with_gateway(work())
    assert empty == far == {}
    assert [(n.before, n.after) for n in parse_edits(text_of(close))] == [runs.FIX]
    assert "names differ in case" not in text_of(own)


def test_a_long_trajectory_keeps_its_end(load_baseline):
    run = runs.Run().red()
    for number in range(30):
        run.edit("a.py", f"x = {number}", f"x = {number + 1}  # {'long ' * 100}").red()
    record = load_baseline("trajectory_retrieval").record_of(
        recorder(steps=run.edit("b.py", "p", "q").green().steps)
    )
    assert len(record) < 13_000 and '"new": "q"' in record and "steps" in record
