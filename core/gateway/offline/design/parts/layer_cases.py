# ruff: noqa: F821 (names of other parts)
from __future__ import annotations

from agents.memo_structure import Sub_memo_layer
from eval_envs.base_envs import Basic_Recorder


class CasesLayer(Sub_memo_layer):
    """Earlier issues with their failing test and how they ended, found by the text of the issue."""

    def __init__(self) -> None:
        super().__init__(layer_intro="Earlier issues, their failing test and what solved them.", database=[])

    async def update(self, recorder: Basic_Recorder) -> None:
        """Keep one case per run."""
        test, message = first_failure(recorder)
        issue, project = (str(recorder.init.get(name, "")) for name in ("problem_statement", "project"))
        edits = final_edits(recorder)
        outcome = (
            "\n".join(describe(edit, test, message) for edit in edits)
            or "No change was found that solved it."
        )
        symptom = f"\nFailing test: {test} {message}".rstrip() if test else ""
        text = f"Case in {project}: {' '.join(issue.split())[:300]}{symptom}\n{outcome}"
        essence = "\n".join(f"{edit.before}\n->\n{edit.after}" for edit in edits)
        keep(self.database, Entry(text, issue, project, issue, essence))

    async def retrieve(self, recorder: Basic_Recorder) -> str:
        """The cases most like this issue as text; empty when there are none."""
        return joined(await pick(self.database, recorder), ROOM)
