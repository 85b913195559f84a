r"""The check of mathematical answers: both are read into typed values, and the types say how they are compared.

`check` may hang on what a model wrote: call it in a worker process. `decide` does not, and answers what takes no algebra.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import r1sdk

from .compare import same
from .evaluate import letters
from .extract import answer_region, answer_text, last_box
from .parameters import renamings
from .reader import plain_words, read, read_choice, unwrapped
from .signs import MAX_LENGTH, CannotRead, tidied
from .types import Approximate, Based, Choice, Constant, NamedValue, Number, Prose, Quantity, Value, Words
from .units import ALL_SYMBOLS, USUAL_LETTERS, differ

Mode = Literal["r1", "trl"]
_GSM8K = "####"  # stands before the answer at the end of a solution
_LEAD = re.compile(r"\A(?:so|thus|hence|therefore|then)[,:]?\s+(?=[$\\])", re.IGNORECASE)
_CHOSEN = re.compile(
    r"(?:(?:so|thus|hence|therefore|then)\b[,:]?\s+)?(?:(?:the\s+)?(?:correct\s+|right\s+)?(?:option|choice|answer)\s*(?:is)?\s*:?\s*)?"
    r"(?:[(\[]\s*([A-Ja-j])\s*[)\]]|([A-J])(?=\s*[).:]|\s+because\b|\s+since\b|\s+is\s+(?:the\s+)?(?:correct|right)(?:\s+(?:answer|option|choice))?\.?\Z)|([A-Ja-j])\.?\Z)\s*[.:)]?(.*)",
    re.IGNORECASE | re.DOTALL,
)
_RUN = re.compile(r"[A-H]{2,6}")
_OTHER_CHOICE = re.compile(r"[(\[]\s*[A-Ja-j]\s*[)\]]|\b(?:and|or)\b\s*\(?[A-Ja-j]\b|,\s*[A-J]\b")
_YES_NO = re.compile(
    r"(yes|no|true|false)\b(?=\s*(?:[,.;:!\u2014-]|because\b|since\b|it\b|they\b|the\b|this\b|as\b|\Z))(.*)", re.DOTALL
)
_OPPOSITE = {"yes": re.compile(r"\bno\b(?!\s+[a-z])|\A\W*no\b"), "no": re.compile(r"\byes\b"), "true": re.compile(r"\bfalse\b"), "false": re.compile(r"\btrue\b")}  # fmt: skip
_NO_ANSWERS = {
    "proof",
    "proof problem",
    "proof required",
    "proven",
    "proved",
    "see solution",
    "see the solution",
    "notfound",
    "not found",
}
_SAME_WORDS = (
    {"dne", "does not exist", "limit does not exist", "do not exist"},
    {"no solution", "no solutions", "there is no solution", "there are no solutions", "none", "empty set", "no such solution"},
    {"no real solution", "no real solutions", "there are no real solutions", "there is no real solution"},
    {"infinitely many", "infinitely many solutions", "infinite", "infinite solutions", "infinite number of solutions", "infinity", "there are infinitely many solutions", "infinite many"},
    {"all real numbers", "all reals", "set of all real numbers", "any real number", "real numbers", "all real"},
)  # fmt: skip


def check(reply: str, gold: str, mode: Mode = "r1", problem: str = "") -> r1sdk.Verdict:
    r"""1.0 if the answer that `reply` gives equals `gold`, else 0.0 with the reason; `unverifiable` if `gold` cannot be read.

    Mode "r1": the answer is in the answer tag, or in the last `\boxed` after the think block; docs/maths.md says what is read.
    `problem`: what was asked; a left side that stands in it, as `2x + y` in "find 2x + y", may name the answer.

    Mode "trl": math-verify's verdict on the whole reply, thinking included, as TRL's `accuracy_reward` computes it.
    """
    if mode == "trl":
        from . import equivalence

        return equivalence.trl_verdict(reply, gold)
    return check_answer(answer_for(reply, gold), gold, problem)


def answer_for(reply: str, gold: str) -> str | None:
    """The text of `reply` that is compared with `gold`: its answer, or all of it where the gold answer is a sentence."""
    known = _gold(gold)
    if isinstance(known, Prose | Words):
        region = answer_region(reply)
        if (
            region is not None
            and last_box(region) is None
            and (isinstance(known, Prose) or _has_same_words(region, known))
        ):
            return region
    return answer_text(reply)


def _has_same_words(text: str, gold: Words) -> bool:
    return len(text) <= MAX_LENGTH and plain_words(unwrapped(text)) == gold.text


def check_answer(written: str | None, gold: str, problem: str = "") -> r1sdk.Verdict:
    """The verdict of mode "r1" on an answer as it was written; None: there is none."""
    return _judge(written, gold, problem, slow=True)


def decide(written: str | None, gold: str, problem: str = "") -> r1sdk.Verdict | None:
    """The verdict of mode "r1" where it takes no algebra, in time linear in the answer; None where it does."""
    try:
        return _judge(written, gold, problem, slow=False)
    except _NeedsAlgebra:
        return None


def gold_value(gold: str) -> Value:
    """The typed value of a gold answer. Raises: ValueError with the reason where it says nothing that can be verified."""
    known = _gold(gold)
    if isinstance(known, str):
        raise ValueError(known)  # noqa: TRY004 - the text of the answer is at fault, no type
    return known


def variants(gold: str) -> Iterator[str]:
    """Wrong answers close to `gold`; none of them may earn anything. Nothing for a gold answer that cannot be read."""
    from .near_misses import near

    known = _gold(gold)
    if not isinstance(known, str):
        yield from near(known, gold_text(gold))


class _NeedsAlgebra(Exception):
    """Only math-verify can tell."""


def _judge(written: str | None, gold: str, problem: str, slow: bool) -> r1sdk.Verdict:
    """The verdict. `slow`: math-verify may be asked. Raises: _NeedsAlgebra."""
    known = _gold(gold)
    if isinstance(known, str):
        return r1sdk.Verdict(None, "unverifiable", reason=f"the gold answer {gold!r:.80}: {known}")
    if written is None or not written.strip():
        return r1sdk.Verdict(0.0, reason="no answer")
    try:
        is_right = _matches(known, written, problem)
        if is_right is None:
            if not slow:
                raise _NeedsAlgebra
            is_right = _by_algebra(written, gold)
        reason = "" if is_right else f"is not {gold:.80}"
    except CannotRead as refused:
        reason = str(refused)
    return r1sdk.Verdict(0.0 if reason else 1.0, extracted=written.strip()[:MAX_LENGTH], reason=reason)


@lru_cache(maxsize=16384)
def _gold(gold: str) -> Value | str:
    """A gold answer that was read, or the reason why it cannot be."""
    try:
        value = read(gold_text(gold))
    except CannotRead as refused:
        return str(refused)
    if isinstance(value, Words) and value.text in _NO_ANSWERS:
        return "asks for a proof, which is no answer" if value.text.startswith("pro") else "no answer is given"
    return value


def gold_text(gold: str) -> str:
    """The answer in a gold text, which may be a whole solution with its answer in a box or behind `####`."""
    found = last_box(gold)
    if found is None:
        found = gold.rpartition(_GSM8K)[2]
    return _LEAD.sub("", found.strip())


def _matches(gold: Value, written: str, problem: str) -> bool | None:
    """Return True if an answer means the same as `gold`. Raises: CannotRead where it cannot be read."""
    if isinstance(gold, Words):
        return _says_words(gold, written)
    if isinstance(gold, Choice):
        return _chooses(gold, written, problem)
    if isinstance(gold, Based) and not gold.digits.lstrip("-").isdigit():
        plain = re.sub(r"[\s{}$\\]|text|mathrm|boxed", "", tidied(written))
        if plain.upper() == gold.digits:
            return True
    answer = read(written, _unit_symbols(gold))
    if isinstance(gold, Quantity) and isinstance(answer, Quantity) and differ(gold.unit, answer.unit):
        raise CannotRead(f"is in {answer.unit}, not in {gold.unit}")
    if isinstance(answer, Based) and isinstance(gold, Number) and answer.base != 10:
        raise CannotRead(f"is a number to base {answer.base}")
    found = same(gold, answer, problem)
    if found is not True and any(same(gold, one, problem) for one in renamings(gold, answer, problem)):
        return True
    return found


def _unit_symbols(gold: Value) -> frozenset[str]:
    """Symbols that are units even where nothing sets them apart: none if `gold` has letters, all if it is a quantity."""
    if letters(gold):
        return frozenset()
    bare = gold.value if isinstance(gold, NamedValue | Approximate) else gold
    return ALL_SYMBOLS if isinstance(bare, Quantity) else USUAL_LETTERS


def _says_words(gold: Words, written: str) -> bool:
    text = tidied(written)
    words = plain_words(unwrapped(text))
    ours = gold.text
    same_words = next((group for group in _SAME_WORDS if ours in group), {ours})
    if words in same_words:
        return True
    said = re.fullmatch(r"((?:\w+ ){1,7}(?:is|are|was|on|called)|(?:\w+ ){0,7}(?:has|have)) (?:an? |the )?(.+?)", words)
    if said and said[2] in same_words and not re.search(r"\b(?:not|or|never|if)\b", said[1]):
        return True
    if re.sub(r"\A(?:it is|its|answer is|it|is) ", "", words) == ours:
        return True
    if (found := _YES_NO.match(unwrapped(text).casefold())) and ours == found[1]:
        return not _OPPOSITE[ours].search(found[2])
    try:
        value = read(text)
    except CannotRead:
        return False
    return same(gold, value) is True or (value == Constant("infinity") and ours in ("infinity", "infinite"))


def _chooses(gold: Choice, written: str, problem: str) -> bool | None:
    words = unwrapped(tidied(written))
    if (choice := read_choice(words)) is not None:
        return same(gold, choice, problem)
    if len(gold.letters) > 1 and _RUN.fullmatch(words) and len(set(words)) == len(words):
        return "".join(sorted(words)) == gold.letters
    if len(gold.letters) == 1:
        found = _CHOSEN.fullmatch(words)
        if found is not None and not _OTHER_CHOICE.search(found[4]):
            return (found[1] or found[2] or found[3]).upper() == gold.letters
    if gold.content is None and len(gold.letters) == 1:
        raise CannotRead("chooses no one letter")
    return same(gold, read(written), problem)


def _by_algebra(written: str, gold: str) -> bool:
    from . import equivalence

    return equivalence.equal(tidied(written), tidied(gold_text(gold))).value == 1.0
