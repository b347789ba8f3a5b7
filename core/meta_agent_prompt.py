"""The meta agent's prompts: analyze a design, generate its successor, repair a broken one.

A prompt = role + interface (from the real source, always shown) + hints (``HINTS``, dropped by
``hints="none"``) as the system message, and the case at hand under fixed headings as the user message.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from core.examples import clip
from core.meta_agent_past import (
    SOURCE_CHARS,
    SUGGESTION_CHARS,
    Child,
    Origin,
    Second,
    Tried,
    children_section,
    fenced,
    origin_section,
    price_lines,
    second_section,
    tried_section,
)
from core.selection import Way
from evals.agents import memo_structure
from evals.eval_envs.base_envs import Basic_Recorder

Hints = Literal["full", "none"]

PROMPT_CHARS = 240_000
"""No prompt is longer, whatever the archive holds: about 60,000 tokens of English and Python. Each of its sections has
a limit of its own."""
TRACEBACK_CHARS = 4_000
TRAJECTORIES_CHARS = 40_000

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
Propose at most five changes, the most valuable first. What became of earlier rewrites of this design is shown:
go on where a hypothesis held, and not again where it failed. Designs already tried are listed: do not lead
back to them."""

ANALYZE_CROSSOVER = """\
The successor is to combine this design with the second one, which is shown too: say what each of them does
better and is worth keeping, and what neither needs."""

HYPOTHESIS = """\
Before the fence write one line `Hypothesis: ...`: what the change should improve, on which tasks, and why. What is
checked is the mean difference to its parent's scores, paired by task; that is kept with the design."""

GENERATE = f"""\
# Your task
Write the successor of the design below: a complete new file, not a patch. Follow the suggested changes where
you find them convincing. It must differ from every design already tried. Answer with the file in one
```python fence.
{HYPOTHESIS}"""

EDIT = f"""\
# Your task
Change the design below by edits: a small, aimed change that leaves the rest as it is. Follow the suggested
change that you find most convincing. The result must differ from every design already tried. Write one block
for each edit; its upper text must stand in the design exactly once, white space included:

<<<<<<< SEARCH
lines of the design
=======
the lines in their place
>>>>>>> REPLACE

Change the docstring too, so that it says what the design does now.
{HYPOTHESIS.replace("the fence", "the blocks")}"""

CROSSOVER = f"""\
# Your task
Combine two designs: write one that keeps what each of them does better. The tasks on which the second is ahead
are listed; leave out what neither needs. Where the analysis of the first is convincing, follow it. It must
differ from every design already tried. Answer with the complete file in one ```python fence.
{HYPOTHESIS}"""

SCRATCH = f"""\
# Your task
Write a memory design from scratch: a complete file. Answer with the file in one ```python fence.
{HYPOTHESIS}"""

REPAIR = """\
# Your task
The design below did not pass its examination. Correct the reported fault and whatever else would fail next,
and keep what the design is about. Answer with the complete corrected file in one ```python fence. If it no
longer does what it was meant to, write a line `Hypothesis: ...` before the fence that says what it should do now."""

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
class Case:
    """All that is shown of one design. Rewards are shares of passing tests, 0 to 1; ``second`` is what it is to be
    crossed with."""

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
    children: Sequence[Child] = ()
    second: Second | None = None
    memory_tokens: float | None = None
    usd: float | None = None


def analyze_prompt(case: Case, hints: Hints) -> Prompt:
    parts = [
        f"{ANALYZE}\n{ANALYZE_CROSSOVER}" if case.second else ANALYZE,
        _design(case),
        *_second(case),
        score_section(case),
        origin_section(case.origin),
        children_section(case.sha, case.source, case.children),
        trajectories(case.examples),
        tried_section(case.tried),
    ]
    return Prompt("analyze", system_prompt(hints), _join(parts), ANALYSIS_SCHEMA)


def generate_prompt(case: Case, analysis: Any, hints: Hints, way: Way = "rewrite") -> Prompt:
    """Asks for the successor of a design."""
    text = clip(json.dumps(analysis, ensure_ascii=False, indent=1), SUGGESTION_CHARS)
    suggestion = "# Analysis\n" + fenced(text, "json")
    parts = [
        {"rewrite": GENERATE, "edit": EDIT, "crossover": CROSSOVER}[way],
        _design(case),
        *_second(case),
        score_section(case),
        suggestion,
        children_section(case.sha, case.source, case.children),
        trajectories(case.examples[:3]),
        tried_section(case.tried),
    ]
    return Prompt("generate", system_prompt(hints), _join(parts))


def explore_task(case: Case | None, way: Way, second: str | None) -> str:
    """The first message to a meta agent that looks around in the archive by itself."""
    if case is None:
        return "# Your task\nWrite a memory design from scratch. The archive shows what was tried."
    asked = {
        "rewrite": f"Improve design {case.sha}: submit its successor, as a whole file or as edits of it.",
        "edit": f"Improve design {case.sha} by a small, aimed change: submit edits of it.",
        "crossover": f"Combine design {case.sha} with design {second}: submit one that keeps what each does better.",
    }[way]
    return f"# Your task\n{asked} It must differ from every design in the archive.\n\n{score_section(case)}"


def scratch_prompt(tried_designs: Sequence[Tried], hints: Hints) -> Prompt:
    return Prompt("generate", system_prompt(hints), _join([SCRATCH, tried_section(tried_designs)]))


def repair_prompt(
    source: str, error: str, tried_designs: Sequence[Tried], hints: Hints, edited: str | None = None
) -> Prompt:
    """Asks for a correction. ``edited`` is the design that edits were meant for; then ``source`` holds the edits."""
    parts = [
        REPAIR,
        "# Design under repair\n" + fenced(clip(source, SOURCE_CHARS), "python"),
        *(
            ["# Design that was to be edited\n" + fenced(clip(edited, SOURCE_CHARS), "python")]
            if edited
            else []
        ),
        "# What went wrong\n" + fenced(clip(error.strip(), TRACEBACK_CHARS), ""),
        tried_section(tried_designs),
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


def _design(case: Case) -> str:
    return f"# Design {case.sha}\n" + fenced(clip(case.source, SOURCE_CHARS), "python")


def _second(case: Case) -> list[str]:
    return [second_section(case.second)] if case.second else []


def score_section(case: Case) -> str:
    error = "" if case.reward_se is None else f" (standard error {case.reward_se:.4f})"
    return (
        f"# Score\nreward: {case.reward:.4f}{error} over {case.tasks} tasks\nresolved: {case.resolved:.4f}\n"
        f"reward without memory: {case.no_memo_reward:.4f}"
        f"{price_lines(case.memory_tokens, case.usd)}"
    )


def _join(parts: list[str]) -> str:
    return "\n\n".join(part.strip() for part in parts)
