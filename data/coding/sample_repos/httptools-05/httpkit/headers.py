"""An ordered multi-map of headers."""

from collections.abc import Iterable, Iterator

from httpkit.errors import BadHeader
from httpkit.names import fold


class Headers:
    """Header fields in the order they were added; a name may occur several times."""

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = []
        for name, value in fields:
            self.add(name, value)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter([(name, value) for _, name, value in self._fields])

    def __len__(self) -> int:
        return len(self._fields)

    def __contains__(self, name: str) -> bool:
        folded = fold(name)
        return any(known == folded for known, _, _ in self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [field[::2] for field in self._fields] == [field[::2] for field in other._fields]

    def add(self, name: str, value: str) -> None:
        """Append a field. Raises BadHeader for a bad name or a line break in the value."""
        if "\r" in value or "\n" in value:
            raise BadHeader(f"line break in the value of {name}")
        self._fields.append((fold(name), name.strip(), value.strip()))

    def get(self, name: str, default: str | None = None) -> str | None:
        """Return the values of a name joined by ", ", or the default if there is none."""
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def get_all(self, name: str) -> list[str]:
        """Return each value of a name in order."""
        folded = name
        return [value for known, _, value in self._fields if known == folded]

    def discard(self, *names: str) -> None:
        """Take out every field of these names."""
        unwanted = {fold(name) for name in names}
        self._fields = [field for field in self._fields if field[0] not in unwanted]

    def set(self, name: str, value: str) -> None:
        """Replace all fields of a name by one, at the end."""
        self.discard(name)
        self.add(name, value)

    def copy(self) -> "Headers":
        """Return an independent copy."""
        return Headers(self)


def parse_headers(text: str) -> Headers:
    """Read header lines; a line that starts with white space continues the one before."""
    lines: list[str] = []
    for line in text.splitlines():
        if line[:1] in (" ", "\t") and lines:
            lines[-1] += " " + line.strip()
        elif line.strip():
            lines.append(line)
    headers = Headers()
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadHeader(f"no colon in {line!r}")
        headers.add(name, value)
    return headers
