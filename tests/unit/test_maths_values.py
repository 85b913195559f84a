"""Expressions and numbers whose values are known from how they were made, read back from what is written of them."""

import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any, NamedTuple

import pytest

pytest.importorskip("math_verify")

from mpmath import mp, mpf

from r1_verifiers import maths


class Drawn(NamedTuple):
    """An expression as a model may write it, and its value for any letters, computed as it was made."""

    text: str
    value: Callable[[Mapping[str, Any]], Any]


LEAVES = [
    *(Drawn(letter, lambda at, letter=letter: at[letter]) for letter in "xxya"),
    *(Drawn(str(number), lambda at, number=number: mpf(number)) for number in (2, 3, 5, 12)),
    Drawn(r"\pi", lambda at: +mp.pi),
    Drawn("e", lambda at: +mp.e),
    Drawn("i", lambda at: mp.mpc(0, 1)),
    Drawn("0.5", lambda at: mpf(1) / 2),
    Drawn(r"\frac{1}{2}", lambda at: mpf(1) / 2),
    Drawn(r"\frac34", lambda at: mpf(3) / 4),
]


LABELS = re.compile(r"(?:\(\d\)){2,}")  # `(2)(3)` names the statements 2 and 3 of a multiple choice, and is no product


def drawn(rng: random.Random, depth: int = 2) -> Drawn:
    if depth == 0 or rng.random() < 0.25:
        return rng.choice(LEAVES)
    a, b, n = drawn(rng, depth - 1), drawn(rng, depth - 1), rng.randint(-2, 4)
    return rng.choice(
        [
            Drawn(f"{a.text}+{b.text}", lambda at: a.value(at) + b.value(at)),
            Drawn(f"{a.text}-({b.text})", lambda at: a.value(at) - b.value(at)),
            Drawn(rf"({a.text}) \cdot ({b.text})", lambda at: a.value(at) * b.value(at)),
            Drawn(rf"({a.text})({b.text})", lambda at: a.value(at) * b.value(at)),
            Drawn(rf"\frac{{{a.text}}}{{{b.text}}}", lambda at: a.value(at) / b.value(at)),
            Drawn(rf"({a.text})/({b.text})", lambda at: a.value(at) / b.value(at)),
            Drawn(rf"\sqrt{{{a.text}}}", lambda at: mp.sqrt(a.value(at))),
            Drawn(f"({a.text})^{{{n}}}", lambda at: mp.power(a.value(at), n)),
            Drawn(rf"\sin({a.text})", lambda at: mp.sin(a.value(at))),
            Drawn(rf"\ln({a.text})", lambda at: mp.log(a.value(at))),
            Drawn(rf"\left|{a.text}\right|", lambda at: abs(a.value(at))),
            Drawn(f"-({a.text})", lambda at: -a.value(at)),
            Drawn(rf"2^{{{a.text}}}", lambda at: mp.power(2, a.value(at))),
        ]
    )


def written_otherwise(a: Drawn, rng: random.Random) -> Drawn:
    """What often equals `a`, or nearly."""
    return rng.choice(
        [
            Drawn(f"({a.text})", a.value),
            Drawn(f"0+{a.text}", a.value),
            Drawn(f"{a.text}+x-x", a.value),
            Drawn(rf"\frac{{2 \cdot ({a.text})}}{{2}}", a.value),
            Drawn(rf"({a.text})(\sin^2 x+\cos^2 x)", a.value),
            Drawn(f"-(-({a.text}))", a.value),
            Drawn(f"{a.text}+1", lambda at: a.value(at) + 1),
            Drawn(f"-({a.text})", lambda at: -a.value(at)),
            Drawn(rf"\frac{{1}}{{{a.text}}}", lambda at: 1 / a.value(at)),
            Drawn(a.text.replace("x", "y"), lambda at: a.value({**at, "x": at["y"]})),
        ]
    )


def truth(one: Drawn, other: Drawn) -> bool | None:
    """True if two expressions have the same values; None where they have none, or differ only below zero, where roots have several."""
    signs_apart = set()
    for k, signs in enumerate(((1, 1, 1), (1, 1, 1), (1, 1, 1), (-1, -1, -1), (-1, 1, -1), (1, -1, 1)), 1):
        at = {name: signs[n] * mpf(17 * (k + 2 * n) + 5) / (7 + n) / 9 for n, name in enumerate("xya")}
        try:
            with mp.workdps(50):
                left, right = one.value(at), other.value(at)
                if not (mp.isfinite(left) and mp.isfinite(right)):
                    return None
                size = max(1, abs(left), abs(right))
                if size > mpf(10) ** 20:
                    return None  # a difference of one is lost in so many digits
                differs = abs(left - right) > mpf(10) ** -25 * size
        except (ZeroDivisionError, ValueError, OverflowError):
            return None
        if differs and -1 in signs and (mp.im(left) or mp.im(right)):
            continue
        signs_apart.add(differs)
    return None if len(signs_apart) == 2 else not signs_apart.pop()


@pytest.mark.heavy
@pytest.mark.parametrize("draws", [2000, pytest.param(50_000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_expressions_are_equal_where_they_have_the_same_values(draws):
    rng = random.Random(draws)
    compared = equal = 0
    for _ in range(draws):
        gold = drawn(rng)
        answer = written_otherwise(gold, rng) if rng.random() < 0.7 else drawn(rng)
        expected = truth(gold, answer)
        if expected is None or LABELS.fullmatch(gold.text) or LABELS.fullmatch(answer.text):
            continue
        verdict = maths.decide(answer.text, gold.text)
        if verdict is None or verdict.value is None:
            continue
        compared += 1
        equal += expected
        assert verdict.value == float(expected), f"{gold.text} and {answer.text}: {verdict}"
    assert compared > draws / 2 and draws / 20 < equal < compared


def numeral(value: Fraction, rng: random.Random) -> str:
    """One of the ways to write a number exactly."""
    above, below = value.numerator, value.denominator
    sign, size = ("-" if above < 0 else ""), abs(above)
    scale = rng.choice([1, 1, 2, 3, 10])
    forms = [
        rf"{sign}\frac{{{size * scale}}}{{{below * scale}}}", rf"\dfrac{{{above}}}{{{below}}}", f"{sign}{size}/{below}", rf"\frac{{{sign}{size:,}}}{{{below}}}",
        rf"{sign}\tfrac{{{size}}}{{{below}}}",
    ]  # fmt: skip
    if below == 1:
        grouped = f"{size:,}"
        forms = [f"{sign}{size}", f"{sign}{grouped}", sign + grouped.replace(",", r",\!"), sign + grouped.replace(",", "{,}"), sign + grouped.replace(",", r"\,"), f"{sign}{size}.0", f"{sign}00{size}"]  # fmt: skip
    elif size > below:
        forms.append(rf"{sign}{size // below}\frac{{{size % below}}}{{{below}}}")
    decimal = f"{float(size / below):.9f}"
    if Fraction(decimal) == abs(value):
        forms += (
            [sign + decimal, sign + decimal.rstrip("0"), rf"{sign}{Fraction(decimal) * 100}\%".replace("/", "/")]
            if below != 1 and Fraction(decimal) * 100 % 1 == 0
            else [sign + decimal]
        )
    return rng.choice(forms)


@pytest.mark.parametrize("draws", [2000, pytest.param(60_000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_numbers_are_equal_where_their_values_are_however_they_are_written(draws):
    rng = random.Random(draws)
    for _ in range(draws):
        gold = rng.choice(
            [
                Fraction(rng.randint(-2000, 10**7)),
                Fraction(rng.randint(-60, 60), rng.randint(1, 40)),
                Fraction(rng.randint(-999, 999), 100),
            ]
        )
        other = rng.choice([gold, gold, gold + 1, -gold, gold * 10, gold + Fraction(1, 1000), gold / 2])
        answer, text = numeral(other, rng), numeral(gold, rng)
        verdict = maths.decide(answer, text)
        assert verdict is not None and verdict.status == "ok", (text, answer, verdict)
        percent = {r"\%" in answer, r"\%" in text} == {True, False} and other * 100 == gold * 100
        assert verdict.value == float(other == gold) or percent or {other * 100, other / 100} & {gold}, (
            text,
            answer,
            verdict,
        )


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        (r"\sin 2\pi", "0", True),
        ("216", r"\log_{36}(37^{216})", False),
        (r"5\sqrt2", r"\sqrt{2}+10^{80}\sqrt2-10^{80}\sqrt2", False),
        (r"\sqrt2", r"\sqrt{2}+10^{80}\sqrt2-10^{80}\sqrt2", True),
        ("0", r"\sqrt{2}-\sqrt 2+e^{-300}", False),
        ("0", r"\sqrt{3+2\sqrt2}-1-\sqrt2", True),
        (r"\frac{\pi}{2004!}", r"\frac{\pi}{2006!}", False),
        ("|x|", "x", False),
        (r"\sqrt{x^2}", "x", False),
        (r"\sqrt[3]{x^3}", "x", True),
        (r"\frac{1}{\sqrt{n}}", r"\sqrt{\frac{1}{n}}", True),
    ],
)
def test_values_that_cancel_are_taken_with_more_digits(gold, answer, right):
    verdict = maths.decide(answer, gold)
    assert verdict is not None and verdict.value == float(right)
