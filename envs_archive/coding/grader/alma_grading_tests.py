"""Trusted tests: their source comes from the orders, not from the disk, where code under test could read it."""

import copy
import importlib.machinery
import os
import sys
from _thread import get_ident

from alma_grading_rewrite import compile_tests


def lend(trees, surveys, kept, canaries, plants_of, places):
    """A function that hands out the code of a trusted file.

    That of most is handed out once, and not to the submission; that of ``kept`` files (helpers of tests, which stay on
    the disk) to anybody. It is the method of a generator, into which nobody can look (`alma_grading_watch` refuses its
    frame).
    """

    main = get_ident()

    def lending(getframe=sys._getframe, compile_tests=compile_tests, deepcopy=copy.deepcopy):
        code = None
        while True:
            path = yield code
            if path in kept:
                code = compile_tests(deepcopy(trees[path]), path, None, plants_of(path), surveys[path])
                continue
            frame, asked = getframe(1), None
            while frame is not None and asked is None:
                file = frame.f_code.co_filename
                asked = None if places.is_library(file) else file
                frame = frame.f_back
            foreign = places.is_submission(asked) if asked is not None else get_ident() != main
            tree = None if foreign else trees.pop(path, None)
            canary = canaries.pop(path, None) if tree is not None else None
            code = None
            if tree is not None:
                code = compile_tests(tree, path, canary, plants_of(path), surveys[path])

    generator = lending()
    next(generator)
    return generator.send


class Loader(importlib.machinery.SourceFileLoader):
    """Loads one trusted file from memory."""

    def __init__(self, name, path, code, kept):
        super().__init__(name, path)
        self.code = [code]
        self.kept = kept

    def get_code(self, fullname):
        code = self.code.pop() if self.code else None
        if code is None:
            raise ImportError(f"{fullname} is loaded once, by the tests")
        return code

    def get_data(self, path):
        return super().get_data(path) if self.kept else b""


class Finder:
    """First on ``sys.meta_path``: trusted files, wherever Python finds them, are loaded from memory.

    Args:
        kept: those of which the disk may be read.
        load: path -> code; of the others it forgets what it has handed out.
    """

    def __init__(self, paths, kept, load):
        self.paths, self.kept, self.load = paths, kept, load

    def find_spec(self, fullname, path=None, target=None):
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        origin = os.path.realpath(spec.origin) if spec is not None and spec.origin else None
        if origin not in self.paths:
            return None
        spec.loader = Loader(fullname, spec.origin, self.load(origin), origin in self.kept)
        return spec
