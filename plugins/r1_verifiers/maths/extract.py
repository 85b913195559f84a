r"""Extract the mathematical answer of a reply: the answer tag, else the last box after the thinking, else its statement.

Text in, text out; nothing is read as mathematics here. Only the end of a long reply is looked at, which bounds the time.
"""

import re
from typing import NamedTuple

import r1sdk

from .around_box import with_formula
from .units import is_unit_word

LOOKED_AT = 8192  # characters at the end of a reply in which its answer is looked for
_MOST_PARTS = 12  # boxes in a row whose formulas are looked at
_STATED_IN = 2048  # and where there is neither tag nor box

_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])[ \t]*(?:(\{)|([^\s${}\\]+|\\[A-Za-z]+[^\s$]*))?")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)
_WITH_BOX = re.compile(
    r"\s*(?:\\?%|\^\{?\\circ\}?|°|\\degree(?![A-Za-z])|\\(?:text|mathrm|mbox)\{(?!\s*\()[^{}]{0,40}\}(?:\^\{?-?[1-9]\}?)?)"
)
_AND = re.compile(r"\s*\\text\{\W*(?:and|or|[或和且与])\W*\}")
_SPAN = re.compile(
    r"\$\$([^$]+)\$\$|(?<!\\)\$((?:[^$\\\n]|\\.)+)\$|\\\(((?:[^\\]|\\[^)])+)\\\)|\\\[((?:[^\\]|\\[^\]])+)\\\]"
)
_WITH_SPAN = re.compile(r"[ \t]*(?:\\?%|percent\b|[A-Za-z]+(?:[ \t]+[A-Za-z]+){0,2}[ \t]*[.]?\s*\Z)")
# What may stand between two parts of one answer: "$\boxed{1}$ and $x = \boxed{2}$".
_JOINT = re.compile(
    r"(?:[\s$,;&~]|\\[()\[\],;:!\s]|\\q?quad(?![A-Za-z])|\\(?:text|mathrm|textrm|mbox)\s*\{\W*(?:and|or|[或和且与])\W*\}|\band\b|\bor\b|[或和且与、，；]){0,16}"
    r"(?:[A-Za-z](?:_\{?\w\}?)?\s*=[\s$]{0,4})?"
)
_OR = re.compile(r"\bor\b|或")
_STATES = re.compile(
    r"(?i:\banswers?\b)[*_\s]{0,4}(?:(?:(?:is|are|would\s+be|will\s+be)\b(?!\s+(?:not|wrong|incorrect)\b)|[:=\uff1a])[*_\s]{0,4}:?[*_]{0,3})"
    r"|(?im:^[#*_\s]*(?:the\s+)?(?:final\s+)?answer[*_\s]*:?[*_ \t]*\n)|\u7b54\u6848\s*(?:\u662f|\u4e3a|\u70ba)?\s*[:\uff1a]?|[故应]选\s*[:\uff1a]?\s*(?=[(\uff08]?[A-H])"
)
_GSM8K = re.compile(r"(?m:^|(?<=\s))####[ \t]*(\S[^\n]*)")
_FENCE = re.compile(r"\A\s*```\w*\n(.*?)\n?```\s*\Z", re.DOTALL)
_BOLD = re.compile(r"(?<![\w)*])\*\*(?![\s*])([^*\n]{1,400}?)(?<![\s*])\*\*(?![\w(*])")
_ASIDE = re.compile(
    r",\s+(?!(?:and|or)\b)(?=[a-z]{2,}\b)|\s+(?:because|since|so that|which|as)\s|(?<=[^\s.])\.(?=\s+[A-Z])"
)
_CONDITION = re.compile(
    r",?\s+(?:where|when|if|with|such\s+that|for\s+(?:all|any|every|each|some|integers?|\$|\\\())\b"
)
_SENTENCE = re.compile(r"[A-Za-z]{3,}")
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_DENIES = re.compile(r"[不非没][^。，,\n]*\Z")
_STOPS = " .。\n"
_NO_SENTENCE = re.compile(
    r"(?i:\b(?:and|or|option|choice|answer|solution|percent|degrees?|dollars?|cents?|meters?|feet|inch(?:es)?|square|cubic|hours?|minutes?|seconds?|miles?|pounds?|ounces?|per|if|for|where|when)\b)"
)
_SAYS_SO = re.compile(
    r"[ \t]*(?:is|are|was|for|when|if|as|because|since|in|on|at|to|and|or|but|so|the|which|that|by|of|we|it|has|have|satisfies|works|gives|only)\b"
)
_HOPE = re.compile(r"\.?\s*I hope\b[^\n]{0,80}\Z")
_MINUS = re.compile(r"(?:\A|[\s$=({\[,])[-\u2212\u2013](\s*)\Z")


class _Part(NamedTuple):
    """A box or a span of mathematics in a text."""

    start: int
    end: int
    content: str
    behind: str = ""  # a percent sign or a unit


def answer_text(reply: str) -> str | None:
    """Return the answer of `reply` as it was written; None if there is none.

    That is the content of the answer tag, or without one what follows the think block: of that the last box, or else the
    mathematics that is said to be the answer, or else the whole. An answer that was begun and never closed is none.
    """
    region = answer_region(reply)
    if region is None:
        return None
    found = last_box(region)
    return _stated(region) if found is None else found


def answer_region(reply: str) -> str | None:
    """The content of the answer tag, else what follows the think block; None where that is not closed."""
    region = r1sdk.extract_answer(reply)
    if region is None:
        region = reply.rpartition("</think>")[2]
        if "<think>" in region or "<answer>" in region:
            return None
    return region[-LOOKED_AT:]


def last_box(text: str) -> str | None:
    r"""The content of the last `\boxed` of `text` with those that it continues, "" where that is never closed; or None.

    `\boxed{1}$ and $\boxed{2}` are one answer of two parts, `1, 2`. A minus sign in front of a box, and a percent sign or
    a unit behind it, belong to it. Braces may be left out: `\boxed 5`.
    """
    boxes = list(_boxes(text))
    if not boxes:
        return None
    return _joined(text, boxes)


def _boxes(text: str) -> "list[_Part]":
    """The boxes of `text` that stand in no other."""
    closing = _closing_braces(text)
    found: list[_Part] = []
    end = 0
    for match in _BOX.finditer(text):
        if match.start() < end:
            continue
        if match[1]:
            close = closing.get(match.end() - 1)
            if close is None:
                found.append(_Part(match.start(), len(text), ""))
                continue  # never closed; one that comes later may be
            content, end = text[match.end() : close], close + 1
        else:
            content, end = (match[2] or "").rstrip(".,;"), match.end()
        behind = _WITH_BOX.match(text, end) if not _AND.match(text, end) else None
        with_box = behind[0] if behind else ""
        end += len(with_box)
        found.append(_Part(match.start(), end, content.strip(), with_box))
    return [*found[:-_MOST_PARTS], *(_stated_by(text, box, closing) for box in found[-_MOST_PARTS:])]


def _stated_by(text: str, box: "_Part", closing: dict[int, int]) -> "_Part":
    """A box with what belongs to it: its sign, its unit, and the rest of its formula."""
    alone = (_sign(text, box.start) + box.content + box.behind).strip()
    whole = with_formula(text, box.start, box.end, box.content, box.behind, closing) if box.content else None
    return box._replace(content=alone if whole is None else whole)


def _closing_braces(text: str) -> dict[int, int]:
    """Return the closing position of each closed brace."""
    opened: list[int] = []
    closing: dict[int, int] = {}
    for match in _BRACE.finditer(text):
        if match[0] == "{":
            opened.append(match.start())
        elif match[0] == "}" and opened:
            closing[opened.pop()] = match.start()
    return closing


def _sign(text: str, start: int) -> str:
    """A minus sign in front of a box. One that is set off by a space outside of mathematics is a bullet."""
    minus = _MINUS.search(text, max(0, start - 8), start)
    if minus is None:
        return ""
    in_mathematics = text.count("$", 0, start) % 2 == 1
    return "-" if not minus[1] or in_mathematics else ""


def _joined(text: str, parts: "list[_Part]") -> str:
    """The last part, with those in front of it that it continues."""
    last = len(parts) - 1
    joint = ", "
    while last > 0 and _JOINT.fullmatch(text, parts[last - 1].end, parts[last].start):
        if _OR.search(text, parts[last - 1].end, parts[last].start):
            joint = r" \text{ or } "
        last -= 1
    return joint.join(dict.fromkeys(part.content for part in parts[last:]))


def _stated(text: str) -> str:
    """Return the answer in a text without a box: the part after "answer is" or "####", else its last mathematics, else all of it."""
    if fenced := _FENCE.match(text):
        text = fenced[1]
    text = text if len(text) <= _STATED_IN else text[-_STATED_IN:].partition("\n")[2]
    if marked := _GSM8K.findall(text):
        return str(marked[-1]).strip()
    phrase = None
    for found in _STATES.finditer(text):
        if text[found.end() :].strip(" *_\n"):
            phrase = found
    if phrase is not None:
        text = text[phrase.end() :].strip()
        text = text[2:].strip() if text.startswith("**") and text.count("**") % 2 else text
        text = text.rstrip()[:-2] if text.endswith("**") and text.count("**") % 2 else text
        text = _first_paragraph(text)
    text = _BOLD.sub(r"\1", _HOPE.sub("", text.strip()))
    if phrase is not None and text.count("**") % 2:
        text = text.replace("**", "")
    spans = [_Part(m.start(), m.end(), next(filter(None, m.groups()))) for m in _SPAN.finditer(text)]
    if len(spans) == 1 and not _SPAN.sub("", text).strip(_STOPS):
        return spans[0].content
    if not spans:
        return _without_aside(text) if phrase is not None else text
    condition = next((found for found in _CONDITION.finditer(text) if found.start() >= spans[0].end), None)
    if not _is_sentence(text if condition is None else text[: condition.start()]) and not _ends_chinese(text, spans):
        return text
    last = spans[-1]
    behind = None if _SAYS_SO.match(text, last.end) else _WITH_SPAN.match(text, last.end)
    return _joined(text, spans) + (behind[0] if behind else "")


def _first_paragraph(text: str) -> str:
    """The first line of a text, or the displayed formula that it begins with."""
    for opening, closing in (("$$", "$$"), (r"\[", r"\]")):
        if text.startswith(opening) and (end := text.find(closing, 2)) > 0:
            return text[: end + 2]
    return text.partition("\n")[0]


def _without_aside(text: str) -> str:
    """`72` of "72, in total, so ...": the rest of the sentence is removed."""
    if not re.match(r"[-+$\\(\d.]*\d", text):
        return text
    aside = _ASIDE.search(text)
    return text[: aside.start()] if aside else text


def _is_sentence(text: str) -> bool:
    """Return True if there are words around the mathematics that are no part of an answer."""
    around = _NO_SENTENCE.sub(" ", _SPAN.sub(" ", text))
    return any(not is_unit_word(word) for word in _SENTENCE.findall(around))


def _ends_chinese(text: str, spans: "list[_Part]") -> bool:
    """Return True if a Chinese sentence ends with its mathematics, and denies nothing."""
    before, behind = text[: spans[-1].start], text[spans[-1].end :]
    return not behind.strip(_STOPS) and bool(_CHINESE.search(before)) and not _DENIES.search(before)
