r"""The check of mathematical answers: what is right, what is not, where the answer is looked for, and what it costs."""

import time

import pytest

from r1_verifiers import maths
from r1_verifiers.maths.extract import answer_text
from r1_verifiers.maths.judging import answer_for
from r1_verifiers.maths.reader import read
from r1_verifiers.maths.types import Apply, CompositeQuantity, Quantity, Several
from r1_verifiers.maths.units import USUAL_LETTERS

FORMAT = "<think>\nsome thoughts\n</think>\n<answer>{}</answer>"

# gold answer: answers that are right, answers that are wrong
ANSWERS: dict[str, tuple[list[str], list[str]]] = {
    # plain numbers
    "42": (["42", "42.", "42.0", "+42", "042", "$42$", r"\boxed{42}", r"\(42\)", "**42**", "４２", r"\text{42}", "84/2", "42\u200b"], ["41", "-42", "4 2", "420", "42.1", "", "nan", "٤٢", "4٢", "forty-two", "42\u202e", "42\0"]),
    "-7": (["-7", "−7", r"$-7$", r"-\boxed{7}", r"$-\boxed{7}$", "-14/2"], ["7", r"\boxed{7}", "--7"]),
    "1,234": (["1234", "1,234", "1 234", r"1\,234", "1{,}234", "1.234 \\times 10^3", "1234.0"], ["1,235", "1.234", "12,34", "234"]),
    "007": (["7", "007", "7.0"], ["70"]),
    "0.5": (["0.5", ".5", "1/2", r"\frac12", r"\frac{1}{2}", "50%", r"50\%", "0.50", "½"], ["0.05", "5", "2", "1/3", "0.51"]),
    "1e3": (["1000", "1e3", "10^3", r"1 \times 10^{3}", "1E3", "10**3"], ["1", "3", "100", "1e4", "e"]),
    "3 million": (["3000000", "3,000,000", "3 million", r"3\times 10^6"], ["3", "3000", "3 thousand"]),
    # fractions and roots
    r"\dfrac12": (["1/2", "0.5", r"\frac{2}{4}", r"\tfrac12", r"\frac 1 2"], ["2", "12", "1", "1/12"]),
    "1/3": (["1/3", "0.333333", r"\frac{1}{3}", "2/6", r"\dfrac{1}{3}"], ["0.33", "3", "1/4", "-1/3"]),
    "3 1/2": (["3.5", "7/2", "3 1/2", r"3\frac{1}{2}", "3½"], ["3/2", "31/2", "3", "4.5"]),
    r"\sqrt2": ([r"\sqrt{2}", r"\sqrt 2", "sqrt(2)", r"\sqrt(2)", "√2", "2^{1/2}", "1.41421356"], ["2", "1.4", r"\sqrt{3}", r"-\sqrt{2}"]),
    r"2\pi": ([r"2\pi", "2π", "2pi", "2*pi", r"\pi \cdot 2", "6.28318531"], ["2", r"\pi", "6.28", "pi^2"]),
    r"2\sqrt{3}": ([r"\sqrt{12}", r"2\sqrt3", r"\frac{6}{\sqrt{3}}"], [r"\sqrt{3}", r"3\sqrt{2}", "23"]),
    # algebra
    "x^2+1": (["x^2+1", "1+x^2", "x^{2}+1", "x**2+1", "x² + 1", "f(x)=x^2+1"], ["x^2-1", "x^2", "x+1", "1", "x^{21}"]),
    "(x+1)^2": (["x^2+2x+1", "(1+x)^2", "(x+1)(x+1)"], ["x^2+1", "(x-1)^2", "x+1"]),
    "y=2x+1": (["y=2x+1", "2x+1", "y-2x=1", "y = 1 + 2x"], ["y=2x-1", "x=2y+1", "2x"]),
    "x=5": (["5", "x=5", "x = 5."], ["y=5", "2x=5", "x=-5", "x=6"]),
    "5": (["5", "x=5", "f(2)=5", r"\text{Area}=5", "AB = 5", r"|AB|=5", "2+3=5", "x_1=5", r"\angle ABC = 5", "=5", "5 m", "5m", "$5", "(5)"], ["7=5", "x^2=5", "2x=5", "-x=5", "x+1=5", "2+2=5", "3 2", "3\\ 2", "12345=5", "5\\%=5x", "5 or 6", "5, 6", "5 or more", "5_3", "5^2"]),
    # sets, tuples, intervals, inequalities, matrices
    "(1,2)": (["(1,2)", "(1, 2)", r"\left(1,2\right)", "x=1, y=2"], ["(2,1)", "(1,3)", "[1,2]", "1", "(1,2,3)"]),
    "(1,-2,3)": (["(1,-2,3)", "(1, -2, 3.0)"], ["(1,2,3)", "(3,-2,1)", "(1,-2)"]),
    "[1,2)": (["[1,2)", r"\left[1, 2\right)", r"1 \le x < 2"], ["[1,2]", "(1,2)", "(1,2]", "[1,3)"]),
    r"(2,\infty)": ([r"(2,\infty)", "(2,∞)", "x>2", "2 < x", r"(2, +\infty)"], [r"[2,\infty)", "x>3", "x<2", r"(-\infty,2)"]),
    r"\{1,2\}": ([r"\{1,2\}", r"\{2,1\}", "1, 2", "1 and 2", r"1 \text{ or } 2", "x=1 or x=2", r"\boxed{1} and \boxed{2}", r"$x=\boxed{1}$ or $x=\boxed{2}$"], ["1", "2", r"\{1,3\}", "1,2,3", r"\boxed{1}. No: \boxed{2}"]),
    r"(-\infty,0)\cup(1,2]": ([r"(-\infty,0)\cup(1,2]", "(-∞,0) U (1,2]", r"(1,2]\cup(-\infty,0)"], [r"(-\infty,0)", r"(-\infty,0]\cup(1,2]", r"(-\infty,2]"]),
    r"\begin{pmatrix}1\\2\end{pmatrix}": ([r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}"], [r"\begin{pmatrix}2\\1\end{pmatrix}", "1", r"\begin{pmatrix}1&2\end{pmatrix}"]),
    r"\pm 3": ([r"\pm 3", "3, -3", "x=3 or x=-3", "±3"], ["3", "-3", "3, 3"]),
    r"\{x \mid x>2\}": (["x>2", r"(2,\infty)", r"\{x : x > 2\}", r"\{x \in \mathbb{R} \mid 2 < x\}"], ["x<2", r"[2,\infty)", r"\{2\}"]),
    "x^2=-1": (["x^2=-1", "-1=x^2", "x^2+1=0"], ["x=x", "0=0", "1=1", "f(x)=f(x)", "x=1"]),
    r"\log_2 3": ([r"\log_2 3", r"\log_{2}3", r"\frac{\ln 3}{\ln 2}"], [r"\log_3 2", "23", "3"]),
    # percentages, units, money, bases, times
    r"50\%": (["50%", r"50\%", "50 percent", "0.5", "50", r"\frac12"], ["5%", "0.05", "49%"]),
    "5 cm": (["5 cm", "5cm", r"5\text{ cm}", r"5 \mathrm{~cm}", "5 centimeters", "5", "5 centimetres."], ["5 m", "5 km", r"5\text{ m}", r"\boxed{5}\text{ m}", "50 cm", "5 cm^2"]),
    r"12 \text{ square meters}": (["12", "12 m^2", "12 m²", r"12\text{ m}^2", "12 square meters"], ["12 m", "12 m^3", "12 cm^2"]),
    "60 mph": (["60", "60 miles per hour", "60 mi/h", "60 mph"], ["60 km/h", "6"]),
    "$5": (["5", r"\$5", "$5", "5 dollars", "5.00", "$5.00"], ["5 cents", "€5", "50"]),
    r"90^\circ": (["90", "90°", r"90^\circ", "90 degrees", r"90^{\circ}"], ["9", "91°", "90 cm"]),
    "12 apples": (["12", "12 apples", "12 red apples"], ["13 apples", "apples"]),
    "12": (["12", "12 apples"], ["12_8", "12_{8}", "1_2"]),
    "12_8": (["12_8", "12_{8}", "12", r"12_{\text{eight}}"], ["12_9", "10", "12_{10}", "13_8"]),
    "10:30 a.m.": (["10:30 a.m.", "10:30 AM", "10:30am"], ["10:30 p.m.", "10:31 a.m.", "1/3"]),
    "20 June": (["20 June", "20 june."], ["20 July", "20"]),
    # choices and words
    "A": (["A", "(A)", "a", "A.", "A)", "Option A", "(a)", r"\text{A}", r"\textbf{(A) }7", "A) Paris", r"\boxed{A}", "The answer is A", "answer: (A)"], ["B", "AB", "A and B", "A or B", "(A), (B)", "A, B", "A+B", "", "BA", "not A"]),
    r"\text{(C)}": (["C", "(C)", r"\text{(C)}"], ["D", "(A)"]),
    "yes": (["yes", "Yes.", "YES", r"\text{yes}", "**yes**"], ["no", "sey", "yes and no", "eys"]),
    r"\text{even}": (["even", r"\text{even}", "Even"], ["odd", "veen", "uneven"]),
    "True": (["true", "True", r"\text{True}"], ["false", "1"]),
    "no solution": (["No solution", r"\text{no solution}", "no solution."], ["0", "solution"]),
    "Evelyn": (["Evelyn", r"\text{Evelyn}", "The answer is Evelyn."], ["Briana", "Evelyn and Briana"]),
    "x": (["x", "$x$"], ["y", "2x", "x+1"]),
    r"\infty": ([r"\infty", "∞", "infinity"], [r"-\infty", "1/0", "0"]),
    r"\emptyset": ([r"\emptyset", r"\{\}", "∅"], ["0", r"\{0\}", "x<x", "1<2", r"x \le x"]),
    # gold answers that are more than an answer
    r"The total is $3+4=7$, so the answer is \boxed{7}.": (["7", "7.0"], ["3", "4"]),
    r"so $x=3$": (["3", "x=3"], ["4"]),
}  # fmt: skip


def pairs(which: int):
    return [(gold, answer) for gold, both in ANSWERS.items() for answer in both[which]]


@pytest.mark.parametrize("gold", ANSWERS)
def test_a_gold_answer_is_right_against_itself(gold):
    assert maths.check(FORMAT.format(gold), gold).value == 1.0


@pytest.mark.parametrize(("gold", "answer"), pairs(0))
def test_a_right_answer_is_right_however_it_is_written(gold, answer):
    verdict = maths.check(FORMAT.format(answer), gold)
    assert (verdict.value, verdict.status, verdict.reason) == (1.0, "ok", "")


@pytest.mark.parametrize(("gold", "answer"), pairs(1))
def test_a_wrong_answer_is_wrong_and_says_why(gold, answer):
    verdict = maths.check(FORMAT.format(answer), gold)
    assert verdict.value == 0.0 and verdict.status == "ok" and verdict.reason


@pytest.mark.parametrize(("gold", "answer"), [*pairs(0), *pairs(1)])
def test_what_is_decided_without_math_verify_is_the_same_verdict(gold, answer):
    reply = FORMAT.format(answer)
    assert maths.decide(answer_for(reply, gold), gold) in (None, maths.check(reply, gold))


@pytest.mark.parametrize(
    "gold", ["", "   ", r"\foo{", "$$", "}{", "x" * 2000, "((((((((((((((((1))))))))))))))))", "3 2", "1e99999"]
)
def test_a_gold_answer_that_cannot_be_read_is_unverifiable_whatever_the_reply(gold):
    for reply in (FORMAT.format(gold), FORMAT.format("1"), "", "<think>"):
        verdict = maths.check(reply, gold)
        assert verdict.value is None and verdict.status == "unverifiable" and verdict.reason


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("<think>a</think><answer>42</answer>", "42"),
        ("<think>a</think>\n<answer>\n42\n</answer>", "42"),
        ("<think>a</think><answer>41</answer><answer>42</answer>", "42"),
        (r"<think>\boxed{41}</think>\boxed{42}", "42"),
        (r"<think>a</think><answer>so \boxed{42}, clearly</answer>", "42"),
        (r"<think>a</think>\boxed{41}<answer>42</answer>", "42"),
        (r"It is \boxed{41}. Wait, it is \boxed{42}.", "42"),
        (r"\boxed{\boxed{42}}", r"\boxed{42}"),
        (r"\boxed{42} or rather \boxed{42}", "42"),
        (r"\boxed{\frac{1}{2}} and more", r"\frac{1}{2}"),
        (r"\boxed 5", "5"),
        (r"$\boxed 5.$", "5"),
        (r"\boxed\frac12", r"\frac12"),
        (r"\fbox{3}", "3"),
        (r"\boxed{50}\%", r"50\%"),
        (r"- \boxed{5}", "5"),  # a bullet
        (r"so $- \boxed{5}$", "-5"),
        ("The final answer is $42$. I hope it is correct.", "42"),
        ("The answer is 41. No, the answer is 42", "42"),
        ("Answer: 42\nThank you.", "42"),
        (r"The answer is \(42\).", "42"),
        ("42", "42"),
    ],
)
def test_the_answer_is_taken_from_where_it_is_given(reply, answer):
    assert answer_text(reply) == answer


@pytest.mark.parametrize(
    "reply",
    [
        "",
        r"<think>\boxed{42}",
        r"<think>\boxed{42}</think>",
        "<think><answer>42</answer></think>",
        "<think>a</think><answer>42",
        r"\boxed{42",
        r"\boxed{42 \boxed{41}",
        r"<think>a</think>\boxed{42}<think>\boxed{42}",
        r"\boxed{}",
        "<answer></answer>",
        r"\boxedx{42}",
    ],
)
def test_an_answer_inside_the_thinking_or_never_closed_is_none(reply):
    assert maths.check(reply, "42").value == 0.0


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5 cm", "cm"),
        (r"5\text{ meters}", "m"),
        (r"x \text{ meters}", "m"),
        ("60 km/h", "km/h"),
        ("9.8 m/s^2", "m/s^2"),
        (r"9.8 \mathrm{~m} / \mathrm{s}^{2}", "m/s^2"),
        (r"2450 \pi \mathrm{N}-\mathrm{m}", "N*m"),
        ("12 square meters", "m^2"),
        ("$3.50", "dollar"),
        ("9 (apples)", "apples"),
        (r"33\frac{1}{3}\%", "%"),
        (r"24.33^{\circ} \mathrm{F}", "degreeF"),
    ],
)
def test_a_quantity_has_a_unit_where_one_is_written(text, unit):
    value = read(text, USUAL_LETTERS)
    assert isinstance(value, Quantity) and value.unit == unit


@pytest.mark.parametrize("text", ["5m", "2x", "6 x^{2}", r"\frac{5}{2} h", r"2\pi h", "n(n-1) h", "-3 m", "12 xyz"])
def test_letters_are_letters_first(text):
    assert isinstance(read(text), Apply)


def test_several_units_are_one_quantity_and_words_between_values_none():
    assert isinstance(read("2 hours 30 minutes"), CompositeQuantity)
    assert isinstance(read(r"5\text{ and }6"), Several)
    assert isinstance(read("5 or more"), Several)


@pytest.mark.parametrize(
    "reply",
    [
        "(" * 100_000,
        r"\boxed{" * 20_000,
        r"\boxed{" + "{" * 50_000,
        "$" * 100_000,
        r"\(" * 50_000,
        "the answer is " * 10_000,
        r"\boxed{1} and " * 10_000,
        "\\" * 100_000,
        "answer" + " " * 100_000 + "is",
        FORMAT.format("9" * 100_000),
        FORMAT.format("1," * 50_000),
        FORMAT.format(" " * 100_000 + "x"),
        FORMAT.format("-" * 1000),
        FORMAT.format("1" + " 000" * 250),
        FORMAT.format("a" * 1000),
        FORMAT.format("a " * 500),
        FORMAT.format("1 " + "m" * 1000),
        FORMAT.format("1" + ")" * 1000),
        FORMAT.format("\u00bd" * 1000),
        FORMAT.format(r"\text{" * 150),
        "</think>" * 20_000,
    ],
    ids=range(21),
)
def test_a_hostile_reply_takes_milliseconds_in_the_trainer(reply):
    for gold in ("42", "A", "yes", "x^2+1", "12_8", "5 cm"):
        started = time.process_time()
        verdict = maths.decide(answer_text(reply), gold)
        assert time.process_time() - started < 0.5
        assert verdict is None or verdict.value == 0.0
        assert verdict is None or len(verdict.extracted or "") <= 1024


TRL_CASES = [
    ("42", r"\boxed{42}"),
    ("42", "42"),
    ("42", FORMAT.format("42")),
    ("42", r"<think>\boxed{41}</think>\boxed{42}"),
    ("42", r"<think>\boxed{42}</think>\boxed{41}"),
    ("42", r"The final answer is $42$"),
    ("0.5", r"\boxed{\frac12}"),
    (r"$\pi$", r"\boxed{3.1415926535}"),
    ("5", r"\boxed{7=5}"),
    ("5", r"-\boxed{5}"),
    ("12", r"\boxed{12_8}"),
    ("A", r"\boxed{A}"),
    ("(A)", r"\boxed{A}"),
    (r"\boxed{A}", r"\boxed{A}"),
    ("yes", r"\boxed{yes}"),
    ("(1,2)", r"\boxed{(1,2)}"),
    (r"$(1,2)$", r"\boxed{(1,2)}"),
    (r"2\pi", r"\boxed{2\pi}"),
    (r"2\pi", r"\boxed{2}"),
    ("1e3", r"\boxed{1}"),
    ("5 cm", r"\boxed{5 m}"),
    (r"$x^2+1$", r"\boxed{1+x^2}"),
    (r"$\{1,2\}$", r"\boxed{1} and \boxed{2}"),
    ("", r"\boxed{42}"),
    ("42", ""),
    ("42", r"\boxed{"),
]


@pytest.mark.parametrize(("gold", "reply"), TRL_CASES)
def test_mode_trl_is_the_verdict_of_trls_accuracy_reward(gold, reply):
    from trl.rewards import accuracy_reward

    (expected,) = accuracy_reward([[{"role": "assistant", "content": reply}]], [gold])
    verdict = maths.check(reply, gold, "trl")
    assert verdict.value == expected
    assert verdict.status == ("unverifiable" if expected is None else "ok")


def test_the_check_works_off_the_main_thread_where_math_verify_alone_raises():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        for mode in ("r1", "trl"):
            assert pool.submit(maths.check, r"\boxed{2\sqrt{3}}", r"$\sqrt{12}$", mode).result().value == 1.0


MISJUDGED = [  # gold answer, reply, what math-verify says as TRL calls it, what is right
    ("42", FORMAT.format("42"), 0.0, 1.0),
    ("42", r"\boxed{41}. No: \boxed{42}", 0.0, 1.0),
    ("42", r"<think>\boxed{42}</think>", 1.0, 0.0),
    ("5", r"\boxed{7=5}", 1.0, 0.0),
    ("5", r"\boxed{x^2=5}", 1.0, 0.0),
    ("5", r"-\boxed{5}", 1.0, 0.0),
    ("5", r"\boxed{3 2}", 1.0, 0.0),
    ("5", r"\boxed{5.}", 0.0, 1.0),
    ("5", r"\boxed 5", 0.0, 1.0),
    ("0.5", r"\boxed{\frac12}", 0.0, 1.0),
    ("5 cm", r"\boxed{5 m}", 1.0, 0.0),
    ("12", r"\boxed{12_8}", 1.0, 0.0),
    (r"2\pi", r"\boxed{2}", 1.0, 0.0),
    (r"2\pi", r"\boxed{2\pi}", 0.0, 1.0),
    ("1e3", r"\boxed{1}", 1.0, 0.0),
    ("1e3", r"\boxed{1000}", 0.0, 1.0),
    (r"\dfrac12", r"\boxed{\dfrac{1}{2}}", None, 1.0),
    (r"\sqrt2", r"\boxed{\sqrt{2}}", None, 1.0),
    (r"$\sqrt{2}$", r"\boxed{\sqrt 2}", 0.0, 1.0),
    ("x^2+1", r"\boxed{x^2+1}", None, 1.0),
    ("(1,2)", r"\boxed{(1,2)}", None, 1.0),
    ("A", r"\boxed{A}", None, 1.0),
    ("yes", r"\boxed{yes}", None, 1.0),
]


@pytest.mark.parametrize(("gold", "reply", "trl", "right"), MISJUDGED)
def test_a_known_misjudgement_is_put_right_and_stands_in_mode_trl(gold, reply, trl, right):
    assert maths.check(reply, gold, "trl").value == trl
    assert maths.check(reply, gold).value == right
