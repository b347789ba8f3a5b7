"""What an object is made of, and who wrote how it compares: found out without a word of the object's own code."""

import gc
import sys
import types

MOST_OBJECTS = 200
COMPARISONS = ("__eq__", "__contains__", "__lt__", "__gt__", "__le__", "__ge__")
# They lead to the whole program.
_OPAQUE = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.FrameType,
)


def make_look(places):
    """What is asked about objects.

    Returns:
        ``strange(cls)``: whether the submission has written how such objects compare; and ``contents(value)``:
        (something in it is no builtin value; something in it compares by the submission's code, or there is too much
        of it to say; the plain values in it).
    """
    is_submission, is_library = places.is_submission, places.is_library
    function_type, modules, getattr_, type_, any_ = types.FunctionType, sys.modules, getattr, type, any
    mro_of, dict_of = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
    atoms = frozenset({int, float, str, bytes, bool, complex, type(None)})
    simple = atoms | {list, tuple, set, frozenset, dict}
    # The plain value in an object of a derived class, whatever that class has put over it.
    bare = (
        (str, str.__add__, ""),
        (bytes, bytes.__add__, b""),
        (int, int.__add__, 0),
        (float, float.__add__, 0.0),
    )
    referents, opaque, most, comparisons = gc.get_referents, frozenset(_OPAQUE), MOST_OBJECTS, COMPARISONS
    identity, length, tuple_ = id, len, tuple

    def library_class(cls):
        module = modules.get(cls.__module__)
        file = getattr_(module, "__file__", None)
        if module is None or (file is not None and not is_library(file)):
            return False
        found = module
        for part in cls.__qualname__.split("."):
            found = getattr_(found, part, None)
        return found is cls

    def strange(cls):
        waiting = comparisons
        for base in mro_of(cls):
            space = dict_of(base)
            found = [name for name in waiting if name in space]
            if not found:
                continue
            waiting = [name for name in waiting if name not in found]
            for name in found:
                value = space[name]
                if type_(value) is function_type:
                    if is_submission(value.__code__.co_filename):
                        return True
                elif base is not object and not library_class(base):
                    return True
        return False

    def contents(value):
        own = odd = False
        held, seen, waiting = [], {}, [value]
        while waiting:
            each = waiting.pop()
            cls = type_(each)
            if cls in atoms:
                held.append(each)
                continue
            if identity(each) in seen:
                continue
            bases = mro_of(cls)
            if any_(base in opaque for base in bases):
                own = True
                continue
            if length(seen) >= most:
                return own, True, tuple_(held)
            seen[identity(each)] = each
            if cls not in simple:
                own, odd = True, odd or strange(cls)
                held += [add(each, nothing) for kind, add, nothing in bare if kind in bases]
            inner = referents(each)
            held += [part for part in inner if type_(part) in atoms][:most]
            waiting += [part for part in inner if type_(part) not in atoms]
        return own, odd, tuple_(held)

    return strange, contents
