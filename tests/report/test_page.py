"""The report as a file: what stands in it for runs of every kind and state, and that nothing in a run can act in it."""

import base64
import dataclasses
import fcntl
import hashlib
import html
import json
import random
import re
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.experiments.h3 import SEAL
from core.experiments.stream import REVISIT, Step, write_stream
from core.pareto import best_design
from core.report.figures import write_figures
from core.report.html.deltas import MOST_TASKS
from core.report.html.page import load_report, page, write_page
from core.report.html.safe import MOST_TEXT, visible
from core.report.write import print_report
from tests.report.made_up import (
    add_evaluation,
    an_episode,
    evolution_records,
    make_evolution,
    make_run,
    priced_records,
    raced_records,
)

FILES = ["summary.json", "verdicts.jsonl", "inputs/tasks.jsonl", "ledger.sqlite", "archive.json"]
ROOT = Path(__file__).resolve().parents[2]


def html_of(folder):
    return page(load_report(folder))


def pieces(page_html):
    """All data packed into the page, by the name of the piece."""
    found = re.findall(r'<script type="text/plain" id="data-(\w+)">([A-Za-z0-9+/=]*)</script>', page_html)
    return {name: strictly(zlib.decompress(base64.b64decode(packed), -15)) for name, packed in found}


def strictly(text):
    def refuse(constant):
        raise ValueError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


def series(packed, prefix):
    return [
        value
        for number in range(sum(re.fullmatch(rf"{prefix}\d+", n) is not None for n in packed))
        for value in packed[f"{prefix}{number}"]
    ]


def text_of(page_html):
    """What a reader without JavaScript sees."""
    body = re.sub(r"<(script|style)[ >].*?</\1>", "", page_html, flags=re.S)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_an_evaluation_says_what_it_shows_and_on_what_it_stands(tmp_path):
    page_html = html_of(make_run(tmp_path / "run", tasks=24))
    text = text_of(page_html)
    assert "claude_md resolves" in text and "n = 24 tasks" in text and "p (flip)" in text
    assert "Offline model." in text and "no language model" in text
    assert page_html.index('id="verdict"') < page_html.index('id="scores"') < page_html.index('id="episodes"')
    assert "Reward over steps" not in text


def test_many_designs_against_one_are_adjusted_for_and_those_of_a_search_are_no_evidence(tmp_path):
    one = html_of(make_run(tmp_path / "one", tasks=24))
    assert "(Holm)" not in text_of(one)
    folder = make_run(tmp_path / "many", designs=("no_mem", "claude_md", "expel", "awm"), tasks=24)
    many = html_of(folder)
    assert many.count('<th scope="col">p (Holm)</th>') == 2 and "a claim goes by it" in text_of(many)
    rows = load_report(folder).standing.rows
    first = min(rows[1:], key=lambda row: row.versus.p_shown)
    assert first.p_holm == pytest.approx(3 * first.versus.p_shown) and f"<td>{first.p_holm:.3f}</td>" in many
    assert f"for all designs compared {rows[1].p_holm_resolved:.3f} (Holm)" in text_of(many)
    table = many[many.index('id="scores"') :]
    head, body = re.findall(r"<tr>(.*?)</tr>", table, re.S)[1:3]
    assert body.count("<td") == 4 + head.count("<th") + 3
    search = html_of(make_evolution(tmp_path / "search"))
    assert "p (Holm)" not in search and "Here p is not adjusted and no evidence:" in text_of(search)
    assert "no evidence:" not in text_of(many)


def test_arms_that_were_left_unfinished_have_no_score(tmp_path):
    """As a run leaves them whose control failed in its first fold."""
    folder = make_run(tmp_path / "run", "h1", ("bad", "claude_md"), tasks=18)
    summary = json.loads((folder / "summary.json").read_text())
    summary["designs"][1] |= {"status": "unfinished", "error": "bad, the control, failed: <nothing> compared"}
    (folder / "summary.json").write_text(json.dumps(summary))
    shutil.rmtree(folder / "evaluations/claude_md_1b_1")
    shutil.rmtree(folder / "evaluations/bad_1b_1")
    result = {"status": "design_error", "error": "ValueError: cannot learn"}
    (folder / "evaluations/bad_1a_1/result.json").write_text(json.dumps(result))
    report = load_report(folder)
    assert [(row.status, row.score) for row in report.standing.rows] == [
        ("design_error", None),
        ("unfinished", None),
    ]
    text = text_of(html_of(folder))
    assert "bad failed and has no score." in text and "bad, the control, failed: <nothing> compared" in text
    assert "nothing can be concluded" in text


def test_h1_has_the_sentences_of_the_experiment(tmp_path):
    text = text_of(
        html_of(make_run(tmp_path / "run", "h1", ("no_mem", "claude_md", "placebo:claude_md"), tasks=18))
    )
    assert "Primary contrast: claude_md" in text and "Further: placebo:claude_md" in text
    assert "Every memory was built once" in text


def failures(tasks):
    """Runs of these tasks, worse than any that a made-up run has."""
    made = [an_episode(task, 1, 1, random.Random(0)) for task in tasks]
    return [dataclasses.replace(e, reward=0.1, resolved=False, f2p_rate=0.0) for e in made]


def assert_scored_as_summarised(folder):
    """The report has the designs and the figures of ``summary.json``."""
    summary = json.loads((folder / "summary.json").read_text())
    rows = load_report(folder).standing.rows
    assert [(r.design, r.score.reward, r.score.resolved, len(r.episodes)) for r in rows] == [
        (d["sha"], d["reward"], d["resolved"], d["episodes"]) for d in summary["designs"]
    ]


def test_h2_shows_what_was_gained_along_the_stream_and_leaves_out_what_was_asked_again(tmp_path):
    folder = make_run(tmp_path / "run", "h2", tasks=6)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "said": ["Primary: it <grew>."]}))
    for mode in (f"{REVISIT}1", "again2"):
        add_evaluation(
            folder, f"claude_md_{mode}_1", "claude_md", failures([f"project0-0{n}" for n in (0, 3)])
        )

    def steps(arm, solved):
        for order in (1, 2):
            for place in range(1, 7):
                yield Step(
                    arm, order, 1, "stream", place, f"t{place}", "", 0, 0, 0.9, place in solved, 10, 5, 99
                )

    write_stream(folder / "stream.csv", [*steps("no_mem", {1}), *steps("claude_md", {1, 5, 6})])
    page_html = html_of(folder)
    assert "Primary: it <grew>." in text_of(page_html) and "over 2 orders" in text_of(page_html)
    [gained] = re.findall(r'<path class="curve arm1" d="([^"]*)"><title>claude_md</title>', page_html)[1:]
    heights = [float(pair.split()[1]) for pair in re.split("[ML]", gained)[1:]]
    assert heights[0] == heights[3] > heights[4] > heights[5]
    assert_scored_as_summarised(folder)  # not on those that were asked again
    purposes = {line[2]: line[3] for line in pieces(page_html)["episodes"]["evaluations"]}
    assert purposes == {"order1": "score", f"{REVISIT}1": "asked again", "again2": "asked again"}
    (folder / "stream.csv").write_text("arm,order\nno_mem,one\n")
    assert "stream.csv cannot be read" in text_of(html_of(folder))


def h3_run(folder):
    """A run with two searches, of which the second has no winner that could be tested."""
    made = {"lines": 90, "layers": ["Notes"], "stores": ["dict"], "keys": ["notes"], "model_calls": 1}
    made |= {"embedding_calls": 0, "ideas": ["learns from <failures>"]}
    kept = {"search": 1, "seed": 42, "designs_scored": 3, "best": "aaaaaaa1", "search_reward": 0.91}
    kept |= {"test_reward": 0.88, "search_resolved": 0.5, "test_resolved": 0.4, "search_gain": 0.03}
    lost = {**kept, "search": 2, "best": None, "test_gain": None, "search_gain": "much", "test_reward": None}
    compared = {"design": "aaaaaaa1", "structure": made, "nearest": "expel", "similarity": 0.5, "new": ["x"]}
    make_run(folder, "h3", tasks=4)
    summary = json.loads((folder / "summary.json").read_text())
    summary |= {"searches": [{**kept, "test_gain": -0.01}, lost, "?"], "structure": [compared, None]}
    (folder / "summary.json").write_text(json.dumps(summary))
    return folder


def test_h3_shows_what_a_search_promised_beside_what_the_test_kept(tmp_path):
    page_html = html_of(h3_run(tmp_path / "run"))
    text = text_of(page_html)
    assert "learns from <failures>" in text and "expel 0.50" in text
    promised = [float(x) for x in re.findall(r'class="promised" cx="([\d.]+)"', page_html)]
    [kept] = re.findall(r'class="point" cx="([\d.]+)" cy="[\d.]+" r="4"><title>kept -1.00', page_html)
    [zero] = re.findall(r'class="base" x1="([\d.]+)" x2', page_html)[:1]
    assert len(promised) == 1 and float(kept) < float(zero) < promised[0]
    rows = re.findall(r'<th scope="row">(\d)</th><td>42</td><td>3</td><td>(\w+)</td>', page_html)
    assert rows == [("1", "aaaaaaa1"), ("2", "none")]


def test_h3_scores_what_was_tested_and_not_what_the_searches_ran(tmp_path):
    folder = make_run(tmp_path / "run", "h3", ("no_mem", "reflexion", "aaaaaaa1"))
    train = failures(["train0-00", "train0-01", "train0-02"])
    for name in ("claude_md_eval", "bbbbbbb2_eval", "aaaaaaa1_confirm", "aaaaaaa1_eval2", "no_mem_rest"):
        add_evaluation(folder, f"{name}_1", name.rpartition("_")[0], train)
    # The search came first in a run; a higher number must not make its evaluation the latest one either.
    for design in ("no_mem", "aaaaaaa1"):
        add_evaluation(folder, f"{design}_eval_2", design, train)
    assert_scored_as_summarised(folder)
    index = pieces(html_of(folder))["episodes"]
    searched = [e[0] for e in index["evaluations"] if e[3] == "search"]
    assert len(searched) == 7 and len(index["evaluations"]) == 10
    assert not any(row[8] for row in index["rows"] if index["evaluations"][row[1]][3] == "search")
    assert len(index["rows"]) == 3 * 6 + 7 * 3  # all can be browsed
    summary = json.loads((folder / "summary.json").read_text())
    found = [{"sha": "aaaaaaa1", "parent": None, "status": "ok", "search": 1, "reward": 1.0}]
    (folder / "summary.json").write_text(json.dumps({**summary, "state": "interrupted", "designs": found}))
    assert [(r.design, r.score.n_tasks) for r in load_report(folder).standing.rows] == [
        (name, 6) for name in ("no_mem", "reflexion", "aaaaaaa1")
    ]


@pytest.mark.parametrize("seal", [None, "{", "[]", '{"designs": 1, "retrieve_tasks": [{}, 5, null]}'])
def test_h3_scores_nothing_before_its_test(tmp_path, seal):
    folder = make_run(tmp_path / "run", "h3", ("no_mem", "reflexion", "aaaaaaa1"), state="interrupted")
    (folder / SEAL).unlink()
    if seal:
        (folder / SEAL).write_text(seal)
    report = load_report(folder)
    text = text_of(page(report))
    assert [(r.design, r.score) for r in report.standing.rows] == [
        ("no_mem", None),
        ("reflexion", None),
        ("aaaaaaa1", None),
    ]
    assert "This run is not finished" in text and "18 episodes" in text
    assert seal == '{"designs": 1, "retrieve_tasks": [{}, 5, null]}' or "test_split.json" in text


def test_a_raced_design_has_the_score_of_the_archive_and_the_best_is_that_of_the_archive(tmp_path):
    lucky = raced_records({"t4": 0.86})
    assert lucky[2].reward > lucky[1].reward and best_design(lucky, "reward") is lucky[1]
    folder = make_evolution(tmp_path / "lucky", lucky)
    rows = load_report(folder).standing.rows
    assert [(r.score.reward, r.score.n_tasks, r.score.n_episodes) for r in rows] == [
        (record.reward, record.tasks, record.episodes) for record in lucky
    ]
    page_html = html_of(folder)
    text = text_of(page_html)
    assert "claude_md comes out best, with reward 0.900" in text and "on 6 training tasks" in text
    assert "1 with more is believed to be no better" in text and "raced on some of the tasks" in text
    assert "--memo_SHA no_mem,claude_md" in text
    in_tree = re.findall(r'class="name">(\w+)</span>\s*<span class="number">([\d.]+)<', page_html)
    in_table = re.findall(
        r'<th scope="row">(\w+)\b.*?</th>\s*<td>\d+</td><td>\d+</td>\s*<td>([\d.]+) ', page_html, re.S
    )
    assert len(in_tree) == 3 and dict(in_tree) == dict(in_table)

    better = raced_records({"t0": 1.0, "t1": 0.95})
    assert best_design(better, "reward") is better[2]
    text = text_of(html_of(make_evolution(tmp_path / "better", better)))
    assert "aaaaaaa1 comes out best, with reward 1.0" in text and "on 2 of 6 training tasks;" in text


def test_the_best_is_by_what_the_run_was_asked_for(tmp_path):
    records = priced_records()
    folder = make_evolution(tmp_path / "run", records)
    chosen = json.loads((folder / "options.json").read_text())
    named = {}
    for objective in ("reward", "resolved", "tokens"):
        (folder / "options.json").write_text(json.dumps({**chosen, "objective": objective}))
        named[objective] = load_report(folder).standing.best
        assert f"{named[objective]} comes out best" in text_of(html_of(folder))
    assert named == {name: best_design(records, name).sha for name in named} and len(set(named.values())) > 1


def test_a_design_that_is_not_in_the_archive_yet_is_unfinished(tmp_path):
    folder = make_evolution(tmp_path / "run", raced_records({"t0": 0.9}))
    add_evaluation(folder, "ccccccc3_eval_1", "ccccccc3", failures(["project0-00"]))
    [row] = [row for row in load_report(folder).standing.rows if row.design == "ccccccc3"]
    assert row.status == "unfinished" and "2 designs with memory were scored" in text_of(html_of(folder))


def test_an_archive_of_before_runs_were_kept_has_its_report(tmp_path):
    folder = make_evolution(tmp_path / "run")
    archive = json.loads((folder / "archive.json").read_text())
    later = ("runs", "judged", "hypothesis", "compared", "way", "second", "usd", "behaviour")
    for record in archive["records"]:
        for name in later:
            record.pop(name)
    (folder / "archive.json").write_text(json.dumps(archive))
    report = load_report(folder)
    assert report.standing.best == "aaaaaaa1" and not [n for n in report.run.notes if "archive" in n]
    assert [row.score.reward for row in report.standing.rows if row.score] == [0.8, 0.9, 0.95]


def test_an_evolution_shows_its_tree_and_does_not_claim_that_its_best_helps(tmp_path):
    page_html = html_of(make_evolution(tmp_path / "run"))
    text, packed = text_of(page_html), pieces(page_html)
    assert (
        "aaaaaaa1 comes out best, with reward 0.950 (50.0 % resolved) on 6 training tasks; no_mem has" in text
        and "no evidence" in text
        and "1 failed" in text
    )
    levels = re.findall(r'aria-level="(\d)".*?class="name">(\w+)<', page_html, re.S)
    assert levels == [("1", "no_mem"), ("1", "claude_md"), ("2", "aaaaaaa1"), ("3", "aaaaaaa2")]
    assert "ValueError: too long" in text and "no code in the reply" in text
    failed = packed["design3"]
    assert (
        failed["diff"][-1] == " "
        and "-    limit = 1" in failed["diff"]
        and "+    limit = 2" in failed["diff"]
    )
    assert "".join(failed["code"][1::2]).startswith('"""Keeps notes of aaaaaaa2."""')
    assert "raise the limit" in failed["analysis"]
    facts = dict(packed["design2"]["facts"])
    assert facts["hypothesis"] == "more notes help <b>everywhere</b>"
    assert facts["did it hold?"] == "yes, better than its parent: +5.0 points on 6 tasks, p 0.031"
    assert dict(failed["facts"])["hypothesis"] == "none was stated"
    assert 'class="best"' in page_html and page_html.count('class="failed"') == 1


def front_of(page_html):
    [section] = re.findall(r'<section id="front".*?</section>', page_html, re.S)
    return section


def test_the_front_is_drawn_with_a_link_to_every_design(tmp_path):
    page_html = html_of(make_evolution(tmp_path / "run", priced_records()))
    section = front_of(page_html)
    marks = re.findall(
        r'<a href="#(d\d)" data-opens="\d" aria-label="(\w+): reward [\d.]+, (\d+) memory tokens[^"]*"',
        section,
    )
    assert [(name, tokens) for _, name, tokens in marks] == [
        ("no_mem", "0"),
        ("claude_md", "100"),
        ("aaaaaaa1", "200"),
    ]
    assert all(f'<li id="{link}" role="treeitem"' in page_html for link, *_ in marks)
    assert section.count('class="point"') == 3 and "beaten" not in section
    rows = re.findall(r'<th scope="row"><a href="#d\d" data-opens="\d">(\w+)</a></th>', section)
    assert rows == ["no_mem", "claude_md", "aaaaaaa1"]
    heights = [float(y) for y in re.findall(r'class="point" cx="[\d.]+" cy="([\d.]+)"', section)]
    assert heights == sorted(heights, reverse=True)


def test_a_design_that_is_beaten_is_no_stop_for_the_tab_key_and_runs_that_are_none_are_left_out(tmp_path):
    records = priced_records()
    records[2].runs["memory_tokens"] = {task: [50.0] for task in records[2].runs["memory_tokens"]}
    section = front_of(html_of(make_evolution(tmp_path / "run", records)))
    assert re.search(r'data-opens="1" tabindex="-1" aria-label="claude_md: [^"]*tokens">', section)
    assert section.count('class="beaten"') == 1
    nothing = {name: {task: [float("nan")] for task in runs} for name, runs in records[1].runs.items()}
    spoilt = [records[0], dataclasses.replace(records[1], confirmed=nothing), records[2]]
    section = front_of(html_of(make_evolution(tmp_path / "confirmed", spoilt)))
    assert section == front_of(html_of(make_evolution(tmp_path / "as before", records)))
    records[1].runs["reward"] = {task: [float("nan")] for task in records[1].runs["reward"]}
    section = front_of(html_of(make_evolution(tmp_path / "other", records)))
    assert section.count('class="point"') == 2 and "claude_md" not in section
    assert 'id="front"' not in html_of(make_evolution(tmp_path / "without"))
    records[0].usd = "much"
    folder = make_evolution(tmp_path / "odd", records)
    chosen = json.loads((folder / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps({**chosen, "objective": ["x"]}))
    assert front_of(html_of(folder)).count('class="point"') == 2


def test_every_episode_can_be_had_out_of_the_page_word_for_word(tmp_path):
    packed = pieces(html_of(make_run(tmp_path / "run", repeats=2)))
    index, texts = packed["episodes"], series(packed, "text")
    assert len(index["rows"]) == 2 * 6 * 2 == len(series(packed, "body"))
    for row in index["rows"]:
        body = series(packed, "body")[row[0]]
        task = index["tasks"][row[2]][0]
        assert texts[body["issue"]] == f"{task} is wrong"
        assert [texts[step[3]][:6] for step in body["steps"]] == ["[1/30]", "[2/30]"]
        assert json.loads(texts[body["steps"][1][2]])["new"] == "return 2"
    assert texts.count("[2/30] edit_file a.py: replaced 1") == 1


def test_of_many_tasks_the_largest_differences_are_drawn_and_all_are_counted(tmp_path):
    tasks = MOST_TASKS + 20

    def change(episode, design):
        lost = episode.task.endswith(("-00", "-03", "-06"))
        rewards = {"no_mem": 0.5, "claude_md": 0.45 if lost else 1.0}
        return dataclasses.replace(episode, reward=rewards[design], resolved=rewards[design] == 1.0)

    folder = make_run(tmp_path / "run", tasks=tasks, change=change)
    page_html = html_of(folder)
    [figure] = re.findall(r"<figure>.*?</figure>", page_html, re.S)
    assert figure.count("<title>") == MOST_TASKS and f"mean of {tasks}" in figure
    assert (
        figure.count(f"{tasks - 3} better, 3 worse") == 1 and f"{tasks - 3} tasks better, 3 worse" in figure
    )
    assert f"the {MOST_TASKS} largest differences are drawn, the other 20 are not" in figure
    write_figures(load_report(folder), folder)
    assert f"{MOST_TASKS} of {tasks} tasks drawn" in (folder / "figures/paired_deltas.svg").read_text()


def test_worse_than_control_is_by_the_same_run_of_the_same_task(tmp_path):
    def change(episode, design):
        worse = design == "claude_md" and episode.task == "project1-01"
        episode.reward, episode.resolved = (0.25, False) if worse else (0.5, False)
        return episode

    index = pieces(html_of(make_run(tmp_path / "run", change=change)))["episodes"]
    marked = [(index["evaluations"][r[1]][1], index["tasks"][r[2]][0]) for r in index["rows"] if r[8]]
    assert marked == [("claude_md", "project1-01")]


HOSTILE = (
    "</script><script>window.hacked=1</script><!-- --> ]]> <img src=x onerror=window.hacked=1> "
    "{{ 7*7 }} \u2028 \u2029 \x1b[31mred\x1b[0m \x00 \u202eabc \r over & \"quotes\" 'single'"
)


def hostile(episode, design):
    episode.init = {"project": HOSTILE, "problem_statement": HOSTILE}
    episode.memory_retrieved = {HOSTILE: HOSTILE, "half": "\ud800", "none": float("nan"), "deep": [[[[]]]]}
    episode.flags = [HOSTILE]
    episode.ended = HOSTILE
    episode.infra_error = HOSTILE
    episode.prompt_tokens, episode.seconds, episode.memory_seconds = 10**300, float("inf"), float("nan")
    episode.trajectory = [
        {
            "step": HOSTILE,
            "thought": HOSTILE,
            "action": {"action": HOSTILE, HOSTILE: float("nan")},
            "observation": HOSTILE,
        },
        {"step": float("inf"), "thought": 5, "action": None, "observation": {"a": "\udfff"}},
        {"observation": "x" * 1_000_000},
        {},
    ]
    return episode


def hostile_run(folder):
    records = evolution_records()
    records[2].suggestion = {HOSTILE: [HOSTILE, float("inf")]}
    records[3].error = HOSTILE
    records[3].parent = HOSTILE
    make_evolution(folder, records)
    (folder / "evaluations").rename(folder / "old")
    (folder / "verdicts.jsonl").unlink()
    made = make_run(folder.parent / "other", "evolve", ("no_mem", "claude_md", "aaaaaaa1"), change=hostile)
    (made / "evaluations").rename(folder / "evaluations")
    (made / "verdicts.jsonl").rename(folder / "verdicts.jsonl")
    source = folder / "inputs" / "designs" / "memo_structure_aaaaaaa1.py"
    source.write_text(f"x = {HOSTILE!r}\n# {HOSTILE}\n".replace("\r", ""))
    options = json.loads((folder / "options.json").read_text())
    (folder / "options.json").write_text(json.dumps({**options, "execution_model": HOSTILE, "unknown": 1}))
    return folder


def test_nothing_that_others_wrote_gets_into_the_markup(tmp_path):
    folder = hostile_run(tmp_path / "run")
    page_html = html_of(folder)
    page_html.encode("utf-8")
    bare = re.sub(r'<script type="text/plain".*?</script>', "", page_html, flags=re.S)
    assert bare.count("<script") == bare.count("</script") == 1
    assert "<img" not in page_html and "<!--" not in page_html and "&lt;img" in page_html
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u2028\u2029\u202e]", page_html)
    assert "{{ 7*7 }}" in page_html
    packed = pieces(page_html)
    assert visible(HOSTILE) in series(packed, "text")
    assert max(len(text) for text in series(packed, "text")) == 1_000_000


def test_the_policy_names_the_very_script_and_style_of_the_page(tmp_path):
    page_html = html_of(make_run(tmp_path / "run"))
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page_html)[1].replace("&#39;", "'")
    assert policy.startswith("default-src 'none'; ")
    for kind, pattern in (("script", r"<script>(.*?)</script>"), ("style", r"<style>(.*?)</style>")):
        [text] = re.findall(pattern, page_html, re.S)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(
        r"""(?:src|href|url)\s*[=(]\s*["']?(?!#|data:,)[a-z]+:""", page_html.replace(policy, "")
    )
    assert " style=" not in page_html and " onclick=" not in page_html


@pytest.mark.parametrize("missing", FILES)
@pytest.mark.parametrize("how", ["gone", "cut", "other"])
def test_a_run_with_a_file_missing_or_spoilt_still_has_its_report(tmp_path, missing, how):
    folder = make_evolution(tmp_path / "run")
    path = folder / missing
    content = path.read_bytes()
    path.unlink()
    if how == "cut":
        path.write_bytes(content[: len(content) // 2].rstrip(b"\n")[:-1])
    elif how == "other":
        path.write_bytes(b"[1, 2]\n")
    report = load_report(folder)
    text = text_of(page(report))
    assert "claude_md" in text and "Scores" in text
    if (missing, how) != ("archive.json", "gone"):
        assert report.run.notes and any(note in text for note in report.run.notes)


def test_a_half_written_episode_and_a_foreign_line_leave_out_no_more_than_they_must(tmp_path):
    folder = make_run(tmp_path / "run")
    first, second = (
        folder / "evaluations" / f"{name}_eval_1" / "episodes.jsonl" for name in ("no_mem", "claude_md")
    )
    first.write_bytes(first.read_bytes()[:-40])
    lines = second.read_text().splitlines(keepends=True)
    second.write_text("".join([*lines[:2], '{"task": 5}\n', *lines[2:]]))
    report = load_report(folder)
    assert [len(row.episodes) for row in report.standing.rows] == [5, 2]
    assert len(report.run.notes) == 1 and "claude_md_eval_1" in report.run.notes[0]


def test_what_the_evaluation_says_of_itself_counts_nothing(tmp_path):
    folder = make_run(tmp_path / "run")
    path = folder / "evaluations" / "no_mem_eval_1" / "episodes.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    before = load_report(folder).standing.rows[0].score
    forged = [{**row, "reward": 1.0, "resolved": True, "flags": []} for row in rows]
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in [*forged, {**forged[0], "task": "project0-99"}])
    )
    report = load_report(folder)
    assert report.standing.rows[0].score == before
    ungraded = [row for row in pieces(page(report))["episodes"]["rows"] if row[5] is None]
    assert len(ungraded) == 1


@pytest.mark.parametrize("state", ["interrupted", "budget"])
def test_an_unfinished_run_shows_scores_and_concludes_nothing(tmp_path, state):
    text = text_of(html_of(make_run(tmp_path / "run", state=state, tasks=24)))
    assert "not finished" in text and "--resume run" in text
    assert "resolves" not in text.partition("Scores")[0] and "delta" not in text


def test_a_run_that_is_at_work_is_said_to_be_so(tmp_path, capsys):
    folder = make_run(tmp_path / "run", state="interrupted")
    with open(folder / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert print_report(folder) == 0
    assert "This run is at work now" in (folder / "report.html").read_text()
    print_report(folder)
    assert "at work now" not in (folder / "report.html").read_text()


def test_a_folder_with_options_alone_and_one_of_an_unknown_kind_have_a_report(tmp_path):
    folder = make_run(tmp_path / "run")
    options = json.loads((folder / "options.json").read_text())
    summary = json.loads((folder / "summary.json").read_text())
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "options.json").write_text(json.dumps(options))
    assert "has no result yet" in text_of(html_of(bare))
    (folder / "options.json").write_text(json.dumps({**options, "kind": "h9"}))
    (folder / "summary.json").write_text(json.dumps({**summary, "kind": "h9"}))
    assert "h9" in text_of(html_of(folder))


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for folder in (make_evolution(tmp_path / "evolved"), make_run(tmp_path / "scored")):
        found = []
        for _ in range(2):
            report = load_report(folder)
            paths = [write_page(report, folder), *write_figures(report, folder)]
            found.append({path.name: path.read_bytes() for path in paths})
        assert found[0] == found[1] and "paired_deltas.png" in found[0]
        assert b"<dc:date>" not in found[0]["paired_deltas.svg"]
    assert (tmp_path / "evolved" / "figures" / "reward_over_steps.svg").exists()


def test_the_command_writes_all_of_it_and_names_an_unknown_run_in_one_line(tmp_path):
    make_evolution(tmp_path / "run")

    def call(run):
        return subprocess.run(
            [sys.executable, ROOT / "run_main.py", "--report", run],
            env={"LOG_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
        )

    made = call("run")
    assert made.returncode == 0 and made.stdout.splitlines()[0] == str(tmp_path / "run" / "report.html"), (
        made.stderr
    )
    assert len(made.stdout.splitlines()) == 5 and all(
        Path(line).is_file() for line in made.stdout.splitlines()
    )
    for wrong in ("nothing", "../run"):
        refused = call(wrong)
        assert refused.returncode == 2 and refused.stderr.count("\n") == 1 and not refused.stdout


def test_drawing_is_imported_when_something_is_drawn_and_not_before():
    code = "import core.commands, sys; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(codec=None), max_size=50))
def test_a_visible_text_can_be_written_and_hides_nothing(text):
    shown = visible(text)
    shown.encode("utf-8")
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", shown
    )
    assert visible(shown) == shown
    ordinary = text.isascii() and text.isprintable()
    assert shown == text or not ordinary


def test_an_endless_text_is_cut_and_says_so():
    assert visible("y" * (MOST_TEXT + 5)).endswith("[5 more characters are left out here]")
