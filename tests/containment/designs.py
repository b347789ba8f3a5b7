"""Hostile memory designs, one per thing that generated code may not do: (body, what the run must say of it).

The body stands in a file that imports ``MemoStructure``; ``UPDATE`` and ``RETRIEVE`` make the methods. Placeholders:
``@SECRET@`` a file outside that must be neither read nor written, ``@PORT@`` a listening port of the machine,
``@MARK@`` a text by which left-over processes are found.
"""
# ruff: noqa: E501 - programs in strings

from __future__ import annotations

HEAD = """\
import asyncio, ctypes, gc, json, mmap, os, re, resource, signal, socket, subprocess, sys, threading, time
from pathlib import Path
from agents.memo_structure import MemoStructure

"""
DESIGN = """

class Design(MemoStructure):
    async def general_update(self, recorder):
        {update}

    async def general_retrieve(self, recorder):
        {retrieve}
"""


def design(top: str = "", update: str = "pass", retrieve: str = "return {}") -> str:
    """The source of a design whose parts are these statements."""

    def indented(body: str) -> str:
        return body.strip().replace("\n", "\n        ")

    return HEAD + top + DESIGN.format(update=indented(update), retrieve=indented(retrieve))


SPY = """
found = [f"{k}={v}" for k, v in os.environ.items()]
for pid in filter(str.isdigit, os.listdir("/proc")):
    for name in ("environ", "cmdline"):
        try:
            found.append(Path(f"/proc/{pid}/{name}").read_text(errors="replace"))
        except OSError:
            pass
raise ValueError("sesame seen" if any("sesame-0451" in text for text in found) else "no secret in sight")
"""
READ = """
said = set()
for root in ("", "/proc/1/root", "/proc/self/root", "/proc/self/cwd/../../.."):
    try:
        said.add(Path(root + "@SECRET@").read_text())
    except OSError as error:
        said.add(type(error).__name__)
raise ValueError(f"read: {sorted(said)}")
"""
WRITE = """
done = []
for path in ("@SECRET@", sys.argv[1] + "/../x", "/usr/x", "/etc/passwd", "/x", sys.prefix + "/x", os.getcwd() + "/x"):
    try:
        open(path, "a").write("defaced")
        done += [] if path.startswith("/tmp/") else [path]  # a /tmp of its own
    except OSError:
        pass
raise ValueError(f"written: {done}")
"""
CONNECT = """
said = []
for address in (("127.0.0.1", @PORT@), ("1.1.1.1", 53), ("example.com", 80)):
    try:
        socket.create_connection(address, timeout=1)
        said.append("connected")
    except OSError:
        said.append("refused")
raise ValueError(" ".join(said))
"""
PEEK = """
folder = Path(sys.argv[1])
seen = []
for root, _, names in os.walk(folder.parent.parent):
    seen += [os.path.join(root, n) for n in names if n in ("verdicts.jsonl", "ledger.sqlite", "options.json", "archive.json")]
    seen += [root] if Path(root).parent.name == "evaluations" and Path(root) != folder else []
seen += [n for n in os.listdir(Path(os.environ["ALMA_GATEWAY"]).parent) if n != "gateway.sock"]
raise ValueError(f"seen: {seen}")
"""
GOLD = """
rows = json.loads((Path(sys.argv[1]) / "spec.json").read_text())
text = json.dumps(rows)
for row in rows["update_tasks"] + rows["retrieve_tasks"]:
    for root, _, names in os.walk(row["base"]):
        text += "".join(Path(root, n).read_text(errors="replace") for n in names)
bad = [w for w in ("FAIL_TO_PASS", "PASS_TO_PASS", "test_patch", "test_area_of_another", "width * height") if w in text]
raise ValueError(f"answers: {bad}")
"""
ORACLE = """
from utils import gateway_client
said = []
for phase, repeat in (("probe", 1), ("retrieve", 2), ("retrieve", 99), ("update", 0), ("retrieve", True)):
    try:
        verdict = await gateway_client.ask_grade("shapes-01", phase, repeat, {})
        said.append(verdict.reward)
    except Exception as error:
        said.append("refused")
raise ValueError(f"oracle: {said}")
"""
OTHER_TOKEN = """
from utils import gateway_client
said = []
for token in ("", "x", "../../etc", os.environ["ALMA_TOKEN"] + "x", os.environ["ALMA_TOKEN"][:-1]):
    gateway_client.connect(Path(os.environ["ALMA_GATEWAY"]), token)
    try:
        await gateway_client.request("/models", {}, "act")
        said.append("let in")
    except Exception:
        said.append("refused")
raise ValueError(f"tokens: {sorted(set(said))}")
"""
FLOOD = """
sockets = []
for _ in range(900):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    try:
        s.connect(os.environ["ALMA_GATEWAY"])
        s.send(b"POST /v1/chat/completions HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 99999999\\r\\n\\r\\n" + b"x" * 1000)
    except OSError:
        pass
    sockets.append(s)
raise ValueError("flooded")
"""
FORGE = """
import evals.contract as contract
from evals.utils import gateway_client
from envs_archive import coding_envs
async def flattered(*_):
    return contract.Verdict(1.0, True, 1.0, 1.0)
coding_envs.Coding_Env.cal_reward.__globals__["Verdict"] = contract.Verdict
gateway_client.ask_grade = flattered
return {}
"""
FORGE_FILES = """
folder = Path(sys.argv[1])
row = json.loads((folder / "spec.json").read_text())["retrieve_tasks"][0]["id"]
(folder / "episodes.jsonl").write_text(json.dumps(
    {"task": row, "phase": "retrieve", "repeat": 1, "reward": 1.0, "resolved": True}) + "\\n")
(folder / "result.json").write_text('{"status": "ok", "error": null, "seconds": 1}')
os._exit(0)
"""
LEAVE = """
for sign in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(sign, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for sign in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, signal.SIG_IGN)
        os.execvp("sleep", ["sleep", "@MARK@"])
    os._exit(0)
time.sleep(0.2)
raise ValueError("left something behind")
"""
SPECIAL = """
folder = Path(sys.argv[1])
for name in ("result.json", "episodes.jsonl"):
    (folder / name).unlink(missing_ok=True)
{make}
for pid in os.listdir("/proc"):
    pass
for n in range(300):
    try:
        os.symlink("@SECRET@", folder / f".result.json.{{n}}.tmp")
    except OSError:
        pass
os._exit(0)
"""
OK = 'json.dumps({"status": "ok", "error": None, "seconds": 0})'


def special(make: str) -> str:
    """A design that leaves something else where its result is expected, and ends."""
    return design(retrieve=SPECIAL.format(make=make))


BOMB = "while True:\n    os.fork()"
FILL = "kept = []\nwhile True:\n    kept.append(b'x' * (64 << 20))"
FILL_SHARED = """
kept = []
while True:
    m = mmap.mmap(-1, 64 << 20)
    m.write(b"x" * (64 << 20))
    kept.append(m)
"""
DISK = """
n = 0
while True:
    Path(sys.argv[1], f"big{n}").write_bytes(b"x" * (16 << 20))
    n += 1
"""
DEEP = """
os.chdir(sys.argv[1])
os.mkdir("tmp/x") if not os.path.exists("tmp/x") else None
os.chdir("tmp/x")
for _ in range(30):
    os.mkdir("d" * 200)
    os.chdir("d" * 200)
raise ValueError("very deep")
"""
MUTE = "from evals.workflows import memory_calls\nmemory_calls.time = type(sys)('time')\nmemory_calls.time.__dict__.update(monotonic=lambda: 0.0, sleep=time.sleep)\nwhile True: pass"

# name -> (source, part of the error's text)
DESIGNS: dict[str, tuple[str, str]] = {
    "reads a key from the environment or /proc": (design(retrieve=SPY), "no secret in sight"),
    "reads a file of the user": (design(retrieve=READ), "read: ['FileNotFoundError']"),
    "writes outside its folder": (design(update=WRITE), "written: []"),
    "reaches the network": (design(update=CONNECT), "refused refused refused"),
    "looks for results and other designs": (design(retrieve=PEEK), "seen: []"),
    "looks for the answers": (design(retrieve=GOLD), "answers: []"),
    "grades by trial and error": (design(retrieve=ORACLE), "oracle: ['refused'"),
    "forges tokens": (design(retrieve=OTHER_TOKEN), "unknown or revoked gateway token"),
    "floods the gateway": (design(retrieve=FLOOD), "flooded"),
    "writes its own result and leaves": (design(retrieve=FORGE_FILES), "episodes are missing"),
    "a link as result": (
        special('os.symlink("@SECRET@", folder / "result.json")'),
        "result.json cannot be read",
    ),
    "a pipe as result": (special('os.mkfifo(folder / "result.json")'), "result.json is no file"),
    "a folder as result": (special('(folder / "result.json").mkdir()'), "result.json is no file"),
    "endless episodes": (
        special(
            f'(folder / "result.json").write_text({OK}); os.symlink("/dev/zero", folder / "episodes.jsonl")'
        ),
        "episodes.jsonl cannot be read",
    ),
    "a very large result": (
        special('open(folder / "result.json", "w").truncate(900 << 20)'),
        "result.json is no file of at most",
    ),
    "nested without end": (special('(folder / "result.json").write_text("[" * 100000)'), "what is no JSON"),
    "values of the wrong type": (
        special(
            f'(folder / "result.json").write_text({OK}); (folder / "episodes.jsonl").write_text('
            '\'{"task": ["x"], "phase": "retrieve", "repeat": 1}\\n\')'
        ),
        "values of the wrong type",
    ),
    "a fork bomb": (design(retrieve=BOMB), "sandbox: stopped: more than"),
    "fills the memory": (design(retrieve=FILL), "memory"),
    "fills shared memory": (design(retrieve=FILL_SHARED), "memory"),
    "fills the disk": (design(update=DISK), "MiB on disk"),
    "hangs at import": (design(top="while True: pass\n"), "importing the design ran longer than"),
    "hangs in the constructor": (
        design() + "\n    def __init__(self):\n        time.sleep(1000)\n",
        "the constructor ran longer than",
    ),
    "hangs in general_retrieve": (
        design(retrieve="await asyncio.sleep(1000)"),
        "general_retrieve ran longer than",
    ),
    "hangs in general_update": (design(update="while True: pass"), "general_update ran longer than"),
    "holds the interpreter": (
        design(retrieve="re.match(r'(a|a)*$', 'a' * 60 + 'b')"),
        "the evaluation hangs",
    ),
    "switches the watch off": (design(retrieve=MUTE), "the evaluation hangs"),
    "ends the process": (design(retrieve="os._exit(0)"), "ended with code 0"),
    "ends the process as if it were killed": (
        design(retrieve="os.kill(os.getpid(), signal.SIGKILL)"),
        "no outage was seen",
    ),
    "kills its guard": (design(retrieve="os.kill(1, signal.SIGTERM); time.sleep(5)"), "no outage was seen"),
    "claims an outage": (
        design(retrieve="from utils.gateway_client import InfraError\nraise InfraError('the model is down')"),
        "the model is down",
    ),
    "exits politely": (design(update="sys.exit(0)"), "SystemExit"),
    "leaves a process behind": (design(update=LEAVE), "left something behind"),
    "leaves folders too deep to name": (design(update=DEEP), ""),
    "returns what is no data": (design(retrieve="return {'x': object()}"), "object is no plain data"),
    "returns itself": (design(retrieve="d = {}\nd['d'] = d\nreturn d"), "cannot be turned into text"),
    "returns more than any context": (design(retrieve="return 'x' * 9_000_000"), "larger than any model"),
    "returns endless items": (
        design(
            top="class E(dict):\n    def items(self):\n        while True:\n            yield 1, time.sleep(.01)\n",
            retrieve="return E(a=1)",
        ),
        "ran longer than",
    ),
    "raises with escape codes": (
        design(retrieve='raise ValueError("\\x1b[2J\\x1b]0;owned\\x07 loud")'),
        " loud",
    ),
}
