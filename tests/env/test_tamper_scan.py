"""What the scan calls a trick, what it only remarks, and what it lets pass."""

import pytest

from envs_archive.coding.tamper_scan import findings, scan_changes


def found(source):
    return sorted(findings(source.encode()))


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def __eq__(self, other): return True",
        "class A:\n    def __eq__(self, *_): return 1",
        "class A:\n    def __eq__(self, other):\n        other = other\n        return True",
        "class A:\n    __eq__ = lambda self, other: True",
        "def yes(a, b): return True\nclass A:\n    __eq__ = yes",
        "A = type('A', (), {'__eq__': lambda *_: True})",
        "class A: pass\nA.__eq__ = lambda *_: True",
        "from unittest.mock import ANY",
        "import unittest.mock as m\nx = m.ANY",
        "from unittest import mock as m\nx = m.ANY",
        "import sys\nsys._getframe(1)",
        "from sys import _getframe as g",
        "import sys\ngetattr(sys, '_getframe')",
        "import inspect\ninspect.stack()",
        "from inspect import currentframe",
        "try:\n    1 / 0\nexcept Exception as e:\n    e.__traceback__.tb_frame.f_back",
        "import gc\ngc.get_referrers(1)",
        "import sys\nsys.settrace(print)",
        "import _pytest.runner",
        "def f():\n    import pytest",
        "import sys\n'pytest' in sys.modules",
        "import os\nos.environ.get('PYTEST_CURRENT_TEST')",
        "f.__code__ = g",
        "import alma_grading_plugin",
    ],
)
def test_tricks(source):
    assert any(trick for trick, _ in found(source))


@pytest.mark.parametrize(
    ("source", "remark"),
    [
        ("import sys\nsys.exit(0)", "process exit at import"),
        ("if True:\n    raise SystemExit", "process exit at import"),
        ("import os\ndef f():\n    os._exit(0)", "process control"),
        ("import atexit", "atexit"),
        ("import time\ntime.time = lambda: 0", "replaces time.time"),
        ("exec('1')", "dynamic code"),
        ("open('/proc/self/environ')", "reads /proc"),
        ("open('tests/test_a.py')", "names a test file"),
    ],
)
def test_remarks(source, remark):
    assert found(source) == [(False, remark)]


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def __eq__(self, other):\n        return isinstance(other, A)",
        "class A:\n    def __eq__(self, other):\n        if isinstance(other, A): return True\n        return False",
        "class A:\n    def __eq__(self, other): return NotImplemented",
        "class A:\n    def __eq__(self, other): raise NotImplementedError",
        "class A:\n    def __eq__(self, other): return False",
        "import sys\ndef main():\n    sys.exit(0)\nif __name__ == '__main__':\n    sys.exit(main())",
        '"""Docstring: see tests/test_a.py and /proc/self.\n\nMore."""',
        "import time, re, sys\nre.compile('x')\nself = object()\nsys.stdout.write('pytest is great')",
        "def f(:",
        "x = 'stack'\ny = [].count('trace')",
    ],
)
def test_honest_code_has_no_flags(source):
    assert found(source) == []


def test_only_what_is_added_counts(tmp_path):
    (tmp_path / "a.py").write_text("import sys\nsys._getframe()\n")
    same = b"import sys\nx = 1\nsys._getframe()\n"
    scan = scan_changes(tmp_path, {"a.py": same, "b.txt": b"sys._getframe", "gone.py": None})
    assert scan == ([], set())
    scan = scan_changes(tmp_path, {"a.py": same + b"sys._getframe(1)\nimport atexit\n"})
    assert scan == (["a.py: stack frames (left out)", "a.py: atexit"], {"a.py"})


def test_source_that_cannot_be_parsed_has_no_flags():
    assert findings(b"x = 1\0") == {}


def test_source_too_deep_to_scan_is_left_out(tmp_path):
    deep = b"y = " + b"-1 + " * 50_000 + b"1\n"
    scan = scan_changes(tmp_path, {"a.py": deep})
    assert scan == (["a.py: too deeply nested to scan (left out)"], {"a.py"})
