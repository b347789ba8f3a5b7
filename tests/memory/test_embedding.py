"""The embedding: fixed, normalised, and good enough to find a paraphrase."""

import subprocess
import sys
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from core.gateway.offline.embedding import DIMENSIONS, embed, stem, words_of
from tests.memory.paraphrases import PAIRS

ROOT = Path(__file__).parents[2]


def recall_at(k: int) -> float:
    queries = np.array(embed([query for query, _ in PAIRS]))
    notes = np.array(embed([note for _, note in PAIRS]))
    ranks = np.argsort(-(queries @ notes.T), axis=1)[:, :k]
    return float(np.mean([row in ranks[row] for row in range(len(PAIRS))]))


def test_paraphrases_are_found_far_above_chance():
    assert len(PAIRS) >= 60
    assert recall_at(5) >= 0.85  # chance: 5 / 64 = .08


def test_identifiers_match_their_words():
    close, far = np.array(embed(["parse the cookie header", "parseCookieHeader", "area of a polygon"]))[1:]
    query = np.array(embed(["parse the cookie header"]))[0]
    assert query @ close > 0.4 > query @ far + 0.2
    assert words_of("HTTPServer2_url") == ["http", "server", "2", "url"]
    assert stem("stopped") == stem("stops") == "stop"


def test_another_process_gives_the_same_vectors():
    code = "from core.gateway.offline.embedding import embed; print(repr(embed(['trim the key'])[0]))"
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7", "PATH": ""},
        capture_output=True,
        check=True,
        text=True,
    )
    assert out.stdout.strip() == repr(embed(["trim the key"])[0])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(), max_size=3))
def test_every_text_has_a_unit_vector_or_none(texts):
    vectors = embed(texts)
    assert len(vectors) == len(texts)
    for vector in vectors:
        assert len(vector) == DIMENSIONS
        norm = float(np.linalg.norm(vector))
        assert norm == 0.0 or abs(norm - 1) < 1e-9
