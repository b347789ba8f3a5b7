"""Statistics of samples."""

import math

from mathlib.errors import DomainError, require_same_length, require_values


def mean(values):
    """Arithmetic mean."""
    values = require_values(values)
    return sum(values) / len(values)


def median(values):
    """The middle value; of an even number of values the mean of the two in the middle."""
    ordered = sorted(require_values(values))
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def quantile(values, share):
    """The value below which a share (0 to 1) of the values lies, linearly interpolated."""
    if not 0 <= share <= 1:
        raise DomainError(f"a share is between 0 and 1, got {share}")
    ordered = sorted(require_values(values))
    position = share * (len(ordered) - 1)
    lower = math.floor(position)
    upper = math.ceil(position)
    return ordered[lower] + (position - lower) * (ordered[upper] - ordered[lower])


def covariance(xs, ys):
    """Sample covariance of paired values."""
    xs, ys = require_values(xs, least=2), require_values(ys, least=2)
    require_same_length(xs, ys)
    x_mean, y_mean = mean(xs), mean(ys)
    return sum((x - x_mean) * (y - y_mean) for x, y in zip(xs, ys)) / (len(xs) - 1)


def variance(values):
    """Sample variance."""
    return covariance(values, values)


def stdev(values):
    """Sample standard deviation."""
    return math.sqrt(variance(values))


def correlation(xs, ys):
    """Pearson's coefficient, between -1 and 1. Raises DomainError if one side is constant."""
    spread = stdev(xs) * stdev(ys)
    if spread == 0:
        raise DomainError("no correlation with a constant")
    return covariance(xs, ys) / spread


def mean_error(xs, ys):
    """Mean absolute difference of paired values. Raises DomainError for lists of different lengths."""
    require_same_length(xs, ys)
    return mean([abs(x - y) for x, y in zip(xs, ys)])


def regression(xs, ys):
    """Slope and intercept of the least-squares line."""
    slope = covariance(xs, ys) / variance(xs)
    return slope, mean(ys) - slope * mean(xs)


class Running:
    """Count, mean and variance of a stream of values, without keeping them."""

    def __init__(self, values=()):
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0  # sum of squared deviations from the mean
        for value in values:
            self.add(value)

    def add(self, value):
        """Take in one more value."""
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self._squares += delta * (value - self.mean)

    @property
    def variance(self):
        """Sample variance. Raises DomainError for fewer than 2 values."""
        if self.count < 2:
            raise DomainError("at least 2 values are needed")
        return self._squares / (self.count - 1)

    def merge(self, other):
        """A new Running as if it had seen the values of both."""
        merged = Running()
        merged.count = self.count + other.count
        if merged.count:
            delta = other.mean - self.mean
            merged.mean = self.mean + delta * other.count / merged.count
            merged._squares = self._squares + other._squares
            merged._squares += delta * delta * self.count * other.count / merged.count
        return merged
