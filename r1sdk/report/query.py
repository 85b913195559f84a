"""Parse a filter of rollouts, such as `step:10-20 verdict:wrong reward<0.5 tokens>200 "target 24"`."""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from ..errors import R1Error, nearest
from ..storage import jsonl
from ..storage.row_checks import rollout_fault
from .failures import failure_kind
from .index import AFTER, BEFORE, CHANGES, DURING, TRAINING, RolloutIndex, RolloutRow
from .reply_view import message_text

FILTERS: Sequence[tuple[str, str]] = (
    ("step:12  step:10-20  step:before  step:after  step:held-out", "the step it was generated at"),
    ("verdict:right  verdict:wrong  verdict:partly  verdict:none", "the environment's verdict"),
    ("status:timeout", "ok, timeout, unverifiable, error"),
    ('reason:"not given"', "a part of the verifier's reason, or of a failed reward's"),
    ('kind:"uses N twice"', "a part of the reason without its numbers, as the report lists it"),
    ("reward>1.2  reward.format<1", "the weighted total, or one reward"),
    ("tokens>200  tokens:50-100  cut:yes", "its length; truncated by the token limit"),
    ("change:learned  change:lost", "held-out tasks that became right or wrong by training"),
    ("dropped:yes", "in a group that dynamic sampling replaced"),
    ("task:train/44", "a part of the task's id"),
    ('word  "two words"  -word', "in the prompt, the completion or the reason; with -, in none of them"),
)
"""The filters, for the help: examples, and their meaning. A rollout must match every term."""

Test = Callable[[RolloutRow], bool]
TextTest = Callable[[Mapping[str, Any]], bool]

_TERM = re.compile(r"([a-z_]+)(?:\.([\w-]+))?(>=|<=|!=|[:=<>])(.+)", re.DOTALL | re.IGNORECASE)
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
_KEYS = ("step", "verdict", "status", "reason", "kind", "reward", "tokens", "cut", "change", "dropped", "task")
_TEXT_KEYS = ("reason", "kind")
_VERBATIM = re.compile(r"[a-z0-9 .,;:!?+*()=_'-]+")  # what JSON writes as it is
_QUOTES = "\"'"
_SIGNS = ":=<>"


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed filter: tests of a row, and tests that need the text of the rollout."""

    tests: Sequence[Test] = ()
    words: Sequence[str] = ()  # lower case; all must occur
    absent: Sequence[str] = ()  # lower case; none may occur
    text_tests: Sequence[TextTest] = ()
    marked: Sequence[str] = ()  # what was searched, to highlight it
    rewards: Sequence[str] = ()  # names of rewards that the filter compares
    changes: Sequence[
        tuple[str, bool]
    ] = ()  # a change by training that the task must have, or with False must not have

    @property
    def reads_text(self) -> bool:
        return bool(self.words or self.absent or self.text_tests)

    def matches_row(self, row: RolloutRow, changes: Mapping[str, str] = MappingProxyType({})) -> bool:
        """True if the row passes every test. The text is not tested here. `changes`: of the held-out tasks, by id."""
        if self.changes:
            change = "" if row.moment == TRAINING else changes.get(row.task, "")
            if any((change == wanted) != claim for wanted, claim in self.changes):
                return False
        return all(test(row) for test in self.tests)

    def matches_text(self, line: Mapping[str, Any]) -> bool:
        """True if the text of a rollout passes the words and the tests of its reason."""
        if not all(test(line) for test in self.text_tests):
            return False
        if not self.words and not self.absent:
            return True
        messages = [*(line.get("task") or {}).get("prompt", []), *(line.get("completion") or {}).get("messages", [])]
        text = "\n".join([*map(message_text, messages), reasons_text(line)]).lower()
        return all(word in text for word in self.words) and not any(word in text for word in self.absent)

    def may_match_text(self, data: bytes) -> bool:
        """False only if `matches_text` is False for this line of JSON. It looks at the bytes, so it costs little."""
        if not data.isascii() or b"\\u00" in data:
            return True
        lower = data.lower()
        return all(word.encode() in lower for word in self.words if _VERBATIM.fullmatch(word))

    def fault(self, rewards: Iterable[str]) -> str | None:
        """Return a sentence about each reward that the filter compares and that is not among `rewards`, or None."""
        known = sorted(rewards)
        faults = [
            f"no reward {name!r}{nearest(name, known)}; the rollouts have {', '.join(known)}"
            for name in self.rewards
            if known and name not in known
        ]
        return "; ".join(faults) or None


class Term(NamedTuple):
    """One term of a filter, without its quotation marks."""

    text: str
    is_quoted: bool  # from its beginning: it is text, whatever it contains


def parse(text: str) -> Query:
    """Parse `text` into a filter. Raises: R1Error, naming every term that cannot be parsed."""
    parts: dict[str, list[Any]] = {
        "tests": [],
        "words": [],
        "absent": [],
        "text_tests": [],
        "marked": [],
        "rewards": [],
    }
    parts["changes"] = []
    faults: list[str] = []
    for term in split_terms(text):
        match = None if term.is_quoted else _TERM.fullmatch(term.text)
        if match is None:
            absent = term.text[0] == "-" and len(term.text) > 1
            word = term.text.removeprefix("-") if absent else term.text
            parts["absent" if absent else "words"].append(word.lower())
            parts["marked"] += [] if absent else [word]
            continue
        name, part, sign, value = match.groups()
        key = name.lower()
        try:
            if key in _TEXT_KEYS:
                parts["text_tests"].append(_text_test(key, part, sign, value))
                parts["marked"] += [value] if key == "reason" and sign != "!=" else []
            elif key == "change":
                parts["changes"].append(_change(part, sign, value))
            else:
                parts["tests"].append(_test(key, part, sign, value))
                parts["rewards"] += [part] if part is not None else []
        except R1Error as error:
            faults.append(str(error))
    if faults:
        raise R1Error("; ".join(faults))
    return Query(**parts)


def split_terms(text: str) -> list[Term]:
    """Split a filter at its spaces. Quotation marks count at the start of a term, after `-` and after a comparison only,
    so that an apostrophe is a letter. Raises: R1Error where one is not closed.
    """
    terms: list[Term] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start, found, is_quoted = at, "", False
        while at < len(text) and not text[at].isspace():
            opens = at == start or (at == start + 1 and text[start] == "-") or text[at - 1] in _SIGNS
            if text[at] in _QUOTES and opens:
                end = text.find(text[at], at + 1)
                if end < 0:
                    raise R1Error("a quotation mark is not closed")
                is_quoted = is_quoted or at - start <= (text[start] == "-")
                found += text[at + 1 : end]
                at = end + 1
            else:
                found += text[at]
                at += 1
        if found:
            terms.append(Term(found, is_quoted))
    return terms


def select(index: RolloutIndex, query: Query) -> Iterator[RolloutRow]:
    """Yield the rows of `index` that pass `query`, in the order of training. Raises: R1Error if a file changes meanwhile."""
    changes = index.changes() if query.changes else {}
    rows = sorted((row for row in index.rows if query.matches_row(row, changes)), key=lambda row: row.order)
    return text_matches(index, query, rows)


def text_matches(index: RolloutIndex, query: Query, rows: Iterable[RolloutRow]) -> Iterator[RolloutRow]:
    """Yield those of `rows` whose text passes `query`. Lines that are damaged beyond what the list shows do not pass."""
    if not query.reads_text:
        yield from rows
        return
    for row, data in index.lines(rows):
        if not query.may_match_text(data):
            continue
        try:
            line = jsonl.parse(data, rollout_fault)
        except jsonl.DamagedLine:
            continue
        if query.matches_text(line):
            yield row


def reasons_text(line: Mapping[str, Any]) -> str:
    """Return the reasons that a rollout's verifier and rewards gave."""
    verdict, reasons = line.get("verdict"), line.get("reasons")
    found = [verdict.get("reason")] if isinstance(verdict, Mapping) else []
    found += list(reasons.values()) if isinstance(reasons, Mapping) else []
    return "\n".join(str(reason) for reason in found if reason)


def _text_test(key: str, part: str | None, sign: str, value: str) -> TextTest:
    _check_plain(key, part, sign)
    wanted = value.lower()

    def occurs(line: Mapping[str, Any]) -> bool:
        text = reasons_text(line) if key == "reason" else failure_kind(line) or ""
        return wanted in text.lower()

    return (lambda line: not occurs(line)) if sign == "!=" else occurs


def _change(part: str | None, sign: str, value: str) -> tuple[str, bool]:
    _check_plain("change", part, sign)
    return _one_of("change", value, CHANGES), sign != "!="


def _check_plain(key: str, part: str | None, sign: str) -> None:
    """Raise an R1Error where a filter that is no number is compared as one, or has a name after a dot."""
    if part is not None:
        raise R1Error(f"{key} takes no name after a dot; only reward.NAME does")
    if sign not in (":", "=", "!="):
        raise R1Error(f"{sign!r} works only for numbers: use ':' or '!='")


def _test(key: str, part: str | None, sign: str, value: str) -> Test:
    if key not in _KEYS:
        raise R1Error(
            f"no filter {key!r}{nearest(key, _KEYS)}; available: {', '.join(_KEYS)}; "
            f"put a text that contains {sign!r} in quotation marks"
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
        words = f", {BEFORE}, {AFTER} or held-out" if key == "step" else ""
        raise R1Error(f"{key}{sign}{value}: {value!r} is not a number{words}") from None
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
