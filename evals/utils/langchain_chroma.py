"""``Chroma`` with the interface memory designs know, straight over ``chromadb``.

In memory only, and every object has a collection of its own: two designs, or two memories of one design,
never see each other's texts, whatever names they choose.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import chromadb
from chromadb.config import Settings


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
    """A collection of texts, searched by the embedding's L2 distance.

    Args:
        collection_name: a label only; collections of the same name are separate.
        embedding_function: an object with ``embed_documents`` and ``embed_query``, such as ``Embedding()``.
    """

    def __init__(
        self, collection_name: str = "langchain", embedding_function: EmbeddingFunction | None = None
    ) -> None:
        if embedding_function is None:
            raise ValueError("Chroma needs an embedding_function: Chroma(embedding_function=Embedding())")
        self.collection_name = collection_name
        self.embeddings = embedding_function
        client = chromadb.EphemeralClient(Settings(anonymized_telemetry=False, is_persistent=False))
        # All ephemeral clients of a process share one store, so the name itself has to be unique.
        self._collection = client.create_collection(uuid.uuid4().hex, embedding_function=None)

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
        vectors = self.embeddings.embed_documents(texts)
        rows = metadatas or [{} for _ in texts]
        if not len(ids) == len(rows) == len(texts):
            raise ValueError(f"{len(texts)} texts, but {len(ids)} ids and {len(rows)} metadatas")
        # chromadb refuses empty metadata, and None keeps that of an overwritten id: so each kind on its own.
        for filled in (True, False):
            chosen = [i for i, row in enumerate(rows) if bool(row) == filled]
            if not chosen:
                continue
            if not filled:
                self._collection.delete(ids=[ids[i] for i in chosen])
            self._collection.upsert(
                ids=[ids[i] for i in chosen],
                embeddings=[vectors[i] for i in chosen],
                documents=[texts[i] for i in chosen],
                metadatas=[rows[i] for i in chosen] if filled else None,
            )
        return ids

    def add_documents(self, documents: Iterable[Document], ids: list[str] | None = None) -> list[str]:
        """Store documents and return their ids."""
        documents = list(documents)
        return self.add_texts([d.page_content for d in documents], [d.metadata for d in documents], ids)

    def similarity_search(
        self, query: str, k: int = 4, filter: dict[str, Any] | None = None
    ) -> list[Document]:
        """Return at most ``k`` documents, the closest first."""
        return [document for document, _ in self.similarity_search_with_score(query, k, filter)]

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: dict[str, Any] | None = None
    ) -> list[tuple[Document, float]]:
        """Return at most ``k`` (document, distance) pairs; the distance is squared L2, smaller is closer."""
        k = min(k, self._collection.count())
        if k <= 0:
            return []
        found = self._collection.query(
            query_embeddings=[self.embeddings.embed_query(query)],
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
    ) -> dict[str, Any]:
        """Return the stored entries as a dict of lists: ``ids``, ``documents``, ``metadatas``."""
        found = self._collection.get(
            ids=ids, where=where or None, limit=limit, include=["documents", "metadatas"]
        )
        return {
            "ids": found["ids"],
            "documents": found["documents"],
            "metadatas": [dict(row or {}) for row in found["metadatas"]],
        }

    def delete(self, ids: list[str] | None = None) -> None:
        """Remove entries; ids that are not there are ignored."""
        if ids:
            self._collection.delete(ids=ids)
