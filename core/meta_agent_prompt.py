"""The meta agent's prompts: analyze a design, generate its successor, repair a broken one.

A prompt = role + interface (from the real source, always shown) + hints (``HINTS``, dropped by
``hints="none"``) as the system message, and the case at hand under fixed headings as the user message.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.examples import clip
from evals.agents import memo_structure
from evals.eval_envs.base_envs import Basic_Recorder

Hints = Literal["full", "none"]

SOURCE_CHARS = 40_000
TRACEBACK_CHARS = 4_000
TRAJECTORIES_CHARS = 40_000
DETAILED_DESIGNS = 24

ROLE = """\
You improve the long-term memory of a coding agent. The agent repairs one repository at a time and remembers
nothing by itself. A memory design is a Python program that decides what to keep of finished tasks and what to
show the agent before its next task. What the agent is shown costs context and can mislead, so text that does not
change what the agent does is worth nothing."""

RULES = """\
# Rules for a design
- One Python file. It defines one concrete subclass of `MemoStructure` that is constructed without arguments.
- `general_update(recorder)` is called once per finished task, in order. `general_retrieve(recorder)` is
  called before a task, possibly for many tasks at once, and returns a dict of texts; an empty dict when there
  is nothing to say.
- Imports: the standard library, `numpy`, `networkx`, `langchain_chroma.Chroma`, and these:
  `from agents.memo_structure import MemoStructure, Sub_memo_layer`, `from eval_envs.base_envs import
  Basic_Recorder`, `from utils.hire_agent import Agent, Embedding`.
- The first retrieval may come before any update, and a recorder may hold no steps: neither may raise.
- All state lives in the object. No files, no network, no environment variables. Each call has 300 seconds.
- Retrieved text beyond about 4,000 tokens is cut.
- Start the file with a docstring: one sentence that says what this design does and how it differs from
  others."""

TASK_HINT = """\
## What memory should strengthen
The tasks are bug reports in a handful of Python projects; several tasks come from the same project, never the
same bug. Useful abilities to strengthen:
- recalling the conventions of a project: how it treats edges, defaults and units, which helper it calls. The
  same convention may be broken in different functions and modules.
- recalling the exact change that fixed an earlier failure (code before -> code after, with its file and
  function) rather than a description of it.
- connecting a symptom (failing test, error message) with the kind of change that removed it.
- telling a run that solved its task from one that only looked busy: reward 1.0 against anything less.
- saying nothing when nothing relevant is known, and keeping advice about other projects apart."""

CHROMA_HINT = """\
## Chroma
    from langchain_chroma import Chroma
    store = Chroma(embedding_function=Embedding())            # add collection_name= to have several
    store.add_texts(["text"], metadatas=[{"project": "p"}])   # values: str, int, float, bool; returns ids
    store.similarity_search("query", k=4)                     # -> documents with .page_content and .metadata
    store.similarity_search_with_score("query", k=4)          # -> (document, distance), smaller is nearer
    store.get(where={"project": "p"}), store.delete(ids)      # get -> {"ids", "documents", "metadatas"}
Ask for no more than you stored, and not at all from an empty store."""

NETWORKX_HINT = """\
## NetworkX
    import networkx as nx
    graph = nx.DiGraph(); graph.add_node("shapes.py", kind="file"); graph.add_edge(a, b, relation="fixes")
    graph.successors(n), graph.predecessors(n), nx.single_source_shortest_path_length(graph, n, cutoff=2)
Good for linking files, functions, errors and fixes, and for walking from what a task mentions to what helped
there."""

TOOLS_HINT = """\
## Agent and Embedding
    agent = Agent("system prompt", output_schema={...JSON schema...})  # without a schema the answer is text
    answer = await agent.ask("input")   # with a schema: a checked object, or {"error": ..., "raw_output": ...}
    vector = await Embedding().get_embedding("text")
    vectors = await Embedding().get_batch_embeddings(["a", "b"])
    await Embedding.compute_similarity(a, b); await Embedding.compute_one_to_group_similarity(a, [b, c])
Every call costs money and time: embed a text once and keep the vector. An answer that cannot be used must not
erase what is already stored."""

PATTERNS_HINT = """\
## Memory patterns that have worked
- notes: one short line per fix, deduplicated, shown by relevance;
- a curated document per project, rewritten after each task;
- retrieval of similar earlier cases by issue text, words or embedding;
- insights with counts: what was confirmed often comes first;
- two or three layers with different jobs, each with its own share of the text."""

HINTS = {
    "task": TASK_HINT,
    "chroma": CHROMA_HINT,
    "networkx": NETWORKX_HINT,
    "tools": TOOLS_HINT,
    "patterns": PATTERNS_HINT,
}

ANALYZE = """\
# Your task
Judge the design below by its score and by the trajectories of the agent that used it, then say what to
change. Look at what the memory handed over in each trajectory: was it about this project, did the agent act
on it, what that was learned earlier would have helped? Every claim should point at something visible below.
Propose at most five changes, the most valuable first. Designs already tried are listed: do not lead back to
them."""

GENERATE = """\
# Your task
Write the successor of the design below: a complete new file, not a patch. Follow the suggested changes where
you find them convincing. It must differ from every design already tried. Answer with the file in one
```python fence."""

SCRATCH = """\
# Your task
Write a memory design from scratch: a complete file. Answer with the file in one ```python fence."""

REPAIR = """\
# Your task
The design below did not pass its examination. Correct the reported fault and whatever else would fail next,
and keep what the design is about. Answer with the complete corrected file in one ```python fence."""

_TEXT = {"type": "string"}


def _objects(**fields: dict[str, Any]) -> dict[str, Any]:
    item = {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}
    return {"type": "array", "items": item}


ANALYSIS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "learned_from_suggestion_example": {
            **_TEXT,
            "description": "What the change that led to this design, and its effect on the score, teaches.",
        },
        "trajectory_score_assessment": {
            **_objects(label=_TEXT, how_it_can_help=_TEXT),
            "description": "Per trajectory: what happened, and how memory could have helped.",
        },
        "content_quality_issues": {
            "type": "array",
            "items": _TEXT,
            "description": "Faults of what is stored and shown: wrong, vague, unrelated, too long.",
        },
        "structure_and_coherence": {
            **_TEXT,
            "description": "Whether the parts of the design serve distinct purposes and work together.",
        },
        "suggested_changes": {
            **_objects(priority={"type": "string", "enum": ["high", "medium", "low"]}, what=_TEXT, why=_TEXT),
            "description": "At most five, the most valuable first.",
        },
    },
    "required": [
        "learned_from_suggestion_example",
        "trajectory_score_assessment",
        "content_quality_issues",
        "structure_and_coherence",
        "suggested_changes",
    ],
    "additionalProperties": False,
}


@dataclass(frozen=True)
class Prompt:
    """One call to the meta model. ``purpose`` is what the gateway books it under."""

    purpose: Literal["analyze", "generate", "repair"]
    system: str
    user: str
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Tried:
    """A line of the list of what was tried: ``note`` is its docstring's first sentence, and why it failed. ``status``
    is that of a design, or ``turned down`` for a version that never became one."""

    sha: str
    status: str
    reward: float | None
    note: str


@dataclass(frozen=True)
class Origin:
    """How a design came about: its parent's source, the suggestion followed, the change in reward."""

    parent: str
    source: str
    suggestion: Any
    improve_score: float | None


@dataclass(frozen=True)
class Case:
    """All that is shown of one design. Rewards are shares of passing tests, 0 to 1."""

    sha: str
    source: str
    reward: float
    reward_se: float | None
    resolved: float
    tasks: int
    no_memo_reward: float
    origin: Origin | None
    examples: Sequence[dict[str, Any]]
    tried: Sequence[Tried]


def analyze_prompt(case: Case, hints: Hints) -> Prompt:
    parts = [
        ANALYZE,
        _design(case),
        _score(case),
        _origin(case.origin),
        trajectories(case.examples),
        tried(case.tried),
    ]
    return Prompt("analyze", system_prompt(hints), _join(parts), ANALYSIS_SCHEMA)


def generate_prompt(case: Case, analysis: Any, hints: Hints) -> Prompt:
    suggestion = "# Analysis\n" + fenced(json.dumps(analysis, ensure_ascii=False, indent=1), "json")
    parts = [
        GENERATE,
        _design(case),
        _score(case),
        suggestion,
        trajectories(case.examples[:3]),
        tried(case.tried),
    ]
    return Prompt("generate", system_prompt(hints), _join(parts))


def scratch_prompt(tried_designs: Sequence[Tried], hints: Hints) -> Prompt:
    return Prompt("generate", system_prompt(hints), _join([SCRATCH, tried(tried_designs)]))


def repair_prompt(source: str, error: str, tried_designs: Sequence[Tried], hints: Hints) -> Prompt:
    parts = [
        REPAIR,
        "# Design under repair\n" + fenced(clip(source, SOURCE_CHARS), "python"),
        "# What went wrong\n" + fenced(clip(error.strip(), TRACEBACK_CHARS), ""),
        tried(tried_designs),
    ]
    return Prompt("repair", system_prompt(hints), _join(parts))


def system_prompt(hints: Hints) -> str:
    """Role, interface and rules, then the hints unless they are switched off (experiment H3)."""
    parts = [ROLE, interface(), RULES]
    if hints == "full":
        parts.append("# Hints\n" + "\n\n".join(HINTS.values()))
    return _join(parts)


def interface() -> str:
    """The interface of a design, from the source of the base classes and the recorder's field metadata."""
    lines = []
    for field in dataclasses.fields(Basic_Recorder):
        about = field.metadata
        example = json.dumps(about["example"], ensure_ascii=False)
        lines.append(f"- `{field.name}` ({about['type']}): {about['description']}\n  Example: {example}")
    classes = "\n\n".join(
        inspect.getsource(cls) for cls in (memo_structure.Sub_memo_layer, memo_structure.MemoStructure)
    )
    return _join(
        [
            "# Interface\n`agents/memo_structure.py`:\n" + fenced(classes, "python"),
            "Fields of a recorder (`eval_envs.base_envs.Basic_Recorder`):\n" + "\n".join(lines),
        ]
    )


def trajectories(examples: Sequence[dict[str, Any]]) -> str:
    """Sampled episodes as text; together at most ``TRAJECTORIES_CHARS``, shared equally."""
    if not examples:
        return "# Trajectories\nNone were recorded."
    share = TRAJECTORIES_CHARS // len(examples)
    parts = ["# Trajectories"]
    for number, example in enumerate(examples, 1):
        state = "resolved" if example["resolved"] else "not resolved"
        head = f"## Episode {number}: reward {example['reward']:.4f}, {state}, {example['n_steps']} steps"
        if example["error"]:
            head += f", broke off: {example['error']}"
        memory = example["memory"] or "(empty)"
        steps = "\n".join(f"[{s['step']}] {s['action']}\n{s['observation']}" for s in example["steps"])
        parts.append(
            f"{head}\nProject: {example['project']}\nIssue:\n{fenced(example['problem_statement'])}\n"
            f"Memory it was shown ({example['memory_chars']} characters):\n"
            f"{fenced(clip(memory, share // 2))}\n"
            f"Steps:\n{fenced(clip(steps, share // 2))}"
        )
    return "\n\n".join(parts)


def tried(ideas: Sequence[Tried]) -> str:
    """The designs so far: the latest in detail, all older ones by SHA; then the latest versions that were turned
    down."""
    designs = [one for one in ideas if one.status != "turned down"]
    if not designs:
        return "# Designs already tried\nNone."
    recent = designs[-DETAILED_DESIGNS:]
    lines = []
    for one in recent:
        score = "failed" if one.reward is None else f"reward {one.reward:.4f}"
        lines.append(f"- {one.sha} ({score}): {one.note}")
    older = [one.sha for one in designs[:-DETAILED_DESIGNS]]
    if older:
        lines.append("Earlier ones: " + ", ".join(older))
    turned_down = [one for one in ideas if one.status == "turned down"][-DETAILED_DESIGNS:]
    if turned_down:
        lines.append("\n# Turned down before they were scored\nNot to be proposed again as they were.")
        lines += [f"- {one.sha}: {one.note}" for one in turned_down]
    return "# Designs already tried\n" + "\n".join(lines)


def first_sentence(source: str) -> str:
    """The first sentence of a design's docstring, on one line."""
    match = re.match(r'\s*[rR]?("""|\'\'\')(.*?)\1', source, re.DOTALL)
    text = " ".join(match[2].split()) if match else "(no description)"
    return re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0][:300]


def fenced(text: str, language: str = "text") -> str:
    """Put text into a code fence longer than any run of backticks inside it."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def extract_code(reply: str) -> str | None:
    """The Python source in a model's reply: the first python fence, else the whole reply when it parses.

    A fence that closes early because the code itself holds a line of backticks is extended while that makes
    the code parse. Returns None for a reply without code. The result ends in exactly one newline.
    """
    opening = re.search(r"^[ \t]*(`{3,})[ \t]*(?:python|py)3?[ \t]*$", reply, re.MULTILINE | re.IGNORECASE)
    if opening is None:
        return _normal(reply) if reply.strip() and _parses(reply) else None
    rest = reply[opening.end() :]
    closings = [m.start() for m in re.finditer(rf"^[ \t]*{opening[1]}`*[ \t]*$", rest, re.MULTILINE)]
    bodies = [rest[:end] for end in closings] or [rest]
    body = next((b for b in bodies if _parses(b)), bodies[0])
    return _normal(body) if body.strip() else None


def _normal(source: str) -> str:
    return source.strip("\n").rstrip() + "\n"


def _parses(source: str) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def _design(case: Case) -> str:
    return f"# Design {case.sha}\n" + fenced(clip(case.source, SOURCE_CHARS), "python")


def _score(case: Case) -> str:
    error = "" if case.reward_se is None else f" (standard error {case.reward_se:.4f})"
    return (
        f"# Score\nreward: {case.reward:.4f}{error} over {case.tasks} tasks\nresolved: {case.resolved:.4f}\n"
        f"reward without memory: {case.no_memo_reward:.4f}"
    )


def _origin(origin: Origin | None) -> str:
    if origin is None:
        return "# How it came about\nIt has no parent."
    change = "unknown" if origin.improve_score is None else f"{origin.improve_score:+.4f}"
    suggestion = json.dumps(origin.suggestion, ensure_ascii=False, indent=1)
    return (
        f"# How it came about\nIt rewrites {origin.parent}; change in reward: {change}\n"
        f"The suggestion it followed:\n{fenced(suggestion, 'json')}\n"
        f"Source of {origin.parent}:\n{fenced(clip(origin.source, SOURCE_CHARS), 'python')}"
    )


def _join(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts)
