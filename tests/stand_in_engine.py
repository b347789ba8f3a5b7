"""A container engine for machines without one: a program that understands what docker is asked for here, and builds the
container with bubblewrap. Images of others are folders with an `opt/miniconda3` and a `testbed`.
"""

import stat
import sys
from pathlib import Path

ENGINE = """\
#!{python}
import os, sys
from pathlib import Path
words, images = sys.argv[1:], Path({images!r})
if words[0] in ("info", "rm"):
    sys.exit(0)
if words[0] == "pull" or words[:2] == ["image", "inspect"]:
    if (images / words[-1].replace("/", "+")).is_dir():
        print("sha256:" + words[-1].replace("/", "+"))
        sys.exit(0)
    print("noise\\nError: no such image: " + words[-1], file=sys.stderr)
    sys.exit(125)
line = ["bwrap", "--unshare-all", "--die-with-parent", "--as-pid-1", "--cap-drop", "ALL", "--tmpfs", "/"]
for name in sorted(os.listdir("/")):
    if name not in ("proc", "dev", "tmp", "run", "sys", "opt", "testbed"):
        line += ["--ro-bind", "/" + name, "/" + name]
for name in os.listdir("/opt") if os.path.isdir("/opt") else ():
    if name != "miniconda3":
        line += ["--ro-bind", "/opt/" + name, "/opt/" + name]
line += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--ro-bind", {image!r}, "/usr/local/bin"]
line += ["--ro-bind", {prefix!r}, {prefix!r}, "--ro-bind", {base!r}, {base!r}]
env, rest, first, mounts = {{"PATH": "/usr/bin:/bin"}}, words[1:], [], []
while rest[0].startswith("--"):
    key, _, value = rest.pop(0).partition("=")
    if key == "--mount":
        parts = dict(p.partition("=")[::2] for p in value.split(","))
        if "site-packages" not in parts["target"]:
            mounts += ["--ro-bind" if "readonly" in parts else "--bind", parts["source"], parts["target"]]
    elif key == "--workdir":
        mounts += ["--chdir", value]
    elif key == "--env":
        name, given, text = value.partition("=")
        env[name] = text if given else os.environ[name]
    elif key == "--network":
        assert value == "none"
    elif key == "--entrypoint":
        first = [value]
image = rest.pop(0)
if image.startswith("sha256:"):
    root = images / image.removeprefix("sha256:")
    for name in ("opt/miniconda3", "testbed"):
        if (root / name).is_dir():
            line += ["--ro-bind", str(root / name), "/" + name]
else:
    assert image.startswith("python:")
os.execvpe("bwrap", [*line, *mounts, "--", *first, *rest], env)
"""


def make_engine(folder: Path) -> Path:
    """Write it as ``folder/bin/docker``; images go into ``folder/images``. Returns the folder for PATH."""
    image, path, images = folder / "image", folder / "bin" / "docker", folder / "images"
    for place in (image, path.parent, images):
        place.mkdir()
    for name in ("python3", "python"):
        (image / name).symlink_to(sys.executable)
    places = {"image": str(image), "images": str(images), "prefix": sys.prefix, "base": sys.base_prefix}
    path.write_text(ENGINE.format(python=sys.executable, **places))
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path.parent
