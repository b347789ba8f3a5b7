"""What every section of a report is made from."""

from __future__ import annotations

from dataclasses import dataclass

from core.report.html.episodes_store import EpisodeStore
from core.report.loaded_run import LoadedRun
from core.report.standing import Standing


@dataclass(frozen=True)
class Report:
    """A loaded run, how its designs stand, and its packed episodes. ``going`` says that it is at work now."""

    run: LoadedRun
    standing: Standing
    episodes: EpisodeStore
    going: bool = False
