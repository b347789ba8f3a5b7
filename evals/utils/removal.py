"""Removes folders that generated code has filled: without permissions, or nested deeper than a path can be long."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path


def remove_tree(folder: Path) -> None:
    """Remove a folder and what is in it, links as links. What cannot be removed at all is left."""
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except (OSError, RecursionError):
        # The system's own tools walk by descriptor, so neither depth nor a path's length stops them.
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(folder)], stdin=subprocess.DEVNULL, capture_output=True)


def empty(folder: Path) -> None:
    """Remove what is in a folder, links as links."""
    folder.chmod(0o755)
    for entry in list(folder.iterdir()):
        if entry.is_dir() and not entry.is_symlink():
            remove_tree(entry)
        else:
            entry.unlink()
