"""Number theory with integers."""

import math

from mathlib.errors import DomainError, require_same_length, require_values


def is_prime(n):
    """True if n is a prime number."""
    if n < 2:
        return False
    factor = 2
    while factor * factor <= n:
        if n % factor == 0:
            return False
        factor += 1
    return True


def primes_up_to(limit):
    """All primes up to and including limit, ascending."""
    sieve = [True] * (limit + 1)
    primes = []
    for n in range(2, limit + 1):
        if sieve[n]:
            primes.append(n)
            for multiple in range(n * n, limit + 1, n):
                sieve[multiple] = False
    return primes


def factorize(n):
    """The prime factors of n > 0 as a dict of prime -> exponent."""
    if n < 1:
        raise DomainError("only positive numbers have a factorization")
    factors = {}
    prime = 2
    while n > 1:
        while n % prime == 0:
            factors[prime] = factors.get(prime, 0) + 1
            n //= prime
        prime += 1
        if prime * prime > n > 1:
            prime = n
    return factors


def divisors(n):
    """All positive divisors of n > 0, ascending, 1 and n included."""
    found = [1]
    for prime, exponent in factorize(n).items():
        found = [d * prime**power for d in found for power in range(exponent + 1)]
    return sorted(found)


def lcm(a, b):
    """Least common multiple; 0 if one number is 0."""
    if a == 0 or b == 0:
        return 0
    return abs(a * b) // math.gcd(a, b)


def extended_gcd(a, b):
    """(g, x, y) with g = gcd(a, b) = a * x + b * y."""
    if b == 0:
        return a, 1, 0
    g, x, y = extended_gcd(b, a % b)
    return g, y, x - (a // b) * y


def inverse_mod(value, modulus):
    """The number in [0, modulus) that gives 1 when multiplied by value. DomainError if there is none."""
    g, x, _ = extended_gcd(modulus, value % modulus)
    if g != 1:
        raise DomainError(f"{value} has no inverse modulo {modulus}")
    return x % modulus


def common_remainder(xs, ys):
    """The least number >= 0 that leaves the remainder xs[i] when divided by ys[i], for all i.

    The moduli have no common factors. Raises DomainError where they do, for a modulus below 2, without any modulus
    and for different lengths.
    """
    require_same_length(xs, ys)
    moduli = require_values(ys)
    result, step = 0, 1
    for remainder, modulus in zip(xs, moduli):
        if modulus < 2:
            raise DomainError(f"a modulus is at least 2, got {modulus}")
        if math.gcd(step, modulus) != 1:
            raise DomainError(f"{modulus} shares a factor with another modulus")
        while result % modulus != remainder % modulus:
            result += step
        step *= modulus
    return result
