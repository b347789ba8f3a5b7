from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Entry:
    """One remembered text.

    ``key`` is what it is found by, ``issue`` the issue it comes from; entries of equal ``essence`` say the same.
    """

    text: str
    key: str
    project: str
    issue: str
    essence: str = ""
    count: int = 1
    vector: list[float] = field(default_factory=list)
