"""The Countdown equation check, against a table of tricky answers and an independent reference."""

import ast
import random
import time
from fractions import Fraction

import pytest

from r1_verifiers.countdown import MAX_LENGTH, check

OK = ""
DEEP = "(" * 64 + "3" + ")" * 64
LONG = "+".join(["1"] * 256)  # 511 characters

# answer, nums, target, and the reason of the refusal: "" where it is right
CASES = [
    # Plain, right.
    ("3*9", [3, 9], 27, OK),
    ("9*3", [3, 9], 27, OK),
    ("(25*4)-(75/3)+7", [25, 4, 75, 3, 7], 82, OK),
    ("5", [5], 5, OK),
    ("0", [0], 0, OK),
    ("0*7", [0, 7], 0, OK),
    ("((5))", [5], 5, OK),
    ("3+3", [3, 3], 6, OK),
    ("8-3-2", [8, 3, 2], 3, OK),
    ("8/4/2", [8, 4, 2], 1, OK),
    ("8/(4/2)", [8, 4, 2], 4, OK),
    ("8-(3-2)", [8, 3, 2], 7, OK),
    ("2+3*4", [2, 3, 4], 14, OK),
    ("(2+3)*4", [2, 3, 4], 20, OK),
    ("2*3/4*2", [2, 3, 4, 2], 3, OK),
    ("1/3*3", [1, 3, 3], 1, OK),  # exact: 0.333... * 3
    ("8/(3-8/3)", [8, 3, 8, 3], 24, OK),
    ("5*(5-1/5)", [5, 5, 1, 5], 24, OK),
    ("1/49*49", [1, 49, 49], 1, OK),  # a float gives 0.9999999999999999
    (" 3 * 9 ", [3, 9], 27, OK),
    ("3\n*\n9", [3, 9], 27, OK),
    ("3\t*9\r\n", [3, 9], 27, OK),
    ("999999999*1", [999999999, 1], 999999999, OK),
    (DEEP, [3], 3, OK),
    (LONG, [1] * 256, 256, OK),
    # A minus that stands alone.
    ("-3+9", [3, 9], 6, OK),
    ("-(3-9)", [3, 9], 6, OK),
    ("-3*9", [3, 9], -27, OK),
    ("-6/3", [6, 3], -2, OK),
    ("9*(-3)", [3, 9], -27, OK),
    ("9-(-3)", [3, 9], 12, OK),
    ("-(-3)", [3], 3, OK),
    ("-(-(-3))", [3], -3, OK),
    ("9/(3-6)", [9, 3, 6], -3, OK),
    ("- 3 + 9", [3, 9], 6, OK),
    ("3*-9", [3, 9], -27, "not an equation: unexpected '-'"),
    ("3--9", [3, 9], 12, "not an equation: unexpected '-'"),
    ("--3", [3], 3, "not an equation: unexpected '-'"),
    ("+3", [3], 3, "not an equation: unexpected '+'"),
    ("3*+9", [3, 9], 27, "not an equation: unexpected '+'"),
    ("(+3)", [3], 3, "not an equation: unexpected '+'"),
    ("3-", [3], 3, "not an equation: ends after '-'"),
    ("-", [3], 3, "not an equation: ends after '-'"),
    ("(-)", [3], 3, "not an equation: unexpected ')'"),
    # Typeset.
    ("3×9", [3, 9], 27, OK),
    ("3·9", [3, 9], 27, OK),
    ("3 ⋅ 9", [3, 9], 27, OK),
    ("27÷9", [27, 9], 3, OK),
    ("9−3", [9, 3], 6, OK),
    ("9–3", [9, 3], 6, OK),
    ("−3+9", [9, 3], 6, OK),
    ("3\u00a0*\u20099", [3, 9], 27, OK),
    ("（3＋9）", [3, 9], 12, OK),
    (r"3 \times 9", [3, 9], 27, OK),
    (r"3\times9", [3, 9], 27, OK),
    (r"3\cdot 9", [3, 9], 27, OK),
    (r"27 \div 9", [27, 9], 3, OK),
    (r"\left(3+9\right)\times 2", [3, 9, 2], 24, OK),
    (r"3\,\times\;9", [3, 9], 27, OK),
    (r"\frac{27}{9}", [27, 9], 3, OK),
    (r"\dfrac{27}{9}+\tfrac {4} {2}", [27, 9, 4, 2], 5, OK),
    (r"\frac{\frac{1}{2}}{\frac{3}{4}}*6", [1, 2, 3, 4, 6], 4, OK),
    (r"\frac{1}{\frac{2}{4}}", [1, 2, 4], 2, OK),
    (r"\frac{-6}{3}", [6, 3], -2, OK),
    ("$3*9$", [3, 9], 27, OK),
    ("$$ 3*9 $$", [3, 9], 27, OK),
    (r"\(3*9\)", [3, 9], 27, OK),
    (r"\[ 3*9 \]", [3, 9], 27, OK),
    (r"\boxed{3*9}", [3, 9], 27, OK),
    (r"$\boxed{\frac{27}{9}}$", [27, 9], 3, OK),
    (r"\boxed{3*9 = 27}", [3, 9], 27, OK),
    ("3×*9", [3, 9], 19683, "not an equation: unexpected '**'"),
    (r"3\times\times9", [3, 9], 27, "not an equation: unexpected '*'"),
    (r"1\,2", [1, 2], 12, "not an equation: unexpected '2'"),
    (r"1\left2", [12], 12, "not an equation: unexpected '2'"),
    (r"\frac12", [1, 2], 0, r"not an equation: unexpected '\\frac'"),
    (r"\frac{6}", [6], 6, "not an equation: unexpected '}'"),
    (r"\frac{6}{3", [6, 3], 2, "not an equation: '(' is never closed"),
    (r"\frac{6}{3}{2}", [6, 3, 2], 2, "not an equation: unexpected '}{'"),
    (r"\frac{6}{}", [6], 6, "not an equation: unexpected ')'"),
    (r"\frac{6+(1}{2)}", [6, 1, 2], 7, "not an equation: unexpected '}{'"),
    (r"\frac{6)+(1}{2}*2", [6, 1, 2, 2], 7, "not an equation: unexpected ')'"),
    (r"\frac{6}{2)+(1}", [6, 2, 1], 4, "not an equation: unexpected ')'"),
    (r"(\frac{6}{2)}", [6, 2], 3, "not an equation: unexpected ')'"),
    (r"\frac{(6+1)*2}{(9-2)}", [6, 1, 2, 9, 2], 2, OK),
    (r"2\frac{1}{2}*2", [2, 1, 2, 2], 5, "not an equation: unexpected '('"),
    (r"\foo{6}{3}", [6, 3], 2, "not an equation: unexpected '}{'"),
    (r"\cdots 3", [3], 3, r"not an equation: unexpected '\\cdots'"),
    ("{3}", [3], 3, "not an equation: unexpected '{'"),
    (r"\boxed{3}+\boxed{9}", [3, 9], 12, "not an equation: unexpected '}'"),
    ("$3$+$9$", [3, 9], 12, "not an equation: unexpected '$'"),
    ("$", [3], 3, "not an equation: unexpected '$'"),
    ("$$", [3], 3, "empty answer"),
    # The value at the end.
    ("3*9 = 27", [3, 9], 27, OK),
    ("3*9=27", [3, 9], 27, OK),
    ("$3 \\times 9 = 27$", [3, 9], 27, OK),
    ("3-9=-6", [3, 9], -6, OK),
    ("3-9 = −6", [3, 9], -6, OK),
    ("3*9 = 28", [3, 9], 27, "ends in '= 28', not '= 27'"),
    ("3*8 = 27", [3, 8], 27, "equals 24, not 27"),
    ("3*9 =", [3, 9], 27, "ends in '= ', not '= 27'"),
    ("3*9 == 27", [3, 9], 27, "ends in '= = 27', not '= 27'"),
    ("3*9 = 27 = 27", [3, 9], 27, "ends in '= 27 = 27', not '= 27'"),
    ("3*9 = 27.0", [3, 9], 27, "ends in '= 27.0', not '= 27'"),
    ("3*9 = 027", [3, 9], 27, "ends in '= 027', not '= 27'"),
    ("3*9 = 9*3", [3, 9], 27, "ends in '= 9*3', not '= 27'"),
    ("27 = 3*9", [3, 9], 27, "ends in '= 3*9', not '= 27'"),
    ("= 27", [27], 27, "empty answer"),
    # The numbers.
    ("3*9+0", [3, 9], 27, "uses 0, which is not given"),
    ("27", [3, 9], 27, "uses 27, which is not given"),
    ("39", [3, 9], 39, "uses 39, which is not given"),
    ("3*3*3", [3, 9], 27, "uses 3 3 times, given once"),
    ("3*9+3-3", [3, 9], 27, "uses 3 3 times, given once"),
    ("3*9/3*3", [3, 9, 3], 27, "uses 3 3 times, given twice"),
    ("3+3", [3, 9], 6, "uses 3 twice, given once"),
    ("3*9", [3, 9, 2], 27, "does not use 2"),
    ("3*9", [3, 9, 3], 27, "uses 3 once, given twice"),
    ("(3)(9)", [3, 9], 27, "not an equation: unexpected '('"),
    ("3(9)", [3, 9], 27, "not an equation: unexpected '('"),
    ("(3)9", [3, 9], 27, "not an equation: unexpected '9'"),
    ("3 9", [3, 9], 39, "not an equation: unexpected '9'"),
    # Wrong values.
    ("2*13", [2, 13], 27, "equals 26, not 27"),
    ("1/3", [1, 3], 0, "equals 1/3, not 0"),
    ("7/(1-3)", [7, 1, 3], -3, "equals -7/2, not -3"),
    ("6/(1-3)", [6, 1, 3], 3, "equals -3, not 3"),
    ("(3-3)/(1-5)", [3, 3, 1, 5], 1, "equals 0, not 1"),
    ("1/3+1/3+1/3", [1, 3, 1, 3, 1, 3], 2, "equals 1, not 2"),
    ("99999999/99999998", [99999999, 99999998], 1, "equals 99999999/99999998, not 1"),  # within 1e-5
    ("*".join(["999999999"] * 4), [999999999] * 4, 1, "equals a number of many digits, not 1"),
    # Nothing divides by zero.
    ("3/0", [3, 0], 0, "division by zero"),
    ("3/(9-9)", [3, 9, 9], 0, "division by zero"),
    ("0/0", [0, 0], 0, "division by zero"),
    ("3/(1/2-2/4)", [3, 1, 2, 2, 4], 0, "division by zero"),
    (r"\frac{3}{0}", [3, 0], 0, "division by zero"),
    ("0/3", [3, 0], 0, OK),
    # Not of the grammar.
    ("3**9", [3, 9], 19683, "not an equation: unexpected '**'"),
    ("3* *9", [3, 9], 19683, "not an equation: unexpected '*'"),
    ("9**9**9**9", [9, 9, 9, 9], 1, "not an equation: unexpected '**'"),
    ("9//2", [9, 2], 4, "not an equation: unexpected '//'"),
    ("9%2", [9, 2], 1, "not an equation: unexpected '%'"),
    ("3^2", [3, 2], 9, "not an equation: unexpected '^'"),
    ("3²", [3], 9, "not an equation: unexpected '²'"),
    ("3!", [3], 6, "not an equation: unexpected '!'"),
    ("√9", [9], 3, "not an equation: unexpected '√'"),
    ("½*4", [4], 2, "not an equation: unexpected '½'"),
    ("9&1", [9, 1], 1, "not an equation: unexpected '&'"),
    ("1<<3", [1, 3], 8, "not an equation: unexpected '<'"),
    ("2.8*10", [2, 8, 10], 28, "not an equation: unexpected '.'"),
    ("3.5*2", [3, 5, 2], 7, "not an equation: unexpected '.'"),
    ("3*9.", [3, 9], 27, "not an equation: unexpected '.'"),
    (".5*2", [5, 2], 1, "not an equation: unexpected '.'"),
    ("1e3", [1, 3], 1000, "not an equation: unexpected 'e'"),
    ("0x1B", [0, 1], 27, "not an equation: unexpected 'x'"),
    ("1_0", [10], 10, "not an equation: unexpected '_'"),
    ("1,000", [1000], 1000, "not an equation: unexpected ','"),
    ("3*9,", [3, 9], 27, "not an equation: unexpected ','"),
    ("3j", [3], 3, "not an equation: unexpected 'j'"),
    ("3x9", [3, 9], 27, "not an equation: unexpected 'x'"),
    ("3*9;", [3, 9], 27, "not an equation: unexpected ';'"),
    ("03*9", [3, 9], 27, "not an equation: leading zero in '03'"),
    ("00", [0], 0, "not an equation: leading zero in '00'"),
    ("３*9", [3, 9], 27, "not an equation: unexpected '３'"),
    ("٣*9", [3, 9], 27, "not an equation: unexpected '٣'"),
    ("3\u200b*9", [3, 9], 27, r"not an equation: unexpected '\u200b'"),
    ("3\x00*9", [3, 9], 27, r"not an equation: unexpected '\x00'"),
    ("3\x1c*9", [3, 9], 27, r"not an equation: unexpected '\x1c'"),
    ("", [3], 3, "empty answer"),
    ("   ", [3], 3, "empty answer"),
    ("()", [3], 3, "not an equation: unexpected ')'"),
    ("3*", [3], 3, "not an equation: ends after '*'"),
    ("*3", [3], 3, "not an equation: unexpected '*'"),
    ("(3*9", [3, 9], 27, "not an equation: '(' is never closed"),
    ("3*9)", [3, 9], 27, "not an equation: unexpected ')'"),
    (")3*9(", [3, 9], 27, "not an equation: unexpected ')'"),
    ("3*(9", [3, 9], 27, "not an equation: '(' is never closed"),
    ("[3*9]", [3, 9], 27, "not an equation: unexpected '['"),
    ("3*9 # 27", [3, 9], 27, "not an equation: unexpected '#'"),
    ("3*9 or 9*3", [3, 9], 27, "not an equation: unexpected 'or'"),
    ("3*9, 9*3", [3, 9], 27, "not an equation: unexpected ','"),
    ("3*9\n9*3", [3, 9], 27, "not an equation: unexpected '9'"),
    ("The answer is 3*9", [3, 9], 27, "not an equation: unexpected 'The'"),
    ("target", [3, 9], 27, "not an equation: unexpected 'target'"),
    ("<answer>3*9", [3, 9], 27, "not an equation: unexpected '<'"),
    ("__import__('os').system('true')", [3], 3, "not an equation: unexpected '_'"),
    ("exec('1')", [1], 1, "not an equation: unexpected 'exec'"),
    ("(lambda: 3)()", [3], 3, "not an equation: unexpected 'lambda'"),
    ("a" * 100, [3], 3, f"not an equation: unexpected '{'a' * 24}…'"),
    # Past a cap.
    ("9999999999", [9999999999], 9999999999, "a number of more than 9 digits"),
    ("9" * 512, [9], 9, "a number of more than 9 digits"),
    ("0" * 512, [0], 0, "a number of more than 9 digits"),
    ("(" + DEEP + ")", [3], 3, "more than 64 parentheses deep"),
    ("(" * 512, [3], 3, "more than 64 parentheses deep"),
    ("(-" * 256, [3], 3, "more than 64 parentheses deep"),
    (r"\frac{" * 33, [3], 3, "more than 64 parentheses deep"),
    (")" * 512, [3], 3, "not an equation: unexpected ')'"),
    ("-" * 512, [3], 3, "not an equation: unexpected '-'"),
    ("$" * 512, [3], 3, "not an equation: unexpected '$'"),
    (LONG + "+1", [1] * 257, 257, "longer than 512 characters"),
    ("(" * 1_000_000, [3], 3, "longer than 512 characters"),
    ("9" * 1_000_000, [3], 3, "longer than 512 characters"),
    ("3" + " " * 600 + "*9", [3, 9], 27, "longer than 512 characters"),
    (" " * 1_000_000 + "3*9" + " " * 1_000_000, [3, 9], 27, OK),
]


def test_the_table_holds_a_hundred_refusals_and_fifty_right_answers():
    assert sum(1 for *_, reason in CASES if reason) >= 100
    assert sum(1 for *_, reason in CASES if not reason) >= 50


@pytest.mark.parametrize(("answer", "nums", "target", "reason"), CASES, ids=[repr(case[0][:24]) for case in CASES])
def test_an_answer_is_judged_as_the_table_says(answer, nums, target, reason):
    verdict = check(answer, nums, target)
    assert (verdict.value, verdict.reason, verdict.status) == (float(not reason), reason, "ok")
    assert verdict.extracted == answer.strip()[:MAX_LENGTH]
    assert len(verdict.reason) < 120


def test_no_answer_is_wrong_and_says_so():
    verdict = check(None, [3, 9], 27)
    assert (verdict.value, verdict.reason, verdict.extracted) == (0.0, "no answer", None)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("3*9", OK),
        ("3*9+2-2", "uses 2 twice, given once"),
        ("9+9+9", "uses 9 3 times, given once"),
        ("27", "uses 27, which is not given"),
        ("3*(9+2-2)", "uses 2 twice, given once"),
        ("3+9", "equals 12, not 27"),
    ],
)
def test_numbers_may_be_left_over_but_not_repeated_where_not_all_are_needed(answer, reason):
    verdict = check(answer, [3, 9, 2], 27, use_all=False)
    assert (verdict.value, verdict.reason) == (float(not reason), reason)


@pytest.mark.parametrize(
    ("answer", "operators", "reason"),
    [
        ("9-3", "+-", OK),
        ("9*3", "+-", "uses '*', which is not allowed"),
        ("9/3", "+-*", "uses '/', which is not allowed"),
        (r"\frac{9}{3}", "+-*", "uses '/', which is not allowed"),
        ("9×3", "+-", "uses '*', which is not allowed"),
        ("-(3-9)", "+*", "uses '-', which is not allowed"),
        ("9**3", "+-*/**", "not an equation: unexpected '**'"),
    ],
)
def test_only_the_operators_of_the_task_are_allowed(answer, operators, reason):
    target = {"9-3": 6, "-(3-9)": 6, "9*3": 27, "9×3": 27}.get(answer, 3)
    verdict = check(answer, [9, 3], target, operators=operators)
    assert (verdict.value, verdict.reason) == (float(not reason), reason)


def reference(text):
    """The value and the numbers of `text` by Python's own parser and `Fraction`, or None where it is no equation."""
    text = text.strip()
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError):
        return None
    used = []

    def value(node):
        match node:
            case ast.Constant(int(number)):
                written = text[node.col_offset : node.end_col_offset]
                if written != str(number):  # 00, 0x1, 1_0
                    raise ValueError
                used.append(number)
                return Fraction(number)
            case ast.UnaryOp(ast.USub(), operand):
                before = text[: node.col_offset].rstrip()
                if before and not before.endswith("("):
                    raise ValueError
                return -value(operand)
            case ast.BinOp(left, operator, right):
                a, b = value(left), value(right)
                match operator:
                    case ast.Add():
                        return a + b
                    case ast.Sub():
                        return a - b
                    case ast.Mult():
                        return a * b
                    case ast.Div():
                        return a / b
        raise ValueError

    try:
        return value(tree), used
    except (ValueError, ZeroDivisionError):
        return None


def random_equation(rng, nums):
    """An equation over `nums` in random order, with spaces and parentheses here and there."""
    parts = [str(number) for number in nums]
    while len(parts) > 1:
        at = rng.randrange(len(parts) - 1)
        space = rng.choice(["", "", " "])
        joined = f"{parts[at]}{space}{rng.choice('+-*/')}{space}{parts[at + 1]}"
        parts[at : at + 2] = [rng.choice(["{}", "({})", "({})", "(-{})"]).format(joined)]
    return rng.choice(["", "", "", "-"]) + parts[0]


def mutated(rng, text):
    """`text` with a character or two put in, taken out or exchanged."""
    for _ in range(rng.randint(1, 2)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(["", *"0123456789+-*/() "]) + text[at + rng.randint(0, 1) :]
    return text


@pytest.mark.heavy
def test_verdicts_agree_with_an_independent_reference_on_thirty_thousand_random_answers():
    rng = random.Random(0)
    right = refused = malformed = 0
    for draw in range(30_000):
        nums = [rng.choice([rng.randint(0, 9), rng.randint(1, 99)]) for _ in range(rng.randint(1, 6))]
        match draw % 3:
            case 0:
                text = random_equation(rng, nums)
            case 1:
                text = mutated(rng, random_equation(rng, nums))
            case _:
                text = "".join(rng.choices("0123456789+-*/() ", k=rng.randint(1, 7)))
        found = reference(text)
        target = rng.randint(-50, 100)
        if found is None:
            malformed += 1
            # Whatever it might be taken for: it is refused.
            numbers = nums
        else:
            value, used = found
            numbers = rng.choice([used, used, nums])
            if value.denominator == 1 and rng.random() < 0.8:
                target = int(value)
        for use_all in (True, False):
            expected = found is not None and found[0] == target and _allowed(found[1], numbers, use_all)
            verdict = check(text, numbers, target, use_all=use_all)
            assert verdict.value == expected, (text, numbers, target, use_all, verdict)
            assert bool(verdict.reason) != expected
        right += expected
        refused += not expected
    assert min(right, refused, malformed) > 3_000  # the draw tests every direction


def _allowed(used, nums, use_all):
    rest = list(nums)
    for number in used:
        if number not in rest:
            return False
        rest.remove(number)
    return not (rest and use_all)


def test_typesetting_does_not_change_the_verdict():
    rng = random.Random(1)
    for _ in range(2_000):
        nums = [rng.randint(1, 20) for _ in range(rng.randint(2, 5))]
        text = random_equation(rng, nums)
        found = reference(text)
        if found is None or found[0].denominator != 1:
            continue
        target = int(found[0])
        typeset = text.replace("*", rng.choice(["×", "·", r"\times ", r"\cdot "]))
        typeset = typeset.replace("/", rng.choice(["÷", r"\div "])).replace("-", rng.choice(["−", "-"]))
        typeset = rng.choice(["{}", "${}$", r"\({}\)", r"\boxed{{{}}}", r"$\boxed{{{}}}$"]).format(typeset)
        assert check(typeset, nums, target).value == 1.0, typeset
        assert check(typeset, nums, target + 1).value == 0.0, typeset


def test_the_dearest_answers_that_the_caps_allow_cost_little():
    dear = [
        LONG,
        "/".join(["999999999"] * 51),
        "+".join(["1/999999999"] * 42),
        "(" * 64 + "1/3+1/7)" * 50,
        r"\frac{1}{" * 50 + "7" + "}" * 50,
        "$" * 256 + "1" + "$" * 255,
        "}{" * 256,
        "=" * 512,
        "\\" * 512,
    ]
    started = time.perf_counter()
    for answer in dear:
        for _ in range(10):
            check(answer, [1, 3, 7, 999999999], 1)
    # About 20 ms when the machine is free; the bound only tells it from an answer that explodes.
    assert time.perf_counter() - started < 5.0


def test_random_bytes_and_unicode_are_refused_and_never_raise():
    rng = random.Random(2)
    alphabet = [chr(rng.choice([rng.randrange(256), rng.randrange(0x110000)])) for _ in range(400)]
    alphabet += [*"0123456789+-*/()=$\\{} ", r"\frac{", r"\boxed{", "}{", r"\times"] * 20
    for _ in range(5_000):
        text = "".join(rng.choices(alphabet, k=rng.randint(1, 30)))
        assert check(text, [1000, 2000], 12345).value == 0.0
