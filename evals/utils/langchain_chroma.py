"""``Chroma`` with the interface memory designs know, straight over ``chromadb``.

In memory only, and every object has a collection of its own: two designs, or two memories of one design,
never see each other's texts, whatever names they choose.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import chromadb
from chromadb.config import Settings

_BATCH = 5_000  # chromadb refuses more than 5,461 entries at a time


class EmbeddingFunction(Protocol):
    """What ``Chroma`` needs of an embedding: both calls are synchronous."""

    def embed_documents(self, texts: list[str]) -> list[list[float]]: ...

    def embed_query(self, text: str) -> list[float]: ...


@dataclass
class Document:
    """A stored text with its metadata."""

    page_content: str
    metadata: dict[str, Any] = field(default_factory=dict)
    id: str | None = None


class Chroma:
    """A collection of texts, searched by the distance of their embeddings.

    Args:
        collection_name: a label only; collections of the same name are separate.
        embedding_function: an object with ``embed_documents`` and ``embed_query``, such as ``Embedding()``.
        persist_directory: accepted and not used: a memory is kept by ``MemoStructure.save``.
        collection_metadata: of chromadb; ``{"hnsw:space": "cosine"}`` searches by cosine distance, not squared L2.
    """

    def __init__(
        self,
        collection_name: str = "langchain",
        embedding_function: EmbeddingFunction | None = None,
        persist_directory: str | None = None,
        collection_metadata: dict[str, Any] | None = None,
    ) -> None:
        if embedding_function is None:
            raise ValueError("Chroma needs an embedding_function: Chroma(embedding_function=Embedding())")
        del persist_directory
        self.collection_name = collection_name
        self._embedding_function = embedding_function
        self._collection_metadata = dict(collection_metadata or {})
        self.reset_collection()

    @property
    def embeddings(self) -> EmbeddingFunction:
        """The embedding function."""
        return self._embedding_function

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: EmbeddingFunction,
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
        **options: Any,
    ) -> Chroma:
        """A new collection with these texts in it; ``options`` as of the constructor."""
        store = cls(embedding_function=embedding, **options)
        store.add_texts(texts, metadatas, ids)
        return store

    def reset_collection(self) -> None:
        """Remove everything."""
        self._size: int | None = (
            0  # None after a write: counting 10,000 entries takes as long as searching them
        )
        client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False, is_persistent=False))
        # All ephemeral clients of a process share one store, so the name itself has to be unique.
        self._collection = client.create_collection(
            uuid.uuid4().hex, metadata=self._collection_metadata or None, embedding_function=None
        )

    delete_collection = reset_collection

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        ids: list[str] | None = None,
    ) -> list[str]:
        """Store texts and return their ids; an id that exists is overwritten, as in the original."""
        texts = list(texts)
        if not texts:
            return []
        ids = [str(item) for item in ids] if ids else [uuid.uuid4().hex for _ in texts]
        rows = metadatas or [{} for _ in texts]
        if not len(ids) == len(rows) == len(texts):
            raise ValueError(f"{len(texts)} texts, but {len(ids)} ids and {len(rows)} metadatas")
        self._store(ids, texts, rows, self._embedding_function.embed_documents(texts))
        return ids

    def _store(
        self, ids: list[str], texts: list[str], rows: list[dict[str, Any]], vectors: list[list[float]]
    ) -> None:
        self._size = None
        # chromadb refuses empty metadata, and None keeps that of an overwritten id: so each kind on its own.
        for filled in (True, False):
            chosen = [i for i, row in enumerate(rows) if bool(row) == filled]
            for start in range(0, len(chosen), _BATCH):
                part = chosen[start : start + _BATCH]
                if not filled:
                    self._collection.delete(ids=[ids[i] for i in part])
                self._collection.upsert(
                    ids=[ids[i] for i in part],
                    embeddings=[vectors[i] for i in part],
                    documents=[texts[i] for i in part],
                    metadatas=[rows[i] for i in part] if filled else None,
                )

    def add_documents(self, documents: Iterable[Document], ids: list[str] | None = None) -> list[str]:
        """Store documents and return their ids: the given ones, else their own, else new ones."""
        documents = list(documents)
        if ids is None and any(d.id for d in documents):
            ids = [d.id or uuid.uuid4().hex for d in documents]
        return self.add_texts([d.page_content for d in documents], [d.metadata for d in documents], ids)

    def update_document(self, document_id: str, document: Document) -> None:
        """Replace one entry."""
        self.add_texts([document.page_content], [document.metadata], [document_id])

    def similarity_search(
        self, query: str, k: int = 4, filter: dict[str, Any] | None = None
    ) -> list[Document]:
        """Return at most ``k`` documents, the closest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: dict[str, Any] | None = None
    ) -> list[tuple[Document, float]]:
        """Return at most ``k`` (document, distance) pairs; smaller is closer, squared L2 by default."""
        if k <= 0 or len(self) == 0:  # then the query need not be embedded
            return []
        return self._nearest(self._embedding_function.embed_query(query), k, filter)

    def similarity_search_by_vector(
        self, embedding: list[float], k: int = 4, filter: dict[str, Any] | None = None
    ) -> list[Document]:
        """As ``similarity_search``, for a query that is embedded already."""
        return [document for document, _ in self._nearest(embedding, k, filter)]

    def _nearest(
        self, vector: list[float], k: int, filter: dict[str, Any] | None
    ) -> list[tuple[Document, float]]:
        k = min(k, len(self))
        if k <= 0:
            return []
        found = self._collection.query(
            query_embeddings=[vector],
            n_results=k,
            where=filter or None,
            include=["documents", "metadatas", "distances"],
        )
        rows = zip(
            found["ids"][0], found["documents"][0], found["metadatas"][0], found["distances"][0], strict=True
        )
        return [(Document(text, dict(meta or {}), id), float(score)) for id, text, meta, score in rows]

    def get(
        self,
        ids: str | list[str] | None = None,
        where: dict[str, Any] | None = None,
        limit: int | None = None,
        offset: int | None = None,
        where_document: dict[str, Any] | None = None,
        include: list[str] | None = None,
    ) -> dict[str, Any]:
        """Return the stored entries as a dict of lists: ``ids``, ``documents``, ``metadatas``, ``embeddings``
        if included."""
        found = self._collection.get(
            ids=ids,
            where=where or None,
            limit=limit,
            offset=offset,
            where_document=where_document,
            include=include or ["documents", "metadatas"],
        )
        lists: dict[str, Any] = {"ids": found["ids"]}
        for name in ("documents", "metadatas", "embeddings"):
            if found.get(name) is not None:
                lists[name] = found[name]
        if "metadatas" in lists:
            lists["metadatas"] = [dict(row or {}) for row in lists["metadatas"]]
        return lists

    def delete(self, ids: str | list[str] | None = None, where: dict[str, Any] | None = None) -> None:
        """Remove entries; ids that are not there are ignored."""
        self._size = None
        if ids:
            self._collection.delete(ids=[ids] if isinstance(ids, str) else ids)
        if where:
            self._collection.delete(where=where)

    # Chroma's calls block; these do so in a thread.

    async def aadd_texts(self, texts: Iterable[str], *args: Any, **kwargs: Any) -> list[str]:
        """``add_texts`` without holding the event loop."""
        return await self._aside(self.add_texts, list(texts), *args, **kwargs)

    async def asimilarity_search(self, query: str, *args: Any, **kwargs: Any) -> list[Document]:
        """``similarity_search`` without holding the event loop."""
        return await self._aside(self.similarity_search, query, *args, **kwargs)

    async def asimilarity_search_with_score(
        self, query: str, *args: Any, **kwargs: Any
    ) -> list[tuple[Document, float]]:
        """``similarity_search_with_score`` without holding the event loop."""
        return await self._aside(self.similarity_search_with_score, query, *args, **kwargs)

    @staticmethod
    async def _aside(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await asyncio.to_thread(call, *args, **kwargs)

    def __len__(self) -> int:
        size = self._size
        if size is None:
            size = self._size = self._collection.count()
        return size

    def __bool__(self) -> bool:
        return True  # an empty store is a store: designs write `if self.database:`

    def __getstate__(self) -> dict[str, Any]:
        found = self._collection.get(include=["documents", "metadatas", "embeddings"])
        vectors = found["embeddings"]
        rows = [dict(row or {}) for row in found["metadatas"]]
        state = {name: value for name, value in vars(self).items() if name not in ("_collection", "_size")}
        return state | {
            "rows": (found["ids"], found["documents"], rows, [list(map(float, v)) for v in vectors])
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        rows = state.pop("rows")
        vars(self).update(state)
        self.reset_collection()
        if rows[0]:
            self._store(*rows)

    def __deepcopy__(self, memo: dict[int, Any]) -> Chroma:
        twin = object.__new__(type(self))
        twin.__setstate__(self.__getstate__())
        return twin
