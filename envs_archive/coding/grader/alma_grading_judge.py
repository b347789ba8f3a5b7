"""A comparison in a test believes no object that is equal to what it is not.

Each comparison in a test file is asked by a judge. It asks again, in random order, with values that are a little or
very different: an object that still says yes has not been compared at all, and the comparison is then false.
"""

import collections
import operator
import random
import unittest

from alma_grading_decoys import make_decoys
from alma_grading_objects import make_look
from alma_grading_rewrite import sealed

MOST_ELEMENTS = 200


def make_judge(places):
    """The functions that stand for a comparison in a test.

    Returns:
        ``judge(operator, left, right, asserted, lenient)``, where ``lenient`` believes any object but the submission's;
        for ``abs(left - right) < limit`` ``difference(left, right)`` and ``near``, which is called like ``judge``; and
        ``leniently(function)``.
    """
    strange, contents = make_look(places)
    decoys = make_decoys()
    plain, others, strangers, covered = decoys.plain, decoys.others, decoys.strangers, decoys.covered
    numbers_unlike = decoys.numbers_unlike
    atoms = frozenset({int, float, str, bytes, bool, complex, type(None)})
    chance = random.SystemRandom()
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
    type_, len_, list_, dict_, tuple_ = type, len, list, dict, tuple
    all_, any_, zip_, exception, views = all, any, zip, Exception, (type({}.keys()), type({}.values()))
    by_elements = frozenset({list, tuple, set, frozenset, dict, range, collections.deque, *views})
    not_a_number, window, most = float("nan"), range(-64, 65), MOST_ELEMENTS
    bool_, int_, float_, abs_, range_, wrapper = bool, int, float, abs, range, type(sealed(len))

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

    def says(left, right):
        try:
            result = left - right
            return result if plain(result) else None
        except exception:
            return None

    def doubts(left, right, its, others_):
        """What is to be answered with no: (left, right, what alone is different, value, what who is asked holds)."""
        near = its[1] or others_[1]
        found = []
        if not plain(left):
            found += [(left, other, what, right, its[2]) for other, what in others(right, near)]
        if not plain(right):
            found += [(other, right, what, left, others_[2]) for other, what in others(left, near)]
        return found

    def excused(asked, answers):
        """Whether who has said yes to some of this has only left out of account what it holds itself.

        (A version may be equal to one of another build, say.) But it must have looked at something.
        """
        wrong = [question for question, yes in zip_(asked, answers) if yes]
        alone = [question for question in asked if question[2] is not None]
        if len_([question for question in wrong if question[2] is not None]) == len_(alone):
            return not wrong
        return all_(what is not None and covered(what, value, held) for _, _, what, value, held in wrong)

    def same_elements(left, right, lenient):
        if len_(left) != len_(right):
            return False
        if type_(left) is dict_:
            if left.keys() != right.keys():
                return False
            pairs = [(left[key], right[key]) for key in left]
        else:
            pairs = list_(zip_(left, right))
        chosen = pairs if len_(pairs) <= most else chance.sample(pairs, most)
        if not all_(one is other or judge("eq", one, other, True, lenient) for one, other in chosen):
            return False
        return len_(pairs) == len_(chosen) or left == right

    def judge(name, left, right, asserted=False, lenient=False):
        if (type_(left) in atoms and type_(right) in atoms) or name not in apply:
            return apply[name](left, right)
        its, others_ = contents(left), contents(right)
        own, strange_ = its[0] or others_[0], its[1] or others_[1]
        lenient = lenient or trusting
        if not own or (lenient and not strange_):
            return apply[name](left, right)
        # What the submission's own comparison answers may be an expression, say; in an assert it is a yes or a no.
        loose = asserted and strange_
        if name in opposite:
            return in_order(name, left, right, loose, strange_)
        if name == "in":
            return is_in(left, right, loose, its, others_, lenient)
        if type_(left) is type_(right) and type_(left) in (list_, tuple_, dict_):
            return same_elements(left, right, lenient) is (name == "eq")
        asked = doubts(left, right, its, others_)
        if name == "ne":
            result = left != right
            if result or excused(asked, [not_different(*question[:2]) for question in asked]):
                return result
            return True
        first = some_of(asked) if strange_ else []
        answers = [says_yes("eq", *question[:2], loose) for question in first]
        result = left == right
        if not (result is True or (loose and bool_(result))):
            return result
        answers += [says_yes("eq", *question[:2], loose) for question in asked]
        if not excused([*first, *asked], answers):
            return False
        if strange_ and (guesses(left, right) or guesses(right, left)):
            return False
        return result

    def some_of(asked):
        """Questions of the same kind as the real one, which comes after them; nobody knows after how many."""
        alike = [q for q in asked if type_(q[3]) in (type_(q[0]), type_(q[1]))] or asked
        return [chance.choice(alike) for _ in range_(chance.randrange(1, 8))] if alike else []

    def is_in(left, right, loose, its, others_, lenient):
        if its[1] and type_(right) in by_elements and len_(right) <= most:
            found = any_(left is each or judge("eq", left, each, True, lenient) for each in list_(right))
            return found and left in right
        asked = strangers(left) if others_[1] else []
        for _ in range_(chance.randrange(1, 8) if asked else 0):
            says_yes("in", chance.choice(asked), right, loose)
        result = left in right
        if not result:
            return result
        answers = [says_yes("in", other, right, loose) for other in asked]
        if its[1] and plain(right) and any_(says_yes("in", left, o, loose) for o, _ in others(right, False)):
            return False
        return False if answers and all_(answers) else result

    def in_order(name, left, right, loose, strange_):
        contrary = [opposite[name], reverse[name]]
        first = chance.randrange(3) if loose else 0
        if any_(says_yes(other, left, right, loose) for other in contrary[:first]):
            return apply[name](left, right) and False
        result = apply[name](left, right)
        unsure = strange_ and (result is True or (loose and bool_(result)))
        return (
            False
            if unsure and any_(says_yes(other, left, right, loose) for other in contrary[first:])
            else result
        )

    def guesses(value, number):
        """Whether an object is equal to several numbers near one, and not at even steps as in modular arithmetic."""
        if type_(number) not in (int_, float_) or not abs_(number) < 2**40:
            return False
        steps = [step for step in window if says_yes("eq", value, number + step, True)]
        if len_(steps) < 2:
            return False
        distance = steps[1] - steps[0]
        return steps != [step for step in window if (step - steps[0]) % distance == 0]

    def near(name, left, right, asserted=False, lenient=False):
        """The same for how far two values are from each other, which is never less than nothing."""
        if type_(left) not in atoms and strange(type_(left)) and says_yes(name, left, -1, True):
            return False
        return judge(name, left, right, asserted, lenient)

    def leniently(function):
        """The function with leave to be lenient while it runs."""

        def called(*arguments, **named):
            nonlocal trusting
            before, trusting = trusting, True
            try:
                return function(*arguments, **named)
            finally:
                trusting = before

        return wrapper(called, 0, False, tuple_)

    trusting = False
    return judge, difference, near, leniently


def believe_no_chameleon(judge, difference):
    """The same for ``unittest``: what its methods are asked is judged before."""
    case = unittest.TestCase
    all_, any_, list_, type_, float_, exception = all, any, list, type, float, Exception

    def judged_by(name):
        return lambda first, second: judge(name, first, second, True)

    def in_any_order(first, second):
        first, second = list_(first), list_(second)
        return all_(any_(judge("eq", one, other, True) for other in second) for one in first)

    def almost(first, second):
        if judge("eq", first, second, True):
            return True
        if first == second:
            return False
        far = difference(first, second)
        return type_(far) is not float_ or far == far

    def asked_first(method, believed):
        original = getattr(case, method)

        def asked(self, first, second, *rest, **named):
            try:
                sure = believed(first, second)
            except exception:
                sure = True  # the method itself will say so
            original(self, first, second, *rest, **named)
            if not sure:
                self.fail("equal to what it is not")

        asked = sealed(asked)
        asked.__name__ = method
        setattr(case, method, asked)

    for method in ("Equal", "ListEqual", "TupleEqual", "DictEqual", "SetEqual", "MultiLineEqual"):
        asked_first(f"assert{method}", judged_by("eq"))
    for method, name in (("Less", "lt"), ("LessEqual", "le"), ("Greater", "gt"), ("GreaterEqual", "ge")):
        asked_first(f"assert{method}", judged_by(name))
    asked_first("assertIn", judged_by("in"))
    asked_first("assertNotEqual", judged_by("ne"))
    asked_first("assertCountEqual", in_any_order)
    asked_first("assertSequenceEqual", lambda first, second: judge("eq", list_(first), list_(second), True))
    asked_first("assertAlmostEqual", almost)
