"""What is read from a design's code: known designs, and rules that hold for any."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.experiments.structure import describe, similarity
from core.options import MEMO_ARCHIVE
from core.report.h3 import baseline_sources

SOURCES = baseline_sources(MEMO_ARCHIVE)
DESIGN = '''
"""A design."""
from collections import deque
from agents.memo_structure import MemoStructure, Sub_memo_layer


class Layer(Sub_memo_layer):
    """Keeps notes."""

    def __init__(self):
        super().__init__()
        self.notes = deque(maxlen=9)
        self.by_project = {}

    async def retrieve(self, project):
        return self.by_project.get(project, [])[-3:]

    async def update(self, note, project):
        self.notes.append(note)


class Special(Layer):
    pass


class Design(MemoStructure):
    def __init__(self):
        super().__init__()
        self.layer = Special()

    async def general_retrieve(self, recorder):
        memory = {"notes": await self.layer.retrieve(recorder.init["project"])}
        memory["more"] = ""
        return memory

    async def general_update(self, recorder):
        if recorder.reward == 1.0:
            await self.layer.update("x", recorder.init["project"])
'''


def test_a_design_is_read_for_what_it_does():
    found = describe(DESIGN)
    assert found.layers == ["Layer", "Special"] and found.stores == ["deque", "dict"]
    assert found.keys == ["notes", "more"] and (found.model_calls, found.embedding_calls) == (0, 0)
    assert found.ideas == [
        "finds the most recent",
        "forgets",
        "keeps projects apart",
        "learns by the outcome",
    ]


@pytest.mark.parametrize(
    ("name", "has", "lacks"),
    [
        ("claude_md", {"asks a model to learn"}, {"finds by embedding", "forgets"}),
        ("memory_bank", {"asks a model to learn", "keeps projects apart"}, {"finds by embedding"}),
        ("reflexion", {"learns by the outcome"}, {"finds by embedding"}),
        ("rag_codebase", {"finds by embedding"}, {"finds along a graph"}),
        ("g_memory", {"finds by embedding", "finds along a graph", "asks a model to learn"}, set()),
    ],
)
def test_designs_made_by_hand_are_recognised(name, has, lacks):
    ideas = set(describe(SOURCES[name]).ideas)
    assert has <= ideas and not lacks & ideas


def test_layers_stores_and_calls_of_designs_made_by_hand():
    bank, graph = describe(SOURCES["memory_bank"]), describe(SOURCES["g_memory"])
    assert graph.layers == ["QueryLayer", "InsightLayer"] and {"graph", "vector store", "dict"} <= set(
        graph.stores
    )
    assert set(graph.keys) >= {"insights", "successful_runs", "failed_run"} and graph.model_calls == 1
    assert bank.layers == ["MemoryBankLayer"] and bank.embedding_calls == 0


def test_every_baseline_can_be_read():
    assert len(SOURCES) >= 14 and "no_mem" not in SOURCES and "placebo" not in SOURCES
    for source in SOURCES.values():
        found = describe(source)
        assert found.lines > 20 and found.ideas and found.layers and found.stores


def test_controls_of_the_similarity():
    renamed = (
        DESIGN.replace("layer", "shelf").replace('"notes"', '"hints"').replace("Keeps notes", "Other words")
    )
    assert similarity(DESIGN, renamed) == 1
    assert similarity(DESIGN, "") == 0
    seeded = similarity(SOURCES["claude_md"], SOURCES["claude_md_seeded"])
    assert seeded > max(
        similarity(SOURCES["claude_md"], SOURCES[n]) for n in ("rag_codebase", "g_memory", "memrl")
    )


@given(st.sampled_from(sorted(SOURCES)), st.sampled_from(sorted(SOURCES)))
@settings(deadline=None, max_examples=15)
def test_similarity_is_symmetric_and_between_0_and_1(one, other):
    found = similarity(SOURCES[one], SOURCES[other])
    assert 0 < found <= 1 and found == similarity(SOURCES[other], SOURCES[one])
    assert (found == 1) == (one == other)


def test_what_is_no_python_is_refused():
    with pytest.raises(SyntaxError):
        describe("def (")
