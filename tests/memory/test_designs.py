"""What is peculiar to each design, run on recorded runs with the offline model behind a real gateway."""

import asyncio
import re

import pytest

from core.gateway.offline.notes import parse_edits
from evals.agents.base import count_tokens
from evals.eval_envs.base_envs import Basic_Recorder
from tests.memory import runs

CASE = ("key = name", "key = name.lower()")


def recorder(project="mathlib", issue="variance is wrong", steps=(), reward=1.0, shown=None):
    init = {
        "project": project,
        "problem_statement": issue,
        "files": ["a.py"],
        "test_command": "python -m pytest -q",
    }
    return Basic_Recorder(init, list(steps), reward, shown or {})


def solved(**kwargs):
    return recorder(steps=runs.solved(), **kwargs)


def failed(issue="the sum of squares is wrong", **kwargs):
    return recorder(issue=issue, steps=runs.failed(), reward=0.5, **kwargs)


def shop(number=0, issue="names of the shop differ in upper and lower case", **kwargs):
    steps = runs.small_fix(f"shop/part{number}.py", f"put{number}", *CASE)
    return recorder("shop", f"{issue} {number}", steps, **kwargs)


def asked(project="shop", issue="names of the shop differ in upper case"):
    return recorder(project, issue, reward=0.0)


def text_of(memory):
    return "\n".join(memory.values())


def edits(memory):
    return [(note.before, note.after) for note in parse_edits(text_of(memory))]


async def learn(design, *recorders):
    for one in recorders:
        await design.general_update(one)
    return design


FIELD = {
    "memory_bank": "MemoryBank",
    "rag_codebase": "RagCodebase",
    "reasoning_bank": "ReasoningBank",
    "dynamic_cheatsheet": "DynamicCheatsheet",
    "ace": "Ace",
    "g_memory": "GMemory",
    "a_mem": "AMem",
    "memrl": "MemRL",
    "expel": "ExpeL",
    "awm": "AgentWorkflowMemory",
}


@pytest.fixture
def make(load_baseline):
    """A new memory of a design, and its module."""

    def make(name, cls=None):
        module = load_baseline(name)
        return getattr(module, cls or FIELD[name])(), module

    return make


@pytest.mark.parametrize("name", FIELD)
def test_an_earlier_fix_of_the_project_is_handed_over_and_an_empty_memory_hands_out_nothing(
    make, with_gateway, name
):
    design, _ = make(name)

    async def work():
        empty = await design.general_retrieve(asked())
        await learn(design, solved(), shop(), failed())
        return empty, await design.general_retrieve(asked())

    empty, memory = with_gateway(work())
    assert empty == {}
    assert CASE in edits(memory)
    assert all(isinstance(value, str) and value for value in memory.values())


@pytest.mark.parametrize("name", FIELD)
def test_what_was_tried_in_vain_is_never_handed_over_as_a_fix(make, with_gateway, name):
    design, _ = make(name)

    async def work():
        await learn(design, failed())
        return await design.general_retrieve(asked("mathlib", "the sum of squares is too small"))

    assert edits(with_gateway(work())) == []


@pytest.mark.parametrize("name", [*FIELD, "claude_md", "reflexion"])
def test_thirty_concurrent_updates_and_retrievals_lose_nothing(make, with_gateway, name):
    """A design that reads its state, waits for the model and writes overwrites what others wrote meanwhile: without its
    lock, ``claude_md``, ``dynamic_cheatsheet``, ``memory_bank``, ``expel``, ``g_memory`` and ``a_mem`` fail here. The
    others read and write in one step."""
    design, _ = make(name, {"claude_md": "ClaudeMd", "reflexion": "Reflexion"}.get(name))
    own = [failed(f"sum {n} is wrong") if name == "reflexion" else shop(n) for n in range(20)]

    async def work():
        await asyncio.gather(
            *(design.general_update(one) for one in own),
            *(design.general_retrieve(asked(issue=f"names {n} differ in case")) for n in range(30)),
        )
        return design

    with_gateway(work())
    assert kept(name, design) == (3 if name == "reflexion" else 20)


def kept(name, design):
    """How many of the twenty tasks a memory still knows of."""
    match name:
        case "claude_md":
            return design.conventions.database.count("- In `shop/part")
        case "memory_bank":
            return design.files["progress"].database["shop"].count("- solved")
        case "rag_codebase":
            return len(design.patterns.database)
        case "reasoning_bank":
            return len(design.bank.items)
        case "dynamic_cheatsheet":
            return design.sheet.database.count("- In `shop/part")
        case "ace":  # one bullet, and every further run confirms it
            return 1 + design.playbook.database[0].helpful
        case "g_memory":  # one insight: 2 at first, one more for each of the others
            return design.insights.database[1]["score"] - 1
        case "expel":
            return design.insights.database[1]["count"] - 1
        case "a_mem":
            return len(design.notes.notes)
        case "memrl":
            return len(design.episodes.entries)
        case "awm":
            return len(design.workflows.database["shop"])
        case "reflexion":
            return len(design.reflections.database["mathlib"])


def test_memory_bank_keeps_five_files_with_their_own_roles_for_each_project(make, with_gateway):
    design, module = make("memory_bank")

    async def work():
        await learn(design, solved(), shop(), failed())
        return [await design.general_retrieve(asked(p)) for p in ("mathlib", "shop", "zoo")]

    mathlib, shop_files, zoo = with_gateway(work())
    assert list(mathlib) == list(module.ROLES) and len(module.ROLES) == 5 and zoo == {}
    assert len(set(mathlib.values())) == 5
    assert runs.FIX in edits({"": mathlib["system_patterns"]})
    assert "python -m pytest -q" in mathlib["tech_context"] and "`" not in mathlib["progress"]
    assert mathlib["progress"].split("\n") == [
        "- solved: variance is wrong",
        "- not solved (reward 0.50): the sum of squares is wrong",
    ]
    assert "mathlib" not in text_of(shop_files)
    layer = design.files["progress"]
    before = dict(layer.database)
    for reply in (None, "", 7, "- x"):
        layer.accept("mathlib", reply)
    assert layer.database == before
    layer.accept("mathlib", "# Log\n" + "".join(f"- entry {n}\n" for n in range(2_000)))
    file = layer.database["mathlib"]
    assert len(file) <= module.FILE_CHARACTERS and file.startswith("# Log") and file.endswith("- entry 1999")


def test_rag_stores_net_changes_of_solved_runs_only(make):
    _, module = make("rag_codebase")
    run = runs.Run().red().edit("a.py", "x = 1", "x = 2").red()
    run.edit("a.py", "x = 2\ny = f(x)", "x = 1\ny = g(x)").edit("b.py", "p", "q", refused=True).green()
    [change] = module.changes_of(recorder(steps=run.steps))
    assert parse_edits(change)[0].before == "y = f(x)" and parse_edits(change)[0].after == "y = g(x)"


def test_reasoning_bank_draws_lessons_from_failures_too_and_only_appends(make, with_gateway):
    design, module = make("reasoning_bank")

    async def work():
        await learn(design, solved(), failed())
        first = {task: list(items) for task, items in design.bank.items.items()}
        await learn(design, solved(issue="variance again"))
        return first, await design.general_retrieve(asked("mathlib", "the sum of squares is too small"))

    first, memory = with_gateway(work())
    assert len(design.bank.items) == 3 and {t: design.bank.items[t] for t in first} == first
    assert all(set(item) == {"title", "description", "content"} for items in first.values() for item in items)
    assert "Not fixed" in text_of(memory)
    assert text_of(memory).count("# ") <= module.TASKS * module.ITEMS_PER_TASK


def test_dynamic_cheatsheet_survives_garbage_and_keeps_its_size(make):
    design, module = make("dynamic_cheatsheet")
    layer = design.sheet
    layer.accept("Here it is:\n<cheatsheet>\n- one\n- two\n- three\n</cheatsheet> done")
    assert layer.database == "- one\n- two\n- three"
    for reply in (
        "",
        None,
        {"error": "no JSON"},
        "I cannot help with that.",
        "<cheatsheet>",
        "<cheatsheet></cheatsheet>",
        "<cheatsheet>(empty)</cheatsheet>",
        "</cheatsheet>- one\n- two\n- three\n- four<cheatsheet>",
        "- one\n- two\n- three\n- four",
        "<cheatsheet>- one</cheatsheet>",
    ):
        layer.accept(reply)
        assert layer.database == "- one\n- two\n- three"
    layer.accept("<cheatsheet>" + "".join(f"- entry {n} of many\n" for n in range(2_000)) + "</cheatsheet>")
    assert 2_400 < len(layer.database.split()) <= module.WORDS and layer.database.startswith("- entry 0 ")


def test_ace_moves_counters_by_deltas_and_never_rewrites(make, with_gateway):
    design, module = make("ace")

    async def work():
        await learn(design, shop(0), solved())
        before = [(b.id, b.text) for b in design.playbook.database]
        await learn(design, shop(1))
        # The agent was led astray: it tried what a bullet advises, and failed.
        run = runs.Run().red().read("shop/x.py", "def put(name):\n    key = name\n    return key\n")
        astray = recorder("shop", "z", run.edit("shop/x.py", *CASE).red().submit().steps, 0.5)
        await learn(design, astray)
        return before, await design.general_retrieve(asked())

    before, memory = with_gateway(work())
    after = design.playbook.database
    assert [(b.id, b.text) for b in after][:2] == before
    assert (after[0].helpful, after[0].harmful) == (1, 1) and (after[1].helpful, after[1].harmful) == (0, 0)
    assert f"[{after[0].id}] helpful=1 harmful=1 :: In `shop/part0.py`" in text_of(memory)

    layer = module.PlaybookLayer()
    layer.add("s", "always strip the key before it is compared with another one")
    layer.add("s", "always strip the key before it is compared with another  one")
    assert [(b.helpful, b.id) for b in layer.database] == [(1, "b-00001")]
    for number in range(400):
        layer.add("s", f"lesson {number} about module_{number}: " + f"word{number} " * 12)
    layer.tag("b-00002", "harmful")
    layer.tag("b-00001", "neutral")
    layer.fit()
    assert len(asyncio.run(layer.retrieve())) <= module.PLAYBOOK_CHARACTERS
    ids = [b.id for b in layer.database]
    assert "b-00001" in ids and "b-00002" not in ids and "b-00401" in ids


def test_g_memory_scores_insights_drops_them_at_zero_and_links_close_tasks(make, with_gateway):
    design, module = make("g_memory")

    async def work():
        await learn(design, shop(0), solved(), shop(1), failed())
        return await design.general_retrieve(asked())

    memory = with_gateway(work())
    insights = design.insights
    assert insights.database[1]["score"] == 3 and insights.database[1]["tasks"] == [0, 2]
    assert insights.database[2]["score"] == 2
    graph = design.queries.graph
    assert graph.has_edge(0, 2) and not graph.has_edge(0, 1) and graph[0][2]["cosine"] > module.EDGE
    assert memory["insights"].startswith("- In `shop/part0.py`")
    assert (
        memory["successful_runs"].count("Reward: 1.0") == 2 and memory["failed_run"].count("Reward: 0.5") == 1
    )

    def operate(*operations):
        rows = [{"operation": kind, "id": id, "text": text} for kind, id, text in operations]
        asyncio.run(insights.update(operations=rows, task=9))

    operate(("REMOVE", 2, ""), ("AGREE", 99, ""), ("EDIT", 1, "better"), ("ADD", 0, " "))
    assert insights.database[2]["score"] == 1 and insights.database[1] == {
        "text": "better",
        "score": 4,
        "tasks": [0, 2, 9],
    }
    operate(("REMOVE", 2, ""))
    assert 2 not in insights.database


def test_a_mem_links_notes_and_rewrites_its_neighbours(make, with_gateway):
    design, _ = make("a_mem")

    async def work():
        await learn(design, shop(0), solved())
        before = design.notes.notes["n1"].context
        await learn(design, shop(1))
        stored = design.notes.database.get(ids=["n1"])["documents"][0]
        far = await design.general_retrieve(asked("shop", "put0 differs"))
        return before, stored, far

    before, stored, far = with_gateway(work())
    notes = design.notes.notes
    assert notes["n3"].links[0] == "n1" and notes["n1"].links[-1] == "n3"
    assert notes["n1"].context != before and notes["n1"].context in stored  # embedded again as it now is
    assert text_of(far).count("- In `shop/part") == 2


def test_a_mem_follows_links_beyond_the_nearest(make, monkeypatch):
    design, module = make("a_mem")
    layer = design.notes
    layer.notes = {f"n{i}": module.Note(f"note {i}", "context", [], []) for i in range(4)}
    layer.notes["n0"].links = ["n3", "n1"]
    monkeypatch.setattr(layer, "nearest", lambda query: asyncio.sleep(0, ["n0", "n1"]))
    text = asyncio.run(layer.retrieve(query="x"))
    assert re.findall(r"note (\d)", text) == ["0", "1", "3"]


def test_memrl_moves_the_value_of_what_was_handed_out_and_ranks_by_it(make, with_gateway):
    design, module = make("memrl")
    entries = design.episodes.entries

    async def work():
        await learn(
            design, shop(0), shop(1), recorder("shop", "names 2 differ in upper case", runs.failed(), 0.5)
        )
        start = {id: entry.q for id, entry in entries.items()}
        task = shop(5, "names of the shop differ")
        shown = await design.general_retrieve(task)
        order = [id for id in design.handed_out[module.intent_of(task.init)]]
        task.memory_retrieved = shown
        await design.general_update(task)
        return start, order

    start, order = with_gateway(work())
    assert start == pytest.approx({"e1": 0.3, "e2": 0.3, "e3": -0.3})
    assert order[-1] == "e3"  # the failure ranks behind both successes, however close it is
    assert entries["e1"].q == pytest.approx(0.7 * 0.3 + 0.3) and entries["e3"].q == pytest.approx(
        0.7 * -0.3 + 0.3
    )
    design.episodes.reward(["e1"] * 20, solved=False)
    assert -1 <= entries["e1"].q < -0.9
    assert with_gateway(design.general_retrieve(asked("zoo", "giraffes look too small on photographs"))) == {}


def test_memrl_credits_nothing_that_the_agent_was_not_shown(make, with_gateway):
    design, _ = make("memrl")

    async def work():
        await learn(design, shop(0))
        await design.general_retrieve(shop(1))
        await learn(design, shop(1))

    with_gateway(work())
    assert design.episodes.entries["e1"].q == pytest.approx(0.3)


def test_reflexion_reflects_on_failures_only_and_keeps_three(make, with_gateway):
    design, _ = make("reflexion", "Reflexion")

    async def work():
        await learn(design, solved(), *(failed(f"sum {n} is wrong") for n in range(5)))
        return [await design.general_retrieve(asked(p)) for p in ("mathlib", "shop")]

    own, other = with_gateway(work())
    assert text_of(own).count("Not fixed") == 3 and edits(own) == [] and other == {}


def test_expel_keeps_twenty_insights_and_only_solved_trajectories(make, with_gateway):
    design, module = make("expel")

    async def work():
        await learn(design, shop(0), failed(), shop(1))
        return await design.general_retrieve(asked())

    memory = with_gateway(work())
    assert memory["insights"].startswith("- (3) In `shop/part0.py`")
    assert (
        memory["similar_solved_tasks"].count("Reward: 1.0") == 2
        and "0.5" not in memory["similar_solved_tasks"]
    )
    layer = design.insights
    for number in range(40):
        layer.add(f"insight {number}")
    assert len(layer.database) == module.INSIGHTS
    assert 1 in layer.database and "insight 39" in [i["text"] for i in layer.database.values()]
    asyncio.run(layer.update(operations=[{"operation": "REMOVE", "id": 1, "text": ""}] * 3))
    assert 1 not in layer.database


def test_awm_learns_workflows_from_successes_only_and_counts_them(make, with_gateway):
    design, module = make("awm")

    async def work():
        await learn(design, failed(), shop(0), shop(0), shop(1))
        return await design.general_retrieve(asked())

    text = text_of(with_gateway(work()))
    assert list(design.workflows.database) == ["shop"]
    assert [w.count for w in design.workflows.database["shop"]] == [2, 1]
    assert text.index("seen 2 times") < text.index("seen 1 times") and "1. See why" in text
    for number in range(200):
        design.workflows.add(
            "shop", module.Workflow(f"w{number}", f"when {number}", ["step " * 30 + str(number)])
        )
    kept_text = asyncio.run(design.workflows.retrieve(project="shop"))
    assert len(kept_text) <= module.PROJECT_CHARACTERS + 1_000 and "seen 2 times" in kept_text


# Controls


@pytest.fixture
def wrapped(load_baseline):
    def make(control, cls, inner="claude_md", inner_cls="ClaudeMd"):
        return getattr(load_baseline(control), cls)(getattr(load_baseline(inner), inner_cls))

    return make


def test_placebo_is_as_long_as_the_real_design_and_says_nothing_of_it(wrapped, load_baseline, with_gateway):
    placebo, real = wrapped("placebo", "Placebo"), load_baseline("claude_md").ClaudeMd()

    async def work():
        for design in (placebo, real):
            await learn(design, solved(), shop(), failed())
        asks = [asked(), asked(), asked(issue="another one")]
        return [await placebo.general_retrieve(a) for a in asks], await real.general_retrieve(asked())

    (first, again, other), true = with_gateway(work())
    assert abs(count_tokens(text_of(first)) - count_tokens(text_of(true))) <= 5
    assert first.keys() == true.keys() and first == again != other
    assert edits(first) == [] and not re.search(r"shop|math|test|`", text_of(first))


def test_other_project_answers_with_another_projects_memory(wrapped, with_gateway):
    design = wrapped("other_project", "OtherProject")

    async def work():
        await learn(design, solved(), failed())
        alone = await design.general_retrieve(asked("mathlib"))
        await learn(design, shop())
        return alone, [await design.general_retrieve(asked(p)) for p in ("mathlib", "shop", "zoo")]

    alone, (mathlib, shop_text, zoo) = with_gateway(work())
    assert alone == {}
    assert edits(mathlib) == [CASE] and edits(shop_text) == [runs.FIX]
    assert "shop" not in text_of(shop_text) and zoo == shop_text


def test_shuffled_hands_a_design_s_notes_to_the_wrong_task(wrapped, load_baseline, with_gateway):
    design = wrapped("shuffled", "Shuffled", "reasoning_bank", "ReasoningBank")

    async def work():
        await learn(design, solved(), shop())
        return [
            await design.general_retrieve(asked(issue="names of the shop differ in case")) for _ in range(2)
        ]

    first, again = with_gateway(work())
    assert first == again and "`mathlib/stats.py`" in text_of(first).split("\n")[2]


def test_raw_last_is_the_last_run_verbatim(make):
    design, _ = make("raw_last", "RawLast")
    assert asyncio.run(design.general_retrieve(asked())) == {}
    asyncio.run(learn(design, solved(), failed()))
    text = text_of(asyncio.run(design.general_retrieve(asked())))
    assert "Reward: 0.5" in text and "sum of squares" in text and "variance is wrong" not in text
    assert all(repr(step["step"]) in text for step in runs.failed()) and '"centre = 0"' in text
