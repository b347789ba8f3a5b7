"""The exception of the library."""


class TextError(ValueError):
    """A text or an argument that the function cannot work with."""
