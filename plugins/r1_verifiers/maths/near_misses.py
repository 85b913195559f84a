r"""Wrong answers close to a gold answer, made from its text: a gold answer that is misread pays some of them.

They are made without the reader that they are meant to test. What is no change of the answer is left out: a digit of an index, or
the same fraction again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from .types import Choice, Clock, Conditioned, Date, Prose, Value, Words
from .units import is_unit_word

MOST = 12  # variants of one gold answer

_NUMBER = re.compile(
    r"(?<![\w.])\d+(?:(?:,\\!|\{,\}|,(?=\d{3}))\d{3})*(?:\.\d+)?(?![\w.]*_)|(?<=[A-Za-z}{)(^])\d+(?:\.\d+)?"
)
_FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]+)\}\s*\{([^{}]+)\}")
_SLASHED = re.compile(r"(?<![\w.])(\d+)\s*/\s*(\d+)(?![\w.])")
_UNIT = re.compile(r"\\(?:text|mathrm)\s*\{\s*~?\s*([A-Za-z]+)\s*\}|(?<=\d)\s+([A-Za-z]{2,})\b|\(([A-Za-z]+)\)")
_OTHER_UNIT = {"km": "m", "m": "cm", "cm": "km", "h": "min", "min": "s", "s": "h", "kg": "g", "g": "kg", "dollar": "cent", "degree": "rad", "mi": "ft", "ft": "in", "in": "ft"}  # fmt: skip
_SEPARATOR = re.compile(
    r"(?<!\\),(?!\\!|\d{3}(?!\d)|\})\s*|;\s*|\\text\s*\{\s*,?\s*(?:and|or)\s*\}|\b(?:and|or)\b|[或和且、]"
)
_OPEN, _CLOSE = "([{", ")]}"
_INDEX = re.compile(r"_\s*\{?\s*\Z|\\(?:begin|end)\{[^{}]*\Z|\\sqrt\[\Z|binom\s*\{[^{}]*\}\s*\{\s*\Z")


def near(gold: Value, text: str) -> Iterator[str]:
    """Texts that are no right answer to a gold answer with that text. At most `MOST`, each another."""
    if isinstance(gold, Words):
        kinds = [_numbers(text) if re.search(r"\d", gold.text) else iter(()), _denied(gold.text)]
    elif isinstance(gold, (Prose, Date | Clock)):
        kinds = [_numbers(text)]
    elif isinstance(gold, Choice):
        kinds = [_letters(gold)]
    else:
        items = _items(text) if not isinstance(gold, Conditioned) else iter(())
        kinds = [items, _numbers(text), _swapped(text), _negated(text), _units(text), _without_letter(text)]
    seen = {_spaceless(text)}
    yield from islice(_fresh(kinds, seen), MOST)


def _fresh(kinds: list[Iterator[str]], seen: set[str]) -> Iterator[str]:
    """One of each kind in turn."""
    waiting = list(kinds)
    while waiting:
        for kind in list(waiting):
            variant = next(kind, None)
            if variant is None:
                waiting.remove(kind)
            elif variant.strip() and _spaceless(variant) not in seen:
                seen.add(_spaceless(variant))
                yield variant


def _spaceless(text: str) -> str:
    return re.sub(r"[\s$]", "", text)


def _numbers(text: str) -> Iterator[str]:
    """One number changed in its last digit."""
    for found in _NUMBER.finditer(text):
        if _INDEX.search(text[: found.start()]):
            continue
        digits = found[0]
        whole, _point, decimals = digits.partition(".")
        position = len(digits) - 1
        if len(decimals) > 4:
            position = len(whole) + 3  # behind that, two decimals may be one rounded value
        if position < 0 or not digits[position].isdigit():
            continue
        changed = digits[:position] + str((int(digits[position]) + 1) % 10 or 1) + digits[position + 1 :]
        yield text[: found.start()] + changed + text[found.end() :]


def _items(text: str) -> Iterator[str]:
    """One item dropped, and each alone."""
    inner, opening, closing = text.strip(), "", ""
    for left, right in (("$", "$"), (r"\{", r"\}"), ("{", "}")):
        if (
            inner.startswith(left)
            and inner.endswith(right)
            and len(inner) > len(left) + len(right)
            and left not in inner[len(left) : -len(right)]
        ):
            inner, opening, closing = inner[len(left) : -len(right)], opening + left, right + closing
    items = _split(inner)
    if len(items) < 2:
        return
    if len({_spaceless(item) for item in items}) < len(items) or r"\text" in "".join(items[:1]) and len(items) == 1:
        return
    yield opening + ", ".join(items[:-1]) + closing
    yield opening + ", ".join(items[1:]) + closing
    if len(items) > 2:
        yield opening + items[0] + closing
        yield opening + items[-1] + closing


def _split(text: str) -> list[str]:
    """The items between commas, semicolons, "and" and "or" that stand in no bracket."""
    items, depth, start, at = [], 0, 0, 0
    while at < len(text):
        if depth == 0 and (found := _SEPARATOR.match(text, at)):
            items.append(text[start:at].strip())
            start = at = max(found.end(), at + 1)
            continue
        depth += (text[at] in _OPEN) - (text[at] in _CLOSE)
        depth = max(0, depth)
        at += 1
    items.append(text[start:].strip())
    dollars = text.count("$") % 2 == 0
    return [item for item in items if item] if dollars and all(item.count("$") % 2 == 0 for item in items) else []


def _swapped(text: str) -> Iterator[str]:
    """Numerator and denominator the other way round."""
    for found in _FRACTION.finditer(text):
        if _spaceless(found[1]) != _spaceless(found[2]):
            yield text[: found.start()] + rf"\frac{{{found[2]}}}{{{found[1]}}}" + text[found.end() :]
    for found in _SLASHED.finditer(text):
        if int(found[1]) and found[1] != found[2]:
            yield text[: found.start()] + f"{found[2]}/{found[1]}" + text[found.end() :]


def _negated(text: str) -> Iterator[str]:
    """The sign of a plain number turned round."""
    plain = text.strip().strip("$").strip()
    if re.fullmatch(r"-?(?:\d[\d.]*|\\[dt]?frac\s*\{\d+\}\s*\{\d+\})", plain) and re.search(r"[1-9]", plain):
        yield plain[1:] if plain.startswith("-") else f"-{plain}"


def _units(text: str) -> Iterator[str]:
    """Another unit of the same kind."""
    from .units import unit_name

    for found in _UNIT.finditer(text):
        word = next(filter(None, found.groups()))
        if is_unit_word(word) and len(_UNIT.findall(text)) == 1 and (other := _OTHER_UNIT.get(unit_name(word))):
            at = found.start() + found[0].rindex(word)
            yield text[:at] + other + text[at + len(word) :]


def _without_letter(text: str) -> Iterator[str]:
    """A coefficient without its letter: `6` for `6x`."""
    plain = text.strip().strip("$").strip()
    if found := re.fullmatch(r"(-?\d+)\s*(?:\\mathrm\s*\{\s*[ie]\s*\}|[a-z](?:\s*\^\s*\{?\s*\d+\s*\}?)?)", plain):
        yield found[1]


def _denied(words: str) -> Iterator[str]:
    """The opposite of yes or no, and words with a "not" in front."""
    opposite = {"yes": "no", "no": "yes", "true": "false", "false": "true"}.get(words)
    yield opposite or f"not {words}"


def _letters(gold: Choice) -> Iterator[str]:
    """Another letter, and one more and one fewer."""
    names = "ABCDEFGHIJ" if gold.letters.isalpha() else "123456789"
    other = next(name for name in names if name not in gold.letters)
    yield other
    if len(gold.letters) > 1:
        yield ", ".join(gold.letters[:-1])
    yield ", ".join(sorted(gold.letters + other))
