"""Lines of comma-separated values, and headers of the form ``Name: value``."""

from textprocessor.errors import TextError
from textprocessor.folding import fold


def split_record(line, separator=","):
    """The fields of one line. A field in double quotes may hold the separator; a quote inside it is doubled."""
    fields = []
    field = ""
    quoted = False
    position = 0
    while position < len(line):
        character = line[position]
        if quoted:
            if character != '"':
                field += character
            elif line[position + 1 : position + 2] == '"':
                field += '"'
                position += 1
            else:
                quoted = False
        elif character == '"' and not field:
            quoted = True
        elif character == separator:
            fields.append(field)
            field = ""
        else:
            field += character
        position += 1
    if quoted:
        raise TextError("a quoted field is not closed")
    return [*fields, field]


def join_record(fields, separator=","):
    """One line from fields; the inverse of split_record."""
    parts = []
    for field in fields:
        if separator in field or '"' in field:
            field = '"' + field.replace('"', '""') + '"'
        parts.append(field)
    return separator.join(parts)


class Headers:
    """The headers of a message; names compare like words, the last value of a name counts."""

    def __init__(self, text=""):
        self._values = {}
        for line in text.splitlines():
            name, colon, value = line.partition(":")
            if not colon:
                raise TextError(f"no colon in the header {line!r}")
            self.set(name, value)

    def set(self, name, value):
        """Set a header; blanks around name and value do not count."""
        self._values[fold(name.strip())] = (name.strip(), value.strip())

    def get(self, name, default=None):
        """The value of a header, or the default."""
        return self._values.get(fold(name), (None, default))[1]

    def names(self):
        """The names as they were spelled, in order."""
        return [name for name, _ in self._values.values()]
