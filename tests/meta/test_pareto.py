from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from core.memo_manager import Memo_Manager, Record
from core.pareto import design_points, front
from core.report import tables


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.text(max_size=3), st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1))
def test_the_front_dominates_all_others_and_none_of_its_own(points):
    found = front(points)
    assert found

    def dominates(a, b):
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    for name, point in points.items():
        dominated = any(dominates(points[other], point) for other in found)
        assert dominated == (name not in found)


def test_a_point_for_ten_times_the_tokens_is_visible_as_such(tmp_path: Path, capsys):
    archive = Memo_Manager(tmp_path, tmp_path)
    for sha, reward, tokens in (
        ("no_mem", 0.6, 0),
        ("short", 0.7, 200),
        ("long", 0.71, 2000),
        ("bad", 0.65, 900),
    ):
        runs = {
            "reward": {f"t{i}": [reward + 0.02 * (i % 3)] for i in range(6)},
            "memory_tokens": {f"t{i}": [tokens] for i in range(6)},
        }
        archive.records.append(
            Record(sha, sha, "x", None, 0, 0, "ok", reward=reward, resolved=0.5, runs=runs, tasks=6)
        )
    archive.records.append(Record("old", "old", "x", None, 0, 0, "ok", reward=0.9, resolved=0.5))
    assert front(design_points(archive)) == {"no_mem", "short", "long"}
    tables.archive(archive, "title", [])
    rows = {line.split("│")[1].strip(): line for line in capsys.readouterr().out.splitlines() if "│" in line}
    assert rows["short"].count("*") == rows["long"].count("*") == 1 and "*" not in rows["bad"] + rows["old"]
    assert "2000" in rows["long"]
