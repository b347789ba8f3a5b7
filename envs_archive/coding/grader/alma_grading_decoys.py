"""Values that are not the given one: what no honest object is equal to besides."""

import copy
import random
import types

import pytest

LEAVES = 8  # of a structure, or places of a text, that are altered one at a time


class Fresh:
    """Equal to itself only."""


def make_decoys():
    """A namespace of functions that make decoys."""
    atoms = frozenset({int, float, str, bytes, bool, complex, type(None)})
    fresh, copy_of, chance, leaf_count = Fresh, copy.copy, random.SystemRandom(), LEAVES
    isinstance_, type_, list_, dict_, tuple_, set_, frozenset_ = (
        isinstance,
        type,
        list,
        dict,
        tuple,
        set,
        frozenset,
    )
    bool_, int_, float_, str_, bytes_, chr_, ord_, abs_, max_ = (
        bool,
        int,
        float,
        str,
        bytes,
        chr,
        ord,
        abs,
        max,
    )
    approx, mro_of = type(pytest.approx(0)).__mro__[-2], type.__dict__["__mro__"].__get__
    getattr_, all_, any_, len_, range_ = getattr, all, any, len, range

    def parts(value):
        if isinstance_(value, dict_):
            return list_(dict_.values(value))
        return list_(value) if type_(value) in (list_, tuple_, set_, frozenset_) else []

    def plain(value, depth=0):
        cls = type_(value)
        if cls in atoms:
            return True
        known = cls in (list_, tuple_, set_, frozenset_, dict_)
        return known and depth < 6 and all_(plain(part, depth + 1) for part in parts(value))

    def wild_number(value):
        # No whole number where that can be: two of these may be equal to each other in some arithmetic.
        return value * 3 + 1_000_003 if abs_(value) > 2**40 else value * 3 + 1_000_003.5

    def altered(value, wild):
        """Another value of the same shape with every leaf altered."""
        cls = type_(value)
        if cls is bool_:
            return fresh() if wild else not value
        if cls is int_:
            return (
                wild_number(value) if wild else value + chance.choice((1, -1))
            )  # twos may be equal, modulo 2
        if cls is float_ and value - value != 0:  # infinite, or no number
            return 1.5
        if cls is float_:
            step = max_(abs_(value) * 0.01, 0.5)
            return abs_(value) * 3 + 1e9 if wild else value + chance.choice((step, -step))
        if cls is str_:
            return f"\0?{value}\0?" if wild or not value else with_other_letter(value, len_(value) - 1)
        if cls is bytes_:
            return value + b"\0?"
        if cls in (list_, tuple_, set_, frozenset_):
            return cls([altered(part, wild) for part in value] or [fresh()])
        if cls is dict_:
            return {key: altered(part, wild) for key, part in value.items()} or {fresh(): 0}
        return fresh()

    def with_other_letter(text, place):
        return f"{text[:place]}{chr_(ord_(text[place]) ^ 1)}{text[place + 1 :]}"

    def some(found):
        """All of a few, and of many the first, the last and others by chance."""
        if len_(found) <= leaf_count:
            return found
        return [found[0], found[-1], *chance.sample(found[1:-1], leaf_count - 2)]

    def leaves(value, way=()):
        """The ways to the leaves of a structure of lists, tuples and dictionaries."""
        cls = type_(value)
        keys = range_(len_(value)) if cls in (list_, tuple_) else list_(value) if cls is dict_ else ()
        if not keys:
            return [way]
        return [found for key in keys for found in leaves(value[key], (*way, key))]

    def leaf_at(value, way):
        for key in way:
            value = value[key]
        return value

    def replaced(value, way, leaf):
        if not way:
            return leaf
        key, rest = way[0], way[1:]
        if type_(value) is dict_:
            return {**value, key: replaced(value[key], rest, leaf)}
        items = list_(value)
        items[key] = replaced(items[key], rest, leaf)
        return type_(value)(items)

    def one_at_a_time(value):
        """(the value with one thing altered, what that was) for some of its leaves, or of the letters of a text."""
        if type_(value) is str_ and value:
            return [
                (with_other_letter(value, place), (value, place))
                for place in some(list_(range_(len_(value))))
            ]
        if type_(value) is int_:
            return [(value + 1, None), (value - 1, None)]
        if type_(value) not in (list_, tuple_, dict_):
            return [(altered(value, False), None)]
        ways = some(leaves(value))
        return [
            (replaced(value, way, altered(leaf_at(value, way), False)), (leaf_at(value, way),))
            for way in ways
        ]

    def others(value, near):
        """(a value that is not the given one, what alone is different in it or None) by kind of difference."""
        expected = getattr_(value, "expected", None)
        if approx in mro_of(type_(value)) and plain(expected):
            other = copy_of(value)
            other.expected = altered(expected, True)
            return [(other, None)]
        if not plain(value):
            return [(fresh(), None)]
        found = [(altered(value, True), None)]
        if near:
            found += [(altered(value, False), None)] if type_(value) in (list_, tuple_, dict_) else []
            found += one_at_a_time(value)
        return found

    def letters(count):
        return str_().join([chr_(97 + chance.randrange(26)) for _ in range_(count)])

    def strangers(value):
        """Values of which some are no member of a container that has the given one for a member."""
        cls = type_(value)
        if cls in (int_, float_) and value - value == 0:
            far = int_(abs_(value)) * 3 + 1_000_003 + chance.randrange(1000)
            return [far, -far]  # a half-line has one of them
        if cls is str_ and value:
            # "x" and "y" may well be in a table of letters.
            return (
                [letters(len_(value))]
                if len_(value) >= 6
                else [letters(len_(value)), letters(len_(value) + 6)]
            )
        return [other for other, _ in others(value, False)]

    def numbers_unlike(value):
        if type_(value) not in (int_, float_):
            return []
        return [altered(value, True), altered(value, False)]

    def covered(what, value, held):
        """Whether an object holds what it did not look at: a leaf of a structure, or the word at a place of a text.

        Args:
            what: from `others`.
            value: of which the leaf or the text is part.
            held: the plain values in the object. Who holds many has guessed.
        """
        if type_(value) is not str_:
            few = len_(held) <= 2 * len_(leaves(value)) + 6
            return few and any_(type_(each) is type_(what[0]) and each == what[0] for each in held)
        words = 1 + len_([letter for letter in value if not letter.isalnum()])
        return len_(held) <= 2 * words + 6 and any_(word_at(value, what[1], str_(each)) for each in held)

    def word_at(text, place, word):
        """Whether a place of a text is in a word, or some words, that stand there."""
        at = text.find(word) if word else -1
        while at >= 0:
            end = at + len_(word)
            cuts = [n for n in (at, end) if 0 < n < len_(text) and (text[n - 1] + text[n]).isalnum()]
            if at <= place < end and not cuts:
                return True
            at = text.find(word, at + 1)
        return False

    return types.SimpleNamespace(
        plain=plain, others=others, strangers=strangers, numbers_unlike=numbers_unlike, covered=covered
    )
