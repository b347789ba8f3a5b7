"""Every action's observation, word for word, on real files and in real sandbox sessions."""

import asyncio
import os

import pytest
from env_project import BUGGY, FIXED

from envs_archive.coding.actions import ActionError, ActionLimits, SandboxLost, execute
from envs_archive.coding.stable_text import stabilise
from evals.utils.sandbox import Limits, SandboxKind
from evals.utils.session import Session

LIMITS = ActionLimits(command_timeout=20, read_chars=60, search_matches=3)


def do(workspace, kind, *actions, limits=LIMITS):
    """The observations of some actions in one session; errors as the agent sees them."""

    async def run():
        seen = []
        async with Session(kind, workspace, Limits(wall_s=20, output_bytes=4000)) as session:
            for action in actions:
                try:
                    seen.append(await execute(action, workspace, session, limits))
                except ActionError as error:
                    seen.append(f"error: {error}")
        return seen

    return asyncio.run(run())


@pytest.fixture
def one(workspace, best_kind):
    def one(action, **fields):
        return do(workspace, best_kind, {"action": action, **fields})[0]

    return one


def test_read_file(one, workspace):
    assert (
        one("read_file", path="shapes/area.py")
        == f"read_file shapes/area.py: {len(BUGGY)} characters\n{BUGGY}"
    )
    assert one("read_file", path="./shapes/../shapes/area.py").startswith("read_file shapes/area.py: ")
    assert one("read_file", path="/workspace/shapes/area.py").startswith("read_file shapes/area.py: ")
    (workspace / "long.txt").write_bytes("ä".encode() * 60 + b"\r\nmore")
    assert one("read_file", path="long.txt") == (
        f"read_file long.txt: 66 characters\n{'ä' * 60}\n"
        "... cut at 60 of 66 characters: use run_command with sed -n to read the rest"
    )
    (workspace / "crlf.txt").write_bytes(b"a\r\nb")
    assert one("read_file", path="crlf.txt") == "read_file crlf.txt: 4 characters\na\r\nb"
    (workspace / "latin.txt").write_bytes(b"a\xe4")
    assert one("read_file", path="latin.txt") == (
        "read_file latin.txt: 2 characters\na\ufffd\n... not UTF-8: bytes that cannot be decoded are shown as \ufffd"
    )


def test_read_file_refuses(one, workspace):
    (workspace / "bin").write_bytes(b"\0\1")
    os.mkfifo(workspace / "pipe")
    with open(workspace / "huge", "wb") as handle:
        handle.truncate(5 * 2**20)
    for path, said in {
        "none.py": "none.py does not exist",
        "README.md/x": "README.md/x does not exist",
        "shapes": "shapes is a directory; use list_dir",
        "bin": "bin is a binary file (2 bytes)",
        "pipe": "pipe is not a regular file",
        "huge": "huge is too large (5242880 bytes); use run_command",
        "x" * 300: "x" * 300 + ": File name too long",
    }.items():
        assert one("read_file", path=path) == f"error: read_file: {said}"


@pytest.mark.parametrize("action", ["read_file", "edit_file", "create_file", "search", "list_dir"])
@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "shapes/../../x", "out/x", "out", "", "/workspace/../x", "loop"]
)
def test_no_action_leaves_the_workspace(one, workspace, tmp_path, action, path):
    (workspace / "out").symlink_to(tmp_path)
    (workspace / "loop").symlink_to("loop")
    (tmp_path / "x").write_text("secret")
    fields = {"edit_file": {"content": "y"}, "create_file": {"content": "y"}, "search": {"pattern": "s"}}
    seen = one(action, path=path, **fields.get(action, {}))
    assert seen.startswith(f"error: {action}: ")
    assert "secret" not in seen
    assert (tmp_path / "x").read_text() == "secret"


def test_edit_file(one, workspace):
    file = workspace / "shapes" / "area.py"
    file.chmod(0o755)
    assert one("edit_file", path="shapes/area.py", old="width + height", new="width * height") == (
        "edit_file shapes/area.py: replaced 1 occurrence at line 2"
    )
    assert file.read_text() == FIXED
    assert file.stat().st_mode & 0o777 == 0o755
    assert (
        one("edit_file", path="shapes/area.py", content="x\n")
        == "edit_file shapes/area.py: written (2 characters)"
    )
    assert file.read_text() == "x\n"


def test_edit_file_keeps_line_ends(one, workspace):
    file = workspace / "crlf.py"
    file.write_bytes(b"a = 1\r\nb = 2\r\n")
    one("edit_file", path="crlf.py", old="a = 1\nb = 2", new="a = 1\nb = 3\nc = 4")
    assert file.read_bytes() == b"a = 1\r\nb = 3\r\nc = 4\r\n"
    one("edit_file", path="crlf.py", content="d\n")
    assert file.read_bytes() == b"d\r\n"
    file.write_bytes(b"a\r\nb\n")
    one("edit_file", path="crlf.py", old="b\n", new="c\n")
    assert file.read_bytes() == b"a\r\nc\n"


def test_edit_file_refuses_and_changes_nothing(one, workspace):
    (workspace / "a.py").write_text("x = aaa\nx = 1\nx = 1\n")
    (workspace / "latin.py").write_bytes(b"a\xe4")
    before = {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()}
    for path, old, said in [
        ("a.py", "y", '"old" does not occur in a.py; copy it exactly, white space included'),
        ("a.py", "x = 1", '"old" occurs 2 times in a.py; give more surrounding text'),
        ("a.py", "aa", '"old" occurs 2 times in a.py; give more surrounding text'),
        ("b.py", "x", "b.py does not exist; use create_file"),
        ("shapes", "x", "shapes is a directory; use list_dir"),
        ("latin.py", "a", "latin.py is not UTF-8 text; use run_command"),
        (".git/config", "a", ".git/config is in .git, which is not to be written"),
    ]:
        assert one("edit_file", path=path, old=old, new="z") == f"error: edit_file: {said}"
    assert {path: path.read_bytes() for path in workspace.rglob("*") if path.is_file()} == before


def test_create_file(one, workspace):
    assert (
        one("create_file", path="a/b/c.py", content="x = 1\r\n")
        == "create_file a/b/c.py: written (7 characters)"
    )
    assert (workspace / "a" / "b" / "c.py").read_bytes() == b"x = 1\r\n"
    for path, said in {
        "a/b/c.py": "a/b/c.py already exists; use edit_file",
        "shapes": "shapes is a directory",
        "new/": "new/ names a directory, not a file",
        "README.md/x": "a folder of README.md/x is a file",
        ".git/hooks/x": ".git/hooks/x is in .git, which is not to be written",
        "sub/.GIT/x": "sub/.GIT/x is in .git, which is not to be written",
    }.items():
        assert one("create_file", path=path, content="") == f"error: create_file: {said}"
    assert not (workspace / "new").exists()


def test_list_dir(one, workspace):
    (workspace / "link").symlink_to("shapes")
    (workspace / "__pycache__").mkdir()
    assert one("list_dir") == "list_dir .: 4 entries\nREADME.md\nlink\nshapes/\ntests/"
    assert one("list_dir", path="tests/") == "list_dir tests: 1 entry\ntest_shapes.py"
    assert one("list_dir", path="none") == "error: list_dir: none does not exist"
    assert one("list_dir", path="README.md") == "error: list_dir: README.md is a file; use read_file"
    (workspace / "many").mkdir()
    for number in range(502):
        (workspace / "many" / f"{number:03}").touch()
    assert one("list_dir", path="many").endswith("\n499\n... and 2 more")


def test_search(workspace, kind):
    (workspace / ".git" / "width").write_text("width")
    (workspace / "bin").write_bytes(b"\0width")
    (workspace / "long.txt").write_text("width" + "x" * 400)
    (workspace / "-n.md").write_text("a\nwidth of $(touch owned) 'a'\n")
    seen = do(
        workspace,
        kind,
        {"action": "search", "pattern": r"width|\bheight\b", "path": "shapes", "glob": "*.py"},
        {"action": "search", "pattern": r"^\s*(?:def|class)\s+(?:area|perimeter)\b", "glob": "*.py"},
        {"action": "search", "pattern": "width of", "path": "-n.md"},
        {"action": "search", "pattern": "widthxx"},
        {"action": "search", "pattern": "nowhere"},
        {"action": "search", "pattern": "$(touch owned)`touch owned`"},
        {"action": "search", "pattern": "a("},
        {"action": "search", "pattern": "a", "path": "none"},
    )
    wrong = seen.pop(6)
    assert wrong.startswith("error: search: ") and "parenthes" in wrong
    assert seen == [
        "search 'width|\\\\bheight\\\\b': 4 matches\n"
        "shapes/area.py:1:def area(width, height):\n"
        "shapes/area.py:2:    return width + height\n"
        "shapes/outline.py:1:def perimeter(width, height):\n"
        "... only the first 3 matches are shown: search for something more specific",
        "search '^\\\\s*(?:def|class)\\\\s+(?:area|perimeter)\\\\b': 2 matches\n"
        "shapes/area.py:1:def area(width, height):\n"
        "shapes/outline.py:1:def perimeter(width, height):",
        "search 'width of': 1 match\n-n.md:2:width of $(touch owned) 'a'",
        f"search 'widthxx': 1 match\nlong.txt:1:width{'x' * 295}...",
        "search 'nowhere': 0 matches",
        "search '$(touch owned)`touch owned`': 0 matches",
        "error: search: none does not exist",
    ]
    assert not (workspace / "owned").exists()


def test_run_command(workspace, kind):
    commands = [
        "echo out; echo err >&2; exit 3",
        "true",
        "pwd; cat shapes/none.py",
        "sleep 30",
        "echo $((6*7)) > n; cat n",
    ]
    actions = [{"action": "run_command", "command": command} for command in commands]
    actions[3]["timeout"] = 0.5
    seen = do(workspace, kind, *actions)
    assert seen == [
        "run_command: exit code 3\nout\nerr",
        "run_command: exit code 0",
        "run_command: exit code 1\n/workspace\ncat: shapes/none.py: No such file or directory",
        "run_command: timed out after 0.5 s",
        "run_command: exit code 0\n42",
    ]


def test_a_timeout_is_bounded_by_the_configuration(workspace, best_kind):
    action = {"action": "run_command", "command": "echo a; sleep 30", "timeout": 3600}
    limits = ActionLimits(command_timeout=1)
    assert do(workspace, best_kind, action, limits=limits) == ["run_command: timed out after 1 s\na"]


def test_the_tests_run_and_print_the_same_each_time(workspace, kind):
    action = {"action": "run_command", "command": "python -m pytest"}
    first, second = do(workspace, kind, action, action)
    assert first == second
    assert first.startswith("run_command: exit code 1\n=")
    assert "rootdir: /workspace" in first
    assert str(workspace) not in first
    assert "1 failed, 3 passed in 0.00s" in first


def test_a_sandbox_that_cannot_start_is_no_fault_of_the_agent(workspace):
    broken = SandboxKind("bwrap", "", executable="/nonexistent/bwrap")
    with pytest.raises(SandboxLost, match="/nonexistent/bwrap"):
        do(workspace, broken, {"action": "run_command", "command": "true"})


@pytest.mark.parametrize(
    ("text", "stable"),
    [
        ("3 passed in 12.34s", "3 passed in 0.00s"),
        ("Ran 3 tests in 0.001s", "Ran 3 tests in 0.00s"),
        ("1 passed in 83.10s (0:01:23)", "1 passed in 0.00s"),
        (f"{'=' * 31} 3 passed in 10.03s {'=' * 30}", f"{'=' * 30} 3 passed in 0.00s {'=' * 31}"),
        (f"{'=' * 31} 3 passed in 0.03s {'=' * 31}", f"{'=' * 30} 3 passed in 0.00s {'=' * 31}"),
        ("0.01s call     a.py::b", "0.00s call     a.py::b"),
        ("<A object at 0x7f1234567890>", "<A object at 0x...>"),
        ("id 0x55d0c0ffee00, mask 0xff00ff", "id 0x..., mask 0xff00ff"),
        ("/tmp/pytest-of-root/pytest-12/test_a0", "/tmp/pytest-of-user/pytest-0/test_a0"),
        ("/tmp/tmpab12_xyz/f", "/tmp/tmp.../f"),
        ("pid 4711, PID: 12, pid=3", "pid N, PID: N, pid=N"),
        ("/real/place/x.py:3", "/workspace/x.py:3"),
        ("takes 5s at most, in 3 steps", "takes 5s at most, in 3 steps"),
    ],
)
def test_stabilise(text, stable):
    assert stabilise(text, "/real/place") == stable
