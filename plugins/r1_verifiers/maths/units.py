"""Units of quantities: a number and its unit told apart, and whether two units are known to differ."""

import re

_NAMES = {  # unit -> other ways to write it
    "km": "kilometer kilometers kilometre kilometres kms",
    "m": "meter meters metre metres",
    "cm": "centimeter centimeters centimetre centimetres cms",
    "mm": "millimeter millimeters millimetre millimetres",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "kg": "kilogram kilograms kilo kilos kgs",
    "g": "gram grams gm gms",
    "mg": "milligram milligrams",
    "lb": "lbs pound pounds",
    "oz": "ounce ounces",
    "ms": "millisecond milliseconds",
    "s": "sec secs second seconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years yr yrs",
    "l": "L liter liters litre litres",
    "ml": "mL milliliter milliliters millilitre millilitres",
    "gal": "gallon gallons",
    "dollar": "dollars usd USD",
    "cent": "cents",
    "euro": "euros EUR",
    "degree": "degrees deg degs",
    "rad": "radian radians",
    "N": "newton newtons",
    "J": "joule joules",
    "W": "watt watts",
    "V": "volt volts",
    "K": "kelvin kelvins",
    "mol": "mole moles mols",
    "m/s": "mps",
    "mi/h": "mph",
    "km/h": "kmh kmph kph",
}
_KNOWN = {name: unit for unit, names in _NAMES.items() for name in (unit, *names.split())}
_POWERS = {"square": "^2", "sq": "^2", "squared": "^2", "cubic": "^3", "cu": "^3", "cubed": "^3"}
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
CURRENCIES = {"$": "dollar", "€": "euro", "£": "GBP", "¥": "JPY", "₹": "INR"}
# Words behind a number that say something else than what is counted.
_NO_UNITS = {
    "and",
    "or",
    "not",
    "more",
    "less",
    "than",
    "at",
    "least",
    "most",
    "about",
    "times",
    "plus",
    "minus",
    "over",
    "by",
}
_NO_UNITS |= {"to", "is", "the", "am", "pm"}

_WORD = r"[A-Za-zµ]+(?:\^\{?[23]\}?|[²³])?"
_UNIT = re.compile(rf"{_WORD}(?:(?:[ ./*·-]|\\cdot)+{_WORD}){{0,3}}\.?")
_IN_TEXT = re.compile(
    r"[\s~]*\\(?:text|textrm|textit|textbf|mathrm|mbox|operatorname)\s*\{([^{}]*)\}\s*(?:\^\{?([23])\}?)?\Z"
)
_DEGREES = re.compile(r"\s*\^?\s*\{?\s*(?:\\circ|\\degree|°)\s*\}?\s*(?:\\text\{\s*)?([CF]?)\}?\Z")
_BEHIND_NUMBER = re.compile(rf"([-+]?[\d.,/]*\d|.*(?:[)}}]|\\pi))([ ~]*)({_UNIT.pattern})\Z", re.DOTALL)


def split_unit(text: str, tight: bool = False) -> tuple[str, str]:
    """`5 cm` as `("5", "cm")`; the unit is "" where none is written or known.

    A word that is no known unit goes as well where it stands behind a number: `5 apples`. A single letter needs a space, or
    `\\text`, or with `tight` nothing: `5m` may be a product.
    """
    for sign, unit in CURRENCIES.items():
        for prefix in (sign, "\\" + sign):
            if text.startswith(prefix) and text[len(prefix) :].lstrip("- ")[:1].isdigit():
                return split_unit(text[len(prefix) :].lstrip(), tight)[0], unit
    if (
        (found := _DEGREES.search(text))
        and found.start()
        and ("circ" in found[0] or "deg" in found[0] or "°" in found[0])
    ):
        return text[: found.start()], "degree" + found[1]
    if (found := _IN_TEXT.search(text)) and text[: found.start()].strip():
        words = found[1].replace("~", " ").strip()
        if _is_unit(words):
            return text[: found.start()], _canonical(words, found[2] or "")
        return text, ""
    found = _BEHIND_NUMBER.match(text)
    if found and _is_unit(found[3]):
        unit = _canonical(found[3])
        plain_number = found[1][-1:].isdigit()
        if unit and (found[2] or tight or len(found[3]) > 1 or not plain_number):
            return found[1], unit
        if not unit and found[2] and plain_number and len(found[3]) > 2:
            return found[1], ""
    return text, ""


def differ(unit: str, other: str) -> bool:
    """Whether both units are known and are not the same."""
    return bool(unit and other and unit != other)


def _is_unit(words: str) -> bool:
    return bool(_UNIT.fullmatch(words)) and not _NO_UNITS & set(words.lower().rstrip(".").split())


def _canonical(words: str, power: str = "") -> str:
    """One name for a unit and all ways to write it; "" where it is not known."""
    words = words.strip().rstrip(".").replace("²", "^2").replace("³", "^3").replace("{", "").replace("}", "")
    above, per, below = (part.strip() for part in re.sub(r"\bper\b", "/", words).partition("/"))
    if per:
        over, under = _canonical(above), _canonical(below, power)
        return f"{over}/{under}" if over and under else ""
    powers = [_POWERS[word] for word in above.lower().split() if word in _POWERS]
    rest = " ".join(word for word in above.split() if word.lower() not in _POWERS)
    name, _, exponent = rest.partition("^")
    unit = _KNOWN.get(name) or _KNOWN.get(name.lower(), "")
    raised = f"^{exponent or power}" if exponent or power else "".join(powers[:1])
    return unit + raised if unit else ""
