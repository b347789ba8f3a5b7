"""The Chroma shim over the real chromadb."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from core.gateway.offline.embedding import embed
from evals.utils.langchain_chroma import Chroma, Document


class Words:
    """An embedding function that records how it was called."""

    def __init__(self):
        self.calls = []

    def embed_documents(self, texts):
        self.calls.append(("documents", list(texts)))
        return embed(texts)

    def embed_query(self, text):
        self.calls.append(("query", text))
        return embed([text])[0]


TEXTS = ["strip the key before a look-up", "round the total to cents", "dates are in UTC"]


def test_search_finds_the_closest_text_with_its_metadata():
    words = Words()
    store = Chroma(embedding_function=words)
    ids = store.add_texts(TEXTS, metadatas=[{"n": 1}, {}, {"n": 3}])
    assert len(set(ids)) == 3
    assert store.similarity_search("a rounded total", k=1) == [Document(TEXTS[1], {}, ids[1])]
    scored = store.similarity_search_with_score("strip keys", k=9)
    assert scored[0][0].metadata == {"n": 1} and len(scored) == 3
    assert scored[0][1] < scored[1][1] <= scored[2][1]
    assert words.calls[0] == ("documents", TEXTS) and words.calls[1] == ("query", "a rounded total")


def test_an_empty_store_answers_nothing():
    store = Chroma(embedding_function=Words())
    assert store.similarity_search("x") == []
    assert store.add_texts([]) == []
    assert store.get() == {"ids": [], "documents": [], "metadatas": []}


def test_entries_are_read_overwritten_and_removed():
    store = Chroma(embedding_function=Words(), collection_name="notes")
    store.add_texts(["one", "two"], [{"kind": "a"}, {"kind": "b"}], ids=["1", "2"])
    assert store.get(where={"kind": "b"})["documents"] == ["two"]
    store.add_texts(["new one"], ids=["1"])
    assert store.get(ids=["1"]) == {"ids": ["1"], "documents": ["new one"], "metadatas": [{}]}
    store.delete(["1", "unknown"])
    store.delete([])
    assert store.get()["ids"] == ["2"]


def test_stores_of_the_same_name_are_separate():
    first, second = (Chroma(embedding_function=Words(), collection_name="memory") for _ in range(2))
    first.add_texts(["mine"])
    assert second.get()["ids"] == [] and second.similarity_search("mine") == []


def test_the_ways_designs_use_it_in_the_field(tmp_path):
    store = Chroma.from_texts(
        TEXTS, Words(), [{"n": n} for n in range(3)], persist_directory=str(tmp_path / "db")
    )
    assert not (tmp_path / "db").exists()
    assert store.similarity_search_by_vector(embed([TEXTS[1]])[0], k=1)[0].page_content == TEXTS[1]
    store.add_documents([Document("keys are lower case", {"n": 9}, id="own")])
    assert store.get(ids="own", include=["embeddings"])["embeddings"][0][0] == pytest.approx(
        embed(["keys are lower case"])[0][0], abs=1e-6
    )
    store.update_document("own", Document("keys are upper case", {"n": 10}))
    assert store.get(where={"n": 10})["documents"] == ["keys are upper case"] and len(store) == 4
    assert store._embedding_function is store.embeddings
    store.delete(where={"n": 0})
    assert len(store) == 3 and len(store.similarity_search("keys", k=9)) == 3
    store.delete_collection()
    assert len(store) == 0 and store and store.similarity_search("keys") == []


def test_cosine_distances_on_request():
    store = Chroma(embedding_function=Words(), collection_metadata={"hnsw:space": "cosine"})
    store.add_texts(TEXTS)
    one, query = embed([TEXTS[0], "strip keys"])
    [(_, distance)] = store.similarity_search_with_score("strip keys", k=1)
    assert distance == pytest.approx(1 - sum(a * b for a, b in zip(one, query, strict=True)), abs=1e-5)


def test_more_entries_than_chromadb_takes_at_once():
    class Numbers:
        def embed_documents(self, texts):
            return [[float(text), 1.0] for text in texts]

    store = Chroma(embedding_function=Numbers())
    store.add_texts([str(n) for n in range(5_600)])
    assert len(store) == 5_600


def test_it_can_be_asked_without_holding_the_loop():
    async def work():
        store = Chroma(embedding_function=Words())
        await store.aadd_texts(TEXTS)
        [(found, _)] = await store.asimilarity_search_with_score("UTC dates", k=1)
        return [found, *await store.asimilarity_search("UTC dates", k=1)]

    assert {document.page_content for document in asyncio.run(work())} == {TEXTS[2]}


def test_it_works_inside_a_running_event_loop():
    async def work():
        store = Chroma(embedding_function=Words())
        store.add_texts(TEXTS)
        return store.similarity_search("UTC dates", k=1)

    assert asyncio.run(work())[0].page_content == TEXTS[2]


def test_it_needs_an_embedding_function():
    with pytest.raises(ValueError, match="embedding_function"):
        Chroma()


def test_chromadb_is_not_imported_with_the_other_parts():
    code = (
        "import sys, evals.agents.memo_structure, evals.utils.hire_agent; sys.exit('chromadb' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)
