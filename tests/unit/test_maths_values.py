"""Our reader and our values against others: expressions as math-verify reads them, computed by mpmath; numbers as fractions."""

import random
from fractions import Fraction

import pytest

pytest.importorskip("math_verify")

from mpmath import mp, mpf, mpmathify
from sympy import lambdify

from r1_verifiers import maths
from r1_verifiers.maths.equivalence import _parsed
from r1_verifiers.maths.numeric import equal_nodes
from r1_verifiers.maths.reader import read
from r1_verifiers.maths.signs import Unreadable


def drawn(rng: random.Random, depth: int = 2) -> str:
    """An expression as a model may write it."""
    if depth == 0 or rng.random() < 0.25:
        return rng.choice(["x", "x", "y", "a", "2", "3", "5", r"\pi", r"\frac{1}{2}", "0.5", "12", "e", r"\frac{3}{4}"])
    left, right = drawn(rng, depth - 1), drawn(rng, depth - 1)
    return rng.choice(
        [
            f"{left}+{right}", f"{left}-({right})", rf"({left}) \cdot ({right})", rf"\frac{{{left}}}{{{right}}}", f"({left})({right})",
            rf"\sqrt{{{left}}}", f"({left})^2", f"({left})^{{{rng.randint(-2, 4)}}}", rf"\sin({left})", rf"\ln({left})", rf"|{left}|", f"-({left})",
            rf"\sqrt{{({left})^2}}", rf"\frac{{({left})({right})}}{{{right}}}", rf"2^{{{left}}}",
        ]
    )  # fmt: skip


def written_otherwise(text: str, rng: random.Random) -> str:
    """What often equals `text`, or nearly."""
    return rng.choice(
        [
            text, f"({text})", f"{text}+0", f"0+{text}", rf"1 \cdot ({text})", f"-(-({text}))", rf"\frac{{2 \cdot ({text})}}{{2}}", f"({text})^1",
            f"({text})+x-x", rf"\sqrt{{({text})^2}}", rf"({text})(\sin(x)^2+\cos(x)^2)", f"{text}+1", f"-({text})", rf"\frac{{1}}{{{text}}}",
            text.replace("x", "y"), text.replace("2", "3"),
        ]
    )  # fmt: skip


def apart(ours, theirs) -> bool | None:
    """True if two expressions of sympy's have other values at some place, by mpmath and without sympy's simplifications; None without values."""
    variables = sorted(ours.free_symbols | theirs.free_symbols, key=str)
    left, right = (lambdify(variables, expression, "mpmath") for expression in (ours, theirs))
    found = []
    for sign, k in ((1, 1), (1, 2), (1, 3), (-1, 2)):
        place = [sign * mpf(17 * (k + 2 * n) + 5) / (7 + n) / 9 for n, _ in enumerate(variables)]
        try:
            with mp.workdps(40):
                one, other = mpmathify(left(*place)), mpmathify(right(*place))
        except (ZeroDivisionError, ValueError, OverflowError, TypeError):
            continue
        if sign < 0 and (mp.im(one) or mp.im(other)):
            continue  # below zero only real values count: roots and logarithms have several there
        found.append(abs(one - other) > 1e-12 * max(1, abs(one), abs(other)))
    return any(found) if found else None


@pytest.mark.parametrize("draws", [80, pytest.param(50_000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_expressions_are_equal_where_math_verifys_reading_of_them_has_the_same_values(draws):
    rng = random.Random(draws)
    told = equal = compared = 0
    for _ in range(draws):
        gold = drawn(rng)
        answer = written_otherwise(gold, rng) if rng.random() < 0.7 else drawn(rng)
        try:
            ours = equal_nodes(read(gold), read(answer))
        except (Unreadable, AttributeError):
            continue
        if ours is None:
            continue
        told += 1
        equal += ours
        known, given = _parsed(gold), _parsed(answer)
        if not (known and given):
            continue
        by_mpmath = apart(known[0], given[0])
        if by_mpmath is not None:
            compared += 1
            assert by_mpmath == (not ours), f"{gold} and {answer}: we say {ours}"
    assert compared > draws / 2 and draws / 20 < equal < told


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
