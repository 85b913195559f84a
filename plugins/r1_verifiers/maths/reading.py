r"""An answer as it was written in, what it says out: a choice, words, or bare LaTeX with its unit and number base.

Gold answers and a model's are read alike, so that each gold answer is right against itself. Nothing is parsed as mathematics
here and nothing is evaluated; an answer that cannot mean what it seems to mean is refused.
"""

import re
from dataclasses import dataclass
from typing import Literal

from .signs import Refused, tidied
from .units import SCALES, split_unit

MAX_DEPTH = 12  # open braces, brackets and parentheses: the time to read them doubles with each

_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mbox|operatorname)\s*\{([^{}]*)\}")
_SPACE = re.compile(r"(?<!\\)\\(?:[,;:!>\s]|quad(?![A-Za-z])|qquad(?![A-Za-z]))|~")
_REWRITTEN = [
    (re.compile(r"\\displaystyle(?![A-Za-z])|\\(?:big|Big|bigg|Bigg)[lr]?(?![A-Za-z])"), ""),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"(?<=\d)\\[,!](?=\d{3}(?!\d))"), ","),
    (re.compile(r"(\\[dtc]?frac)\s*(\d)\s+(\d)(?!\d)"), r"\1{\2}{\3}"),
    (re.compile(r"_(\d)\s+(?=\d)"), r"_{\1} "),
    (re.compile(r"\A\\\{\s*[a-z]\s*(?:\\in\s*\\mathbb\s*\{?R\}?\s*)?(?:\\mid|\\vert|\||:)(.+)\\\}\Z"), r"\1"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"<="), r"\\le "),
    (re.compile(r">="), r"\\ge "),
    (re.compile(r"!="), r"\\neq "),
    (re.compile(r"(?<![A-Za-z\\])pi(?![A-Za-z])"), r"\\pi "),
    (re.compile(r"\\?\bsqrt\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<=[)\]])\s*U\s*(?=[(\[])"), r"\\cup "),
]
_PERCENT = re.compile(r"\s*(?:\\?%|\\text\s*\{\s*(?:%|percent)\s*\}|\bpercent\b)")
_CHOICE = re.compile(r"\(?\s*([A-E])\s*\)?\s*[.:)]?")
_CHOSEN = re.compile(
    r"(?:(?:option|choice|answer)\s*:?\s*)?(?:[(\[]\s*([A-Ea-e])\s*[)\]]|([A-E])(?=\s*[).:])|([A-Ea-e])\Z)\s*[.:)]?(.*)",
    re.IGNORECASE,
)
_OTHER_CHOICE = re.compile(r"[(\[]\s*[A-Ea-e]\s*[)\]]|\b(?:and|or)\b\s*\(?[A-Ea-e]\b|,\s*[A-E]\b")
_MONTHS = "january february march april may june july august september october november december"
_WORDS = re.compile(r"(?=.*[^\W\d_]{2})[^\W\d_][\w\s.,:;'’&?!-]*")
_DATE = re.compile(
    rf"\d{{1,2}}(?::\d\d)?\s*[ap]\.?\s?m\.?|[\w\s,]{{0,20}}\b(?:{'|'.join(_MONTHS.split())})\b[\w\s,]{{0,20}}",
    re.IGNORECASE,
)
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)"
_SCIENTIFIC = re.compile(rf"({_NUMBER})[eE]([-+]?\d+)")
_SCALED = re.compile(rf"({_NUMBER})\s*({'|'.join(SCALES)})s?\b(.*)", re.IGNORECASE)
_MIXED = re.compile(r"(-?\d+)\s+(\d+)\s*/\s*(\d+)")
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:([, ])\d{3})(?:\1\d{3})*(?:\.\d+)?")
_BASED = re.compile(r"(\d[\dA-Fa-f]*)\s*_\s*(?:\{\s*(?:\\text\{\s*)?(\w+)\s*\}?\s*\}|(\d+))")
_BASES = {
    name: str(base)
    for base, name in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), start=2)
}
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_UNCLEAR = [
    (re.compile(r"\d\s+\d"), "two numbers side by side"),
    (re.compile(r"\d\s*_"), "a number with an index"),
    (re.compile(r"\.\d+\."), "a number with two points"),
]


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer says. `text` is a letter, words in lower case, or bare LaTeX, as `kind` says."""

    kind: Literal["choice", "words", "maths"]
    text: str
    unit: str = ""  # "" where none is known
    base: str = ""  # of a number such as 12_8


def read_gold(text: str) -> Reading:
    """What a gold answer says. Raises: Refused."""
    text = tidied(text)
    words = _unwrapped_words(text)
    if choice := _CHOICE.fullmatch(words):
        return Reading("choice", choice[1])
    if _is_words(text, words):
        return Reading("words", _plain_words(words))
    return _read_maths(text, tight=False)


def read_answer(text: str, gold: Reading) -> Reading:
    """What an answer says, read as that kind of answer which the gold one is. Raises: Refused."""
    text = tidied(text)
    words = _unwrapped_words(text)
    if gold.kind == "choice":
        return Reading("choice", _chosen(words))
    if gold.kind == "words":
        return Reading("words", _plain_words(words))
    return _read_maths(text, tight=not re.search(r"[A-Za-z]", re.sub(r"\\[A-Za-z]+", "", gold.text)))


def _unwrapped_words(text: str) -> str:
    """`text` without the commands that set words in it."""
    text = _SPACE.sub(" ", text)
    for _ in range(3):  # one inside another
        text = _TEXT.sub(r"\1", text)
    return " ".join(text.replace("$", " ").split())


def _is_words(text: str, words: str) -> bool:
    """Whether a gold answer is words: a date, set as text, or with three letters in a row and no mathematics."""
    if _DATE.fullmatch(words):
        return True
    if not _WORDS.fullmatch(words):
        return False
    if re.search(r"[A-Za-z]{3}", words) and not re.fullmatch(r"(?:pi|sqrt|sin|cos|tan|log|ln|inf|infinity)\b.*", words):
        return True
    return words != text or words.lower() in ("no", "am", "pm", "up", "by")


def _plain_words(words: str) -> str:
    """Words in lower case, without quotes, stops and a leading article."""
    words = re.sub(r"[\"“”‘’'`*.!]", "", words).strip().casefold().removeprefix("the ")
    return re.sub(r"(?<=\d)\s+(?=[ap]m\b)", "", words)


def _chosen(words: str) -> str:
    """The one letter that an answer chooses. Raises: Refused."""
    found = _CHOSEN.fullmatch(words)
    if found is None or _OTHER_CHOICE.search(found[4]):
        raise Refused("chooses no one letter")
    return (found[1] or found[2] or found[3]).upper()


def _read_maths(text: str, tight: bool) -> Reading:
    """A quantity, or any other mathematics, as bare LaTeX. Raises: Refused."""
    if _FOREIGN_DIGIT.search(text):
        raise Refused("digits other than 0 to 9")
    text = _PERCENT.sub(lambda _: r"\%", text).removeprefix("=").strip()
    if scaled := _SCALED.fullmatch(text):
        text = rf"{scaled[1]} \times 10^{{{SCALES[scaled[2].lower()]}}}{scaled[3]}"
    text, unit = split_unit(text, tight)
    for pattern, replacement in _REWRITTEN:
        text = pattern.sub(replacement, text)
    text = " ".join(_SPACE.sub(" ", text).split())
    text = re.sub(r"(?<!\\)\$", "", text).strip().rstrip("\\").strip()
    based = _BASED.fullmatch(text)
    if based and (base := _BASES.get((based[2] or based[3]).lower(), based[2] or based[3])).isdigit():
        return Reading("maths", based[1].lstrip("0").upper() or "0", unit, base)
    if scientific := _SCIENTIFIC.fullmatch(text):
        if len(scientific[2].lstrip("+-0")) > 3:
            raise Refused("an exponent of more than 3 digits")
        text = rf"{scientific[1]} \times 10^{{{int(scientific[2])}}}"
    elif mixed := _MIXED.fullmatch(text):
        text = rf"{mixed[1]}\frac{{{mixed[2]}}}{{{mixed[3]}}}"
    elif _GROUPED.fullmatch(text):
        text = re.sub(r"[, ]", "", text)
    for pattern, reason in _UNCLEAR:
        if pattern.search(text):
            raise Refused(reason)
    if _depth(text) > MAX_DEPTH:
        raise Refused(f"more than {MAX_DEPTH} brackets deep")
    if not text:
        raise Refused("empty answer")
    return Reading("maths", text, unit)


def _depth(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign in "({[") - (sign in ")}]")
        deepest = max(deepest, depth)
    return deepest
