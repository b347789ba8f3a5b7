# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

from utils.hire_agent import Embedding


async def relevance(query: str, entries: list[Entry]) -> list[float]:
    """Cosine similarity of embeddings; each entry is embedded once and keeps its vector."""
    embedding = Embedding()
    new = [entry for entry in entries if not entry.vector]
    if new:
        vectors = await embedding.get_batch_embeddings([entry.key[:4000] or "-" for entry in new])
        for entry, vector in zip(new, vectors, strict=True):
            entry.vector = list(vector)
    if not entries:
        return []
    asked = await embedding.get_embedding(query[:4000] or "-")
    scores = await Embedding.compute_one_to_group_similarity(asked, [entry.vector for entry in entries])
    return [float(score) for score in scores]
