"""Finds places of a repository by meaning: pieces of its files in a Chroma collection, built once per base tree."""

from __future__ import annotations

import ast
import asyncio
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from evals.utils.hire_agent import Embedding

from .file_actions import lines_of
from .parsing import ActionError
from .workspace import list_files

TEXT_SUFFIXES = (".py", ".pyi", ".md", ".rst", ".txt", ".toml", ".cfg", ".ini", ".yaml", ".yml", ".json")
WINDOW = 40  # lines of a piece that is no function or class
LONGEST = 80  # lines of one function; the rest of a longer one makes pieces of its own
MAX_FILE_BYTES, MAX_PIECES = 200_000, 20_000
SHOWN_LINES, DEFAULT_PLACES, MOST_PLACES = 6, 5, 20


class Piece(NamedTuple):
    """Lines of a file, ``first`` and ``last`` included, from 1."""

    path: str
    first: int
    last: int
    text: str


def pieces_of(path: str, text: str) -> list[Piece]:
    """Functions and methods of Python, and windows of lines of everything else."""
    lines = [line.rstrip("\r\n") for line in lines_of(text)]  # as the syntax tree counts them
    starts = {1}
    if path.endswith((".py", ".pyi")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = ast.Module([], [])
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                starts.add(min([node.lineno, *(d.lineno for d in node.decorator_list)]))
                starts.add(node.end_lineno + 1)
        longest = LONGEST
    else:
        longest = WINDOW
    marks = sorted(start for start in starts if start <= len(lines))
    out = []
    for first, following in zip(marks, [*marks[1:], len(lines) + 1], strict=True):
        for start in range(first, following, longest):
            end = min(start + longest, following) - 1
            piece = "\n".join(lines[start - 1 : end])
            if piece.strip():
                out.append(Piece(path, start, end, piece))
    return out


class SemanticIndexes:
    """One index for each base tree, shared by all episodes of a process."""

    def __init__(self) -> None:
        self._indexes: dict[str, asyncio.Task[Any]] = {}

    async def search(self, base: Path, query: str, places: int) -> str:
        """The pieces nearest to ``query``, best first, as they are in the base tree.

        Raises:
            InfraError: no embeddings can be had.
        """
        key = str(base)
        known = self._indexes.get(key)
        if known is None or (known.done() and (known.cancelled() or known.exception())):
            self._indexes[key] = asyncio.ensure_future(asyncio.to_thread(_index, base))
        store = await asyncio.shield(self._indexes[key])
        if store is None:
            raise ActionError("semantic_search: the repository has no text to search")
        found = await asyncio.to_thread(store.similarity_search, query, k=min(places, MOST_PLACES))
        out = [f"semantic_search {query!r}: {len(found)} places (line numbers as the task began)"]
        for document in found:
            where = document.metadata
            out.append(f"{where['path']}:{where['first']}-{where['last']}")
            lines = document.page_content.split("\n")[1:]
            out += [f"    {line}" for line in lines[:SHOWN_LINES]]
            if len(lines) > SHOWN_LINES:
                out.append(f"    ... {len(lines) - SHOWN_LINES} more lines")
        return "\n".join(out)


def _index(base: Path) -> Any:
    """A ``Chroma`` of the tree's pieces; None when there are none."""
    pieces = _read(base)
    if not pieces:
        return None
    from evals.utils.langchain_chroma import Chroma  # chromadb takes 0.6 s and 100 MB: only for who searches

    store = Chroma(embedding_function=Embedding(), collection_metadata={"hnsw:space": "cosine"})
    texts = [f"{piece.path}\n{piece.text}" for piece in pieces]
    where = [{"path": piece.path, "first": piece.first, "last": piece.last} for piece in pieces]
    store.add_texts(texts, where, [str(number) for number in range(len(pieces))])
    return store


def _read(base: Path) -> list[Piece]:
    out: list[Piece] = []
    for path in list_files(base):
        file = base / path
        if not path.endswith(TEXT_SUFFIXES) or file.is_symlink() or file.stat().st_size > MAX_FILE_BYTES:
            continue
        out += pieces_of(path, file.read_text(encoding="utf-8", errors="replace"))
        if len(out) >= MAX_PIECES:
            break
    return out[:MAX_PIECES]
