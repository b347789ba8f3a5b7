from __future__ import annotations

import hashlib

import pytest

from core.design_file import DesignError, content_sha, resolve_design, source_problem
from core.meta_agent_reply import extract_code

GOOD = "from agents.memo_structure import MemoStructure\n\n\nclass M(MemoStructure):\n    pass\n"


def test_sha_is_the_first_eight_hex_of_sha256():
    assert content_sha("é\n") == hashlib.sha256("é\n".encode()).hexdigest()[:8]


def test_a_baseline_a_sha_and_a_path_are_found(memo_archive, tmp_path, monkeypatch):
    (memo_archive / "coding").mkdir()
    archived = memo_archive / "coding" / f"memo_structure_{content_sha(GOOD)}.py"
    archived.write_text(GOOD)
    own = tmp_path / "mine.py"
    own.write_text(GOOD)
    assert resolve_design("claude_md", memo_archive).sha == "claude_md"
    assert resolve_design(content_sha(GOOD), memo_archive).path == archived
    monkeypatch.chdir(tmp_path)
    for spec in ("mine.py", "./mine.py", str(own)):
        assert resolve_design(spec, memo_archive).path == own
        assert resolve_design(spec, memo_archive).sha == content_sha(GOOD)


def test_a_control_wraps_a_baseline_a_file_or_what_is_named_last(memo_archive, tmp_path):
    own = tmp_path / "mine.py"
    own.write_text(GOOD)
    control = memo_archive / "baseline" / "memo_structure_shuffled.py"
    control.write_text(GOOD)
    baseline = resolve_design("claude_md", memo_archive).path
    for spec, sha, inner in (
        ("shuffled:claude_md", "shuffled:claude_md", baseline),
        (f"shuffled:{own}", f"shuffled:{content_sha(GOOD)}", own),
        ("shuffled", "shuffled", baseline),
    ):
        found = resolve_design(spec, memo_archive)
        assert (found.sha, found.path, found.inner) == (sha, control, inner)
    assert resolve_design("claude_md", memo_archive).inner is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("shuffled:claude_mb", r"unknown design 'claude_mb' \(did you mean claude_md\?\)"),
        ("shuffled:placebo", r"'shuffled:placebo': a control wraps a design, not another control"),
        ("claude_mb", r"unknown design 'claude_mb' \(did you mean claude_md\?\)"),
        ("zzzzzz", r"unknown design 'zzzzzz' \(available: claude_md, no_mem\)"),
        ("./nothing.py", r"design file not found: \./nothing\.py"),
        ("broken.py", r"broken\.py:2: syntax error: "),
        ("empty.py", r"empty\.py: defines no subclass of MemoStructure"),
        ("binary.py", r"binary\.py: cannot be read: "),
    ],
)
def test_every_failure_is_one_clear_line(memo_archive, tmp_path, monkeypatch, spec, message):
    (tmp_path / "broken.py").write_text("x = 1\ndef (:\n")
    (tmp_path / "empty.py").write_text("x = 1\n")
    (tmp_path / "binary.py").write_bytes(b"\xff\xfe\x00")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DesignError, match=f"^{message}") as caught:
        resolve_design(spec, memo_archive)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        GOOD,
        "import agents.memo_structure as m\nclass M(m.MemoStructure): pass\n",
        "from agents.memo_structure import MemoStructure as Base\nclass M(Base): pass\n",
        "from agents.memo_structure import MemoStructure\nclass A(MemoStructure): pass\nclass B(A): pass\n",
    ],
)
def test_designs_are_recognised_however_they_name_their_base(source):
    assert source_problem(source) is None


def test_null_bytes_are_a_problem_of_the_design():
    assert source_problem("x = '\0'").startswith("design:1: ")


@pytest.mark.parametrize("deep", ["x = " + "a + " * 100_000 + "a\n", "x = " + "-" * 100_000 + "1\n"])
def test_a_source_too_deep_for_python_is_the_designs_fault(deep):
    assert source_problem(GOOD + deep).startswith("design: too deeply nested")
    assert extract_code(f"```python\n{deep}```") == deep
    assert extract_code(deep) is None
