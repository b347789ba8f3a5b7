"""A finished run is reproduced from its ledger alone, also elsewhere; and a change is found where it begins."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import tarfile

import pytest

from .paid import KEY, MODEL, PaidModel
from .runs import ROOT, SAMPLES, finish, main_here, start

LIKE_A_KEY = "sk-proj-" + "Zz9" * 12
DESIGN = '''
from agents.memo_structure import MemoStructure
from utils.hire_agent import Agent


class Mine(MemoStructure):
    """Asks the model what to remember; and asks the same twice at once."""

    async def general_update(self, recorder):
        import asyncio

        agents = [Agent("Say what to remember.") for _ in range(3)]
        self.notes = await asyncio.gather(*(agent.ask("What?") for agent in agents))

    async def general_retrieve(self, recorder):
        return {"notes": " / ".join(self.notes)}
'''


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Logs with a finished run ``first`` of a moody model, in which keys and paths of this machine came to lie."""
    folder = tmp_path_factory.mktemp("recorded")
    rows = [json.loads(line) for line in SAMPLES.read_text().splitlines()]
    for row in rows:
        row["repo_path"] = str(SAMPLES.parent / row["repo_path"])
        row["problem_statement"] += f"\nSeen with key {KEY} below {ROOT}/core."
    tasks, design = folder / "tasks.jsonl", folder / "my_design.py"
    tasks.write_text("".join(json.dumps(row) + "\n" for row in rows))
    design.write_text(DESIGN + f"# {KEY}\n")
    model = PaidModel(moody=True)
    model.tampered = lambda text: text.replace("mood", f"mood of {ROOT}/evals with {LIKE_A_KEY}")
    asked = ["--status", "test", "--memo_SHA", f"no_mem,{design}", "--train_size", "0", "--repeats", "1"]
    models = ["--execution_model", MODEL, "--meta_model", MODEL]
    arguments = [*asked, "--tasks", str(tasks), *models, "--result_dir", "first"]
    finish(start(folder / "logs", *arguments, **model.environment))
    model.stop()
    tasks.unlink()
    design.unlink()
    return folder / "logs"


def elsewhere(folder):
    """A copy of the program in another place."""
    for name in ("core", "evals", "envs_archive", "memo_archive/baseline"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run_main.py", folder)
    return folder


def test_a_packed_run_is_replayed_elsewhere_without_key_network_and_paths(
    recorded, tmp_path, monkeypatch, capsys
):
    code, _ = main_here(recorded, monkeypatch, capsys, "--pack", "first", OPENAI_API_KEY=KEY)
    assert code == 0
    packed = recorded / "first.tar.gz"
    content = gzip.decompress(packed.read_bytes())
    for secret in (KEY, LIKE_A_KEY, str(ROOT), str(recorded), str(recorded.parent)):
        assert secret.encode() not in content
    away = elsewhere(tmp_path / "away")
    copy = shutil.copy(packed, tmp_path / "sent.tar.gz")
    output = finish(start(tmp_path / "logs", "--replay", copy, root=away))
    assert "every number is reproduced" in output
    assert not (tmp_path / "logs").exists() and not list((away / "memo_archive").glob("coding/*"))


def test_the_first_request_that_differs_is_named(recorded, tmp_path):
    """The agent's prompt is changed in a copy of the program: what is asked first is shown with the change."""
    away = elsewhere(tmp_path / "away")
    prompt = away / "envs_archive/prompts/coding_prompt.py"
    assert prompt.read_text().count("You repair") == 1
    prompt.write_text(prompt.read_text().replace("You repair", "You mend"))
    output = finish(start(recorded, "--replay", "first", root=away), 1)
    assert "NOT reproduced" in output and "envs_archive/prompts/coding_prompt.py" in output
    line = next(line for line in output.splitlines() if "first differing request" in line)
    assert "messages[0] (system)" in line and "You repair" in line and "You mend" in line
    assert " act of " in line and "Traceback" not in output


def test_a_number_that_differs_is_named(recorded, tmp_path):
    shutil.copytree(recorded / "first", tmp_path / "logs/first")
    summary = tmp_path / "logs/first/summary.json"
    changed = json.loads(summary.read_text())
    changed["designs"][1]["reward"] += 0.01
    summary.write_text(json.dumps(changed))
    output = finish(start(tmp_path / "logs", "--replay", "first"), 1)
    assert "summary.json: designs[1].reward" in output


@pytest.mark.parametrize("flag", ["--replay", "--pack"])
def test_only_a_finished_run_is_replayed_or_packed(recorded, tmp_path, flag, monkeypatch, capsys):
    shutil.copytree(recorded / "first", tmp_path / "logs/first")
    summary = tmp_path / "logs/first/summary.json"
    summary.write_text(json.dumps(json.loads(summary.read_text()) | {"state": "interrupted"}))
    code, output = main_here(tmp_path / "logs", monkeypatch, capsys, flag, "first")
    assert code == 2 and "interrupted" in output and output.count("\n") == 1


def test_what_is_no_packed_run_is_refused(tmp_path, monkeypatch, capsys):
    file = tmp_path / "x.tar.gz"
    file.write_bytes(gzip.compress(b"nothing"))
    code, output = main_here(tmp_path / "logs", monkeypatch, capsys, "--replay", str(file))
    assert code == 2 and str(file) in output and output.count("\n") == 1


@pytest.mark.parametrize("field", ["name", "task_type"])
def test_a_packed_run_cannot_lead_out_of_the_scratch_folder(recorded, tmp_path, field, monkeypatch, capsys):
    options = json.loads((recorded / "first/options.json").read_text()) | {field: "../../evil"}
    text = json.dumps(options).encode()
    file = tmp_path / "x.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        entry = tarfile.TarInfo("first/options.json")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    code, output = main_here(tmp_path / "logs", monkeypatch, capsys, "--replay", str(file))
    assert code == 2 and "evil" in output and output.count("\n") == 1


def test_costs_are_told_by_purpose_design_and_model(recorded, monkeypatch, capsys):
    code, output = main_here(recorded, monkeypatch, capsys, "--costs", "first")
    assert code == 0
    assert all(word in output for word in ("act", "memory", "no_mem", MODEL, "USD"))
    assert main_here(recorded, monkeypatch, capsys, "--costs", "nothing")[0] == 2
