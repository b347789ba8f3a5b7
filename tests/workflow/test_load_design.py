"""How a design file is loaded in the evaluation process: short import names, which class counts, clear errors."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOAD = """
import json, sys
from pathlib import Path
from launch import AliasFinder, DesignError, load_design
sys.meta_path.insert(0, AliasFinder())
try:
    design = load_design(Path(sys.argv[1]))
    print(json.dumps({"name": design.__name__, "chromadb": "chromadb" in sys.modules, **getattr(design, "seen", {})}))
except DesignError as error:
    print(json.dumps({"error": str(error)}))
"""


def load(tmp_path, source):
    path = tmp_path / "memo_structure_x.py"
    path.write_text(source)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(path)],
        cwd=ROOT / "evals",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


CONCRETE = """
    async def general_retrieve(self, recorder):
        return {}

    async def general_update(self, recorder):
        pass
"""


def test_short_names_are_the_real_modules_loaded_once(tmp_path):
    source = f"""
import agents.memo_structure, evals.agents.memo_structure
import utils.hire_agent, evals.utils.hire_agent
from agents.memo_structure import MemoStructure
from eval_envs.base_envs import Basic_Recorder
from evals.eval_envs import base_envs

class Mine(MemoStructure):
    seen = {{
        "one_module": agents.memo_structure is evals.agents.memo_structure,
        "one_agent": utils.hire_agent.Agent is evals.utils.hire_agent.Agent,
        "one_recorder": Basic_Recorder is base_envs.Basic_Recorder,
        "own_name": evals.utils.__spec__.name,
    }}
{CONCRETE}
"""
    seen = load(tmp_path, source)
    assert seen == {
        "name": "Mine",
        "chromadb": False,
        "one_module": True,
        "one_agent": True,
        "one_recorder": True,
        "own_name": "evals.utils",
    }


def test_a_helper_that_derives_from_memo_structure_is_not_the_design(tmp_path):
    source = f"""
from agents.memo_structure import MemoStructure

class Helper(MemoStructure):
    def shared(self):
        return 1

class Abstract(Helper):
    pass

class Design(Helper):
{CONCRETE}
"""
    assert load(tmp_path, source)["name"] == "Design"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1\n", "one concrete subclass of MemoStructure; found none"),
        (
            "from agents.memo_structure import MemoStructure\nclass A(MemoStructure):\n    pass\n",
            "only abstract",
        ),
        ("import nothing_of_this_name\n", "nothing_of_this_name"),
        ("raise SystemExit('bye')\n", "bye"),
        ("def f(:\n", "SyntaxError"),
    ],
)
def test_a_file_without_a_usable_design_says_why(tmp_path, source, said):
    assert said in load(tmp_path, source)["error"]
