import pytest
from mathlib import numbers
from mathlib.errors import DomainError


def test_small_primes():
    assert [n for n in range(12) if numbers.is_prime(n) and n not in (4, 9)] == [2, 3, 5, 7, 11]


def test_product_of_two_primes():
    assert not numbers.is_prime(91)


def test_square_is_not_prime():
    assert not numbers.is_prime(9)


def test_squares_of_large_primes():
    assert not any(numbers.is_prime(p * p) for p in (2, 13, 101))


def test_primes_up_to_includes_limit():
    assert numbers.primes_up_to(13) == [2, 3, 5, 7, 11, 13]


def test_factorize():
    assert numbers.factorize(360) == {2: 3, 3: 2, 5: 1}


def test_factorize_prime():
    assert numbers.factorize(97) == {97: 1}


def test_factorize_zero():
    with pytest.raises(DomainError):
        numbers.factorize(0)


def test_divisors():
    assert numbers.divisors(12) == [1, 2, 3, 4, 6, 12]


def test_lcm():
    assert numbers.lcm(4, -6) == 12


def test_extended_gcd():
    g, x, y = numbers.extended_gcd(240, 46)
    assert g == 2 == 240 * x + 46 * y


def test_inverse_mod():
    assert numbers.inverse_mod(3, 7) == 5


def test_inverse_mod_of_negative():
    assert numbers.inverse_mod(-3, 11) == 7


def test_inverse_mod_of_one():
    assert numbers.inverse_mod(1, 5) == 1


def test_inverse_mod_does_not_exist():
    with pytest.raises(DomainError):
        numbers.inverse_mod(4, 6)


def test_inverse_mod_gives_one():
    assert all(value * numbers.inverse_mod(value, 101) % 101 == 1 for value in range(1, 101))


def test_common_remainder():
    assert numbers.common_remainder([2, 3, 2], [3, 5, 7]) == 23
    assert numbers.common_remainder([0], [4]) == 0


def test_common_remainder_with_a_common_factor():
    with pytest.raises(DomainError):
        numbers.common_remainder([1, 2], [4, 6])


def test_common_remainder_without_a_modulus():
    with pytest.raises(DomainError):
        numbers.common_remainder([2, 3, 2], [3, 5])


def test_common_remainder_without_a_remainder():
    with pytest.raises(DomainError):
        numbers.common_remainder([2], [3, 5])
