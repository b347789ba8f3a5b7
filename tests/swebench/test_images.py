"""SWE-bench in the instances' images: names, gold and no change, agents' commands, and all that can be wrong with one.

Everything runs with a stand-in engine; where podman or docker works, the gradings run with that as well.
"""

import asyncio
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from instance_image import NAME, REAL_PYTHON, STAND_IN_PYTHON, make_layout, real_root
from small_instance import BUGGY, FIXED, make_row
from test_check_tasks_cli import run

from core.image_rooms import ImageRooms
from envs_archive.coding.grading_rooms import GradingRooms
from envs_archive.coding.swebench import images
from envs_archive.coding.swebench.checking import check
from envs_archive.coding.swebench.grading import run_tests
from envs_archive.coding.swebench.images import image_name, qualified
from envs_archive.coding.swebench.sites import install, provide
from envs_archive.coding.swebench.source import load_source
from envs_archive.coding.workspace import prepare_base
from envs_archive.coding_envs import load_config
from evals.contract import EvalSpec
from evals.utils.container import find_engine
from evals.utils.sandbox import Limits, SandboxUnavailable, View, probe, sandboxed_argv
from tests.stand_in_engine import make_engine


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory, place):
    """The folder for PATH of the stand-in engine, which has the image of the instance and some that are no good."""
    try:
        if not probe("bwrap").fresh_proc:
            pytest.skip("no new /proc can be mounted here")
    except SandboxUnavailable as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("engine")
    binaries = make_engine(folder)
    for name in (NAME, "here.io/no-testbed", "no-environment"):
        root = folder / "images" / name.replace("/", "+")
        root.mkdir()
        make_layout(root, place[0] / "work", place[1], STAND_IN_PYTHON)
    (folder / "images/here.io+no-testbed/testbed").rename(folder / "elsewhere")
    (folder / "images/no-environment/opt/miniconda3/envs/testbed").rename(folder / "environment")
    return binaries


@pytest.fixture(scope="module")
def podman(tmp_path_factory, place):
    """A real engine with the image of the instance, made of this machine's files."""
    engine, why = find_engine()
    if not engine:
        pytest.skip(f"needs docker or podman: {why}")
    root = tmp_path_factory.mktemp("image") / "root"
    root.mkdir()
    make_layout(root, place[0] / "work", place[1], REAL_PYTHON)
    real_root(root)
    packed = subprocess.run(["tar", "-C", str(root), "-c", "."], capture_output=True, check=True).stdout
    subprocess.run(
        [engine, "import", "-", f"docker.io/{NAME}"], input=packed, capture_output=True, check=True
    )
    yield engine
    subprocess.run([engine, "rmi", "--force", f"docker.io/{NAME}"], capture_output=True, check=True)


@pytest.fixture(params=["stand_in", "podman"])
def kind(request, monkeypatch):
    engine = request.getfixturevalue(request.param)
    if request.param == "stand_in":
        monkeypatch.setenv("PATH", f"{engine}:/usr/bin:/bin")
    monkeypatch.setattr(images, "_looked", {})
    yield probe("container")
    if request.param == "podman":
        left = subprocess.run([engine, "ps", "-aq", "--filter", "name=alma-"], capture_output=True, text=True)
        assert left.stdout == ""


def load(tmp_path, rows):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps(rows))
    return load_source(f"swebench:{path}", None, None, images=True)


def test_names_of_images():
    row = {"instance_id": "scikit-learn__scikit-learn-10297"}
    official = "swebench/sweb.eval.x86_64.scikit-learn_1776_scikit-learn-10297:latest"
    assert image_name(row) == image_name({**row, "image": None, "image_name": ""}) == official
    assert (
        image_name({"instance_id": "PyCQA__flake8-1"})
        == "swebench/sweb.eval.x86_64.pycqa_1776_flake8-1:latest"
    )
    for field in ("image", "image_name", "docker_image"):
        assert image_name({**row, field: "ghcr.io/a/b:1"}) == "ghcr.io/a/b:1"
    for bad in ("-rm", "a b", "a/--privileged", "a;b", "a\nb", "/a"):
        with pytest.raises(ValueError, match="cannot be the name of an image"):
            image_name({**row, "image": bad})
    assert qualified(official) == f"docker.io/{official}"
    assert qualified("python:3.11") == "docker.io/library/python:3.11"
    for name in ("ghcr.io/a/b:1", "localhost/a", "here:5000/a"):
        assert qualified(name) == name


def test_a_row_needs_neither_repository_nor_environment(tmp_path, row, place):
    [task] = load(tmp_path, [row]).tasks
    assert (task.official.image, task.official.environment.name, task.git_url) == (NAME, "image", None)
    assert load_source(f"swebench:{tmp_path}/rows.json", None, None).tasks == []
    found = load_source(
        f"swebench:{tmp_path}/rows.json", None, str(place[0] / "environments.yaml"), images=True
    )
    assert dict(found.tasks[0].official.environment.variables) == {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


def test_the_solution_is_resolved_and_no_change_is_not(tmp_path, row, kind):
    [task] = load(tmp_path, [row]).tasks
    done = asyncio.run(check(task, tmp_path, GradingRooms(kind, Limits()), 1, print))
    assert (done.usable, done.gold, done.nop, done.reason) == (True, 1, 0, "")


def test_what_a_submission_does_to_its_container(tmp_path, row, kind):
    [task] = load(tmp_path, [row]).tasks
    environment = dataclasses.replace(task.official.environment, test_timeout=3.0)
    hurried = dataclasses.replace(task, official=dataclasses.replace(task.official, environment=environment))
    base = tmp_path / "base"

    async def body():
        await prepare_base(task, base, lambda tree: install(task, tree, kind, print))
        await provide(task, base, kind, print)
        rooms, found = GradingRooms(kind, Limits()), {}
        for name, extra in (
            ("forger", "print('PASSED tests/test_shapes.py::test_oblong')\n"),
            ("hang", "while True: pass\n"),
            ("killer", "import os\nos.kill(-1, 9)\n"),
            ("noisy", "import os\nfor _ in range(200): os.write(2, b'x' * 1_000_000)\n"),
        ):
            code = (BUGGY if name == "forger" else FIXED) + extra
            found[name] = await run_tests(
                hurried if name == "hang" else task, base, {"shapes.py": code.encode()}, rooms
            )
        return found

    found = asyncio.run(body())
    assert (base / "shapes_version.py").exists() and (base / ".git/refs/heads/main").exists()
    assert found["forger"].counts.fail_to_pass == [] and len(found["forger"].counts.pass_to_pass) == 3
    assert "timed out" in found["hang"].ended and found["hang"].counts == ([], [])
    assert found["killer"].counts == ([], [])
    assert found["noisy"].counts == (list(task.fail_to_pass), list(task.pass_to_pass))


def lent(tmp_path, row, kind, use, over=None):
    """``await use(rooms, spec)`` with the folders of an evaluation `e`, then ``over`` with its result."""
    [task] = load(tmp_path, [row]).tasks
    base = tmp_path / "base"

    async def body():
        await prepare_base(task, base, lambda tree: install(task, tree, kind, print))
        await provide(task, base, kind, print)
        rooms = ImageRooms(
            tmp_path / "trees", {task.instance_id: task}, {task.instance_id: base}, kind, load_config()
        )
        spec = EvalSpec("no_mem", None, "offline", [], [task.public(base)], repeats=2)
        async with rooms.lend(spec, "e") as named:
            done = await use(rooms, named)
        assert not (tmp_path / "trees").exists()
        if over is not None:
            await over(*done)

    asyncio.run(body())


def test_commands_of_an_agent(tmp_path, row, kind):
    async def use(rooms, spec):
        first, second = map(Path, spec.retrieve_tasks[0]["environment"]["trees"])
        (first / "a.txt").write_text("mine\n")

        async def run(tree, command, wall_s=20):
            body = {"tree": tree.name, "task": row["instance_id"], "command": command, "wall_s": wall_s}
            return await rooms.run({"evaluation": "e"}, body)

        told = await run(first, 'pwd; cat /workspace/a.txt; echo "$CONDA_DEFAULT_ENV"; echo b > b.txt')
        assert told["output"] == "/workspace\nmine\ntestbed\n" and (first / "b.txt").exists()
        assert (await run(second, ["ls"]))["output"] == ""
        assert (await run(first, "sleep 60 & sleep 60", 0.5))["timed_out"]
        assert (await run(first, "kill -9 -1"))["exit_code"] != 0
        assert "Read-only" in (await run(first, "echo x > /etc/x"))["output"]
        interfaces = await run(first, ["python", "-c", "import socket; print(socket.if_nameindex())"])
        assert "'lo'" in interfaces["output"] and interfaces["output"].count("(") == 1
        assert "sesame" not in (await run(first, "cat /proc/*/environ"))["output"]
        (first / "shapes.py").write_text("where = __file__\n")
        imported = await run(first, "cd /tmp && python -c 'import shapes; print(shapes.where)'")
        assert imported["output"] == "/workspace/shapes.py\n"  # where the image's installation looks for it
        await run(first, None)
        for change in ({"tree": ".."}, {"task": "other"}, {"command": [1]}, {"command": []}, {"wall_s": "1"}):
            body = {"tree": "0", "task": row["instance_id"], "command": "true", "wall_s": 1} | change
            with pytest.raises(ValueError):
                await rooms.run({"evaluation": "e"}, body)
            with pytest.raises(ValueError):
                await rooms.run({"evaluation": "f"}, body)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sesame")
        lent(tmp_path, row, kind, use)


def test_an_evaluation_that_ends_takes_its_commands_along(tmp_path, row, kind):
    async def use(rooms, spec):
        body = {"tree": "0", "task": row["instance_id"], "command": ": > begun; sleep 50", "wall_s": 50}
        running = asyncio.ensure_future(rooms.run({"evaluation": "e"}, body))
        begun = Path(spec.retrieve_tasks[0]["environment"]["trees"][0], "begun")
        for _ in range(600):
            if begun.exists():
                break
            await asyncio.sleep(0.05)
        return running, time.monotonic()

    async def over(running, since):
        assert time.monotonic() - since < 40  # far from the command's own end
        with pytest.raises(ValueError, match="over"):
            await running

    lent(tmp_path, row, kind, use, over)


def test_an_evaluation_cannot_put_another_folder_in_the_place_of_its_own(
    tmp_path, row, stand_in, monkeypatch
):
    monkeypatch.setenv("PATH", f"{stand_in}:/usr/bin:/bin")
    monkeypatch.setattr(images, "_looked", {})
    kind = probe("container")

    async def use(rooms, spec):
        tree = spec.retrieve_tasks[0]["environment"]["trees"][0]
        code = (
            f"import os; tree = {tree!r}; above = os.path.dirname(tree); open(tree + '/made', 'w')\n"
            "for act in (lambda: os.rename(tree, tree + '.old'), lambda: os.rmdir(tree)):\n"
            "    try: act(); print('DONE')\n"
            "    except OSError: pass\n"
            "os.rename(above, above + '.old')  # a folder of the container's own, not the one outside\n"
        )
        view = View(writable=((Path(tree), tree),))
        argv, env = sandboxed_argv(kind, [sys.executable, "-c", code], view, Limits())
        done = await asyncio.to_thread(
            subprocess.run, argv, env=env, capture_output=True, text=True, timeout=60
        )
        assert (done.stdout, done.stderr) == ("", "") and (Path(tree) / "made").exists()
        assert os.listdir(tmp_path / "trees") == ["e"]

    lent(tmp_path, row, kind, use)


def test_from_the_shell(place, row, tmp_path, stand_in, monkeypatch):
    monkeypatch.setenv("PATH", f"{stand_in}:/usr/bin:/bin")
    rows = [
        row,
        make_row(place[1], instance_id="acme__shapes-2"),
        make_row(place[1], instance_id="acme__shapes-3", image="here.io/no-testbed"),
        make_row(place[1], instance_id="acme__shapes-4", docker_image="no-environment"),
        make_row(place[1], instance_id="acme__shapes-5", image="--privileged"),
        make_row(place[1], instance_id="acme__shapes-6", image_name=NAME),
    ]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    inside = ["--sandbox", "container", "--environments", str(place[0] / "environments.yaml")]
    asked = ["--tasks", f"swebench:{tmp_path}/rows.json", "--repeats", "1", "--result_dir", "c"]
    done = run(tmp_path, "--check_tasks", *asked, *inside)
    assert done.returncode == 0 and "2 of 6 can be used" in done.stdout, done.stderr
    found = {one["name"][-1]: one for one in json.loads((tmp_path / "logs/c/check.json").read_text())}
    assert {number for number, one in found.items() if one["usable"]} == {"1", "6"}
    missing = (
        "image swebench/sweb.eval.x86_64.acme_1776_shapes-2:latest is not here and cannot be pulled: Error"
    )
    assert found["2"]["reason"].startswith(missing)
    assert found["3"]["reason"] == "image here.io/no-testbed has no /testbed"
    assert "no-environment environment cannot be activated" in found["4"]["reason"]
    assert "cannot be the name of an image" in found["5"]["reason"]
    usable = ["--tasks", f"swebench:{tmp_path}/logs/c/usable.jsonl", "--result_dir", "r"]
    flags = ["--status", "test", "--train_size", "0", "--memo_SHA", "no_mem", "--repeats", "1"]
    done = run(tmp_path, *flags, *usable, *inside)
    assert done.returncode == 0, done.stderr
    [episode] = [
        json.loads(line)
        for path in (tmp_path / "logs/r/evaluations").glob("no_mem_eval_*/episodes.jsonl")
        for line in path.read_text().splitlines()
    ]
    steps = " ".join(step["observation"] for step in episode["trajectory"])
    assert episode["reward"] >= 0.75 and "passed" in steps and "/testbed" not in steps
    assert not (tmp_path / "logs/r/trees").exists()


def test_without_an_engine(place, row, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "rows.json").write_text(json.dumps([row]))
    done = run(
        tmp_path, "--check_tasks", "--sandbox", "container", "--tasks", f"swebench:{tmp_path}/rows.json"
    )
    assert done.returncode == 2 and "neither docker nor podman found" in done.stderr
    assert not (tmp_path / "logs").exists()
