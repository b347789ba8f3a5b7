from __future__ import annotations

from eval_envs.base_envs import Basic_Recorder


def worth_learning(recorder: Basic_Recorder) -> bool:
    """Runs that solved their task, and those in which the agent at least saw the tests pass."""
    return recorder.reward >= 1.0 or any(
        "test" in str((step.get("action") or {}).get("command", ""))
        and "exit code 0" in str(step.get("observation", "")).split("\n", 1)[0]
        for step in recorder.steps
    )
