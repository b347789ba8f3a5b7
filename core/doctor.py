"""``run_main.py --doctor``: what this machine offers for containing generated code, and what to install."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys

from evals.utils import cgroups, container
from evals.utils.sandbox import GET_BWRAP, NO_BOUNDARY, SandboxUnavailable, probe

FINE, MISSING = "ok     ", "missing"


def examine(wanted: str) -> int:
    """Print the findings to stdout; returns 0 when the wanted sandbox is a boundary that works, else 1."""
    who = "root" if os.geteuid() == 0 else "an ordinary user"
    print(
        f"machine    {platform.system()} {platform.release()}, Python {platform.python_version()}, as {who}"
    )
    advice: list[str] = []

    def line(good: bool, what: str, how: str = "") -> None:
        print(f"{FINE if good else MISSING}    {what}")
        if not good and how:
            advice.append(how)

    line(sys.version_info >= (3, 11), "Python 3.11 or newer", "install Python 3.11 or newer")
    line(shutil.which("git") is not None, "git", "install git (apt-get install git)")
    packages = ("aiohttp", "chromadb", "pytest")
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    line(not absent, f"packages: {', '.join(absent) or 'all there'}", "pip install -r requirements.txt")
    works = {}
    for kind in ("bwrap", "container"):
        try:
            works[kind] = probe(kind)
            line(True, works[kind].note)
        except SandboxUnavailable as error:
            line(False, str(error))
    group = cgroups.available()
    line(
        bool(group),
        f"control groups: {group or 'none that we may make; limits per process and a regular look instead'}",
    )
    try:
        kind = probe(wanted)
    except SandboxUnavailable as error:
        print(f"\n--sandbox {wanted}: {error}")
        return 1
    print(f"\n--sandbox {wanted} uses {kind.kind}:")
    for what, on in _protections(kind.kind, bool(group)):
        print(f"  {'on ' if on else 'OFF'}  {what}")
    if kind.kind == "process":
        print(f"warning: {NO_BOUNDARY}")
        advice += _ways_to_a_boundary(list(works))
    for step in advice:
        print(f"to do: {step}")
    return 0 if kind.kind != "process" else 1


def _ways_to_a_boundary(works: list[str]) -> list[str]:
    """What to do instead of ``process``, given the kinds that work here."""
    if works:
        return [f"take --sandbox {works[0]}, which works here"]
    allow = (
        "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu "
        "kernel.apparmor_restrict_unprivileged_userns=0"
    )
    return [allow if shutil.which("bwrap") else GET_BWRAP, f"or {container.GET_ENGINE}"]


def _protections(kind: str, group: bool) -> list[tuple[str, bool]]:
    boundary = kind != "process"
    return [
        ("clean environment: no key of yours is inherited", True),
        (
            "your files cannot be read; only the evaluation's folder and the workspace can be written",
            boundary,
        ),
        ("no network", boundary),
        ("your processes cannot be seen", boundary),
        ("every left-over process is ended; time, output, file size and CPU have limits", True),
        ("memory and processes: looked at many times a second", True),
        ("memory and processes: hard limits of the kernel for the whole tree", group or kind == "container"),
        ("agent commands cannot see their evaluation's files and gateway", kind == "bwrap"),
        ("grading in a second, clean tree; verdicts kept by the parent", True),
    ]
