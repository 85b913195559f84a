r"""The formula around a box: `2\boxed{3}` says six and `\sqrt{\boxed{9}}` three, but `x = \boxed{5}` and `\boxed{5}, as said` five.

Text in, text out, as in `extract`. Only what multiplies, adds to, raises or holds the box is a part of the answer.
"""

from __future__ import annotations

import re
from fractions import Fraction

from .units import is_unit_word

_LOOKED_AT = 240  # characters on either side of a box
_DELIMITER = re.compile(r"\\\\|\\\$|\$\$?|\\[\[\]()]")
_CLOSED_BY = {"$": "$", "$$": "$$", r"\[": r"\]", r"\(": r"\)"}
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[A-Za-z]+|.", re.DOTALL)
_OPERATORS = "cdot|times|div|pm|mp|ast|cup|cap|setminus"
_FUNCTIONS = "sqrt|sin|cos|tan|cot|sec|csc|arcsin|arccos|arctan|log|ln|lg|exp|[dtc]?frac|[dt]?binom"
_MATHEMATICS = re.compile(
    rf"\\(?:{_OPERATORS}|{_FUNCTIONS}|pi|infty|alpha|beta|gamma|delta|theta|lambda|mu|phi|omega|sigma|Omega|circ|degree)\Z"
)
_STYLE = r"left|right|[bB]igg?[lrm]?|displaystyle|textstyle|tiny|small|large|Large|LARGE|huge|Huge|bf|rm|limits"
_UNSEEN = re.compile(rf"\\(?:{_STYLE}|[,;:!>\s$])\Z")
_NOTHING = re.compile(
    rf"(?:[\s~'(){{}}\[\]*+]|\^\{{?(?:\\prime\s*|\\circ)+\}}?|\\(?:{_STYLE})(?![A-Za-z])|\\[,;:!>\s$])*"
)
_LOOSE_END = re.compile(rf"(?:[-+*/\s~]|\\(?:{_OPERATORS})(?![A-Za-z])|\\[,;:!>\s])+\Z")
_RELATES = "=<>,;:&|≈≤≥≠→⇒"
_SHORT_WORDS = frozenset(["is", "or", "so", "be", "to", "as", "by", "if", "in", "we", "of", "at", "an"])
_ORDINAL = re.compile(r"\^\s*(?:\{\s*)?(?:\\(?:text|mathrm|textrm)\s*\{)?\s*(?:th|st|nd|rd|o)(?![A-Za-z])\s*\}{0,2}")
_ASIDE = re.compile(r"[=<>]|\\(?:text|mathrm|mbox|le|leq|ge|geq|ne|neq|in|p?mod|bmod|q?quad)(?![A-Za-z])|[A-Za-z]{3,}")
_UNIT_COMMAND = re.compile(r"\\(?:mu|Omega|cdot|circ|mathrm|text|textrm|rm)(?![A-Za-z])")
_UNIT = re.compile(
    rf"(?=[\s~{{]*(?:[A-Za-z]|{_UNIT_COMMAND.pattern}))(?:[\s~{{}}/^0-9-]|\\[,;:!\s]|{_UNIT_COMMAND.pattern}|[A-Za-z]+)*"
)
_SPACE = re.compile(r"\s*(?:(?:~|\\[,;:>\s])\s*)+")
_DENIED = re.compile(r"(?:\\(?:neq?|neg|lnot|not\s*=)|≠)\s*\Z")
_CONSTANT = r"\s*(-?)\s*(?:(\d+)(?:\.(\d+))?|\\[dt]?frac\s*(?:\{(\d+)\}\s*\{(\d+)\}|(\d)\s*(\d)))\s*"
_SIDE_BEFORE = re.compile(rf"(?:\A|=){_CONSTANT}=\s*\Z")
_SIDE_BEHIND = re.compile(rf"\s*={_CONSTANT}[.,;]?\s*\Z")
_CHOICE = re.compile(r"\s*[A-J]\s*")
_HEAD = re.compile(rf"\\(?:{_FUNCTIONS})\s*(?:\[[^\[\]]*\]\s*)?\Z")
_FRACTION = re.compile(r"\\(?:[dtc]?frac|[dt]?binom)\s*\Z")
# Outside of a formula only what is LaTeX beyond doubt belongs to a box: a dash or a point in a sentence does not.
_BARE_BEFORE = re.compile(rf"(?:[0-9)}}]\s*(?:\\(?:{_OPERATORS})|[*/^])\s*|[0-9}}]|\\pi\s*|\\sqrt\s*)\Z")
_BARE_BEHIND = re.compile(
    rf"\s*(?:\^|\\(?:{_OPERATORS}|{_FUNCTIONS}|pi)(?![A-Za-z])|[-+/]\s*(?:[0-9(]|\\[A-Za-z])|\*\s*[0-9])"
)


def with_formula(text: str, start: int, end: int, content: str, behind: str, closing: dict[int, int]) -> str | None:
    """The answer that the formula around a box states, None where that is the box alone.

    The box stands at `start` to `end` of `text`, with `content` in it and a percent sign or a unit `behind` it that belongs to it;
    `closing`: the closing brace of each opening one.
    """
    low, high = max(0, start - _LOOKED_AT), min(len(text), end + _LOOKED_AT)
    formula = _formula(text, start, end)
    if formula is not None:
        low, high = max(low, formula[0]), min(high, formula[1])
    else:
        low = max(low, text.rfind("\n", 0, start) + 1)
        high = min(high, found if (found := text.find("\n", end)) >= 0 else high)
    if _DENIED.search(text, low, start):
        return rf"\neq {content}"
    if formula is not None and not behind and (side := _other_side(text[low:start], content, text[end:high])):
        return f"{content}={side}"
    around = [(opened, closed) for opened, closed in closing.items() if low <= opened < start and end <= closed < high]
    said, is_joined = f"{{{content}}}{behind}", False
    for opened, closed in [*sorted(around, reverse=True), (low - 1, high)]:
        first, last = _before(text, opened + 1, start, closing), _behind(text, end, closed, closing)
        first, last = _balanced(text, first, start, end, last)
        before, after = text[first:start], text[end:last]
        if formula is None:
            before = before if _BARE_BEFORE.search(before) else ""
            after = after if _BARE_BEHIND.match(after) else ""
        if _is_unit(text[end:closed], last - end):
            after = ""
        after = _LOOSE_END.sub("", _ORDINAL.sub("", after, count=1) if _ORDINAL.match(after) else after)
        if not _NOTHING.fullmatch(before) or not _NOTHING.fullmatch(after):
            is_joined = is_joined or before.strip() != "-" or bool(after)
            said = f"{before}{said}{after}"
        if opened < low:
            break
        head, tail = _head(text, opened, closed, closing)
        is_joined = is_joined or head < opened
        said = f"{text[head:opened]}{{{said}}}{text[closed + 1 : tail]}"
        start, end = head, tail
    return said if is_joined else None


def _other_side(before: str, content: str, behind: str) -> str:
    """The number that a formula says a number in a box to be, where that is another one; else ""."""
    boxed = re.fullmatch(_CONSTANT, content)
    ends = not behind.strip(" \n.,;") or _SIDE_BEHIND.match(behind)
    for side in (ends and _SIDE_BEFORE.search(before), _SIDE_BEHIND.match(behind)):
        if boxed and side and abs(_value(side)[0] - _value(boxed)[0]) > max(_value(side)[1], _value(boxed)[1]):
            return side[0].strip(" \n.,;=")
    return ""


def _value(constant: re.Match[str]) -> tuple[Fraction, Fraction]:
    """A number as it is written, and how far it may be rounded."""
    minus, whole, places, *parts = constant.groups()
    above, below = [part for part in parts if part] or (whole + (places or ""), 10 ** len(places or ""))
    value = Fraction(int(above), int(below) or 1)
    return -value if minus else value, Fraction(1, 10 ** len(places)) if places else Fraction(0)


def _formula(text: str, start: int, end: int) -> tuple[int, int] | None:
    """The ends of the formula that a box stands in: between dollar signs or LaTeX's brackets."""
    opened, opening = 0, ""
    for found in _DELIMITER.finditer(text):
        sign = found[0]
        if sign in (r"\\", r"\$"):
            continue
        if opening and sign == _CLOSED_BY[opening]:
            if opened <= start and end <= found.start():
                return (opened, found.start()) if "\n\n" not in text[opened : found.start()] else None
            opening = ""
        elif not opening and sign in _CLOSED_BY:
            opened, opening = found.end(), sign
        if not opening and found.start() >= end:
            return None
    return None


def _before(text: str, at: int, start: int, closing: dict[int, int]) -> int:
    """Return where begins what stands in front of a box and belongs to it."""
    first, box_end = at, -1
    while at < start:
        token = _TOKEN.match(text, at)
        assert token is not None
        sign, at = token[0], token.end()
        if sign == "{" and closing.get(at - 1, start) < start:
            at = closing[at - 1] + 1
        elif sign in (r"\boxed", r"\fbox"):
            box_end = at = _behind_groups(text, at, start, closing)
        elif sign.startswith("\\") and not _MATHEMATICS.match(sign) and not _UNSEEN.match(sign):
            first = at = _behind_groups(text, at, start, closing)
        elif _separates(sign, text[at : at + 1]) and not (
            at == start and text[at - 2 : at - 1].isdigit() and sign == "."
        ):
            first = at
    return box_end if box_end > first and _SPACE.fullmatch(text, box_end, start) else first


def _behind(text: str, at: int, high: int, closing: dict[int, int]) -> int:
    """Return where ends what stands behind a box and belongs to it."""
    start = at
    while at < high:
        token = _TOKEN.match(text, at)
        assert token is not None
        sign, after = token[0], token.end()
        if sign == "{" and closing.get(at, high) < high:
            after = closing[at] + 1
        elif sign in (r"\boxed", r"\fbox"):
            if _NOTHING.fullmatch(text, start, at):
                return at
            after = _behind_groups(text, after, high, closing)
        elif sign.startswith("\\") and not _MATHEMATICS.match(sign) and not _UNSEEN.match(sign):
            is_ordinal = _ORDINAL.match(text, start)
            return is_ordinal.end() if is_ordinal and is_ordinal.end() <= high else at
        elif _separates(sign, text[after : after + 1]) or (sign == "(" and _is_aside(text, after, high)):
            return at
        at = after
    return high


def _separates(sign: str, after: str) -> bool:
    if sign.isascii() and sign.isalpha():
        return len(sign) > 2 or sign in _SHORT_WORDS
    return sign in _RELATES or (sign == "." and not after.isdigit()) or (not sign.isascii() and sign.isalpha())


def _is_aside(text: str, at: int, high: int) -> bool:
    inside = text[at:high].partition(")")[0]
    return bool(_ASIDE.search(inside) or _CHOICE.fullmatch(inside))


def _is_unit(text: str, length: int) -> bool:
    r"""Return True if the first `length` characters are units, as in `\boxed{1.3} {eV}`."""
    found = _UNIT.match(text)
    if found is None or found.end() < length:
        return False
    words = re.findall(r"[A-Za-z]+", _UNIT_COMMAND.sub(" ", found[0]))
    return bool(words) and all(map(is_unit_word, words))


def _behind_groups(text: str, at: int, limit: int, closing: dict[int, int]) -> int:
    while text[at : at + 1] == "{" and closing.get(at, limit) < limit:
        at = closing[at] + 1
    return at


def _balanced(text: str, first: int, start: int, end: int, last: int) -> tuple[int, int]:
    """The same range without a round bracket that only one side has."""
    opened = [at for at in range(first, start) if text[at] == "("]
    for at in range(first, start):
        if text[at] == ")" and opened:
            opened.pop(0)
    depth = 0
    for at in range(end, last):
        depth += (text[at] == "(") - (text[at] == ")")
        if depth < 0:
            if not opened:
                return first, at
            opened.pop()
            depth = 0
    return (opened[-1] + 1, last) if opened else (first, last)


def _head(text: str, opened: int, closed: int, closing: dict[int, int]) -> tuple[int, int]:
    """The ends of a group with the function in front of it, and both arguments of a fraction."""
    head = _HEAD.search(text, max(0, opened - _LOOKED_AT), opened)
    if head is not None:
        is_fraction = _FRACTION.search(text, head.start(), opened) is not None
        return head.start(), _behind_groups(text, closed + 1, len(text), closing) if is_fraction else closed + 1
    before = len(text[:opened].rstrip()) - 1
    other = next((one for one, end in closing.items() if end == before), None) if before > 0 else None
    if other is not None and (fraction := _FRACTION.search(text, max(0, other - 16), other)) is not None:
        return fraction.start(), closed + 1
    return opened, closed + 1
