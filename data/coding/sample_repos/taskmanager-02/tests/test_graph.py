from taskmanager.graph import find_cycle, in_order


def test_no_cycle_in_a_chain():
    assert find_cycle({1: {2}, 2: {3}, 3: set()}) == []


def test_no_cycle_in_a_diamond():
    assert find_cycle({1: {2, 3}, 2: {4}, 3: {4}, 4: set()}) == []


def test_no_cycle_with_a_shortcut():
    assert find_cycle({1: {2, 3}, 2: {3}, 3: set()}) == []


def test_cycle_behind_a_branch():
    assert find_cycle({1: {2, 3}, 2: set(), 3: {4}, 4: {3}}) == [3, 4, 3]


def test_in_order():
    assert in_order({1: {3}, 2: set(), 3: {2}}) == [2, 3, 1]


def test_in_order_prefers_small_ids():
    assert in_order({3: set(), 1: set(), 2: {3}}) == [1, 3, 2]
