import pytest
from mathlib import matrix
from mathlib.errors import DomainError


def test_transpose():
    assert matrix.transpose([[1, 2, 3], [4, 5, 6]]) == [[1, 4], [2, 5], [3, 6]]


def test_multiply_by_identity():
    assert matrix.multiply([[1, 2], [3, 4]], matrix.identity(2)) == [[1, 2], [3, 4]]


def test_multiply_shapes():
    with pytest.raises(DomainError):
        matrix.multiply([[1, 2]], [[1, 2]])


def test_ragged_rows():
    with pytest.raises(DomainError):
        matrix.shape([[1, 2], [3]])


def test_determinant_of_diagonal():
    assert matrix.determinant([[2, 0], [0, 5]]) == pytest.approx(10)


def test_determinant_two_by_two():
    assert matrix.determinant([[1, 2], [3, 4]]) == pytest.approx(-2)


def test_determinant_of_permutation():
    assert matrix.determinant([[0, 1, 0], [0, 0, 1], [1, 0, 0]]) == pytest.approx(1)


def test_determinant_of_one_swap():
    assert matrix.determinant([[0, 1, 0], [1, 0, 0], [0, 0, 1]]) == pytest.approx(-1)


def test_determinant_three_by_three():
    assert matrix.determinant([[2, -1, 0], [1, 3, 2], [4, 0, 1]]) == pytest.approx(-1)


def test_determinant_singular():
    assert matrix.determinant([[1, 2], [2, 4]]) == pytest.approx(0)


def test_determinant_not_square():
    with pytest.raises(DomainError):
        matrix.determinant([[1, 2, 3], [4, 5, 6]])


def test_solve():
    assert matrix.solve([[2, 1], [1, 3]], [3, 5]) == pytest.approx([0.8, 1.4])


def test_solve_with_row_swap():
    assert matrix.solve([[0, 2], [1, 0]], [4, 3]) == pytest.approx([3, 2])


def test_solve_singular():
    with pytest.raises(DomainError):
        matrix.solve([[1, 1], [2, 2]], [1, 2])
