import pytest
from mathlib import stats
from mathlib.errors import DomainError


def test_mean_of_nothing():
    with pytest.raises(DomainError):
        stats.mean([])


def test_median_odd():
    assert stats.median([5, 1, 3]) == 3


def test_median_even():
    assert stats.median([4, 1, 3, 2]) == 2.5


def test_quantile_between_values():
    assert stats.quantile([10, 20, 30, 40], 0.5) == 25


def test_quantile_ends():
    assert stats.quantile([3, 1, 2], 0) == 1
    assert stats.quantile([3, 1, 2], 1) == 3


def test_variance_is_of_a_sample():
    assert stats.variance([2, 4, 6]) == 4


def test_correlation_of_a_line():
    assert stats.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)


def test_correlation_of_a_falling_line():
    assert stats.correlation([1, 2, 3], [30, 20, 10]) == pytest.approx(-1)


def test_correlation_of_equal_spread():
    assert stats.correlation([1, 2, 3, 4], [2, 1, 4, 3]) == pytest.approx(0.6)


def test_correlation_is_symmetric():
    xs, ys = [1, 2, 4], [10, 0, 50]
    assert stats.correlation(xs, ys) == pytest.approx(stats.correlation(ys, xs))


def test_correlation_with_constant():
    with pytest.raises(DomainError):
        stats.correlation([1, 2, 3], [7, 7, 7])


def test_regression():
    assert stats.regression([0, 1, 2], [1, 3, 5]) == pytest.approx((2, 1))


def test_running_matches_batch():
    running = stats.Running([2, 4, 4, 4, 5])
    assert running.mean == pytest.approx(3.8)
    assert running.variance == pytest.approx(stats.variance([2, 4, 4, 4, 5]))


def test_running_needs_two_values():
    with pytest.raises(DomainError):
        _ = stats.Running([1]).variance


def test_merge_counts():
    assert stats.Running([1, 2]).merge(stats.Running([3])).count == 3


def test_merge_mean():
    merged = stats.Running([1, 2, 3]).merge(stats.Running([10]))
    assert merged.mean == pytest.approx(4)


def test_merge_variance():
    merged = stats.Running([1, 2]).merge(stats.Running([5, 6]))
    assert merged.variance == pytest.approx(stats.variance([1, 2, 5, 6]))


def test_merge_with_empty():
    merged = stats.Running().merge(stats.Running([4, 8]))
    assert (merged.count, merged.mean, merged.variance) == (2, 6, 8)


def test_merge_uneven_parts():
    merged = stats.Running([0, 0, 0, 0]).merge(stats.Running([7, 9]))
    assert merged.variance == pytest.approx(stats.variance([0, 0, 0, 0, 7, 9]))


def test_merge_of_nothing():
    assert stats.Running().merge(stats.Running()).count == 0


def test_mean_error():
    assert stats.mean_error([1, 2, 3], [1, 4, 2]) == 1


def test_mean_error_of_different_lengths():
    with pytest.raises(DomainError):
        stats.mean_error([1, 2], [1, 2, 3])


def test_mean_error_of_a_longer_first_list():
    with pytest.raises(DomainError):
        stats.mean_error([1, 2, 3], [1])
