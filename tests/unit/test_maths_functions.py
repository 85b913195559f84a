r"""Functions with edges, such as floors, bars and maxima; repeating decimals, ratios, bases and other notations of values."""

import time

import pytest
from maths_tables import check_verdicts

from r1_verifiers import maths

# gold answer: answers that are right, answers that are wrong
EDGES: dict[str, tuple[list[str], list[str]]] = {
    # floors and ceilings of whole numbers
    r"\lfloor\log_2 n\rfloor+1": ([r"\lceil\log_2(n+1)\rceil", r"1+\lfloor\log_2 n\rfloor", r"\lfloor\log_2 (2n)\rfloor"], [r"\lceil\log_2 n\rceil", r"\lfloor\log_2 n\rfloor", r"\lfloor\log_2(n+1)\rfloor+1", r"\lceil\log_2 n\rceil+1"]),
    r"\lceil n/2\rceil+1": ([r"\lfloor\frac{n+1}{2}\rfloor+1", r"\lceil\frac{n+2}{2}\rceil", r"\left\lfloor\frac{n+3}{2}\right\rfloor"], [r"\lfloor n/2\rfloor+2", r"\lfloor n/2\rfloor+1", r"\frac n2+1", r"\lceil n/2\rceil"]),
    r"\left\lceil \frac{n}{2} \right\rceil": ([r"\left\lfloor \frac{n+1}{2}\right\rfloor", r"n-\lfloor n/2\rfloor", r"\frac{2n+1-(-1)^n}{4}"], [r"\lfloor\frac{n}{2}\rfloor+1", r"\lfloor\frac{n}{2}\rfloor", r"\frac{n+1}{2}", r"\frac{2n+1+(-1)^n}{4}"]),
    r"\lfloor n/100\rfloor": ([r"\lceil\frac{n-99}{100}\rceil", r"\left\lfloor\frac{2n}{200}\right\rfloor"], [r"\lfloor n/50\rfloor", r"\lfloor n/1000\rfloor", r"\lfloor\frac{n+1}{100}\rfloor", r"\lfloor\frac{n-1}{100}\rfloor", "0"]),
    r"\lfloor k/2025\rfloor": ([r"\lfloor\frac{2k}{4050}\rfloor"], [r"\lfloor k/2024\rfloor", r"\lfloor k/2026\rfloor", r"\lceil k/2025\rceil-1"]),
    r"\lfloor\frac{n^2}{4}\rfloor": ([r"\lfloor\frac n2\rfloor\lceil\frac n2\rceil", r"\lfloor\frac n2\rfloor\lfloor\frac{n+1}2\rfloor"], [r"\lceil\frac{n^2}{4}\rceil-1", r"\lfloor\frac{n^2-0.01}{4}\rfloor", r"\lceil\frac{n^2}{4}\rceil", r"\frac{n^2}{4}"]),
    r"\lfloor\sqrt{n}\rfloor": ([r"\lceil\sqrt{n+1}\rceil-1"], [r"\lceil\sqrt n\rceil-1", r"\lceil\sqrt n\rceil", r"\lfloor\sqrt{n+1}\rfloor", r"\lfloor\sqrt{n-1}\rfloor"]),
    r"\lfloor\frac m2\rfloor\lfloor\frac n2\rfloor": ([r"\lfloor\frac n2\rfloor\lfloor\frac m2\rfloor", r"\lceil\frac{m-1}2\rceil\lfloor\frac n2\rfloor"], [r"(\lceil \frac m2\rceil-1)(\lceil\frac n2\rceil-1)", r"\lfloor\frac{mn}4\rfloor", r"\frac{mn}{4}"]),
    r"n-\lfloor n/10\rfloor": ([r"\lceil\frac{9n}{10}\rceil"], [r"n-\lfloor n/9\rfloor", r"n-\lfloor n/20\rfloor", r"\lfloor\frac{9n}{10}\rfloor", "n"]),
    # floors of real numbers
    r"\lfloor x\rfloor+\lfloor -x\rfloor": ([r"\lfloor -x\rfloor+\lfloor x\rfloor", r"\lfloor x\rfloor-\lceil x\rceil"], ["-1", "0"]),
    r"\lceil x/2\rceil": ([r"-\lfloor -\frac x2\rfloor"], [r"\lfloor\frac{x+1}2\rfloor", r"\lfloor\frac x2\rfloor+1"]),
    r"\lceil p/2\rceil, p\in\mathbb{Z}": ([r"\lfloor\frac{p+1}2\rfloor"], [r"\lfloor\frac p2\rfloor+1", r"\lfloor\frac p2\rfloor"]),
    r"\lceil p/2\rceil, p\in\mathbb{R}": ([r"\lceil\frac p2\rceil"], [r"\lfloor\frac{p+1}2\rfloor"]),
    "x": ([r"\frac{x^2}{x}", r"x+\lfloor 0\rfloor"], [r"x+\lfloor x/10\rfloor(\lfloor x/10\rfloor+1)", "|x|", r"x+\lfloor\frac{|x|}{1000}\rfloor", r"\max(x,-8)"]),
    # signs that alternate, and other functions of whole numbers
    "(-1)^n": ([r"\cos n\pi", "(-1)^{-n}", r"\cos(\pi n)", "(-1)^{n+2}", r"e^{i\pi n}", r"2\lfloor\frac{n+2}2\rfloor-2\lceil\frac n2\rceil+(-1)^n-2+2\lceil\frac n2\rceil-2\lfloor\frac n2\rfloor"], ["(-1)^{n+1}", r"\sin n\pi", "-1", "1", r"\cos\frac{n\pi}2", "(-1)^{2n}"]),
    r"n+(-1)^n": ([r"n+\cos n\pi", "n-(-1)^{n+1}"], ["n-(-1)^n", "n-1", "n+1", r"n+\cos 2n\pi"]),
    r"\gcd(a,12)": ([r"\gcd(12,a)", r"\frac{12a}{\operatorname{lcm}(a,12)}"], [r"\gcd(a,6)", r"\gcd(a,24)", "1", r"\operatorname{lcm}(a,12)"]),
    r"\binom{n}{2}": (["C(n,2)", "C_n^2", r"\frac{n(n-1)}2", r"\mathrm{C}_n^2", r"\frac{n!}{2(n-2)!}", r"{}_nC_2", "^nC_2"], ["C(n,3)", "C_n^3", "C(2,n)", "C_2^n", r"\frac{n(n+1)}2", r"{}_nC_3", r"{}_2C_n", "n^2"]),
    r"\binom{2n}{n}": (["C(2n,n)", "C_{2n}^{n}", r"\frac{(2n)!}{(n!)^2}"], ["C(n,2n)", "C_{2n}^{2}", "C_n^{2n}", r"\frac{(2n)!}{n!}"]),
    "n!": ([r"n\cdot(n-1)!", r"\frac{(n+1)!}{n+1}", r"n!+\lfloor\frac{n}{2n}\rfloor"], [r"n!+\max(n-65,0)", r"n!+\lfloor n/61\rfloor", r"n!+\lfloor n/105\rfloor", "n!+1"]),
    r"\binom n2": ([r"\frac{n^2-n}2"], [r"\binom n2+\lfloor n/61\rfloor", r"\binom n2+\lfloor n/100\rfloor", r"\binom n2+|n-80|-80+n", r"\binom n2+\lfloor n/10^{12}\rfloor"]),
    r"\lfloor n/2\rfloor": ([r"\lceil\frac{n-1}2\rceil"], [r"\lfloor n/2\rfloor+\lfloor n/10^{12}\rfloor", r"\lfloor n/2\rfloor+\binom n{61}"]),
    # maxima, minima, bars
    r"\max(n,5)": ([r"\max(5,n)", r"\frac{n+5+|n-5|}{2}", r"-\min(-n,-5)"], ["5", "n", r"\min(n,5)", r"\max(n,6)", r"\max(m,5)"]),
    r"\min(n,10)": ([r"\min(10,n)", r"\frac{n+10-|n-10|}2"], ["n", "10", r"\min(n,8)", r"\max(n,10)"]),
    r"\max\{a+b,100\}": ([r"\max\{100,a+b\}", r"\max(b+a,100)"], ["100", "a+b", r"\max\{a+b,99\}", r"\max\{a,100\}"]),
    "|x-10|": (["|10-x|", r"\sqrt{(x-10)^2}", r"\max(x-10,10-x)", r"\sqrt{x^2-20x+100}"], ["10-x", "x-10", "|x|-10", "|x+10|", "|x-11|"]),
    "|x-20|+|x+20|": (["|20-x|+|-20-x|", r"2\max(20,|x|)"], ["40", "2x", "2|x|", "|x-19|+|x+21|"]),
    "8": ([r"|x-4|+4+x-|x-4|+4-x", r"|-8|"], ["|x-4|+|x+4|", "|x-5|+|x+3|", r"\max(8,x)", r"\min(x^2+8,8+x)"]),
    "|x-100|+|x-101|": (["|x-101|+|100-x|"], ["2|x-100.5|", r"\max(1,|2x-200|)"]),
    r"|3x-7|+|3x-8|": (["|7-3x|+|8-3x|"], ["|6x-15|"]),
    r"\operatorname{sgn}(x-30)": ([r"-\operatorname{sgn}(30-x)"], ["-1", "1", r"\operatorname{sgn}(x)", r"\operatorname{sgn}(x-31)"]),
    # roots of squares
    r"\sqrt{x^2-12x+36}": (["|x-6|", "|6-x|", r"\sqrt{(6-x)^2}"], ["6-x", "x-6", "|x+6|"]),
    r"\sqrt{(x+10)^2}": (["|x+10|"], ["x+10", "-x-10"]),
    r"\sqrt{a^2-2ab+b^2}": (["|a-b|", "|b-a|"], ["a-b", "b-a", "a+b"]),
    r"\sqrt{1-\sin^2 x}": ([r"|\cos x|"], [r"\cos x", r"-\cos x"]),
    r"\arcsin(\sin x)": ([r"\arcsin(\cos(x-\frac{\pi}2))"], ["x", r"\pi-x"]),
    # letters under roots and logarithms are positive
    r"\sqrt{x^2+1}": ([r"(1+x^2)^{1/2}"], ["x+1", "|x|+1"]),
    r"2\ln x": ([r"\ln x^2"], [r"\ln 2x", r"|\ln x|"]),
    r"2\sqrt{(x-1)(3-x)}": ([r"2\sqrt{-x^2+4x-3}"], [r"2\sqrt{(x-1)(x-3)}"]),
    # equations with edges
    "|x|+|y|=10": (["|y|+|x|=10", "2|x|+2|y|=20"], ["x+y=10", "|x|-|y|=10", "|x+y|=10"]),
    "y=|x-10|": (["|x-10|", "y=|10-x|", "|x-10|-y=0"], ["y=10-x", "y=x-10", "10-x-y=0"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", EDGES)
def test_functions_with_edges_are_compared_on_both_sides_of_each(gold):
    check_verdicts(gold, EDGES[gold])


# gold answer: answers that are right, answers that are wrong
NOTATIONS: dict[str, tuple[list[str], list[str]]] = {
    # decimals that repeat, and decimals that were broken off
    r"\frac13": (["0.333\\ldots", "0.333...", "0.33…", r"0.3333\dots", "0.(3)", r"0.\overline{3}"], ["0.3...", "0.33", "0.34...", "0.3334...", "0.(4)", "0.(33)4", "0.3030..."]),
    r"\frac23": (["0.666...", r"0.6666\ldots", "0.(6)"], ["0.66", "0.67...", "0.6...", "0.667...", "0.(7)"]),
    r"\frac{41}{333}": (["0.123123123...", r"0.123123\ldots", "0.(123)"], ["0.123...", "0.124124...", "0.1233..."]),
    r"\frac16": (["0.1666...", r"0.1\overline{6}", "0.166..."], ["0.16...", "0.1616...", "0.1667..."]),
    r"\frac{7}{55}": ([r"0.1272727\ldots", "0.12727..."], ["0.1277...", "0.127127..."]),
    r"\frac{4}{11}": ([r"0.\dot3\dot6", r"0.\dot{3}\dot{6}", r"0.\dot{36}", r"0.\overline36"], [r"0.\dot{3}6", r"0.\dot36", r"0.\dot3", r"0.3\dot6"]),
    r"\frac{16}{99}": ([r"0.\dot{1}\dot6"], [r"0.\dot{1}6", r"0.\dot16", r"0.1\dot6"]),
    r"\frac{1234}{9999}": ([r"0.\dot{1}23\dot{4}", r"0.\dot123\dot4"], [r"0.\dot{1}2\dot{3}4", r"0.\dot12\dot34", r"0.\dot{1}234", r"0.\dot1 234"]),
    r"0.1\dot{6}": (["0.1(6)", r"\frac16", "0.1(66)"], ["-0.1(6)", "0.1 (6)", "0.1( 6)", "0.1*(6)", "0.16", "0.1(7)", "0.(16)"]),
    r"-\frac16": (["-0.1(6)"], ["0.1(6)", "-0.1 (6)"]),
    "0.6": (["0.1 (6)", r"0.1\cdot(6)"], ["0.1(6)"]),
    "0.1(a)": (["0.1a", r"\frac{a}{10}"], ["0.1+a"]),
    "0.142857142857...": ([r"\frac17", "0.142857"], [r"\frac18", "0.14286", "0.14"]),
    r"\pi": (["3.14159265...", r"3.14159\ldots"], ["3.14...", r"3.14\ldots", r"3.1415\ldots", "3.1416...", "3.14161..."]),
    r"e": ([r"2.718281828\ldots"], [r"2.718\ldots", r"2.718282828\ldots"]),
    r"\sqrt2": ([r"1.414213\ldots"], [r"1.4141\ldots", r"1.414141\ldots", "1.41..."]),
    "-1.5": (["-1.5000..."], ["-1.555...", "1.5..."]),
    # ratios and times
    "1:2:3": (["2:4:6", "1 : 2 : 3", r"\frac13:\frac23:1", "x:2x:3x"], ["2:4:7", "3:2:1", "1:2", r"\frac12", "2:4:6:8", "0:0:0"]),
    "4:6:9": (["8:12:18"], ["2:3:9", "4:6", "9:6:4"]),
    "10:30": (["10:30", "10:30 a.m."], [r"\frac13", "1:3", "1/3", "0.333...", "10/30", "10:03"]),
    "6:30": (["6:30"], [r"\frac15", "0.2", "12:60", "1:5"]),
    "3:4": (["6:8", "3/4", "0.75", "12:16"], ["4:3", "3:5", "34"]),
    "19:60": ([r"\frac{19}{60}"], [r"\frac{60}{19}", "19:06"]),
    # bases
    "(1011)_2": (["1011_2", "(1011)_2", r"(1011)_{2}", r"\left(1011\right)_2", r"1011_{(2)}", r"(1011)_{\text{two}}"], ["(1011)_3", "(1010)_2", "11_2", "11"]),
    "1011_2": (["(1011)_2", r"\left(1011\right)_{2}"], ["(1101)_2", "(1011)_4", "1011_{(3)}"]),
    r"$\left(100\right)_{8}$": (["100_8", "(100)_8"], ["(100)_9", "(64)_8", "64"]),
    # numbers of choices
    "C_{10}^3": (["120", r"\binom{10}3", "C(10,3)", "^{10}C_3", "_{10}C_3", "C^3_{10}"], ["C_3^{10}", "^3C_{10}", "720", "30"]),
    "C_n^3+1": ([r"\binom n3+1", "C(n,3)+1"], [r"\binom n3", "C_n^2+1", r"\binom 3n+1"]),
    "(n,2)": (["(n,2)", "C(n,2)"], [r"\binom n2", "(2,n)"]),
    "C_1^2+C_2": (["C_1^2+C_2"], ["C_1+C_2", "2C_1+C_2"]),
    # complex numbers
    r"2\operatorname{cis}60^\circ": ([r"1+\sqrt3i", r"2e^{i\pi/3}", r"2(\cos 60^\circ+i\sin 60^\circ)", r"2 \text{ cis } 60^\circ", r"2\operatorname{cis}\frac\pi3"], [r"\sqrt3+i", r"1-\sqrt3i", r"2\operatorname{cis}30^\circ", r"\operatorname{cis}60^\circ", "1"]),
    r"\text{cis } \theta": ([r"e^{i\theta}", r"\cos\theta+i\sin\theta"], [r"e^{-i\theta}", r"\cos\theta"]),
    # infinity, the empty set
    r"\infty": ([r"\text{Infinity}", "Infinity", r"\text{infinity}", r"+\infty"], [r"-\infty", r"\text{minus infinity}", "undefined", r"\text{no solution}", "0"]),
    r"-\infty": ([r"\text{negative infinity}"], [r"\text{infinity}", r"\infty", r"\text{no solution}"]),
    r"\emptyset": ([r"\varnothing", r"\{\}", r"\text{no solution}"], [r"\{\emptyset\}", r"\{\varnothing\}", r"\{\{\}\}", r"\{0\}"]),
    r"\{\emptyset\}": ([r"\{\varnothing\}", r"\{\{\}\}"], [r"\emptyset", r"\{\}", r"\{0\}"]),
    r"\{1,2\}": ([r"\{2,1\}"], [r"\{\{1,2\}\}"]),
}  # fmt: skip


@pytest.mark.parametrize("gold", NOTATIONS)
def test_a_value_is_the_same_in_each_notation(gold):
    check_verdicts(gold, NOTATIONS[gold])


def test_a_problem_that_asks_for_a_ratio_is_not_answered_by_a_time():
    assert maths.check("<answer>1/3</answer>", "10:30", problem="Find the ratio of the areas.").value == 1.0
    assert maths.check("<answer>1/3</answer>", "10:30", problem="When do they meet?").value == 0.0


@pytest.mark.parametrize(
    "answer",
    [
        "+".join(rf"\lfloor \frac{{x+{number}}}{{{number + 2}}} \rfloor" for number in range(24)),
        r"\lfloor " * 10 + "x" + r"+1.5 \rfloor" * 10,
        r"\lfloor \sum_{k=1}^{399} \frac{x^k}{k} \rfloor",
        r"\max(" + ",".join(f"x^{number}" for number in range(60)) + ")",
        r"\lceil n!!! \rceil + \binom{n!}{n} (-1)^{n^{n}}",
        r"\lfloor 10^{10^{n}} \rfloor + |a|^{|b|^{|c|^{|d|}}}",
    ],
)
def test_long_expressions_with_edges_are_compared_in_a_fraction_of_a_second(answer):
    began = time.process_time()
    maths.decide(f"{answer} + 0", answer)
    assert time.process_time() - began < 1
