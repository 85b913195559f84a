r"""One value said twice, as `\frac34 = 75\%`: right where both agree, wrong where one of them differs."""

import pytest

from r1_verifiers import maths

# gold answer: answers that are right, answers that are wrong
ANSWERS: dict[str, tuple[list[str], list[str]]] = {
    r"\frac34": (
        [r"\frac34 = 75\%", r"75\% = \frac34", r"\frac34\ (75\%)", r"0.75 (75\%)", r"\frac34 \approx 0.8", r"\frac34 \approx 0.75 = 75\%", r"$\frac34$ or $0.75$", r"\frac34 = 0.75", r"\frac34 (or $0.75$)", r"\frac34 \text{ (i.e., } 75\%)", r"$\frac{3}{4}$, i.e. 75%", r"$\frac{3}{4}$, or 75%", r"$\frac{3}{4}$, that is, 75%", r"x=\frac34 \text{ or } x=0.75", r"\frac34 \text{ or equivalently } 0.75", r"\frac68 \text{ or } \frac34 \text{ or } 0.75"],
        [r"\frac34 = 70\%", r"\frac34\ (70\%)", r"\frac34 or 0.7", r"\frac34, i.e. 0.8", r"\frac34 (or 0.8)", r"0.7 (or \frac34)", r"\frac34 = 75", r"75 = 75\%", r"\frac34 \text{ or } 0.75 \text{ or } 0.7", r"\frac34 (\frac34)", r"\frac34, 0.75", r"\frac34 \approx 0.8 = \frac45", r"\frac34 \approx 0.75 = \frac45", r"\frac34 \approx 0.8 \approx 0.9"],
    ),
    "75": ([r"75\% = 0.75", r"\frac34 (75\%)", r"75 \text{ or } 75.0"], [r"0.75", r"\frac34 = 70\%", r"74\% = 0.74"]),
    r"2\sqrt2": ([r"2\sqrt2 \approx 2.83", r"2\sqrt2 (\approx 2.83)", r"2\sqrt2 \text{ (approximately } 2.83)", r"\sqrt8 = 2\sqrt2", r"\sqrt8 = 2\sqrt2 \approx 2.828 \approx 2.83", r"2\sqrt2 \text{ or } \sqrt8"], [r"2\sqrt2 \approx 2.9", r"2\sqrt2 (\approx 2.9)", r"2\sqrt2 \text{ or } 2.83", r"2\sqrt2 (\text{or } 3)", r"2.83 (\approx 2\sqrt2)"]),
    r"\frac16": ([r"\frac16 \approx 16.67\%", r"\frac16 \approx 0.167"], [r"\frac16 \approx 17.67\%", r"\frac16 \approx 16.67", r"\frac16 \text{ or } 0.167"]),
    "0.5": (["0.5 (i.e. 1/2)", "1/2 (i.e. 0.5)", "1/2, i.e., 0.5"], ["0.5 (i.e. 1/3)", "1/3 (i.e. 0.5)", "0.5, i.e., 5"]),
    "7": (["7 (or 7.0)", "7 = 7"], ["7 or 8", "6 = 7", "7 (8)", "7 (or 8)", "8 (or 7)", "7, i.e. 8", "7 and 7.5"]),
    "x^2-1": ([r"x^2-1 \text{ or equivalently } (x-1)(x+1)", "x^2-1 or (x-1)(x+1)"], ["x^2-1 or (x-1)^2", "x^2-1, i.e. x^2"]),
    "1,2": (["1 or 2", "1, or 2"], ["1, i.e. 2", "1 or 1.0"]),
    "9/16": ([r"\frac34(\frac34)"], [r"\frac34 (75\%)"]),
}  # fmt: skip
ROWS = [
    (gold, answer, verdict)
    for gold, answers in ANSWERS.items()
    for verdict, group in zip((1.0, 0.0), answers, strict=True)
    for answer in group
]


@pytest.mark.parametrize(("gold", "answer", "verdict"), ROWS)
def test_all_that_is_said_must_agree(gold, answer, verdict):
    assert maths.check(f"<answer>{answer}</answer>", gold).value == verdict


@pytest.mark.parametrize(("said", "verdict"), [("The answer is $\\frac34$, i.e. 75%.", 1.0), ("The answer is $\\frac34$ (or $0.75$).", 1.0), ("The answer is $\\frac34$ or $0.75$.", 1.0), ("The answer is $\\frac34$ or $0.8$.", 0.0)])  # fmt: skip
def test_a_sentence_may_say_it_twice(said, verdict):
    assert maths.check(f"<think>hm</think>{said}", r"\frac34").value == verdict


CONDITIONS = [
    ("x=5 (x=7)", 0.0),
    ("x=5 (x=5)", 1.0),
    ("5 (x=7)", 0.0),
    ("5 (x=5)", 1.0),
    (r"5 \text{ when } y=7", 1.0),
    (r"x=5 (x\approx 5.0)", 1.0),
    (r"x=5 (x\approx 5.2)", 0.0),
]


@pytest.mark.parametrize(("said", "verdict"), CONDITIONS)
def test_a_value_in_brackets_of_the_letter_asked_for_must_agree(said, verdict):
    assert maths.check(f"<answer>{said}</answer>", "5", problem="Find $x$.").value == verdict


def test_a_place_in_brackets_is_no_second_value():
    assert maths.check("<answer>12 (x=3)</answer>", "12", problem="Find the maximum of $f(x)$.").value == 1.0
