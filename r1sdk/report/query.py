"""Parse a filter of rollouts, such as `step:10-20 verdict:wrong reward<0.5 tokens>200 "target 24"`.

    step:12  step:10-20  step:before  step:after  step:held-out      the step it was generated at
    verdict:right  verdict:wrong  verdict:partly  verdict:none       the environment's verdict
    status:timeout                                                   ok, timeout, unverifiable, error
    reward>1.2  reward.format<1                                      the weighted total, or one reward
    tokens>200  tokens:50-100  cut:yes                               its length; truncated by the token limit
    dropped:yes                                                      in a group that dynamic sampling replaced
    task:train/44                                                    a part of the task's id
    word  "two words"  -word                                         in the prompt or completion; with -, in neither

A rollout must match every term.
"""

import operator
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import R1Error, nearest
from .index import AFTER, BEFORE, DURING, RolloutRow
from .reply_view import message_text

FILTERS = __doc__ or ""
"""Help text on the filter language, for users."""

Test = Callable[[RolloutRow], bool]

_TERM = re.compile(r"([a-z]+)(?:\.([\w-]+))?(>=|<=|!=|[:=<>])(.+)", re.DOTALL)
_RANGE = re.compile(r"(-?[\d.]+)\s*-\s*(-?[\d.]+)")
_COMPARE = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ":": operator.eq,
    "!=": operator.ne,
}
_VERDICTS: Mapping[str, Callable[[float | None], bool]] = {
    "right": lambda value: value == 1.0,
    "wrong": lambda value: value == 0.0,
    "partly": lambda value: value is not None and 0.0 < value < 1.0,
    "none": lambda value: value is None,
}
_STATUSES = ("ok", "timeout", "unverifiable", "error")
_KEYS = ("step", "verdict", "status", "reward", "tokens", "cut", "dropped", "task")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed filter: tests of a row, and words that need the text of the rollout."""

    tests: Sequence[Test] = ()
    words: Sequence[str] = ()  # lower case; all must occur
    absent: Sequence[str] = ()  # lower case; none may occur

    @property
    def reads_text(self) -> bool:
        return bool(self.words or self.absent)

    def matches_row(self, row: RolloutRow) -> bool:
        """True if the row passes every test. Words are not tested here."""
        return all(test(row) for test in self.tests)

    def matches_text(self, line: Mapping[str, Any]) -> bool:
        """True if the text of a rollout passes the words."""
        messages = [*(line.get("task") or {}).get("prompt", []), *(line.get("completion") or {}).get("messages", [])]
        text = "\n".join(map(message_text, messages)).lower()
        return all(word in text for word in self.words) and not any(word in text for word in self.absent)


def parse(text: str) -> Query:
    """Parse `text` into a filter. Raises: R1Error, naming every term that cannot be parsed."""
    try:
        terms = shlex.split(text)
    except ValueError:
        raise R1Error("a quotation mark is not closed") from None
    tests: list[Test] = []
    words: list[str] = []
    absent: list[str] = []
    faults: list[str] = []
    for term in terms:
        match = _TERM.fullmatch(term)
        if match is None:
            (absent if term[0] == "-" and len(term) > 1 else words).append(term.removeprefix("-").lower())
            continue
        try:
            tests.append(_test(*match.groups()))
        except R1Error as error:
            faults.append(str(error))
    if faults:
        raise R1Error("; ".join(faults))
    return Query(tests, words, absent)


def _test(key: str, part: str | None, sign: str, value: str) -> Test:
    if key not in _KEYS:
        raise R1Error(
            f"no filter {key!r}{nearest(key, _KEYS)}; available: {', '.join(_KEYS)}; quote a text that contains {sign!r}"
        )
    if part is not None and key != "reward":
        raise R1Error(f"{key} takes no name after a dot; only reward.NAME does")
    if key == "verdict":
        right = _one_of("verdict", value, tuple(_VERDICTS))
        return _with_sign(sign, lambda row: _VERDICTS[right](row.value))
    if key == "status":
        status = _one_of("status", value, _STATUSES)
        return _with_sign(sign, lambda row: row.status == status)
    if key in ("cut", "dropped"):
        claim = _one_of(key, value, ("yes", "no")) == "yes"
        name = "truncated" if key == "cut" else key
        return _with_sign(sign, lambda row: getattr(row, name) == claim)
    if key == "task":
        return _with_sign(sign, lambda row: value in row.task)
    if key == "step" and value in (BEFORE, AFTER, "held-out"):
        moments = (BEFORE, DURING, AFTER) if value == "held-out" else (value,)
        return _with_sign(sign, lambda row: row.moment in moments)
    read: Mapping[str, Callable[[RolloutRow], float | None]] = {
        "step": lambda row: None if row.moment in (BEFORE, AFTER) else row.step,
        "tokens": lambda row: row.tokens,
        "reward": (lambda row: row.total) if part is None else lambda row: row.rewards.get(part),
    }
    return _numeric(key, read[key], sign, value)


def _numeric(key: str, read: Callable[[RolloutRow], float | None], sign: str, value: str) -> Test:
    span = _RANGE.fullmatch(value)
    try:
        if span and sign in ":=":
            low, high = map(float, span.groups())
            return lambda row: (found := read(row)) is not None and low <= found <= high
        number = float(value)
    except ValueError:
        raise R1Error(f"{key}{sign}{value}: {value!r} is not a number") from None
    compare = _COMPARE[sign]
    return lambda row: (found := read(row)) is not None and bool(compare(found, number))


def _with_sign(sign: str, test: Test) -> Test:
    if sign not in (":", "=", "!="):
        raise R1Error(f"{sign!r} works only for numbers: use ':' or '!='")
    return (lambda row: not test(row)) if sign == "!=" else test


def _one_of(key: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise R1Error(f"{key}:{value}{nearest(value, allowed)}: available: {', '.join(allowed)}")
    return value
