from __future__ import annotations

from eval_envs.base_envs import Basic_Recorder


def query_of(recorder: Basic_Recorder) -> str:
    """A task is described by its issue and the names of its source files."""
    files = [str(name) for name in recorder.init.get("files", []) if "test" not in str(name)]
    return str(recorder.init.get("problem_statement", "")) + "\n" + " ".join(files[:40])
