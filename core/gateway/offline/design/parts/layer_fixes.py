# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

from agents.memo_structure import Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder


class FixesLayer(Sub_memo_layer):
    """Code changes that made failing tests pass."""

    def __init__(self) -> None:
        super().__init__(
            layer_intro="Changes that fixed earlier failures: before, after and where.", database=[]
        )

    async def update(self, recorder: Basic_Recorder) -> None:
        """Keep each change of a run with the failure it removed."""
        test, message = first_failure(recorder)
        issue = str(recorder.init.get("problem_statement", ""))
        for edit in final_edits(recorder):
            text = describe(edit, test, message)
            key = f"{issue}\n{test} {message}\n{edit.path} {edit.function}"
            project, essence = str(recorder.init.get("project", "")), f"{edit.before}\n->\n{edit.after}"
            keep(self.database, Entry(text, key, project, issue, essence))

    async def retrieve(self, recorder: Basic_Recorder) -> str:
        """The most relevant changes as text; empty when there are none."""
        return joined(await pick(self.database, recorder), ROOM)
