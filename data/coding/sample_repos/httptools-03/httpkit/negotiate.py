"""Content negotiation: what a client accepts, weighed against what a server has."""

from collections.abc import Sequence

from httpkit.errors import BadHeader
from httpkit.names import split_list


def parse_accept(value: str) -> list[tuple[str, float]]:
    """Return (media range, quality) in the order of the header. Raises BadHeader for a bad quality."""
    ranges = []
    for element in split_list(value):
        name, *parameters = [part.strip() for part in element.split(";")]
        quality = 1.0
        for parameter in parameters:
            label, _, number = parameter.partition("=")
            if label.strip().lower() == "q":
                quality = _quality(number)
        ranges.append((name.lower(), quality))
    return ranges


def quality_of(media_type: str, accept: str) -> float:
    """Return the quality of one media type; the most specific range decides, 0 if none fits."""
    best = (-1, 0.0)
    for pattern, quality in parse_accept(accept):
        fit = _specificity(pattern, media_type.lower())
        if fit > best[0]:
            best = (fit, quality)
    return best[1]


def choose(available: Sequence[str], accept: str | None) -> str | None:
    """Return the best of the available media types, None if the client takes none of them.

    Of two that are equally welcome the first wins. Without an Accept header anything is.
    """
    if not accept:
        return available[0] if available else None
    rated = [(quality_of(media_type, accept), media_type) for media_type in available]
    acceptable = [(quality, media_type) for quality, media_type in rated if quality >= 0]
    if not acceptable:
        return None
    return max(acceptable, key=lambda pair: pair[0])[1]


def _specificity(pattern: str, media_type: str) -> int:
    if pattern == media_type:
        return 2
    if pattern.endswith("/*") and media_type.startswith(pattern[:-1]):
        return 1
    return 0 if pattern == "*/*" else -1


def _quality(text: str) -> float:
    try:
        quality = float(text)
    except ValueError:
        raise BadHeader(f"not a quality: {text!r}") from None
    if not 0 <= quality <= 1:
        raise BadHeader(f"a quality is between 0 and 1, not {text}")
    return quality
