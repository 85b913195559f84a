r"""The signs of a mathematical answer: typeset ones made plain, with surrounding marks removed."""

import re
import unicodedata

MAX_LENGTH = 1024  # characters of an answer

_REPLACED = (
    ("\u2212\u2013\u2014\u2010\u2011\uff0d\ufe63", "-"),
    ("\u00a0\u2009\u202f\u2007\u2002\u2003\u3000", " "),
    ("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),  # no width
    ("×", r"\times "),
    ("⋅·∙", r"\cdot "),
    ("÷", r"\div "),
    ("∗", "*"),
    ("⁄∕", "/"),
    ("％", "%"),
    ("π", r"\pi "),
    ("∞", r"\infty "),
    ("≤≦⩽", r"\le "),
    ("≥≧⩾", r"\ge "),
    ("∶", ":"),
    ("。｡", ". "),
    ("≠", r"\neq "),
    ("±", r"\pm "),
    ("≈", r"\approx "),
    ("∪", r"\cup "),
    ("∩", r"\cap "),
    ("∈", r"\in "),
    ("∅", r"\emptyset "),
    ("ℝ", r"\mathbb{R}"),
    ("°", r"^\circ "),
    ("√", r"\sqrt "),
    *((sign, f"({number})") for number, sign in enumerate("①②③④⑤⑥⑦⑧⑨", 1)),
    ("½", r"\frac{1}{2}"),
    ("⅓", r"\frac{1}{3}"),
    ("⅔", r"\frac{2}{3}"),
    ("¼", r"\frac{1}{4}"),
    ("¾", r"\frac{3}{4}"),
)
_SIGNS = str.maketrans({sign: plain for signs, plain in _REPLACED for sign in signs})
_RAISED = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+")
_LAST = re.compile(r"(?<=[^.\\])[.,;]\Z|(?<!\\)\\\\?\Z")  # a stop, or a line break of LaTeX
_WRAPPERS = [
    *(("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"), ('"', '"'), ("'", "'")),
    *((rf"\{command}{{", "}") for command in ("boxed", "fbox", "displaystyle", "mathbf", "boldsymbol", "bm")),
]


class CannotRead(Exception):
    """The text says nothing that can be judged; the message is the reason."""


def in_plain_signs(text: str) -> str:
    """`text` with typeset signs in LaTeX: raised digits as exponents, lowered ones as digits."""
    text = _RAISED.sub(lambda run: "^{" + unicodedata.normalize("NFKC", run[0]) + "}", text)
    return unicodedata.normalize("NFKC", text.translate(_SIGNS))


def tidied(text: str) -> str:
    """`text` in plain signs, with surrounding marks removed. Raises: CannotRead."""
    text = text.strip()
    if len(text) > MAX_LENGTH:
        raise CannotRead(f"longer than {MAX_LENGTH} characters")
    text = in_plain_signs(text)
    if any(unicodedata.category(sign) in ("Cc", "Cf", "Co", "Cs") and sign not in "\n\r\t" for sign in text):
        raise CannotRead("holds control characters")
    text = " ".join(text.split())
    for _ in range(8):
        before = text
        text = _LAST.sub("", text).strip()
        for opening, closing in _WRAPPERS:
            if _encloses(text, opening, closing):
                text = text[len(opening) : -len(closing)].strip()
        if text == before:
            break
    if not text:
        raise CannotRead("empty answer")
    return text


def _encloses(text: str, opening: str, closing: str) -> bool:
    if len(text) < len(opening) + len(closing) or not (text.startswith(opening) and text.endswith(closing)):
        return False
    inside = text[len(opening) : -len(closing)]
    if closing != "}":
        return closing not in inside
    depth = 0
    for sign in re.sub(r"\\.", "", inside):
        depth += (sign == "{") - (sign == "}")
        if depth < 0:
            return False
    return depth == 0
