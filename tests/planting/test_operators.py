"""Every operator acts on its example, and whatever it does to a module is another program."""

from __future__ import annotations

import ast
import textwrap
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envs_archive.coding.planting.operators import OPERATORS, Module, edits_of, same_program

# kind -> (before, after); each in the body of a function with the parameters a, b and c.
EXAMPLES = {
    "comparison_boundary": ("if a < b:\n    c = 1", "if a <= b:\n    c = 1"),
    "comparison_operator": ("return a is not b", "return a is b"),
    "arithmetic_operator": ("return a // b", "return a / b"),
    "augmented_assignment": ("a += b", "a -= b"),
    "swapped_operands": ("return a - b", "return b - a"),
    "off_by_one": ("for i in range(a):\n    c(i)", "for i in range(a - 1):\n    c(i)"),
    "changed_constant": ("return c('--', True)", "return c('--', False)"),
    "boolean_operator": ("return a and b", "return a or b"),
    "missing_clause": ("return a and b > 1", "return a"),
    "dropped_negation": ("return not a", "return a"),
    "swapped_branches": ("return a if c else b", "return b if c else a"),
    "slice_bounds": ("return a[1:b]", "return a[1:b - 1]"),
    "missing_filter": ("return [x for x in a if x > b]", "return [x for x in a]"),
    "swapped_result": ("return a, b", "return b, a"),
    "missing_guard": ("if not a:\n    raise ValueError\nreturn b", "return b"),
    "missing_condition": ("if a:\n    b = 1\nreturn b", "b = 1\nreturn b"),
    "missing_case": ("if a:\n    b = 1\nelse:\n    b = 2\nreturn b", "if a:\n    b = 1\nreturn b"),
    "missing_statement": ("a.append(b)\nreturn a", "return a"),
    "inverted_condition": ("if a:\n    return b", "if not a:\n    return b"),
    "early_return": ("for x in a:\n    b += x\nreturn b", "for x in a:\n    b += x\n    return b"),
    "loop_exit": ("for x in a:\n    if x:\n        break", "for x in a:\n    if x:\n        continue"),
    "statement_order": ("a.x = b\na.y = a.x", "a.y = a.x\na.x = b"),
    "exception_kind": (
        "try:\n    a()\nexcept KeyError:\n    b()",
        "try:\n    a()\nexcept IndexError:\n    b()",
    ),
    "missing_result": ("return a.get(b)", "a.get(b)"),
    "swapped_arguments": ("return c(a, b)", "return c(b, a)"),
    "dropped_step": ("return a.strip().title()", "return a.title()"),
    "dropped_copy": ("return list(a)", "return a"),
    "dropped_argument": ("return c(a, key=b)", "return c(a)"),
    "missing_default": ("return a.get(b, 0)", "return a.get(b)"),
    "missing_key_handling": ("return a.get(b, 0)", "return a[b]"),
    "wrong_method": ("return a.startswith(b)", "return a.endswith(b)"),
    "wrong_variable": ("return a + 1", "return b + 1"),
}


def function(body: str) -> str:
    return f"def f(a, b, c):\n{textwrap.indent(body, '    ')}\n"


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_operator_makes_the_slip(kind):
    before, after = map(function, EXAMPLES[kind])
    made = [edit.apply(before) for edit in edits_of("m.py", before) if edit.kind == kind]
    assert after in made


def test_slips_that_need_more_than_a_body():
    default = "def f(a, deep=False):\n    return a\n"
    assert "deep=True" in "".join(
        e.apply(default) for e in edits_of("m.py", default) if e.kind == "wrong_default"
    )
    waiting = "async def f(a):\n    return await a()\n"
    assert "return a()" in "".join(
        e.apply(waiting) for e in edits_of("m.py", waiting) if e.kind == "dropped_await"
    )
    owner = (
        "class C:\n    def __init__(self):\n        self.x = []\n        self.y = []\n\n    def f(self):\n"
    )
    owner += "        return self.x\n"
    assert "return self.y" in "".join(
        e.apply(owner) for e in edits_of("m.py", owner) if e.kind == "wrong_attribute"
    )


def test_every_operator_has_an_example():
    source = Path(__file__).parents[2] / "envs_archive/coding/planting/operators"
    named = {
        node.value
        for file in source.glob("*.py")
        for call in ast.walk(ast.parse(file.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("edit", "replace")
        for node in call.args[:1]
        if isinstance(node, ast.Constant)
    }
    assert named - {"wrong_default", "dropped_await", "wrong_attribute"} <= EXAMPLES.keys()
    assert len(OPERATORS) >= 30


UNTOUCHABLE = '''
    """Text 1."""
    import os

    __all__ = ["f"]


    def f(a: "int > 1") -> "x + 1":
        """Doc 2."""


    if __name__ == "__main__":
        f(1)
    '''


def test_what_no_test_can_notice_is_left_alone():
    source = textwrap.dedent(UNTOUCHABLE)
    assert list(edits_of("m.py", source)) == []


BODIES = [before for before, _ in EXAMPLES.values()]
BODIES += [
    "x = (a\n     .strip()  # why\n     .lower())",
    "return (a +\n        b).real",
    "c(a, 'ü', b)[0]",
    "return f'{a + 1} {b}'",
    "x = a if b < 1 else c; y = x",
    "with a as x, b:\n    x.get('é', 1)",
    "if a: return 1",
    "x = lambda q=1: -q\nreturn x() ** -a",
    "while a and not b:\n    a -= 1\n    if a == 3: continue",
    "if a:\n    pass\nelif b > 2:\n    c()\nelse:\n    return [*a, {**b}]",
    "return a[-1], a[:-1], a[::2]",
    "return not (a or b) and {x: y for x, y in c.items() if x}",
    'x = """two\nlines"""\nreturn x',
]
NESTS = [
    "{}",
    "if c:\n{}",
    "for k in a:\n{}",
    "try:\n{}\nfinally:\n    c = 0",
    "def g(a, b=2, *, c=None):\n{}",
    "class K:\n{}",
]


@st.composite
def modules(draw) -> str:
    """Functions with bodies out of the list above, nested in each other's company."""
    parts = []
    for number in range(draw(st.integers(1, 3))):
        blocks = []
        for body in draw(st.lists(st.sampled_from(BODIES), min_size=1, max_size=4)):
            nest = draw(st.sampled_from(NESTS))
            if nest != "{}" and '"""' not in body:
                body = nest.format(textwrap.indent(body, "    "))
            blocks.append(body)
        text = (
            function("\n".join(blocks)).replace("def f(", f"def f{number}(")
            if '"""' not in "".join(blocks)
            else ""
        )
        parts.append(text or f"def f{number}(a):\n    return a\n")
    source = "\n\n".join(parts)
    try:
        ast.parse(source)
        compile(source, "m.py", "exec")
    except SyntaxError:  # a `continue` outside of a loop, say
        return function("return a < 1")
    return source


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(modules())
def test_every_edit_gives_another_program(source):
    for edit in edits_of("m.py", source):
        assert not same_program(source, edit.apply(source)), edit


@pytest.mark.parametrize("name", ["textwrap", "heapq", "shlex"])
def test_every_edit_of_a_real_module_gives_another_program(name):
    source = Path(__import__(name).__file__).read_text(encoding="utf-8")
    edits = list(edits_of("m.py", source))
    assert len({edit.kind for edit in edits}) > 10
    module = Module("m.py", source)
    lines = source.count("\n") + 1
    for edit in edits[:: max(1, len(edits) // 40)]:
        assert not same_program(source, edit.apply(source)), edit
        assert 0 <= edit.first <= edit.last <= lines
    assert module.source == source
