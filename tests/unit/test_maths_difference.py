"""Values that tell expressions apart: never those that math-verify finds equal."""

import random

import pytest

pytest.importorskip("math_verify")

from math_verify import verify
from mpmath import mpf, mpmathify
from sympy import lambdify

from r1_verifiers.maths.difference import certainly_differ
from r1_verifiers.maths.verify import _parsed, equal


def drawn(rng: random.Random, depth: int = 2) -> str:
    """An expression as a model may write it."""
    if depth == 0 or rng.random() < 0.25:
        return rng.choice(
            ["x", "x", "y", "a", "2", "3", "5", r"\pi", r"\frac{1}{2}", "0.5", "12", "e", "i", r"\frac{3}{4}"]
        )
    left, right = drawn(rng, depth - 1), drawn(rng, depth - 1)
    return rng.choice(
        [
            f"{left}+{right}", f"{left}-{right}", rf"{left} \cdot {right}", rf"\frac{{{left}}}{{{right}}}", f"({left})({right})",
            rf"\sqrt{{{left}}}", f"({left})^2", f"({left})^{{{rng.randint(-2, 4)}}}", rf"\sin({left})", rf"\log({left})", rf"|{left}|", f"-({left})",
            rf"\sqrt{{({left})^2}}", rf"\frac{{({left})({right})}}{{{right}}}", rf"2^{{{left}}}", f"{left}!", rf"{left}\%",
        ]
    )  # fmt: skip


def written_otherwise(text: str, rng: random.Random) -> str:
    """What often equals `text`, or nearly."""
    return rng.choice(
        [
            text, f"({text})", f"{text}+0", f"0+{text}", rf"1 \cdot ({text})", f"-(-({text}))", rf"\frac{{2({text})}}{{2}}", f"({text})^1",
            f"({text})+x-x", rf"\sqrt{{({text})^2}}", rf"({text})(\sin(x)^2+\cos(x)^2)", f"{text}+1", f"-({text})", rf"\frac{{1}}{{{text}}}",
            text.replace("x", "y"), text.replace("2", "3"),
        ]
    )  # fmt: skip


def apart(ours, theirs) -> bool:
    """Whether two expressions have other values at some places, computed by mpmath without sympy's simplifications."""
    variables = sorted(ours.free_symbols | theirs.free_symbols, key=str)
    left, right = (lambdify(variables, expression, "mpmath") for expression in (ours, theirs))
    places = [[mpf(17 * (k + 2 * n) + 5) / (7 + n) for n, _ in enumerate(variables)] for k in (1, 2, 3)]
    return any(abs(mpmathify(left(*place)) - mpmathify(right(*place))) > 1e-6 for place in places)


@pytest.mark.heavy
@pytest.mark.parametrize("draws", [60, pytest.param(50_000, marks=pytest.mark.slow)], ids=["some", "many"])
def test_what_differs_is_never_equal_to_math_verify(draws):
    rng = random.Random(draws)
    told, equal_ones = 0, 0
    for _ in range(draws):
        gold = drawn(rng)
        answer = written_otherwise(gold, rng) if rng.random() < 0.7 else drawn(rng)
        ours, theirs = _parsed(gold), _parsed(answer)
        differ = certainly_differ(ours, theirs)
        told += differ
        if differ or draws < 1000:
            same = bool(ours and theirs) and verify(list(ours), list(theirs), timeout_seconds=None)
            equal_ones += same
            # math-verify is wrong now and then: to it sin(pi * pi) is 0, and so equals its opposite.
            assert not (differ and same) or apart(ours[0], theirs[0]), f"{gold} and {answer}"
    assert told > draws / 10
    assert draws >= 1000 or equal_ones > draws / 20


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        ("x", "y"),  # a symbol may be a word
        ("x^2", "x^2"),
        (r"\sqrt{x^2}", "x"),
        ("x^{1000000}", "x^{999999}"),
        ("2^{2^{2^{2^{9}}}}", "3"),
        ("0.333333", r"\frac{1}{3}"),
        (r"50\%", "50"),
        (r"\{1,2\}", r"\{1,3\}"),
        ("x=5", "x=6"),
        ("(1,2)", "(1,3)"),
    ],
)
def test_what_may_be_equal_or_costly_is_left_to_math_verify(gold, answer):
    assert not certainly_differ(_parsed(gold), _parsed(answer))


@pytest.mark.parametrize(
    ("gold", "answer"), [(r"2\sqrt{3}", r"3\sqrt{2}"), ("x^2-1", "(x-1)^2"), (r"\frac{\pi}{3}", r"\frac{\pi}{6}")]
)
def test_wrong_expressions_are_told_without_algebra(gold, answer, monkeypatch):
    assert certainly_differ(_parsed(gold), _parsed(answer))
    monkeypatch.setattr("r1_verifiers.maths.verify.verify", None)  # never asked
    assert equal(answer, gold).value == 0.0
