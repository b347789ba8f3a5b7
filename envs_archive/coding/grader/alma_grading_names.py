"""What a test names is what it named when it was loaded: a helper, an import, a builtin, a function of a library.

Code under test can reach the modules of tests through `sys.modules`, and put things of its own there, even for a
moment. So whatever a test names is compared here at the moment of use (see `alma_grading_rewrite.Plants`).
"""

import builtins
import os
import sys
import types

import alma_grading_library


def make_names(library, places, paths, tree, judges, tampered):
    """The checks that are planted into trusted files.

    Args:
        paths: absolute paths of all trusted files.
        tree: the workspace.
        judges: from `alma_grading_judge.make_judge`.
        tampered: called when something was replaced.

    Returns:
        A namespace of ``loose`` (names that tests themselves may give another meaning), ``plants_of(path, tests)``,
        ``start(path)`` and ``ended_by_itself(path, test)``.

    Everything is bound here: what a later look uses must not be there to be replaced. Of each load of a trusted file
    there is its ``space``, what that held afterwards (``pinned``), the ``tests`` that can say that they have come to
    their end, and those that have (``finished``).
    """
    paths = frozenset(paths)
    judge, difference, near, leniently = judges
    loaded = {path: [] for path in paths}
    held, modules_then, plain = library.held, library.modules, alma_grading_library.PLAIN
    foreign, file_of, is_library = library.foreign, library.file_of, places.is_library
    trusted_names = _dotted(paths, tree)
    other_names = _dotted(places.known - paths, tree)
    entries = {}  # those of `held` that have been asked for
    loose = set()  # names that tests themselves may give another meaning
    modules, missing, getframe = sys.modules, object(), sys._getframe
    builtin_names = vars(builtins).copy()
    module_type, type_, vars_, id_, getattr_ = types.ModuleType, type, vars, id, getattr
    isinstance_, issubclass_, any_ = isinstance, issubclass, any
    method_type, wrappers = types.MethodType, (classmethod, staticmethod)
    methods = (*wrappers, types.FunctionType, alma_grading_library.SEALED)
    mro_of, class_space = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
    dirname, join, mocks = os.path.dirname, os.path.join, ("unittest.mock", "mock")

    def replaced(name, before, now):
        """A name means something else than before: who has written that?"""
        file = file_of(now)
        if name in loose:
            bad = foreign(now, False)
        elif file is None or not is_library(file):
            bad = file not in paths and type_(now).__module__ not in mocks
        elif isinstance_(before, type_) and isinstance_(now, type_):
            bad = not issubclass_(now, before)  # a clock that a library stops for the test, say
        else:
            bad = "site-packages" not in file
        if bad:
            tampered()

    def same_module(value, found):
        return any_(file.space is vars_(value) for file in found)

    def loads(module, level, path):
        """What was loaded of the trusted files that an import means; None when it means none of them for sure."""
        if level:
            folder = dirname(path)
            for _ in range(level - 1):
                folder = dirname(folder)
            stem = join(folder, *module.split("."))
            found = [name for name in (stem + ".py", join(stem, "__init__.py")) if name in loaded]
        else:
            known = module in modules_then or module in other_names
            found = () if known else trusted_names.get(module, ())
        return [file for name in found for file in loaded[name]] if found else None

    def attribute(owner, name):
        value = getattr_(owner, name)
        kind = type_(owner)
        if (
            kind is module_type or kind is type_
        ):  # known by themselves: asking for an id is an event that costs
            entry = entries.get(owner, missing)
            if entry is missing:
                entry = entries[owner] = held.get(id_(owner))
        else:
            entry = held.get(id_(owner))
        if entry is None or entry[0] is not owner:
            return value
        _, space, path = entry
        before = space.get(name, missing)
        if value is before and vars_(owner).get(name) is before:
            return value  # most are
        if before is missing:
            if path and type_(value) is module_type and (found := loads(name, 1, path)) is not None:
                same_module(value, found) or tampered()
        elif path or isinstance_(before, plain):
            now = vars_(owner).get(name, missing)
            if now is not before or not what_is_held(value, now):
                replaced(name, before, now if now is not before else value)
        return value

    def what_is_held(value, now):
        """Whether that is what an owner holds, and not what a class of another kind has made of the question."""
        kind = type_(now)
        inner = now.__func__ if kind in wrappers else now
        return value is now or value is inner or (type_(value) is method_type and value.__func__ is inner)

    def method(owner, name, lenient=False):
        """An assertion of a test case: `self.assertEqual`, say."""
        value = getattr_(owner, name)
        spaces = [(None, instance_space(owner))]
        spaces += [(cls, class_space(cls)) for cls in mro_of(type_(owner))]
        cls, space = next(((cls, space) for cls, space in spaces if name in space), (None, {}))
        entry = held.get(id_(cls))
        before = entry[1].get(name, missing) if entry is not None and entry[0] is cls else missing
        now = space.get(name)
        file = file_of(now)
        written = file in paths if before is missing else now is before
        if not written and (cls is None or file is None or not is_library(file)):
            replaced(name, before, now)
        elif type_(now) in methods and not what_is_held(value, now):
            replaced(name, now, value)
        return leniently(value) if lenient else value

    def instance_space(owner):
        return getattr_(owner, "__dict__", {})

    def imported(path, module, level, name, value):
        if level == 0 and module in modules_then:
            owner = modules_then[module]
            before = owner
            if name is not None:
                before = held[id_(owner)][1].get(name) if id_(owner) in held else None
            if value is not before and isinstance_(before, (*plain, module_type)):
                replaced(name or module, before, value)
            return
        whole = module if name is None else f"{module}.{name}" if module else name
        if type_(value) is module_type and (found := loads(whole, level, path)) is not None:
            same_module(value, found) or tampered()
        elif name is not None and (found := loads(module, level, path)) is not None:
            here = [file for file in found if file.space and file.space.get(name, missing) is value]
            if not here:
                tampered()
            for file in here:
                before = file.pinned.get(name, value)
                if before is not value:
                    replaced(name, before, value)

    def plants_of(path, tests):
        """The functions for one load of a trusted file; `tests` of it say where they end."""
        file = types.SimpleNamespace(space=None, pinned={}, finished=set(), tests=tests)
        loaded[path].append(file)
        pinned, finished = file.pinned, file.finished

        def name(text, value):
            before = pinned.get(text, value)
            if before is not value:
                replaced(text, before, value)
            return value

        def imported_here(module, level, name, value):
            imported(path, module, level, name, value)

        def begun():
            file.space = file.space if file.space is not None else getframe(1).f_globals

        def ended():
            if pinned:
                return
            pinned.update(builtin_names)
            pinned.update(file.space)
            module = modules.get(file.space.get("__name__"))
            if type_(module) is module_type and vars_(module) is file.space:
                held[id_(module)] = entries[module] = module, file.space.copy(), path

        def done(test, value=None):
            finished.add(test)
            return value

        return {
            "judge": judge,
            "difference": difference,
            "near": near,
            "name": name,
            "attribute": attribute,
            "method": method,
            "imported": imported_here,
            "begun": begun,
            "ended": ended,
            "done": done,
        }

    def start(path):
        """Forget what has ended in a file so far."""
        for file in loaded.get(path, ()):
            file.finished.clear()

    def ended_by_itself(path, test):
        """Whether a test of a trusted file has come to its end; None where that cannot be said."""
        files = [file for file in loaded[path] if file.space is not None]
        if not files:
            return False  # its code was never run: other code has been run in its place
        said = [test in file.finished for file in files if test in file.tests]
        return any_(said) if said else None

    return types.SimpleNamespace(
        loose=loose, plants_of=plants_of, start=start, ended_by_itself=ended_by_itself
    )


def _dotted(paths, tree):
    """Dotted names by which files can be imported, whatever folder is on the path: name -> paths."""
    found = {}
    for path in paths:
        parts = os.path.relpath(path, tree).removesuffix(".py").split("/")
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        for start in range(len(parts)):
            found.setdefault(".".join(parts[start:]), []).append(path)
    return found
