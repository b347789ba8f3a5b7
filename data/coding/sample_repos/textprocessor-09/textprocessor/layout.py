"""Text in columns of a terminal."""

import unicodedata

from textprocessor.errors import TextError


def width(text):
    """The number of columns a text takes: wide characters count twice, combining marks not at all."""
    columns = 0
    for character in text:
        if not unicodedata.combining(character):
            columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return columns


def widest(texts):
    """The columns that the widest of the texts takes; none for no text."""
    return max((width(text) for text in texts), default=0)


def pad(text, columns, align="left"):
    """Fill a text up with blanks; a text that is too wide stays as it is."""
    missing = max(columns - width(text), 0)
    if align == "left":
        return text + " " * missing
    if align == "right":
        return " " * missing + text
    if align == "center":
        return " " * (missing // 2) + text + " " * (missing - missing // 2)
    raise TextError(f"unknown alignment {align!r}")


def cut(text, columns, ending="…"):
    """At most ``columns`` wide; a text that is cut ends with ``ending``, which counts."""
    if width(text) <= columns:
        return text
    room = columns - width(ending)
    kept = ""
    for character in text:
        if width(kept + character) > room:
            break
        kept += character
    return kept + ending


def wrap(text, columns):
    """Break a paragraph into lines of at most ``columns``; only a word wider than that stands out."""
    lines = []
    line, used = [], 0
    for word in text.split():
        needed = width(word) + (1 if line else 0)
        if line and used + needed > columns:
            lines.append(" ".join(line))
            line, used, needed = [], 0, width(word)
        line.append(word)
        used += needed
    return [*lines, " ".join(line)] if line else lines


def table(rows, gap="  "):
    """Rows of cells as text with aligned columns; numbers go to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [widest(column) for column in zip(*texts)]
    lines = []
    for row, cells in zip(rows, texts):
        sides = ["right" if isinstance(cell, (int, float)) else "left" for cell in row]
        lines.append(gap.join(pad(c, w, side) for c, w, side in zip(cells, widths, sides)).rstrip())
    return "\n".join(lines)


def indent(text, prefix):
    """Put a prefix before every line that is not blank."""
    return "\n".join(prefix + line if line.strip() else line for line in text.split("\n"))


def dedent(text):
    """Remove the blanks that all lines have in common at their start; blank lines become empty."""
    lines = text.split("\n")
    margins = [len(line) - len(line.lstrip(" ")) for line in lines if line.strip()]
    margin = min(margins, default=0)
    return "\n".join(line[margin:] if line.strip() else "" for line in lines)


def framed(text, title="", columns=None, padding=1):
    """Draw a frame round the lines of a text, with a title in its upper edge.

    It is as wide as the widest line and the title need, or ``columns`` wide, and then lines are cut. Raises TextError
    where nothing would fit.
    """
    lines = text.split("\n")
    needed = widest([*lines, title + "  "]) if title else widest(lines)
    inner = needed if columns is None else columns - 2 * padding - 2
    if inner < 1:
        raise TextError(f"no room in a frame of {columns} columns")
    label = f" {cut(title, inner - 2)} " if title else ""
    top = "┌" + "─" * padding + label + "─" * (inner - width(label) + padding) + "┐"
    body = []
    for line in lines:
        shown = pad(cut(line, inner), inner)
        body.append("│" + " " * padding + shown + " " * padding + "│")
    bottom = "└" + "─" * (inner + 2 * padding) + "┘"
    return "\n".join([top, *body, bottom])
