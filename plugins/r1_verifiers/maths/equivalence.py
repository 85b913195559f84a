r"""math-verify, called without its own timers: those are alarms of the main thread, in whole seconds, and cannot interrupt
arithmetic on big integers. Call this in a process that can be killed.

Only its LaTeX reader is used on what a model wrote. Its other reader hands text to Python's `eval`.
"""

import logging
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from latex2sympy2_extended import NormalizationConfig
from math_verify import LatexExtractionConfig, parse, verify
from sympy import EmptySet

from r1sdk import Verdict

from . import grammar

grammar.install()

for name in ("math_verify", "latex2sympy2_extended"):
    logging.getLogger(name).setLevel(logging.ERROR)  # it warns once a process that its timers are off

_LATEX = LatexExtractionConfig(
    boxed_match_priority=-1,
    normalization_config=NormalizationConfig(
        basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none", equations=False
    ),
)
_TRL = LatexExtractionConfig(
    normalization_config=NormalizationConfig(units=True), boxed_match_priority=0, try_extract_without_anchor=False
)
_EQUALS = re.compile(r"(?<![\\<>!:=])=|\\approx(?![A-Za-z])")
_SEPARATOR = re.compile(r"[,;]|\\text\s*\{\W*(?:and|or)\W*\}|\b(?:and|or)\b")
_NAME = re.compile(
    r"""(?: \s | [A-Za-z]{1} (?![A-Za-z]) | [A-Z]{2,4} (?![A-Za-z]) | [A-Za-z]{3,}
      | \\(?:text|mathrm|operatorname|overline|vec|hat|bar|widehat|mathbf) \s* \{[^{}]*\}
      | \\(?:angle|triangle|sin|cos|tan|cot|sec|csc|log|ln|det|measuredangle|Delta|alpha|beta|gamma|delta|theta|lambda|mu|phi|omega|rho|sigma|tau|varphi|epsilon)(?![A-Za-z])
      | \\frac\{d\w*\}\{d\w\} | \|[A-Z]{2}\| | \([\w,\s\\]*\) | _\s*(?:\w|\{[^{}]*\}) | ' | : )*""",
    re.VERBOSE,
)
_WARMING = (
    r"-\frac{1}{2}", r"1,234.5", r"2\sqrt{3}+x^2-3x", r"(a,\frac{b}{2})", r"(-\infty,3]\cup[5,\infty)", r"\{1,2\}", r"x=5,y=2x+1",
    r"1<x\le 2", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\log_2 8+\sin^2 x", r"50\%", r"3\frac{1}{2}", r"\text{even}", r"x\in[2,5)",
    r"|x-1|", r"\pm 3", r"e^{i\pi}", r"\binom{5}{2}+5!", r"x_1", r"(x+1)(x-1)", r"f(x)=x", r"10:30", r"\sqrt[3]{2}", r"(1,2,3)",
    r"3 \times 10^{-3}", r"5\cdot 3/2", r"\frac{3\pi}{4}-2^{10}", r"(x-2)^2+(y+1)^2=9", r"\tan(2x)", r"\frac{\sqrt{2}}{2}",
)  # fmt: skip


def equal(answer: str, gold: str) -> Verdict:
    """True if two pieces of bare LaTeX mean the same. This may take any time and memory."""
    known = parsed_gold(gold)
    if not known:
        return Verdict(None, "unverifiable", reason=f"the gold answer {gold!r:.80} cannot be read")
    read = known if answer == gold else _parsed(answer)
    if not read:
        return Verdict(0.0, reason="cannot be read as mathematics")
    if (claim := false_claim(answer, gold)) is not None:
        return Verdict(0.0, reason=f"states {claim:.80}, which is no value")
    # `x > 2` is the interval; but every relation that is never true would be the empty set.
    as_sets = known[0] != EmptySet
    if not verify(list(known), list(read), allow_set_relation_comp=as_sets, timeout_seconds=None):
        return Verdict(0.0, reason=f"is not {gold:.80}")
    if answer != gold and _EQUALS.search(gold) and _is_identity(answer):
        return Verdict(0.0, reason="holds for any value")
    return Verdict(1.0)


@lru_cache(maxsize=4096)
def parsed_gold(latex: str) -> tuple[Any, ...]:
    """The gold answer as math-verify reads it; empty where it cannot. Kept: it comes back with each completion."""
    return _parsed(latex)


def _parsed(latex: str) -> tuple[Any, ...]:
    return tuple(
        parse(
            f"$${latex}$$", [_LATEX], fallback_mode="no_fallback", extraction_mode="first_match", parsing_timeout=None
        )
    )


def false_claim(answer: str, gold: str) -> str | None:
    """The first equation in `answer` that does not name a value: `3=5`, `2x=5`; None where all do, as `x=5`, `2+3=5`.

    math-verify takes the right side of any equation for the value. Where the gold answer is an equation itself, it compares
    both sides.
    """
    if _EQUALS.search(gold):
        return None
    for part in _split(answer, _SEPARATOR):
        *sides, value = _split(part, _EQUALS)
        for side in sides:
            if not _NAME.fullmatch(side) and not _same(side, value):
                return part.strip()
    return None


def _is_identity(answer: str) -> bool:
    """True if `answer` only says that something equals itself, which math-verify takes for any equation without solution."""
    *sides, value = _split(answer, _EQUALS)
    return bool(sides) and all(_same(side, value) for side in sides)


def _same(left: str, right: str) -> bool:
    one, other = _parsed(left), _parsed(right)
    return bool(one and other and verify(list(one), list(other), timeout_seconds=None))


def _split(text: str, separator: "re.Pattern[str]") -> Iterator[str]:
    """`text` at each separator that stands in no bracket."""
    depth, start, at = 0, 0, 0
    while at < len(text):
        found = separator.match(text, at) if depth == 0 else None
        if found:
            yield text[start:at]
            start = at = found.end()
            continue
        depth += (text[at] in "({[") - (text[at] in ")}]")
        depth = max(0, depth)
        at += 1
    yield text[start:]


def trl_verdict(reply: str, gold: str) -> Verdict:
    """Return the verdict of `trl.rewards.accuracy_reward` on the whole reply, thinking included: math-verify with TRL's settings."""
    known = list(_trl_gold(gold))
    if not known:
        return Verdict(None, "unverifiable", reason=f"the gold answer {gold!r:.80} cannot be read")
    read = parse(reply, [_TRL], extraction_mode="first_match", parsing_timeout=None)
    extracted = read[-1] if read and isinstance(read[-1], str) else None
    right = verify(known, read, timeout_seconds=None)
    return Verdict(float(right), extracted=extracted, reason="" if right else f"is not {gold:.80}")


@lru_cache(maxsize=4096)
def _trl_gold(gold: str) -> tuple[Any, ...]:
    return tuple(parse(gold, parsing_timeout=None))


def warm() -> None:
    """Read some usual answers, so that the grammar's tables are filled: the first answers of a process take longest."""
    for latex in _WARMING:
        read = list(_parsed(latex))
        verify(read, read, timeout_seconds=None)
