"""What a call costs, in USD.

OpenAI's list prices per million tokens (standard tier) as of 2025-08, written down from knowledge and not
fetched: check them against https://platform.openai.com/docs/pricing before you rely on a total.
A model that is not in the table has no known cost; it is reported so and never counted as free.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.gateway.provider import Tokens

AS_OF = "2025-08"


@dataclass(frozen=True)
class Price:
    """USD per million tokens. ``cached`` is for the part of the input that the provider had in its cache."""

    input: float
    cached: float
    output: float


PRICES: dict[str, Price] = {
    "gpt-5": Price(1.25, 0.125, 10.00),
    "gpt-5-chat-latest": Price(1.25, 0.125, 10.00),
    "gpt-5-mini": Price(0.25, 0.025, 2.00),
    "gpt-5-nano": Price(0.05, 0.005, 0.40),
    "gpt-4.1": Price(2.00, 0.50, 8.00),
    "gpt-4.1-mini": Price(0.40, 0.10, 1.60),
    "gpt-4.1-nano": Price(0.10, 0.025, 0.40),
    "gpt-4o": Price(2.50, 1.25, 10.00),
    "gpt-4o-2024-05-13": Price(5.00, 5.00, 15.00),
    "gpt-4o-mini": Price(0.15, 0.075, 0.60),
    "o3": Price(2.00, 0.50, 8.00),
    "o3-mini": Price(1.10, 0.55, 4.40),
    "o4-mini": Price(1.10, 0.275, 4.40),
    "text-embedding-3-small": Price(0.02, 0.02, 0.0),
    "text-embedding-3-large": Price(0.13, 0.13, 0.0),
    "text-embedding-ada-002": Price(0.10, 0.10, 0.0),
    "offline": Price(0.0, 0.0, 0.0),
}
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


def price_of(model: str) -> Price | None:
    """The price of a model or a dated snapshot of it (``gpt-4o-2024-08-06``); None when not known."""
    return PRICES.get(model) or PRICES.get(_SNAPSHOT.sub("", model))


def cost_usd(model: str, tokens: Tokens) -> float | None:
    """The cost of one call in USD; None when the model's price is not known."""
    price = price_of(model)
    if price is None:
        return None
    fresh = tokens.prompt - tokens.cached
    total = fresh * price.input + tokens.cached * price.cached + tokens.completion * price.output
    return total / 1_000_000
