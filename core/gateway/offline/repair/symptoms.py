"""What the error says about the kind of edit: a multiplier for each operator group."""

from __future__ import annotations

import re
from functools import lru_cache

from .testlog import Failure, TestRun, comparison

# Operator groups that symptoms speak about; an operator may be in several.
_GROUP_TEXT = {
    "one": (
        "boundary bound_off_by_one drop_one constant_one range_bound range_start "
        "argument_off_by_one slice_bound index_bound value_off_by_one plus_minus builtin_option"
    ),
    "bounds": ("slice_bound range_bound range_start range_step index_bound index_end boundary drop_one"),
    "scale": ("times_divide factor factor_number constant_scale drop_operand arithmetic constant_swap"),
    "divide": "true_floor floor_mod round_two",
    "sign": "plus_minus constant_sign drop_minus swap_operands swap_arguments",
    "truth": (
        "equality boundary flip drop_not add_not and_or flip_bool return_not truthiness drop_clause "
        "add_clause compare_kind"
    ),
    "text": (
        "append_method unwrap_method string_edit string_other wrap_helper_key wrap_helper_argument "
        "wrap_helper_returned wrap_helper_element wrap_helper_assigned wrap_helper_compared sibling"
    ),
    "order": "builtin_option builtin_key sibling swap_arguments swap_operands flip drop_keyword",
    "missing": "subscript_get builtin_default early_return insert_guard truthiness exception_add add_clause",
    "none": "missing_return return_value builtin_default early_return truthiness",
    "raise": (
        "exception early_raise boundary flip drop_not add_not and_or equality drop_statement "
        "drop_guard add_clause insert_start insert_guard compare_kind truthiness"
    ),
    "exception": "exception exception_add",
    "loop": "flip plus_minus loop_word boundary augmented dedent constant_one drop_statement",
    "call": "swap_arguments drop_keyword drop_argument add_keyword function_swap method_swap",
    "wrap": (
        "wrap_builtin unwrap_call wrap_helper_key wrap_helper_argument wrap_helper_returned "
        "wrap_helper_assigned wrap_helper_element wrap_helper_iterated append_method sibling"
    ),
    "copy": "wrap_builtin append_method early_default swap_statements insert_end insert_start",
    "state": ("insert_end insert_start insert_block augmented attribute_swap swap_statements drop_statement"),
}
GROUPS = {name: tuple(text.split()) for name, text in _GROUP_TEXT.items()}


def _numbers(left: float, right: float) -> dict[str, float]:
    out: dict[str, float] = {}
    delta = left - right
    if delta in (1, -1):
        out["one"] = 3.0
    if left == -right:
        out["sign"] = 4.0
    integers = isinstance(left, int) and isinstance(right, int)
    if right and left and not integers and abs(delta) < 1:
        out["divide"] = 3.0
    if left and right:
        ratio = abs(left / right) if abs(left) > abs(right) else abs(right / left)
        if ratio in (10, 12, 24, 60, 100, 365, 1000, 1024, 3600) or 6 < ratio < 7.01:
            out["scale"] = 4.0
        elif not integers:
            out["scale"] = 1.5
    if isinstance(left, float) != isinstance(right, float):
        out["divide"] = 3.0
    return out


def _sequences(left: list, right: list) -> dict[str, float]:
    out: dict[str, float] = {}
    if len(left) == len(right):
        try:
            if sorted(map(repr, left)) == sorted(map(repr, right)):
                return {"order": 5.0}
        except (TypeError, RecursionError):
            pass
        pairs = [(a, b) for a, b in zip(left, right, strict=True) if a != b]
        if pairs and isinstance(pairs[0][0], int | float | str) and len(pairs) <= 50:
            out.update(_values(*pairs[0]))
    elif abs(len(left) - len(right)) == 1:
        out["bounds"], out["one"] = 2.5, 1.5
    if left[: len(right)] == right or right[: len(left)] == left:
        out["bounds"] = 3.0
    return out


def _strings(left: str, right: str) -> dict[str, float]:
    if left.lower() == right.lower() or left.strip() == right.strip():
        return {"text": 4.0}
    out = {"text": 1.6}
    if left.startswith(right) or right.startswith(left) or left.endswith(right) or right.endswith(left):
        out["bounds"] = 2.0
    return out


def _values(left: object, right: object) -> dict[str, float]:
    if isinstance(left, bool) or isinstance(right, bool):
        return {"truth": 3.0}
    if left is None or right is None:
        return {"none": 3.0, "missing": 2.0}
    if isinstance(left, int | float) and isinstance(right, int | float):
        return _numbers(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return _strings(left, right)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if type(left) is not type(right) and list(left) == list(right):
            return {"wrap": 4.0}
        return _sequences(list(left), list(right))
    if isinstance(left, dict) and isinstance(right, dict):
        shared = [k for k in left if k in right and left[k] != right[k]]
        if shared and isinstance(left[shared[0]], int | float | str):
            return _values(left[shared[0]], right[shared[0]])
        return {"text": 1.5, "missing": 1.5}
    if type(left) is not type(right):
        return {"wrap": 2.5, "none": 1.3}
    return {}


_ERRORS: tuple[tuple[str, dict[str, float]], ...] = (
    ("DID NOT RAISE", {"raise": 3.0, "exception": 0.6}),
    ("IndexError", {"bounds": 3.5, "one": 2.0, "missing": 1.5}),
    ("KeyError", {"missing": 2.5, "text": 2.0, "exception": 2.0}),
    ("ZeroDivisionError", {"missing": 2.5, "one": 1.5, "truth": 1.5}),
    ("RecursionError", {"loop": 2.5, "one": 2.0, "truth": 1.5}),
    ("UnboundLocalError", {"truth": 1.5, "state": 2.0}),
    ("NoneType", {"none": 3.0, "missing": 2.0, "truth": 1.5}),
    ("AttributeError", {"wrap": 1.5, "none": 1.5}),
    ("unexpected keyword", {"call": 4.0}),
    ("positional argument", {"call": 4.0}),
    ("TypeError", {"wrap": 2.0, "call": 1.5, "none": 1.3}),
    ("ValueError", {"exception": 1.5, "raise": 1.3}),
    ("StopIteration", {"missing": 2.0, "bounds": 1.5}),
)


def _of_failure(failure: Failure) -> dict[str, float]:
    error = failure.error
    out: dict[str, float] = {}
    for mark, groups in _ERRORS:
        if mark in error:
            for group, factor in groups.items():
                out[group] = max(out.get(group, 0.0), factor)
    values = comparison(error)
    if values:
        out.update(_values(values.left, values.right))
    elif re.search(r"^(AssertionError: )?assert (not |False|True)", error, re.M):
        out.setdefault("truth", 2.5)
    elif re.search(r"^assert .+ (not )?in ", error, re.M):
        out.setdefault("text", 1.5)
    if "raises" in failure.failing_line and "DID NOT RAISE" not in error:
        out["exception"] = 4.0
    return out


@lru_cache(maxsize=256)
def factors(run: TestRun) -> dict[str, float]:
    """Operator -> multiplier, the geometric mean over the failing tests; operators left out count 1."""
    total: dict[str, float] = {}
    failures = run.samples
    for failure in failures:
        per_operator: dict[str, float] = {}
        for group, factor in _of_failure(failure).items():
            for op in GROUPS[group]:
                per_operator[op] = max(per_operator.get(op, 0.0), factor)
        for op, factor in per_operator.items():
            total[op] = total.get(op, 1.0) * factor ** (1 / len(failures))
    if run.timed_out:
        for op in GROUPS["loop"]:
            total[op] = total.get(op, 1.0) * 3.0
    return total
