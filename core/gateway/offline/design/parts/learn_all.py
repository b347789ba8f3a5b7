from __future__ import annotations

from eval_envs.base_envs import Basic_Recorder


def worth_learning(recorder: Basic_Recorder) -> bool:
    """Every run that did something: a failed one tells what the symptom looks like."""
    return bool(recorder.steps)
