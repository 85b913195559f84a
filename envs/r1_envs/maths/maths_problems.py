"""Generators of problems: one per kind, from a random stream and a level from 1 to 3, with the exact answer."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from random import Random

Draw = Callable[[Random, int], tuple[str, str]]


def arithmetic(rng: Random, level: int) -> tuple[str, str]:
    """An expression of 2 to 4 numbers with + - *, in brackets from level 2."""
    top = (20, 50, 200)[level - 1]
    text, value = str(first := rng.randint(1, top)), first
    product = False  # the last step was a product, which needs no brackets
    for step in range(level):
        sign, number = rng.choice("+-*"), rng.randint(2, top if level < 3 else 30)
        if sign == "*" and step and not product:
            text = f"({text})"
        text, product = f"{text} {sign} {number}", sign == "*"
        value = value + number if sign == "+" else value - number if sign == "-" else value * number
    return f"What is {text}?", str(value)


def calculation(question: str) -> str:
    """Return the calculation of a question of `arithmetic`, one operation a line: its operations come from left to right."""
    first, *parts = re.findall(r"\d+|[-+*]", question)
    value, lines = int(first), []
    for sign, number in zip(parts[::2], map(int, parts[1::2]), strict=True):
        made = value + number if sign == "+" else value - number if sign == "-" else value * number
        lines.append(f"{value}{sign}{number}={made}")
        value = made
    return "\n".join(lines)


def fractions(rng: Random, level: int) -> tuple[str, str]:
    """Two or three fractions added and subtracted."""
    parts = [Fraction(rng.randint(1, 9), rng.randint(2, (6, 12, 20)[level - 1])) for _ in range(2 + (level == 3))]
    signs = [rng.choice("+-") for _ in parts[1:]]
    text, value = f"{parts[0].numerator}/{parts[0].denominator}", parts[0]
    for sign, part in zip(signs, parts[1:], strict=True):
        text += f" {sign} {part.numerator}/{part.denominator}"
        value = value + part if sign == "+" else value - part
    return f"What is {text}? Give a whole number or a fraction in lowest terms.", _fraction(value)


def linear(rng: Random, level: int) -> tuple[str, str]:
    """A linear equation in x; from level 2 with x on both sides; at level 3 its solution may be a fraction."""
    x = Fraction(rng.randint(-12, 12), rng.randint(1, 6) if level == 3 else 1)
    a, b = x.denominator * _nonzero(rng, 9), rng.randint(-30, 30)
    c = 0 if level == 1 else x.denominator * _nonzero(rng, 9)
    if a == c:
        c = -c
    d = (a - c) * x + b
    right = f"{_times(c, 'x')} {_signed(int(d))}" if c else str(d)
    return f"Solve for x: {_times(a, 'x')} {_signed(b)} = {right}", _fraction(x)


def quadratic(rng: Random, level: int) -> tuple[str, str]:
    """The larger root of a quadratic equation with two different roots."""
    bound = (6, 12, 12)[level - 1]
    low, high = sorted(rng.sample(range(-bound, bound + 1), 2))
    factor = 1 if level < 3 else rng.randint(2, 5)
    b, c = -factor * (low + high), factor * low * high
    terms = f"{_times(factor, 'x^2')} {_signed_times(b, 'x')} {_signed(c)}".replace("  ", " ")
    return f"What is the larger solution of {terms} = 0?", str(high)


def system(rng: Random, level: int) -> tuple[str, str]:
    """x + y of a system of two linear equations."""
    bound = (5, 9, 20)[level - 1]
    x, y = rng.randint(-bound, bound), rng.randint(-bound, bound)
    while True:
        a, b, c, d = (_nonzero(rng, 3 + 2 * level) for _ in range(4))
        if a * d != b * c:
            break
    first = f"{_times(a, 'x')} {_signed_times(b, 'y')} = {a * x + b * y}"
    second = f"{_times(c, 'x')} {_signed_times(d, 'y')} = {c * x + d * y}"
    return f"{first} and {second}. What is x + y?", str(x + y)


def divisors(rng: Random, level: int) -> tuple[str, str]:
    """A greatest common divisor, a least common multiple, or the number of divisors."""
    top = (30, 120, 600)[level - 1]
    match rng.randrange(3):
        case 0:
            shared = rng.randint(2, top // 5)
            a, b = shared * rng.randint(2, 12), shared * rng.randint(2, 12)
            return f"What is the greatest common divisor of {a} and {b}?", str(math.gcd(a, b))
        case 1:
            a, b = rng.randint(4, top // 2), rng.randint(4, top // 2)
            return f"What is the least common multiple of {a} and {b}?", str(math.lcm(a, b))
        case _:
            n = rng.randint(top // 5, top)
            return f"How many positive divisors has {n}?", str(sum(n % d == 0 for d in range(1, n + 1)))


def remainders(rng: Random, level: int) -> tuple[str, str]:
    """A remainder of a number, of a product, or of a power."""
    modulus = rng.randint(3, (12, 20, 50)[level - 1])
    if level == 1:
        n = rng.randint(20, 400)
        return f"What is the remainder of {n} divided by {modulus}?", str(n % modulus)
    if level == 2:
        a, b = rng.randint(20, 99), rng.randint(20, 99)
        return f"What is the remainder of {a} * {b} divided by {modulus}?", str(a * b % modulus)
    base, power = rng.randint(2, 20), rng.randint(5, 60)
    return f"What is the remainder of {base}^{power} divided by {modulus}?", str(pow(base, power, modulus))


def primes(rng: Random, level: int) -> tuple[str, str]:
    """The largest prime factor of a number, or the sum of its prime factors."""
    factors = [rng.choice((2, 3, 5, 7, 11, 13, 17, 19, 23)[: 4 + 2 * level - (level == 3)]) for _ in range(level + 1)]
    n = math.prod(factors)
    if rng.randrange(2):
        return f"What is the largest prime factor of {n}?", str(max(factors))
    return f"What is the sum of the different prime factors of {n}?", str(sum(set(factors)))


KINDS: dict[str, Draw] = {
    "arithmetic": arithmetic,
    "fractions": fractions,
    "linear": linear,
    "quadratic": quadratic,
    "system": system,
    "divisors": divisors,
    "remainders": remainders,
    "primes": primes,
}


def _fraction(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{value.numerator}/{value.denominator}"


def _nonzero(rng: Random, bound: int) -> int:
    return rng.randint(1, bound) * rng.choice((-1, 1))


def _times(factor: int, name: str) -> str:
    return {1: name, -1: f"-{name}"}.get(factor, f"{factor}{name}")


def _signed(value: int) -> str:
    return f"- {-value}" if value < 0 else f"+ {value}"


def _signed_times(factor: int, name: str) -> str:
    if not factor:
        return ""
    return ("- " if factor < 0 else "+ ") + _times(abs(factor), name)
