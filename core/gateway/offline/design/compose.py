"""Turns a point of the design space into a complete Python file, and reads the point back from a file.

A file is put together from the modules in ``parts/``: real, readable code of which each design gets what it
uses.
"""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from core.gateway.offline.design.space import OPTIONS, Params, from_values

PARTS = Path(__file__).parent / "parts"
LAYER_CLASSES = {
    "fixes": "FixesLayer",
    "cases": "CasesLayer",
    "conventions": "ConventionsLayer",
    "traces": "TracesLayer",
}


class _Part(NamedTuple):
    imports: tuple[str, ...]
    body: str


@lru_cache(maxsize=64)
def _part(name: str) -> _Part:
    source = (PARTS / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    heads = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    lines = source.splitlines()
    body = "\n".join(lines[heads[-1].end_lineno if heads else 0 :]).strip("\n")
    return _Part(tuple(ast.unparse(node) for node in heads), body)


def part_names(point: Params) -> list[str]:
    """Which parts a design is made of, in the order they appear in its file."""
    layers = set(point.layers)
    names = [f"learn_{point.learn_from}"]
    if layers & {"fixes", "cases"}:
        names += ["edits", f"form_{point.form}"]
    if layers != {"conventions"}:
        names = [
            "entry",
            *names,
            f"scope_{point.scope}",
            f"rank_{point.rank}",
            f"query_{point.query}",
            "pick",
        ]
    if layers & {"fixes", "cases"}:
        names.append(f"keep_{point.keep}")
    if "conventions" in layers:
        names.append("shelf_all" if point.scope == "all" else "shelf_project")
    return [*names, *(f"layer_{layer}" for layer in point.layers), "structure"]


def settings_of(point: Params) -> dict[str, object]:
    """The dimensions that play a part in a design, and so stand in its file."""
    unused = {name for name in OPTIONS if name == "tail" and "traces" not in point.layers}
    if not set(point.layers) & {"fixes", "cases"}:
        unused |= {"form", "keep"}
    if point.layers == ("conventions",):
        unused |= {"query", "rank", "k", "min_similarity"}
    return {"layers": list(point.layers), **{n: getattr(point, n) for n in OPTIONS if n not in unused}}


def compose(point: Params) -> str:
    """The complete source of a design."""
    point = point.canonical()
    parts = [_part(name) for name in part_names(point)]
    imports = {line for part in parts for line in part.imports} - {"from __future__ import annotations"}
    settings = "".join(
        f"    {_quoted(name)}: {_quoted(value)},\n" for name, value in settings_of(point).items()
    )
    bodies = [part.body for part in parts]
    classes = "".join(f'    "{layer}": {LAYER_CLASSES[layer]},\n' for layer in point.layers)
    bodies.insert(-1, f"LAYERS = {{\n{classes}}}")
    room = f"# Every layer has an equal share of the text.\nROOM = {point.budget} // {len(point.layers)}"
    header = [
        f'"""{_wrapped(point.summary())}\n"""',
        "from __future__ import annotations",
        _ordered(imports),
        f"DESIGN = {{\n{settings}}}\n{room}",
    ]
    return "\n\n".join(header) + "\n\n\n" + "\n\n\n".join(bodies) + "\n"


def _wrapped(text: str) -> str:
    return re.sub(r"(.{60,100}?[;,]) ", r"\1\n", text)


def _quoted(value: object) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_quoted(item) for item in value) + "]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _ordered(imports: set[str]) -> str:
    """Standard library first, then the names the harness gives; lines of one module are merged."""
    plain = sorted(line for line in imports if line.startswith("import "))
    modules: dict[str, set[str]] = {}
    for line in imports - set(plain):
        module, names = re.match(r"from (\S+) import (.*)", line).groups()
        modules.setdefault(module, set()).update(name.strip() for name in names.split(","))
    merged = {m: f"from {m} import {', '.join(sorted(names))}" for m, names in modules.items()}
    given = sorted(line for m, line in merged.items() if m.split(".")[0] in ("agents", "eval_envs", "utils"))
    standard = plain + sorted(line for line in merged.values() if line not in given)
    return "\n".join(standard) + ("\n\n" if standard else "") + "\n".join(given)


def recover(source: str) -> Params:
    """The point a design stands at: exact for composed files, an estimate for files of other hands."""
    literal = _design_literal(source)
    if literal is not None:
        return from_values(literal)
    return _estimate(source)


def is_composed(source: str) -> bool:
    """Whether a file states its own point."""
    return _design_literal(source) is not None


def _design_literal(source: str) -> dict | None:
    match = re.search(r"^DESIGN\s*=\s*(\{.*?^\})", source, re.MULTILINE | re.DOTALL)
    if match is None:
        return None
    try:
        value = ast.literal_eval(match[1])
    except (ValueError, SyntaxError):
        return None
    return value if isinstance(value, dict) and "layers" in value else None


def _estimate(source: str) -> Params:
    """Look for what a foreign design does: which tools it uses, what it reads of a recorder, how many it
    returns."""
    code = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("#"))
    layers = []
    if re.search(r"\bAgent\(", code):
        layers.append("conventions")
    if re.search(r"\bbefore\b|\bedit_file\b|[\"']old[\"']", code):
        layers.append("fixes")
    if re.search(r"json\.dumps\([^)]*steps|steps\[-", code):
        layers.append("traces")
    if re.search(r"Chroma\(|Embedding\(", code):
        layers.append("cases")
    sizes = re.findall(r"\b(?:k|top_k|n_results|limit)\s*(?::\s*int\s*)?=\s*(\d+)", code)
    values = {
        "layers": layers[:3] or ["traces"],
        "learn_from": "resolved" if re.search(r"reward\s*(?:>=|==)\s*1", code) else "all",
        "scope": "project" if re.search(r"""[\[(]\s*["']project["']""", code) else "all",
        "rank": "embedding" if re.search(r"Chroma\(|Embedding\(", code) else "recent",
        "k": sizes[0] if sizes else 4,
        "min_similarity": 0.0,
        "budget": 12000,
    }
    return from_values(values)
