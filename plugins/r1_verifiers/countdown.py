"""The Countdown check: whether an answer is an equation over the given numbers that reaches the target.

The answer is model output, so it is read by a small parser: nothing is evaluated as code, nothing recurses, and length,
depth and digits are capped, which bounds every intermediate number to about 2,200 bits. Time is linear in the length.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from typing import TYPE_CHECKING, NamedTuple, TypeGuard

import r1sdk

if TYPE_CHECKING:
    from fractions import Fraction

MAX_LENGTH = 512  # characters of an answer
MAX_DEPTH = 64  # open parentheses
MAX_DIGITS = 9  # of one number
SHOWN = 24  # characters of an answer that a reason quotes

_DECIMAL = re.compile(r"(?<![0-9.])([0-9]+)\.([0-9]+)(?![0-9.])", re.ASCII)
_PLAIN = re.compile(r"[-+*/()0-9\s]*", re.ASCII)
_TOKEN = re.compile(r"[0-9]+|\*\*|//|\\?[A-Za-z]+|\S", re.ASCII)
_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), (r"\boxed{", "}"))
# Each command becomes a space as well, so that none can glue two numbers into one.
_COMMAND = re.compile(r"\\(?:(times|cdot|div|left|right|quad)(?![A-Za-z])|[,;:! ])")
_OPERATOR_OF = {"times": "*", "cdot": "*", "div": "/"}
_BRACKET = re.compile(r"(\\[dt]?frac\s*\{|\}\s*\{|\}|[()])")
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("×·⋅∙∗＊", "*"),
        **dict.fromkeys("÷∕⁄／", "/"),
        **dict.fromkeys("−–－", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f", " "),  # no-break and thin spaces
        "＋": "+",
        "（": "(",
        "）": ")",
        "＝": "=",
    }
)


class CountdownGold(NamedTuple):
    """The numbers of one task, and its target."""

    nums: tuple[int, ...]
    target: int
    operators: str  # those that the task allows


@dataclass(frozen=True)
class CountdownVerifier:
    """1.0 if the answer is an equation over the task's numbers that makes its target, else 0.0; see `check`.

    The numbers are `nums`, `target` and, where the task limits them, `operators` of its info.
    """

    use_all: bool = True  # every number exactly once; False: at most once

    def read_gold(self, task: r1sdk.Task) -> CountdownGold:
        """Return the numbers of `task`. Raises: Unverifiable where its info has none."""
        nums, target = task.info.get("nums"), task.info.get("target")
        if not isinstance(nums, Sequence) or not nums or not all(map(_is_whole, nums)) or not _is_whole(target):
            raise r1sdk.Unverifiable("the info of the task has no whole numbers as nums and target")
        return CountdownGold(tuple(nums), target, str(task.info.get("operators", "+-*/")))

    def verify(self, gold: CountdownGold, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return the verdict of `check` on the answer block."""
        return check(reply.answer, gold.nums, gold.target, use_all=self.use_all, operators=gold.operators)

    def variants(self, gold: CountdownGold) -> Iterator[str]:
        """Yield the bare target, and each of the numbers, where it is not given as the only one."""
        for number in dict.fromkeys((gold.target, *gold.nums)):
            if gold.nums != (number,) and (self.use_all or number != gold.target or number not in gold.nums):
                yield str(number)

    def examples(self) -> Iterator[tuple[r1sdk.Task, str]]:
        """Yield two tasks, the second with two operators only."""
        prompt = [{"role": "user", "content": "Use the numbers 3, 7 and 7, each exactly once, to make 17."}]
        yield r1sdk.Task(prompt, None, {"nums": [3, 7, 7], "target": 17}, "all"), r1sdk.reply_with("3 + 7 + 7")
        info = {"nums": [5, 9, 2], "target": 12, "operators": "+-"}
        yield r1sdk.Task(prompt, None, info, "two operators"), r1sdk.reply_with("(5 + 9) - 2 = 12")


class _Refused(Exception):
    """The answer is wrong; the message is the verdict's reason."""


def check(
    answer: str | None, nums: Sequence[int], target: int, *, use_all: bool = True, operators: str = "+-*/"
) -> r1sdk.Verdict:
    """1.0 if `answer` makes `target` from `nums`, each used exactly once, else 0.0 with the reason.

    `use_all=False`: each used at most once. `operators`: those that the task allows.

    An equation is made of ASCII integers without leading zeros, `+ - * /` and parentheses; a minus sign stands alone only
    at the start or after `(`. Typeset signs, `\\times`, `\\frac{a}{b}`, and `$`, `\\(` or `\\boxed{}` around the whole
    are read too; so is `= N` at the end, if N is the target. Arithmetic is exact.
    """
    if answer is None:
        return r1sdk.Verdict(0.0, reason="no answer")
    answer = answer.strip()
    try:
        _judge(answer, nums, target, use_all, operators)
    except _Refused as refused:
        return r1sdk.Verdict(0.0, extracted=answer[:MAX_LENGTH], reason=str(refused))
    return r1sdk.Verdict(1.0, extracted=answer)


def value_of(expression: str) -> "Fraction":
    """The exact value of an expression of numbers, `+ - * /` and parentheses, as `check` reads them; decimals too.

    Raises: ValueError that says what is wrong with it.
    """
    from fractions import Fraction

    text = expression.strip()
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    try:
        text = _plain(text)
        tokens = _TOKEN.findall(_DECIMAL.sub(_as_ratio, text))
        above, below, _ = _evaluate(tokens)
    except _Refused as refused:
        raise ValueError(str(refused)) from None
    return Fraction(above, below)


def _as_ratio(decimal: re.Match[str]) -> str:
    """`12.50` as `(1250/100)`."""
    whole, digits = decimal.groups()
    return f"({(whole + digits).lstrip('0') or '0'}/1{'0' * len(digits)})"


def _judge(answer: str, nums: Sequence[int], target: int, use_all: bool, operators: str) -> None:
    """Returns if `answer` is right. Raises: _Refused with the reason if it is not."""
    if not answer:
        raise _Refused("empty answer")
    if len(answer) > MAX_LENGTH:
        raise _Refused(f"longer than {MAX_LENGTH} characters")
    if not _PLAIN.fullmatch(answer):
        answer = _plain(answer)
        answer, equals, claimed = answer.partition("=")
        if equals and claimed.strip() != str(target):
            raise _Refused(f"ends in '= {_short(claimed.strip())}', not '= {target}'")
    tokens = _TOKEN.findall(answer)
    above, below, used = _evaluate(tokens)
    if operators != "+-*/":
        for token in tokens:
            if token in "+-*/" and token not in operators:
                raise _Refused(f"uses {token!r}, which is not allowed")
    # Sorted lists compare in a fifth of the time that counters take, and most answers pass here.
    if sorted(used) != sorted(nums):
        _compare_numbers(Counter(used), Counter(nums), use_all)
    if above != target * below:
        raise _Refused(f"equals {_ratio(above, below)}, not {target}")


def _plain(text: str) -> str:
    """`text` in plain signs: typeset operators, LaTeX commands and fractions rewritten, wrappers taken off."""
    for _ in _WRAPPERS:  # `$\boxed{...}$`: one inside another, each at most once
        for opening, closing in _WRAPPERS:
            if len(text) >= len(opening) + len(closing) and text.startswith(opening) and text.endswith(closing):
                text = text[len(opening) : -len(closing)].strip()
                break
        else:
            break
    text = text.translate(_SIGNS)
    if "\\" in text:
        text = _COMMAND.sub(lambda found: f" {_OPERATOR_OF.get(found[1], '')} ", text)
        text = _without_fractions(text)
    return text


def _without_fractions(text: str) -> str:
    r"""`\frac{a}{b}` as `((a)/(b))`, at any depth. Raises: _Refused where braces and parentheses cross."""
    parts = _BRACKET.split(text)
    expected: list[str] = []  # the closing sign of each open bracket; `}{` ends a numerator
    for at in range(1, len(parts), 2):  # matches alternate with the text between them
        part = parts[at]
        if part.startswith("\\"):
            expected.append("}{")
            parts[at] = "(("
        elif part == "(":
            expected.append(")")
        else:
            kind = "}{" if part.endswith("{") else part
            if not expected or expected.pop() != kind:
                raise _Refused(f"not an equation: unexpected {kind!r}")
            if kind == "}{":
                expected.append("}")
                parts[at] = ")/("
            elif kind == "}":
                parts[at] = "))"
    return "".join(parts)


def _evaluate(tokens: list[str]) -> tuple[int, int, list[int]]:
    """The value as numerator and denominator (not reduced, never over zero), and the numbers used. Raises: _Refused.

    One level of parentheses is a sum so far, a term so far, and whether the next factor divides that term. Plain integer
    pairs instead of `Fraction`, which would take most of the time.
    """
    used: list[int] = []
    outer: list[tuple[int, int, int, int, bool]] = []
    sum_above, sum_below, above, below, divides = 0, 1, 1, 1, False
    previous = "("
    after_operand = False
    for token in tokens:
        if after_operand:
            if token == ")" and outer:
                factor, factor_below = sum_above * below + above * sum_below, sum_below * below
                sum_above, sum_below, above, below, divides = outer.pop()
            elif token == "+" or token == "-":
                sum_above, sum_below = sum_above * below + above * sum_below, sum_below * below
                above, below, divides = 1 if token == "+" else -1, 1, False
                after_operand, previous = False, token
                continue
            elif token == "*" or token == "/":
                divides = token == "/"
                after_operand, previous = False, token
                continue
            else:
                raise _Refused(f"not an equation: unexpected {_short(token)!r}")
        elif token[0] in "0123456789":
            if len(token) > MAX_DIGITS:
                raise _Refused(f"a number of more than {MAX_DIGITS} digits")
            if token[0] == "0" and token != "0":
                raise _Refused(f"not an equation: leading zero in {token!r}")
            factor, factor_below = int(token), 1
            used.append(factor)
        elif token == "(":
            if len(outer) == MAX_DEPTH:
                raise _Refused(f"more than {MAX_DEPTH} parentheses deep")
            outer.append((sum_above, sum_below, above, below, divides))
            sum_above, sum_below, above, below, divides = 0, 1, 1, 1, False
            previous = token
            continue
        elif token == "-" and previous == "(":
            above, previous = -1, token
            continue
        else:
            raise _Refused(f"not an equation: unexpected {_short(token)!r}")
        if not divides:
            above, below = above * factor, below * factor_below
        elif factor:
            above, below = above * factor_below, below * factor
        else:
            raise _Refused("division by zero")
        after_operand = True
    if not after_operand:
        raise _Refused(f"not an equation: ends after {tokens[-1]!r}" if tokens else "empty answer")
    if outer:
        raise _Refused("not an equation: '(' is never closed")
    return sum_above * below + above * sum_below, sum_below * below, used


def _compare_numbers(used: Counter[int], given: Counter[int], use_all: bool) -> None:
    """Returns if the numbers used are allowed. Raises: _Refused with the first that is not."""
    for number, count in used.items():
        if number not in given:
            raise _Refused(f"uses {number}, which is not given")
        if count > given[number]:
            raise _Refused(f"uses {number} {_times(count)}, given {_times(given[number])}")
    for number, count in given.items() if use_all else ():
        if number not in used:
            raise _Refused(f"does not use {number}")
        if used[number] < count:
            raise _Refused(f"uses {number} {_times(used[number])}, given {_times(count)}")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _ratio(above: int, below: int) -> str:
    """`5`, `-7/2`, or words where the digits would not help a reader."""
    divisor = gcd(above, below) if below > 0 else -gcd(above, below)
    text = str(above // divisor) if below == divisor else f"{above // divisor}/{below // divisor}"
    return text if len(text) <= SHOWN else "a number of many digits"


def _short(text: str) -> str:
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
