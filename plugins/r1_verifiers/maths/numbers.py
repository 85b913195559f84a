r"""Integers, fractions and decimals compared without math-verify, wherever that cannot change the verdict.

A strict grammar: no leading zeros, no plus sign, no more digits than a double holds. Everything else is None: not decided
here. A fuzz test holds it to what math-verify says.
"""

import re
from fractions import Fraction
from typing import NamedTuple

_INTEGER = r"-?(?:0|[1-9]\d{0,14})"
_NUMBER = re.compile(
    rf"({_INTEGER})(\.\d{{1,9}})?|(-?)\\[dtc]?frac\{{({_INTEGER})\}}\{{({_INTEGER})\}}|({_INTEGER})/([1-9]\d{{0,14}})"
)
_MAX_DIGITS = 14  # of a decimal: sympy keeps 15
_PLACES = 6  # to which math-verify rounds where one of two numbers is a decimal


class Number(NamedTuple):
    """A number as it is written: exact, or a decimal."""

    value: Fraction
    is_decimal: bool


def number(text: str) -> Number | None:
    """What plain LaTeX says where it is surely one number; otherwise None."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    whole, decimals, sign, above, below, left, right = found.groups()
    if decimals:
        if len(whole.lstrip("-")) + len(decimals) - 1 > _MAX_DIGITS:
            return None
        # math-verify rewrites a lone 0.5 as a fraction.
        return Number(Fraction(whole + decimals), text != "0.5")
    if whole is not None:
        return Number(Fraction(int(whole)), False)
    denominator = int(below or right)
    if not denominator:
        return None
    value = Fraction(int(above or left), denominator)
    return Number(-value if sign else value, False)


def equal(answer: Number, gold: Number) -> bool | None:
    """Whether math-verify calls two numbers equal; None where rounding makes it a close call."""
    if answer.value == gold.value:
        return True
    if not (answer.is_decimal or gold.is_decimal):
        return False
    difference = abs(answer.value - gold.value)
    return False if difference > Fraction(2, 10**_PLACES) else None
