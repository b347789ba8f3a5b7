"""Counting changes, so that who saves or shows something knows when it is out of date."""


class Counted:
    """Base of what people change: `revision` goes up with every change."""

    def __init__(self) -> None:
        self.revision = 0

    def touch(self) -> None:
        """Note that something has changed."""
        self.revision += 1
