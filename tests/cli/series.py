"""A task file of one project, made of the smoke tasks and of copies of them that somebody else reports."""

import json

from tests.cli.test_runs import ROOT

DATA = ROOT / "data/coding"


def write_series(path, count=6):
    """``count`` tasks of the project ``smoke``, all but one of which are quickly solved; the last one contradicts the
    first."""
    rows = [json.loads(line) for line in (DATA / "samples.jsonl").read_text().splitlines()]
    series = []
    for number in range(count):
        row = dict(rows[number == 1])
        told = f"Report {number}: {row['problem_statement']}"
        row |= {"instance_id": f"smoke-{number}", "project": "smoke", "problem_statement": told}
        row |= {"repo_path": str(DATA / row["repo_path"]), "family": "f"}
        series.append(row)
    series[-1]["contradicts"] = ["smoke-0"]
    path.write_text("".join(json.dumps(row) + "\n" for row in series))
    return path
