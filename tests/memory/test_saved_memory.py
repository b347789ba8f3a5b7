"""A memory in a file: every design comes back as it was, and a file is data, never a program."""

import asyncio
import inspect
import pickle
from collections import defaultdict, deque
from dataclasses import dataclass, field
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from core.gateway.offline.embedding import embed
from evals.agents.memo_structure import MemoStructure, Sub_memo_layer
from evals.agents.memory_files import NotSaved
from evals.eval_envs.base_envs import Basic_Recorder
from evals.utils.langchain_chroma import Chroma
from tests.memory import runs
from tests.memory.test_designs import asked, failed, learn, shop, solved

BASELINES = sorted(
    path.stem.removeprefix("memo_structure_")
    for path in (Path(__file__).parents[2] / "memo_archive" / "baseline").glob("*.py")
)


def two_of(load_baseline, name):
    """Two new memories of a baseline; a control wraps claude_md."""
    module = load_baseline(name)
    [design] = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, MemoStructure) and value.__module__ == module.__name__
    ]
    wraps = "inner" in inspect.signature(design).parameters
    given = [load_baseline("claude_md").ClaudeMd] if wraps else []
    return design(*given), design(*given)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_goes_on_where_it_was(load_baseline, with_gateway, tmp_path, name):
    first, second = two_of(load_baseline, name)

    async def work():
        await learn(first, solved(), shop(0), failed())
        before = await first.general_retrieve(asked())
        first.save(tmp_path / "kept" / "here")
        second.load(tmp_path / "kept" / "here")
        after = await second.general_retrieve(asked())
        await learn(first, shop(1))
        await learn(second, shop(1))
        return before, after, await first.general_retrieve(asked()), await second.general_retrieve(asked())

    before, after, more, more_again = with_gateway(work())
    assert before == after and more == more_again
    assert before or name in ("no_mem", "reflexion")


class Words:
    """An embedding of the design's own."""

    def embed_documents(self, texts):
        return embed(texts)

    def embed_query(self, text):
        return embed([text])[0]


@dataclass
class Note:
    text: str
    seen: set = field(default_factory=set)


@dataclass
class Layer(Sub_memo_layer):
    counts: defaultdict = field(default_factory=lambda: defaultdict(lambda: 7))

    async def retrieve(self, **kwargs):
        return self.database

    async def update(self, **kwargs):
        self.counts[kwargs["key"]] += 1


class Everything(MemoStructure):
    def __init__(self):
        super().__init__()
        self.lock = asyncio.Lock()
        self.store = Chroma(embedding_function=Words())
        self.layer, self.twin = Layer(database=self.store), Layer(database=self.store)
        self.notes = {("a", 1): [Note("x", {1, 2})]}
        self.recent, self.by_key = deque(maxlen=2), defaultdict(list)
        self.graph, self.matrix = nx.DiGraph(), np.eye(2)
        self.rng = np.random.default_rng(1).normal(size=3)
        self.last = None

    async def general_retrieve(self, recorder):
        return {}

    async def general_update(self, recorder):
        async with self.lock:
            self.store.add_texts([recorder.init["problem_statement"]], [{"n": 1}])
            await self.layer.update(key="k")
            self.recent.append(Note("y"))
            self.by_key["z"].append(1.5)
            self.graph.add_edge("a", ("b", 2), weight=0.5)
            self.last = recorder


def test_attributes_of_all_kinds_come_back_and_stay_shared(tmp_path):
    first, second = Everything(), Everything()
    asyncio.run(learn(first, solved()))
    first.save(tmp_path)
    second.load(tmp_path)
    assert second.layer.database is second.twin.database is second.store is not first.store
    assert second.store.similarity_search("variance", k=1)[0].metadata == {"n": 1}
    second.store.add_texts(["another"])
    assert (len(first.store), len(second.store)) == (1, 2)
    assert second.notes == {("a", 1): [Note("x", {1, 2})]} and second.recent == deque([Note("y")], maxlen=2)
    assert second.recent.maxlen == 2 and second.layer.counts["k"] == 8 and second.layer.counts["new"] == 7
    assert second.by_key["z"] == [1.5] and second.by_key["new"] == []
    assert second.graph.edges["a", ("b", 2)]["weight"] == 0.5 and (second.matrix == first.matrix).all()
    assert isinstance(second.last, Basic_Recorder) and second.last.steps == runs.solved()
    asyncio.run(learn(second, shop()))
    assert not second.lock.locked()


def test_what_cannot_be_kept_is_named(tmp_path):
    memory = Everything()
    memory.handle = open(tmp_path / "file", "w")  # noqa: SIM115
    with pytest.raises(ValueError, match="attribute 'handle'"):
        memory.save(tmp_path / "kept")
    memory.handle.close()
    del memory.handle
    memory.call = lambda: 1
    with pytest.raises(ValueError, match="attribute 'call'"):
        memory.save(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()


class Evil:
    def __reduce__(self):
        return print, ("code was run",)


@pytest.mark.parametrize("value", [Evil(), Path.home, pickle.Unpickler, np.load, nx.spring_layout])
def test_a_file_cannot_run_code(tmp_path, capsys, value):
    Everything().save(tmp_path)
    path = tmp_path / "state.pickle"
    head = pickle.dumps(("alma memory 1", {}))
    path.write_bytes(head + pickle.dumps({"last": value}))
    with pytest.raises(NotSaved, match="is no data"):
        Everything().load(tmp_path)
    assert "code was run" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"nothing", pickle.dumps(("another", {})), pickle.dumps({"a": 1})])
def test_a_file_that_is_no_memory_is_refused(tmp_path, content):
    (tmp_path / "state.pickle").write_bytes(content)
    with pytest.raises(ValueError, match=r"state\.pickle"):
        Everything().load(tmp_path)


def test_a_design_may_save_itself_in_its_own_way(tmp_path):
    class Own(Everything):
        def save(self, path):
            (Path(path) / "mine.txt").write_text("saved")

        def load(self, path):
            self.last = (Path(path) / "mine.txt").read_text()

    Own().save(tmp_path)
    memory = Own()
    memory.load(tmp_path)
    assert memory.last == "saved"
