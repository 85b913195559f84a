"""The fast path for plain numbers: the same verdict as math-verify on whatever is drawn."""

import random
from fractions import Fraction

import pytest

from r1_verifiers import maths
from r1_verifiers.maths import judging, numbers
from r1_verifiers.maths.extract import answer_text


def drawn_value(rng: random.Random) -> Fraction:
    kind = rng.random()
    if kind < 0.4:
        return Fraction(rng.choice([rng.randint(-12, 12), rng.randint(-2000, 2000), rng.randint(-(10**7), 10**7)]))
    if kind < 0.7:
        return Fraction(rng.randint(-60, 60), rng.randint(1, 40))
    places = rng.randint(1, 8)
    return Fraction(rng.randint(-(10 ** (places + 2)), 10 ** (places + 2)), 10**places)


def written(value: Fraction, rng: random.Random) -> str:
    """One of the many ways to write a number, some of them careless."""
    above, below = value.numerator, value.denominator
    scale = rng.choice([1, 1, 1, 2, 3, 10])
    above, below = above * scale, below * scale
    sign, size = ("-" if above < 0 else rng.choice(["", "", "", "+"])), abs(above)
    zeros = rng.choice(["", "", "", "", "0", "00"])
    spelt = f"{size:,}" if rng.random() < 0.4 else str(size)
    forms = [
        rf"{sign}\frac{{{zeros}{spelt}}}{{{below}}}",
        rf"\dfrac{{{sign}{spelt}}}{{{below}}}",
        rf"{sign}\tfrac{{{spelt}}}{{{zeros}{below}}}",
        rf"\frac{{{spelt}}}{{{sign}{below}}}",
        f"{sign}{zeros}{spelt}/{below}",
        f"{sign}{spelt} / {below}",
        rf"\frac{size}{below}" if size < 10 and below < 10 and sign != "-" else f"{sign}{size}/{below}",
        f"{sign}{zeros}{float(value).__abs__():.{rng.randint(0, 9)}f}",
        f"{sign}{float(value).__abs__():.{rng.randint(1, 9)}f}",
    ]
    whole = [
        f"{sign}{zeros}{size // below}",
        f"{sign}{size // below:,}",
        f"{sign}{size // below}.{'0' * rng.randint(0, 3)}",
    ]
    text = rng.choice([*forms, *whole] if below == scale or value.denominator == 1 else forms)
    if value.denominator == 1 and rng.random() < 0.6:
        text = rng.choice([f"{sign}{zeros}{abs(value.numerator)}", f"{sign}{abs(value.numerator):,}"])
    if rng.random() < 0.05:
        text = text.replace(",", rng.choice([" ", "{,}", r"\,", r"\!", ", "]))
    if rng.random() < 0.04:
        text = rng.choice(
            [text + r"\%", "-" + text, "(" + text + ")", text + ".", text.replace("0", "", 1), " " + text]
        )
    return text


def canonical(value: Fraction, rng: random.Random) -> str:
    """A number as data sets mostly write it."""
    if value.denominator == 1:
        return str(value)
    decimal = str(float(value))
    if Fraction(decimal) == value and "e" not in decimal and rng.random() < 0.7:
        return decimal
    return rng.choice([str(value), rf"\frac{{{value.numerator}}}{{{value.denominator}}}"])


def drawn_pair(rng: random.Random) -> tuple[str, str]:
    """An answer and a gold answer: about half of them equal, the others often close."""
    gold = drawn_value(rng)
    nearby = [
        gold + 1,
        -gold,
        gold / 10,
        gold * 10,
        gold + Fraction(1, 10**6),
        gold + Fraction(1, 10**7),
        drawn_value(rng),
    ]
    answer = gold if rng.random() < 0.5 else rng.choice(nearby)
    a, g = written(answer, rng), written(gold, rng) if rng.random() < 0.5 else canonical(gold, rng)
    reply = rng.choice(
        [rf"\boxed{{{a}}}", rf"so \boxed{{{a}}}.", f"<answer>{a}</answer>", f"<answer>${a}$</answer>", a]
    )
    return reply, rng.choice([g, g, f"${g}$", rf"\boxed{{{g}}}"])


def different_verdicts(seed: int, draws: int) -> tuple[list[str], int, int]:
    """The pairs on which the fast path changes the verdict; how often it was taken; how many were right."""
    rng = random.Random(seed)
    wrong: list[str] = []
    taken = right = 0
    for _ in range(draws):
        reply, gold = drawn_pair(rng)
        written = answer_text(reply)
        slow = judging._judge(written, gold, fast=False, slow=True)
        fast = judging._judge(written, gold, fast=True, slow=True)
        taken += maths.decide(written, gold) is not None
        right += slow.value == 1.0
        if (fast.value, fast.status) != (slow.value, slow.status):
            wrong.append(f"{reply!r} against {gold!r}: fast {fast}, slow {slow}")
    return wrong, taken, right


@pytest.mark.heavy
def test_the_fast_path_changes_no_verdict_in_1200_draws():
    wrong, taken, right = different_verdicts(seed=0, draws=1200)
    assert not wrong, "\n".join(wrong[:20])
    assert taken > 480 and right > 400


@pytest.mark.slow
def test_the_fast_path_changes_no_verdict_in_60000_draws():
    wrong, taken, right = different_verdicts(seed=1, draws=60_000)
    assert not wrong, "\n".join(wrong[:20])
    assert taken > 24_000 and right > 20_000


@pytest.mark.parametrize(
    "text", ["007", "+5", "1,23", "1 234", "1/0", r"\frac{1}{0}", "1.2.3", "1e5", "5%", "", "-", "0x10", "１"]
)
def test_what_is_not_surely_a_number_is_left_to_math_verify(text):
    assert numbers.number(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", Fraction(5)),
        ("-0", Fraction(0)),
        (r"-\frac{3}{4}", Fraction(-3, 4)),
        ("10/4", Fraction(5, 2)),
        ("-0.25", Fraction(-1, 4)),
    ],
)
def test_plain_numbers_are_read_exactly(text, value):
    assert numbers.number(text).value == value
