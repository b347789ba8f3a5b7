"""How an H3 experiment went: what each search promised of its best design, what the sealed test kept, and what the
designs are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from core.report.html.report import Report
from core.report.html.safe import number
from core.report.html.templating import fill
from core.report.tables import percent, points

ID, TITLE = "searches", "The searches"

WIDTH, LEFT, RIGHT, TOP, ROW = 400, 62, 14, 14, 24


def render(report: Report) -> Markup | None:
    searches = _dicts(report.run.summary.get("searches"))
    if not searches:
        return None
    return fill(
        "searches",
        searches=[_search(s) for s in searches],
        drawn=_drawn(searches),
        designs=[_design(c) for c in _dicts(report.run.summary.get("structure"))],
    )


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> str:
    return ", ".join(str(item) for item in value) if isinstance(value, list) else ""


def _search(search: dict[str, Any]) -> dict[str, str]:
    def shown(name: str, form: Any) -> str:
        value = number(search.get(name))
        return "" if value is None else form(value)

    return {
        "search": str(search.get("search") or ""),
        "seed": shown("seed", "{:.0f}".format),
        "scored": shown("designs_scored", "{:.0f}".format),
        "best": str(search.get("best") or "none"),
        **{name: shown(name, "{:.3f}".format) for name in ("search_reward", "test_reward")},
        **{name: shown(name, percent) for name in ("search_resolved", "test_resolved")},
        **{name: shown(name, points) for name in ("search_gain", "test_gain")},
    }


def _drawn(searches: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Gain over no memory in points of reward: one line per search, from what was promised to what was kept."""
    pairs = [(number(s.get("search_gain")), number(s.get("test_gain")), s) for s in searches]
    values = [100 * v for promised, kept, _ in pairs for v in (promised, kept) if v is not None]
    if not values:
        return None
    low, high = min(0.0, *values), max(0.0, *values)
    room = max(0.1, 0.08 * (high - low))
    low, high = low - room, high + room

    def x(value: float) -> float:
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    lines = [
        {
            "label": f"search {at}" if number(search.get("search")) else str(search.get("best") or ""),
            "y": TOP + (at - 0.5) * ROW,
            "promised": None if promised is None else (x(100 * promised), 100 * promised),
            "kept": None if kept is None else (x(100 * kept), 100 * kept),
        }
        for at, (promised, kept, search) in enumerate(pairs, 1)
    ]
    bottom = TOP + len(pairs) * ROW
    ticks = [(f"{value:+.1f}", x(value)) for value in (low + room, high - room)]
    return {"lines": lines, "zero": x(0.0), "ticks": ticks, "bottom": bottom, "height": bottom + 34}


def _design(compared: dict[str, Any]) -> dict[str, str]:
    made = compared.get("structure")
    made = made if isinstance(made, dict) else {}
    alike = number(compared.get("similarity"))
    return {
        "design": str(compared.get("design") or ""),
        **{name: str(made.get(name, "")) for name in ("lines", "model_calls", "embedding_calls")},
        **{name: _texts(made.get(name)) for name in ("layers", "stores", "keys", "ideas")},
        "nearest": f"{compared.get('nearest') or ''}" + ("" if alike is None else f" {alike:.2f}"),
        "new": _texts(compared.get("new")),
    }
