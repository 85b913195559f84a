r"""One reader for gold answers and answers: a text in, a typed value out, by a fixed order of decision.

1. a list of answers as data sets write it (`["1", "2"]`)
2. letters of a multiple choice; a date; a time of day
3. words
4. mathematics: statements between separators, with the conditions behind them
5. words and mathematics in turn, all of which counts
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from .evaluate import depth_of
from .lexer import Token, split, tokens
from .meaning import SAID_AGAIN, combined, enumerated, meaning
from .signs import CannotRead, tidied
from .statements import CONDITIONS, Statements
from .types import (
    Based,
    Choice,
    Clock,
    Conditioned,
    Constant,
    Date,
    NamedValue,
    Prose,
    RealSet,
    Relation,
    Several,
    Symbol,
    Value,
    Words,
)
from .units import is_unit_word, unit_name

_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|textnormal|mathrm|mathbf|mathit|mbox|operatorname|bf|rm)\s*\{([^{}]*)\}"
)
_SPACE = re.compile(r"(?<!\\)\\(?:[,;:!>\s]|quad(?![A-Za-z])|qquad(?![A-Za-z]))|~")
_LETTERS = "A-J"
_CHOICE = re.compile(
    rf"(?:(?:the )?(?:correct |right )?(?:option|choice|answer)(?: is)?\s*:?\s*)?[(\[]?\s*([{_LETTERS}])\s*[)\]]?\s*[.:)]?",
    re.IGNORECASE,
)
_CHOICE_WITH = re.compile(
    rf"(?:(?:option|choice|answer)\s*:?\s*)?(?:\(\s*([{_LETTERS}])\s*\)|([{_LETTERS}])\s*[).:](?!\d))\s*[.:]?\s*(\S.*)",
    re.DOTALL,
)
_CHOICES = re.compile(
    r"\(?\s*[A-H]\s*\)?(?:\s*(?:,\s*and\b|[,;&、和与]|\band\b|\s)\s*\(?\s*[A-H]\s*\)?)+\.?|\(\s*[A-H](?:\s*,\s*[A-H])+\s*\)"
)
_RUN = re.compile(r"[A-H]{2,6}")
_CIRCLED = re.compile(r"\\textcircled\s*\{\s*(?:\\\w+\s*)?(\d)\s*\}")
_LABELS = re.compile(r"(?:\(\d\)[\s,、]*(?:and\s*)?){2,}")
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_MONTH = "|".join([*_MONTHS, *(f"{month[:3]}\\.?" for month in _MONTHS), r"sept\.?"])
_DATES = [
    re.compile(
        rf"(?:[a-z]+day,?\s+)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:\s+of)?\s+(?P<month>{_MONTH})(?:,?\s+(?P<year>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:[a-z]+day,?\s+)?(?P<month>{_MONTH})\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?",
        re.IGNORECASE,
    ),
    re.compile(rf"(?P<month>{_MONTH})(?P<day>)\s+(?P<year>\d{{4}})", re.IGNORECASE),
]
_CLOCK = re.compile(r"(\d{1,2})(?:\s*:\s*(\d\d))?(?:\s*:\s*(\d\d))?\s*([ap])\.?\s?m\.?", re.IGNORECASE)
_BASED = re.compile(
    r"(?P<bracket>(?:\\left)?\()?(?P<digits>-?(?=[A-Z]*\d)[0-9A-Z]+)(?(bracket)(?:\\right)?\))"
    r"_(?:\{\(?(?:\\(?:text|mathrm)\{)?(?P<base>\w+)\}?\)?\}|(?P<figure>\d+))"
)
_BASES = {
    name: base
    for base, name in enumerate(
        ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"), start=2
    )
}
_UNIT_IN_BRACKETS = re.compile(
    r"(?P<value>.*[\d}%\])'])\s*\((?P<unit>[A-Za-z][A-Za-z'’ ./²³-]*(?:\^\{?[23]\}?)?)\)", re.DOTALL
)
_PLAIN_REWRITES = [
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"\b(?:equals|is\s+equal\s+to)\b"), "="),
    (re.compile(r"(?<![A-Za-z\\])Rs\.?\s*(?=\d)"), "₹"),
    (re.compile(r"(?<=\d)(?:st|nd|rd|th)\b(?!\s*(?:root|power))"), ""),
    (re.compile(r"\\\$"), r"\\$"),
    (re.compile(r"\\(?:raisebox|hskip)\{[^{}]*\}"), ""),
    (re.compile(r"\^\s*\\prime\s*\\prime"), "''"),
    (re.compile(r"\^\{\s*\\prime\s*\\prime\s*\}"), "''"),
    (re.compile(r"\^\{?\s*\\prime\s*\}?"), "'"),
    (re.compile(r"″|\"(?=\Z)"), "''"),
    (re.compile(r"[′]"), "'"),
    (re.compile(r"\.\.\.+|…"), r"\\ldots "),
    (re.compile(r"<>|=/="), r"\\neq "),
    (re.compile(r"\bi\.\s*e\.|\bthat\s+is\b(?=[,\s]*[$\\\d.}])"), " namely "),
    (re.compile(r"(?<![\d.])(\d+)\.\((\d+)\)"), r"\1.\\overline{\2}"),
]
_LEADS = re.compile(
    r"\A(?:(?:so|thus|hence|therefore|then)[,\s]+)*(?:the\s+)?(?:(?:final|correct|complete)\s+)?(?:answers?|solutions?|solution set|result)\s*(?:is|are|:|=)\s*:?\s*",
    re.IGNORECASE,
)
_WITH_UNITS = frozenset(["^", "/", ".", "cdot", "*", "-", "{", "}", "(", ")", "1", "2", "3", "4"])
_SEPARATORS = {",", ";", "and", "or", "、", "quad", "\\", "wedge", "vee", "&", *SAID_AGAIN}
_YES_BECAUSE = re.compile(r"(yes|no)\s*[,.;:]?\s+(?:because|since|as)\b", re.IGNORECASE)
_FOREIGN_DIGIT = re.compile(r"[^\D0-9]")
_MAX_DEPTH = 120  # operators inside each other: traversing a value is recursive
_NUMBERS = {
    "ZZ": {"integer", "integers"},
    "RR": {"real", "reals"},
    "QQ": {"rational", "rationals"},
    "NN": {"natural", "naturals"},
}
_NEGATED = re.compile(r"\b(?:not|no|never|none|nor|if|or|only)\b")
_NOISE = frozenset(["either", "both", "only", "also", "exactly", "just", "simply"])


def read(text: str, symbols: frozenset[str] = frozenset()) -> Value:
    """The typed value of an answer. `symbols`: letters that are units where they end the text, behind a number. Raises: CannotRead."""
    text = _CIRCLED.sub(r"(\1)", tidied(text))
    if _FOREIGN_DIGIT.search(text):
        raise CannotRead("digits other than 0 to 9")
    if (cells := _list_cell(text)) is not None:
        return combined([(read(cell), ",") for cell in cells])
    words = unwrapped(text)
    for reader in (read_choice, _labels, _date, _clock, _based):
        if (value := reader(words)) is not None:
            return value
    return _mathematics(text, symbols)


def unwrapped(text: str) -> str:
    """`text` without the commands that set words in it."""
    text = _SPACE.sub(" ", text)
    for _ in range(3):  # one inside another
        text = _TEXT.sub(r"\1", text)
    return " ".join(text.replace("$", " ").split())


_CELL = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")\s*(,|\Z)")


def _list_cell(text: str) -> list[str] | None:
    """The texts of a list of strings in JSON or in Python's spelling."""
    if not (text.startswith("[") and text.endswith("]") and re.match(r"\[\s*['\"]", text)):
        return None
    cells, at, inside = [], 0, text[1:-1]
    while at < len(inside):
        found = _CELL.match(inside, at)
        if found is None:
            return None
        cells.append((found[1] or found[2] or "").replace("\\\\", "\\"))
        at = found.end()
    return cells if cells and all(cell.strip() for cell in cells) else None


def read_choice(words: str) -> Choice | None:
    """Letters of a multiple choice, with the text after a single one; None for anything else."""
    if len(words) == 1 and not words.isupper():
        return None
    if (found := _CHOICE.fullmatch(words)) and (found[1].isupper() or len(words) > 3):
        return Choice(found[1].upper()) if found[1].isupper() else None
    if _RUN.fullmatch(words) and list(words) == sorted(set(words)):
        return Choice(words)
    if _CHOICES.fullmatch(words):
        letters = re.findall("[A-H]", words)
        if len(set(letters)) == len(letters):
            return Choice("".join(sorted(letters)))
        return None
    if found := _CHOICE_WITH.fullmatch(words):
        if re.match(r"(?:and|or)\b|[,;&(]|[-+*/=^<>]", found[3]):
            return None
        try:
            content: Value | None = read(found[3])
        except CannotRead:
            content = Words(found[3].casefold())
        return Choice(found[1] or found[2], content)
    return None


def _labels(words: str) -> Choice | None:
    """Numbers of statements, as `(1)(3)`."""
    if not _LABELS.fullmatch(words):
        return None
    found = re.findall(r"\d", words)
    return Choice("".join(sorted(found))) if len(set(found)) == len(found) else None


def _date(words: str) -> Date | None:
    for pattern in _DATES:
        if found := pattern.fullmatch(words.strip(" .")):
            month = next(index for index, name in enumerate(_MONTHS, 1) if name.startswith(found["month"][:3].lower()))
            return Date(
                int(found["day"]) if found["day"] else None, month, int(found["year"]) if found["year"] else None
            )
    return None


def _clock(words: str) -> Clock | None:
    found = _CLOCK.fullmatch(words.strip())
    if found is None or not 1 <= int(found[1]) <= 12 or int(found[2] or 0) > 59:
        return None
    return Clock(int(found[1]), int(found[2] or 0), int(found[3] or 0), found[4].lower() + "m")


def _based(words: str) -> Based | None:
    found = _BASED.fullmatch(words.replace(" ", "").replace("\\text", "").rstrip("."))
    if found is None:
        return None
    named = (found["base"] or found["figure"]).lower()
    base = _BASES.get(named) or (int(named) if named.isdigit() and len(named) < 3 else 0)
    digits = found["digits"].lstrip("-")
    if not 2 <= base <= 36 or any(int(digit, 36) >= base for digit in digits):
        return None
    return Based(("-" if found["digits"].startswith("-") else "") + (digits.lstrip("0").upper() or "0"), base)


def _mathematics(text: str, symbols: frozenset[str]) -> Value:
    for pattern, replacement in _PLAIN_REWRITES:
        text = pattern.sub(replacement, text)
    if (
        (found := _UNIT_IN_BRACKETS.fullmatch(text))
        and (len(found["unit"]) > 1 or is_unit_word(found["unit"]))
        and "=" not in text
    ):
        text = rf"{found['value']} \text{{ {found['unit']}}}"
    text = _LEADS.sub("", text) or text
    if found := _YES_BECAUSE.match(unwrapped(text)):
        return Words(found[1].casefold())
    read_tokens = tokens(text)
    if symbols:
        read_tokens = _with_units(read_tokens, symbols)
    if len(read_tokens) > 1 and read_tokens[-1].text == read_tokens[-2].text == ".":
        raise CannotRead("ends in two points")
    while (
        read_tokens
        and read_tokens[-1].text in (".", ",", ";", ":", "\\", "quad")
        and read_tokens[-1].kind in ("sign", "command")
    ):
        read_tokens.pop()
    if not read_tokens:
        raise CannotRead("empty answer")
    if (words := _only_words(read_tokens, text)) is not None:
        return Words(words)
    try:
        return listed(read_tokens)
    except CannotRead:
        if not any(token.kind == "word" for token in read_tokens):
            raise
        return _prose(read_tokens)
    except RecursionError:
        raise CannotRead("operators nested too deep") from None


def _with_units(found: list[Token], symbols: frozenset[str]) -> list[Token]:
    """Tokens whose last letters, behind a number, are units."""
    for at in range(1, len(found)):
        before = found[at - 1]
        is_behind_value = before.kind == "number" or before.text in (")", "}")
        if (
            is_behind_value
            and (found[at].kind in ("letter", "unit") or _is_micro(found[at]))
            and (units := _all_units(found[at:], symbols))
        ):
            return [*found[:at], *units]
    return found


def _all_units(found: list[Token], symbols: frozenset[str]) -> list[Token] | None:
    """Tokens as units, their exponents and what joins them; None where there is anything else."""
    units: list[Token] = []
    at = 0
    while at < len(found):
        token, size = found[at], 1
        if token.kind == "letter" or _is_micro(token):
            size = next((size for size in (4, 3, 2, 1) if _run(found[at : at + size], size) in symbols), 0)
            if not size:
                return None
            token = replace(token, kind="unit", text=unit_name(_run(found[at : at + size], size)))
        elif token.kind != "unit" and token.text not in _WITH_UNITS:
            return None
        units.append(token)
        at += size
    return units


def _is_micro(token: Token) -> bool:
    return token.kind == "command" and token.text == "mu"


def _run(found: list[Token], size: int) -> str:
    """The word that so many letters make without space between them; "" where they do not."""
    if len(found) < size or any(token.spaced and not _is_micro(before) for before, token in pairwise(found)):
        return ""
    return "".join("μ" if _is_micro(token) else token.text if token.kind == "letter" else " " for token in found)


def _only_words(found: list[Token], text: str) -> str | None:
    """The words of an answer that has no mathematics in it; None where it has."""
    if any(token.kind in ("number", "unit") or (token.kind == "command" and token.text != "quad") for token in found):
        return None
    if any(token.kind == "sign" and token.text in "+*/^=<>|_[]{}%$~" for token in found):
        return None
    if not any(token.kind == "word" for token in found):
        return None
    if all(token.kind == "word" and token.text in _SEPARATORS or token.kind != "word" for token in found):
        return None
    return plain_words(unwrapped(text))


def plain_words(words: str) -> str:
    """Words in lower case, without quotes, stops, empty brackets and a leading article."""
    words = re.sub(r"[\"“”‘’'`*.!?，。：:;,]", "", words.casefold())
    words = " ".join(words.replace("-", " ").split())
    return re.sub(r"\A(?:the|a|an) ", "", words)


def listed(found: list[Token]) -> Value:
    """Statements between separators, with the conditions behind them. Raises: CannotRead."""
    whole = Statements(found)
    if (composite := whole.composite()) is not None and whole.ends():
        return composite
    is_value = False
    environments = 0
    for index, token in enumerate(found):
        is_value |= token.kind != "word"
        if token.kind == "command":
            environments += token.text.startswith("begin:") - token.text.startswith("end:")
        if is_value and token.kind == "word" and token.text in CONDITIONS and not environments:
            main = [*found[:index]]
            while main and main[-1].text in (",", ";"):
                main.pop()
            return Conditioned(listed(main), conditions(found[index + 1 :]))
    parts: list[tuple[Value, str]] = []
    for part, separator in split(found, lambda token: token.text in _SEPARATORS and token.kind != "letter"):
        while part and part[0].kind == "word" and part[0].text in _NOISE:
            part = part[1:]
        if not part:
            if parts and (separator in SAID_AGAIN or (separator == "or" and not isinstance(parts[-1][0], RealSet))):
                parts[-1] = parts[-1][0], separator
            continue
        if all(token.kind == "word" for token in part):
            if parts and part[0].text in ("for", "where", "any", "all"):
                continue
            parts.append((Words(plain_words(" ".join(token.text for token in part))), separator))
            continue
        parts.append((_statement(part), separator))
    if not parts:
        raise CannotRead("empty answer")
    return combined(parts)


def _statement(part: list[Token]) -> Value:
    if part[0].text == "]" and len(part) > 3:
        part = [Token("sign", "("), *part[1:]]
    if part[-1].text == "[" and part[-1].kind == "sign":
        part = [*part[:-1], Token("sign", ")")]
    both = _both_forms(part)
    if both is not None:
        return both
    parser = Statements(part)
    value = parser.statement()
    parser.refuse_rest()
    if depth_of(value) > _MAX_DEPTH:
        raise CannotRead("operators nested too deep")
    return meaning(value)


def _both_forms(part: list[Token]) -> Value | None:
    """`x < 3 : (-\\infty, 3)`, one set in two forms."""
    pieces = split(part, lambda token: token.kind == "sign" and token.text == ":")
    if len(pieces) != 2 or not any(token.text in ("<", ">", "le", "ge", "neq") for token in pieces[0][0]):
        return None
    from .compare import agree

    try:
        first, second = (_statement(piece) for piece, _ in pieces)
    except CannotRead:
        return None
    if agree(first, second):
        return second
    raise CannotRead("two forms that do not agree")


def conditions(found: list[Token]) -> tuple[Value, ...]:
    """Read a condition on the letters of an answer; unreadable parts are kept as words."""
    values: list[Value] = []
    for part, _ in split(
        found, lambda token: token.text in _SEPARATORS or (token.kind == "word" and token.text in ("is", "are", "with"))
    ):
        mathematics = [token for token in part if token.kind != "word" and token.text != "."]
        if mathematics:
            try:
                values.append(_statement(mathematics))
            except CannotRead:
                values.append(Words(" ".join(token.text for token in part)))
        if (within := _set_in_words(part)) is not None:
            values = [meaning(Relation((one, within), ("in",))) if isinstance(one, Symbol) else one for one in values]
    return tuple(enumerated(values))


def _set_in_words(part: list[Token]) -> Constant | None:
    """The set of numbers that words name: `k is an integer`, `for any real t`."""
    words = {token.text for token in part if token.kind == "word"}
    names = {name for name, spelled in _NUMBERS.items() if words & spelled}
    if len(names) != 1 or words & {"nonnegative", "non", "negative", "odd", "even"}:
        return None
    return Constant(f"{'ZZ' if names == {'NN'} else names.pop()}+" if "positive" in words else names.pop())


def _prose(found: list[Token]) -> Value:
    """Words and mathematics in turn. Raises: CannotRead where there is no more than words that were not read."""
    parts: list[Value] = []
    run: list[Token] = []
    words: list[str] = []

    def close_words() -> None:
        if words:
            parts.append(Words(plain_words(" ".join(words))))
            words.clear()

    def close_run() -> None:
        if not any(token.kind in ("number", "letter", "command") for token in run):
            run.clear()
            return
        close_words()
        parts.append(_piece(run))
        run.clear()

    for token in found:
        if token.kind == "word" or (
            token.kind == "letter" and token.text == "a" and token.spaced and words and not run
        ):
            close_run()
            words.append(token.text)
        elif token.kind == "unit" and not run:
            words.append(token.text)
        elif token.kind == "sign" and token.text in ".,;:!?" and not run:
            continue
        elif token.kind == "sign" and token.text == "." and run:
            close_run()
        else:
            run.append(token)
    close_run()
    close_words()
    if len(parts) < 2:
        raise CannotRead("words and signs that cannot be read")
    first = parts[0]
    if (
        len(parts) == 2
        and isinstance(first, Words)
        and not isinstance(parts[1], Words)
        and re.fullmatch(r".* (?:is|are|equals)", first.text)
        and not _NEGATED.search(first.text)
    ):
        return parts[1]  # a sentence such as "The mode is 1/3."
    return Prose(tuple(parts))


def _piece(run: list[Token]) -> Value:
    trimmed = list(run)
    while trimmed and trimmed[-1].text in (",", ";", ":", ".", "quad", "\\"):
        trimmed.pop()
    try:
        return listed(trimmed)
    except (CannotRead, RecursionError):
        return Words(" ".join(token.text for token in trimmed))


__all__ = ["NamedValue", "Several", "plain_words", "read", "read_choice", "unwrapped"]
