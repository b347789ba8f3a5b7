from __future__ import annotations

from eval_envs.base_envs import Basic_Recorder


def worth_learning(recorder: Basic_Recorder) -> bool:
    """Only runs that solved their task."""
    return recorder.reward >= 1.0
