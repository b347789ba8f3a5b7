"""A process of its own for the tests of episode trees: namespaces can be entered only before a thread is started.

Reads a JSON object ``{"base", "scratch", "kind", "rounds"}`` from stdin: a round is a list with the operations of each
of its workspaces, which exist at the same time. An operation is a text for ``sh -c`` in a sandbox session, or
``["python", CODE]`` to be run in this process, with ``here`` as the workspace. Answers with, for each workspace, the
outputs, the changes found, and all that the agent can see of every file at the end.
"""

import asyncio
import base64
import json
import os
import stat
import sys
from pathlib import Path

from envs_archive.coding.episode_tree import EpisodeTree, allow_overlays
from evals.utils.sandbox import probe
from evals.utils.session import Session


def look(tree: Path) -> dict[str, list]:
    """Kind, mode and content of everything below a folder, without .git."""
    found = {}
    for folder, folders, files in os.walk(tree):
        folders[:] = [name for name in folders if name != ".git"]
        for name in folders + files:
            path = Path(folder, name)
            status = path.lstat()
            content = ""
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes().hex()
            found[str(path.relative_to(tree))] = [stat.filemode(status.st_mode), content]
    return found


async def use(tree: EpisodeTree, operations: list, kind) -> dict:
    outputs = []
    async with Session(kind, tree.workspace) as session:
        for operation in operations:
            if isinstance(operation, str):
                result = await session.run(operation)
                outputs.append([result.exit_code, result.output, result.error])
            else:
                exec(operation[1], {"here": tree.workspace})
    seen = look(tree.workspace)
    changes = tree.changes()
    tree.remove()
    kept = {name: None if c is None else base64.b64encode(c).decode() for name, c in changes.items()}
    return {"outputs": outputs, "changes": kept, "seen": seen}


async def main(asked: dict) -> list:
    kind, scratch, base = probe(asked["kind"]), Path(asked["scratch"]), Path(asked["base"])
    answers = []
    for workspaces in asked["rounds"]:
        trees = [EpisodeTree(base, scratch) for _ in workspaces]
        answers.append(
            await asyncio.gather(*(use(t, o, kind) for t, o in zip(trees, workspaces, strict=True)))
        )
    return answers


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    overlays = asked["overlays"] and allow_overlays(
        [Path(asked["base"])], probe(asked["kind"]), Path(asked["scratch"])
    )
    answers = asyncio.run(main(asked))
    print(json.dumps({"overlays": overlays, "rounds": answers}))
