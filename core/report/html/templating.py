"""The templates of the report: everything put into one is escaped and made visible."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from core.report.html.safe import visible

HERE = Path(__file__).parent


def _finalize(value: Any) -> Any:
    """Text that others wrote goes through here before it is escaped."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


_TEMPLATES = Environment(
    loader=FileSystemLoader(HERE),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_finalize,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters["reward"] = lambda value: "" if value is None else f"{value:.3f}"
_TEMPLATES.filters["px"] = lambda value: f"{value:.1f}"


def fill(name: str, **values: Any) -> Markup:
    """The template ``<name>.html`` with these values."""
    return Markup(_TEMPLATES.get_template(f"{name}.html").render(**values))


def half(value: float | None) -> str:
    """A standard error behind its mean."""
    return "" if value is None or math.isnan(value) else f"\u00b1 {value:.3f}"
