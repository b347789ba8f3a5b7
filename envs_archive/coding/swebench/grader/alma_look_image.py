"""Inside a container of an instance's image, under the Python of its miniconda: looks, and copies the repository out.

    python alma_look_image.py REPOSITORY ACTIVATE [TARGET]

Prints one line of JSON: `fault`, why the image cannot be used, or `variables`, what activating its environment sets.
With a TARGET the repository is copied into it as it is, without its history.
"""

import json
import os
import shutil
import subprocess
import sys

SHELLS_OWN = {"PWD", "OLDPWD", "SHLVL", "_", "PS1", "HOME"}


def activated(command):
    """(what the activation of the environment has set, "") or ({}, why it failed)."""
    line = ["bash", "-c", command + ' && exec "$0" -c "import json, os; print(json.dumps(dict(os.environ)))"']
    try:
        done = subprocess.run([*line, sys.executable], capture_output=True, text=True)
    except OSError as error:
        return {}, f"has no {error.filename}"
    last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
    if done.returncode:
        return {}, f"environment cannot be activated ({command}): {last[:200]}"
    found = json.loads(done.stdout.strip().splitlines()[-1])
    changed = {name: value for name, value in found.items() if os.environ.get(name) != value}
    return {name: value for name, value in changed.items() if name not in SHELLS_OWN}, ""


def without_history(folder, names):
    return {".git"} if folder == sys.argv[1] else set()


def look():
    repository, activate = sys.argv[1:3]
    if sys.version_info < (3, 9):  # noqa: UP036 - the Python is the image's
        return {"fault": f"{sys.executable} is older than Python 3.9"}
    if not os.path.isdir(repository):
        return {"fault": f"has no {repository}"}
    os.makedirs(os.environ["HOME"], exist_ok=True)
    variables, fault = activated(activate)
    if fault:
        return {"fault": fault}
    if len(sys.argv) > 3:
        shutil.copytree(repository, sys.argv[3], symlinks=True, dirs_exist_ok=True, ignore=without_history)
    return {"variables": variables}


if __name__ == "__main__":
    try:
        print(json.dumps(look()))
    except (OSError, shutil.Error) as told:
        print(json.dumps({"fault": f"{sys.argv[1]} cannot be copied: {str(told)[:300]}"}))
