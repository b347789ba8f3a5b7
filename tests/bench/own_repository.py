"""Tasks out of three libraries as they are on PyPI: ``python -m tests.bench.own_repository [--tasks 35] [--to DIR]``.

Fetches the pinned source distributions, plants bugs in each and prints its table; the target is 30 tasks of each
library within ten minutes. What the libraries' tests need must be installed (humanize: freezegun).
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("humanize==4.11.0", "tinydb==4.8.2", "semver==3.0.2")
WANTED, SECONDS = 30, 600


def fetch(requirement: str, folder: Path) -> Path:
    """The unpacked source distribution."""
    options = [
        "-q",
        "--no-binary",
        ":all:",
        "--no-deps",
        "--no-build-isolation",
        "--disable-pip-version-check",
    ]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, requirement, "-d", str(folder)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    name = requirement.partition("==")[0]
    (archive,) = folder.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return archive.with_name(archive.name.removesuffix(".tar.gz"))


def cpu() -> float:
    """CPU seconds of all that ended below us, sandboxes included: what others do on the machine is not in them."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=35)
    parser.add_argument("--to", type=Path, help="keep the tasks in this folder")
    parser.add_argument("--libraries", nargs="*", default=LIBRARIES, metavar="NAME==VERSION")
    options = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        kept = options.to or Path(scratch) / "tasks"
        kept.mkdir(parents=True, exist_ok=True)
        for requirement in options.libraries:
            repository = fetch(requirement, Path(scratch))
            out = kept / f"{requirement.partition('==')[0]}.jsonl"
            command = [sys.executable, str(ROOT / "generate_dataset.py"), "--repo", str(repository)]
            started, spent = time.monotonic(), cpu()
            done = subprocess.run([*command, "--tasks", str(options.tasks), "--out", str(out)])
            seconds = time.monotonic() - started
            tasks = len(out.read_text(encoding="utf-8").splitlines()) if out.exists() else 0
            met = done.returncode == 0 and tasks >= min(WANTED, options.tasks) and seconds <= SECONDS
            taken = f"{seconds:.0f} s ({cpu() - spent:.0f} s of CPU)"
            print(f"{requirement}: {tasks} tasks in {taken}: {'ok' if met else 'MISSED'}\n", flush=True)
            good &= met
    sys.exit(not good)


if __name__ == "__main__":
    main()
