"""Matrices as lists of rows."""

from mathlib.errors import DomainError

EPSILON = 1e-12


def shape(matrix):
    """(rows, columns). Raises DomainError if the rows differ in length."""
    columns = {len(row) for row in matrix}
    if len(columns) != 1:
        raise DomainError("rows of different length")
    return len(matrix), columns.pop()


def require_square(matrix):
    """The number of rows. Raises DomainError unless there are as many columns."""
    rows, columns = shape(matrix)
    if rows != columns:
        raise DomainError(f"a square matrix is needed, got {rows} by {columns}")
    return rows


def identity(size):
    """The unit matrix."""
    return [[1 if row == column else 0 for column in range(size)] for row in range(size)]


def transpose(matrix):
    """Rows become columns."""
    return [list(column) for column in zip(*matrix)]


def multiply(a, b):
    """Matrix product. Raises DomainError if the shapes do not fit."""
    if shape(a)[1] != shape(b)[0]:
        raise DomainError("shapes do not fit")
    columns = transpose(b)
    return [[sum(x * y for x, y in zip(row, column)) for column in columns] for row in a]


def eliminate(matrix):
    """Gaussian elimination: an upper triangular copy and the sign (1 or -1) of the row swaps that were made."""
    rows = [list(row) for row in matrix]
    sign = 1
    for pivot in range(len(rows)):
        best = max(range(pivot, len(rows)), key=lambda index: abs(rows[index][pivot]))
        if abs(rows[best][pivot]) < EPSILON:
            continue
        if best != pivot:
            rows[pivot], rows[best] = rows[best], rows[pivot]
            sign = -sign
        for index in range(pivot + 1, len(rows)):
            factor = rows[index][pivot] / rows[pivot][pivot]
            rows[index] = [a - factor * b for a, b in zip(rows[index], rows[pivot])]
    return rows, sign


def determinant(matrix):
    """Determinant of a square matrix."""
    size = require_square(matrix)
    rows, result = eliminate(matrix)
    for index in range(size):
        result *= rows[index][index]
    return result


def solve(matrix, right):
    """The vector x with matrix * x = right. Raises DomainError if there is no single solution."""
    size = require_square(matrix)
    rows, _ = eliminate([list(row) + [value] for row, value in zip(matrix, right)])
    solution = [0.0] * size
    for index in reversed(range(size)):
        if abs(rows[index][index]) < EPSILON:
            raise DomainError("the matrix is singular")
        known = sum(rows[index][column] * solution[column] for column in range(index + 1, size))
        solution[index] = (rows[index][size] - known) / rows[index][index]
    return solution
