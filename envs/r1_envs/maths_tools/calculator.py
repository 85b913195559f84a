"""The tool `calculator`: exact arithmetic on rational numbers, read by a parser; nothing is evaluated as code."""

from __future__ import annotations

from fractions import Fraction

from r1_verifiers import value_of

DIGITS = 12  # decimals of a number that does not end
LONGEST = 400  # digits of a result


def calculator(expression: str) -> str:
    """Work out an arithmetic expression of numbers, + - * / and parentheses. The result is exact.

    Args:
        expression: such as (12.5 + 3) * 4 / 7
    """
    value = value_of(expression)
    above, below = value.numerator, value.denominator
    if max(abs(above), below) >= 10**LONGEST:
        raise ValueError(f"the result has more than {LONGEST} digits")
    return str(above) if below == 1 else f"{above}/{below} = {_decimal(value)}"


def _decimal(value: Fraction) -> str:
    """Return `2.5`, or `0.333333333333...` for a decimal that does not end."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 1)
    digits = ""
    while rest and len(digits) < DIGITS:
        digit, rest = divmod(rest * 10, 1)
        digits += str(digit)
    return f"{sign}{whole}.{digits}{'...' if rest else ''}"
