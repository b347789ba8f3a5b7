"""Results that hold until the contents they were computed from change."""


class Kept:
    """Base of collections that keep what they have computed; every change of the contents calls ``_changed``."""

    def __init__(self):
        self._results = {}

    def _keep(self, name, compute):
        """The kept result of a name, computed if there is none."""
        if name not in self._results:
            self._results[name] = compute()
        return self._results[name]

    def _changed(self):
        self._results.clear()
