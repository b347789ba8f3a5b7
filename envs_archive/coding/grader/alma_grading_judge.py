"""A comparison in a test believes no object that is equal to what it is not.

Each comparison in a test file is asked by a judge. It asks again, in random order, with values that are a little or
very different: an object that still says yes has not been compared at all, and the comparison is then false.
"""

import copy
import operator
import random
import sys
import types
import unittest

from alma_grading_rewrite import sealed

MOST_ELEMENTS = 200
DECOYS = 6


class _Fresh:
    """Equal to itself only."""


def make_judge(places):
    """The functions that stand for a comparison in a test.

    Returns:
        ``judge(operator, left, right, asserted)``; and for ``abs(left - right) < limit`` ``difference(left, right)``
        and ``near``, which is called like ``judge``.
    """
    is_submission, is_library = places.is_submission, places.is_library
    function_type, fresh, copy_of = types.FunctionType, _Fresh, copy.copy
    mro_of, dict_of = type.__dict__["__mro__"].__get__, type.__dict__["__dict__"].__get__
    atoms = frozenset({int, float, str, bytes, bool, complex, type(None)})
    chance = random.SystemRandom()
    modules = sys.modules
    apply = {
        "eq": operator.eq,
        "ne": operator.ne,
        "in": lambda left, right: left in right,
        "lt": operator.lt,
        "gt": operator.gt,
        "le": operator.le,
        "ge": operator.ge,
    }
    opposite = {"lt": "ge", "gt": "le", "le": "gt", "ge": "lt"}
    reverse = {"lt": "gt", "gt": "lt", "le": "gt", "ge": "lt"}
    isinstance_, type_, len_, list_, dict_, tuple_ = isinstance, type, len, list, dict, tuple
    set_, frozenset_, str_, getattr_, all_, any_, exception = (
        set,
        frozenset,
        str,
        getattr,
        all,
        any,
        Exception,
    )
    not_a_number, window = float("nan"), range(-64, 65)
    most, decoy_count = MOST_ELEMENTS, DECOYS
    bool_, int_, float_, bytes_, chr_, ord_, abs_, max_ = bool, int, float, bytes, chr, ord, abs, max

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
        """Whether the submission has written how such objects compare."""
        for base in mro_of(cls):
            space = dict_(dict_of(base))
            if "__eq__" in space or "__contains__" in space or "__lt__" in space:
                names = [
                    n
                    for n in ("__eq__", "__contains__", "__lt__", "__gt__", "__le__", "__ge__")
                    if n in space
                ]
                for name in names:
                    value = space[name]
                    if isinstance_(value, function_type):
                        if is_submission(value.__code__.co_filename):
                            return True
                    elif base is not object and not library_class(base):
                        return True
                return False
        return False

    def parts(value):
        if isinstance_(value, dict_):
            return list_(dict_.values(value))
        return list_(value) if type_(value) in (list_, tuple_, set_, frozenset_) else []

    def look(value, depth=0):
        """(something in it is no builtin value, something in it compares by the submission's code)."""
        cls = type_(value)
        if cls in atoms:
            return False, False
        inner = [look(part, depth + 1) for part in parts(value)[:most]] if depth < 4 else []
        own = cls not in (list_, tuple_, set_, frozenset_, dict_)
        return own or any_(o for o, _ in inner), strange(cls) or any_(s for _, s in inner)

    def plain(value, depth=0):
        cls = type_(value)
        if cls in atoms:
            return True
        known = cls in (list_, tuple_, set_, frozenset_, dict_)
        return known and depth < 6 and all_(plain(part, depth + 1) for part in parts(value))

    def altered(value, wild):
        """Another value of the same shape with every leaf altered."""
        cls = type_(value)
        if cls is bool_:
            return fresh() if wild else not value
        if cls is int_ and wild:
            # No whole number where that can be: two of these may be equal to each other in some arithmetic.
            return value * 3 + 1_000_003 if abs_(value) > 2**40 else value * 3 + 1_000_003.5
        if cls is int_:
            return value + chance.choice((1, -1))
        if cls is float_ and value - value != 0:  # infinite, or no number
            return 1.5
        if cls is float_:
            step = max_(abs_(value) * 0.01, 0.5)
            return abs_(value) * 3 + 1e9 if wild else value + chance.choice((step, -step))
        if cls is str_:
            return value + "\0?" if wild or not value else value[:-1] + chr_(ord_(value[-1]) ^ 1)
        if cls is bytes_:
            return value + b"\0?"
        if cls in (list_, tuple_, set_, frozenset_):
            return cls([altered(part, wild) for part in value] or [fresh()])
        if cls is dict_:
            return {key: altered(part, wild) for key, part in value.items()} or {fresh(): 0}
        return fresh()

    def one_altered(value):
        """The value with one leaf altered, chosen by chance."""
        cls = type_(value)
        if cls in (list_, tuple_) and value:
            place = chance.randrange(len_(value))
            items = list_(value)
            items[place] = one_altered(items[place])
            return cls(items)
        if cls is dict_ and value:
            place = chance.choice(list_(value))
            return {**value, place: one_altered(value[place])}
        return altered(value, False)

    def others(value, near):
        """Values that are not the given one."""
        expected = getattr_(value, "expected", None)
        if type_(value).__module__ == "_pytest.python_api" and type_(expected) in (int_, float_):
            other = copy_of(value)
            other.expected = altered(expected, True)
            return [other]
        if not plain(value):
            return [fresh()]
        found = [altered(value, True)]
        if near:
            found += [altered(value, False), *(one_altered(value) for _ in "....")]
        return found

    def unlike(value):
        """Text of the same length, by chance; nothing where chance could meet a member."""
        cls = type_(value)
        if cls is not str_ or len_(value) < 6:
            return []
        letters = [chr_(97 + chance.randrange(26)) for _ in value]
        return [str_().join(letters)]

    def says_yes(name, left, right, loose):
        try:
            result = apply[name](left, right)
            return bool_(result) if loose else result is True
        except exception:
            return False

    def not_different(left, right):
        try:
            return not apply["ne"](left, right)
        except exception:
            return False

    def difference(left, right):
        """``left - right`` where a test asks how far they are from each other."""
        result = left - right
        if plain(result) and not (type_(left) in atoms and type_(right) in atoms):
            found = [(left, other) for other in numbers_unlike(right)]
            found += [(other, right) for other in numbers_unlike(left)]
            if any_(says(*pair) == result for pair in found):
                return not_a_number  # the same distance from everything
        return result

    def numbers_unlike(value):
        if type_(value) not in (int_, float_):
            return []
        return [altered(value, True), altered(value, False)]

    def says(left, right):
        try:
            result = left - right
            return result if plain(result) else None
        except exception:
            return None

    def decoys(name, left, right, left_strange, right_strange):
        if name == "in":
            # A neighbour of a member may well be one too (5 and 6 in a range, "x" and "y" in a table).
            found = [(other, right) for other in others(left, False) + unlike(left)] if right_strange else []
            return found + ([(left, o) for o in others(right, True)] if left_strange else [])
        near = left_strange or right_strange
        found = []
        if not plain(left):
            found += [(left, other) for other in others(right, near)]
        if not plain(right):
            found += [(other, right) for other in others(left, near)]
        return found

    def judge(name, left, right, asserted=False):
        if (type_(left) in atoms and type_(right) in atoms) or name not in apply:
            return apply[name](left, right)
        left_own, left_strange = look(left)
        right_own, right_strange = look(right)
        if name == "ne":
            result = left != right
            same = (left_own or right_own) and not result
            asked = decoys("eq", left, right, left_strange, right_strange)[:decoy_count] if same else []
            return True if any_(not_different(*pair) for pair in asked) else result
        if not left_own and not right_own:
            return apply[name](left, right)
        if name in opposite:
            loose = asserted and (left_strange or right_strange)
            contrary = [opposite[name], reverse[name]]
            first = chance.randrange(3) if loose else 0
            if any_(says_yes(other, left, right, loose) for other in contrary[:first]):
                return apply[name](left, right) and False
            result = apply[name](left, right)
            unsure = (left_strange or right_strange) and (result is True or (loose and bool_(result)))
            return (
                False
                if unsure and any_(says_yes(other, left, right, loose) for other in contrary[first:])
                else result
            )
        asked = decoys(name, left, right, left_strange, right_strange)
        chance.shuffle(asked)
        # What the submission's own comparison answers may be an expression, say; in an assert it is a yes or a no.
        loose = asserted and (left_strange or right_strange)
        before = chance.randrange(len_(asked[:decoy_count])) + 1 if asked and loose else 0
        if asserted and any_(says_yes(name, *pair, loose) for pair in asked[:before]):
            return False
        result = apply[name](left, right)
        yes = result is True or (loose and bool_(result))
        if yes and any_(says_yes(name, *pair, loose) for pair in asked[before : decoy_count + 1]):
            return False
        if yes and name == "eq" and (left_strange or right_strange):
            return False if guesses(left, right) or guesses(right, left) else result
        return result

    def guesses(value, number):
        """Whether an object is equal to several numbers near one, and not at even steps as in modular arithmetic."""
        if type_(number) not in (int_, float_) or not abs_(number) < 2**40:
            return False
        steps = [step for step in window if says_yes("eq", value, number + step, True)]
        if len_(steps) < 2:
            return False
        distance = steps[1] - steps[0]
        return steps != [step for step in window if (step - steps[0]) % distance == 0]

    def near(name, left, right, asserted=False):
        """The same for how far two values are from each other, which is never less than nothing."""
        if type_(left) not in atoms and strange(type_(left)) and says_yes(name, left, -1, True):
            return False
        return judge(name, left, right, asserted)

    return judge, difference, near


def believe_no_chameleon(judge, difference):
    """The same for ``unittest``: what its methods have found is asked again."""
    case = unittest.TestCase

    def asked_again(method, name):
        original = getattr(case, method)

        def asked(self, first, second, *rest, **named):
            original(self, first, second, *rest, **named)
            if name is None:
                far = difference(first, second)
                sure = type(far) is not float or far == far
            else:
                sure = judge(name, first, second, True)
            if not sure:
                self.fail("equal to what it is not")

        asked = sealed(asked)
        asked.__name__ = method
        setattr(case, method, asked)

    for method, name in (("assertEqual", "eq"), ("assertIn", "in"), ("assertAlmostEqual", None)):
        asked_again(method, name)
