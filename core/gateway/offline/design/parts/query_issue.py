from __future__ import annotations

from eval_envs.base_envs import Basic_Recorder


def query_of(recorder: Basic_Recorder) -> str:
    """A task is described by its issue."""
    return str(recorder.init.get("problem_statement", ""))
