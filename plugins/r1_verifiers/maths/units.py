"""Units: SI symbols with their prefixes, other usual ones, their names in words, and products of them.

A symbol is known by its case (`mg`, `Mg`), a name is not (`Newton`). A compound unit is a product of symbols with exponents:
what is behind a stroke stands below it, as in `J/kg K`. Nothing is converted.
"""

import re
from collections.abc import Mapping
from functools import lru_cache

_PREFIXES = {
    "kilo": "k", "mega": "M", "giga": "G", "tera": "T", "hecto": "h", "deci": "d", "centi": "c", "milli": "m", "micro": "μ", "nano": "n", "pico": "p",
    "femto": "f", "atto": "a", "deca": "da", "deka": "da", "peta": "P", "exa": "E",
}  # fmt: skip
# symbol: the prefixes that are usual with it, its names. What reads as a word or as two points (`pm`, `PA`) is none.
_PREFIXED = {
    "m": ("kMGcdmμnf", "meter meters metre metres"),
    "g": ("kMmμnp", "gram grams gramme grammes"),
    "s": ("kMmμnpf", "second seconds"),
    "A": ("kmμnp", "ampere amperes amp amps"),
    "K": ("mμn", "kelvin kelvins"),
    "mol": ("kmμnp", "mole moles"),
    "cd": ("m", "candela candelas"),
    "Hz": ("kMGTm", "hertz"),
    "N": ("kMGmμnp", "newton newtons"),
    "Pa": ("kMGThmμ", "pascal pascals"),
    "J": ("kMGTmμn", "joule joules"),
    "W": ("kMGTmμnp", "watt watts"),
    "V": ("kMGmμn", "volt volts"),
    "C": ("kmμnp", "coulomb coulombs"),
    "F": ("mμnp", "farad farads"),
    "H": ("mμn", "henry henries henrys"),
    "Ω": ("kMGmμ", "ohm ohms"),
    "S": ("mμ", "siemens"),
    "T": ("mμn", "tesla teslas"),
    "Wb": ("m", "weber webers"),
    "lm": ("k", "lumen lumens"),
    "lx": ("k", "lux"),
    "Bq": ("kMGT", "becquerel becquerels"),
    "Gy": ("m", ""),
    "Sv": ("mμ", "sievert sieverts"),
    "l": ("kMdcmμn", "liter liters litre litres"),
    "t": ("kMG", "tonne tonnes"),
    "eV": ("kMGTm", "electronvolt electronvolts"),
    "cal": ("k", "calorie calories"),
    "bar": ("m", ""),
    "rad": ("mμ", "radian radians"),
    "pc": ("kMG", "parsec parsecs"),
    "B": ("kMGT", "byte bytes"),
    "bit": ("kMGT", "bit bits"),
    "dB": ("", "decibel decibels"),
    "dyn": ("", "dyne dynes"),
    "hp": ("", "horsepower"),
    "kn": ("", "knot knots"),
    "AU": ("", ""),
    "ly": ("", "lightyear lightyears"),
    "Å": ("", "angstrom angstroms"),
}
_OTHERS = {  # unit: other ways to write it
    "km": "kms",
    "m": "mtr mtrs",
    "cm": "cms",
    "μm": "micron microns",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "kg": "Kg kilo kilos kgs",
    "g": "gm gms",
    "t": "ton tons",
    "lb": "lbs pound pounds",
    "oz": "ounce ounces",
    "s": "sec secs",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "days",
    "week": "weeks wk wks",
    "month": "months",
    "year": "years yr yrs",
    "gal": "gallon gallons",
    "qt": "quart quarts",
    "pt": "pint pints",
    "ha": "hectare hectares",
    "acre": "acres",
    "dollar": "dollars usd USD bucks",
    "cent": "cents",
    "euro": "euros EUR eur",
    "GBP": "",
    "rupee": "rupees Rs INR",
    "yuan": "RMB CNY",
    "yen": "JPY",
    "degree": "degrees deg degs",
    "degreeC": "celsius centigrade",
    "degreeF": "fahrenheit",
    "arcmin": "",
    "arcsec": "",
    "rad": "rads",
    "mol": "mols",
    "Hz": "hz",
    "erg": "ergs",
    "atm": "atmosphere atmospheres",
    "mmHg": "",
    "inHg": "",
    "Torr": "torr",
    "psi": "",
    "rpm": "",
    "m/s": "mps",
    "mi/h": "mph",
    "km/h": "kmh kmph kph",
    "km^2": "sqkm",
    "%": "percent",
}
_SYMBOLS = frozenset(
    [
        *_PREFIXED,
        *(prefix + symbol for symbol, (prefixes, _) in _PREFIXED.items() for prefix in prefixes),
        *(name for name in _OTHERS if name.isalpha()),
        *(f"{prefix}Wh" for prefix in ("", *"kMGTm")),
    ]
)
_ANY_PREFIX = frozenset(_PREFIXES.values())
_KNOWN = _SYMBOLS | {
    prefix + symbol
    for symbol, (usual, _) in _PREFIXED.items()
    if usual and symbol not in ("t", "bit")
    for prefix in _ANY_PREFIX
    if prefix + symbol != "fl"  # a fluid ounce
}
# Prefixed symbols that are hardly ever written: read only where they are set upright, and never where they look like a product.
_RARE = {
    symbol: symbol
    for symbol in _KNOWN - _SYMBOLS
    if not symbol.isupper()
    and symbol not in ("kT", "pH", "hbar")
    and (symbol[0] != "d" or symbol == "dg" or symbol[:2] == "da")
}
_RARE |= {f"{prefix}L": f"{prefix}l" for prefix in _ANY_PREFIX if f"{prefix}l" in _RARE and not prefix.isupper()}
_WORDS = {
    **{name: symbol for symbol, (_, names) in _PREFIXED.items() for name in names.split()},
    **{
        f"{long}{name}": short + symbol
        for symbol, (prefixes, names) in _PREFIXED.items()
        if prefixes
        for name in names.split()
        for long, short in _PREFIXES.items()
    },
    **{name: symbol for symbol, names in _OTHERS.items() for name in (symbol, *names.split())},
}
_NAMES = {
    **{symbol: symbol for symbol in _SYMBOLS},
    **{f"{prefix}L": f"{prefix}l" for prefix in ("", *_PREFIXED["l"][0])},
    **{f"{prefix}b": f"{prefix}bit" for prefix in _PREFIXED["bit"][0]},
    **{run: f"{run[:-1]}*{run[-1]}" for run in ("Nm", "kNm", "mNm", "Ns", "kNs", "Js", "Ws", "Vs", "Ah", "mAh")},
    **_WORDS,
}
# What is a unit behind a number where nothing sets it apart from letters: names, and symbols that are hardly products.
_PLAIN = frozenset(
    [
        *_WORDS,
        *(prefix + symbol for symbol in ("Hz", "Pa", "eV", "mol", "Wh") for prefix in ("", *"kMGTmμnph")),
        *("km", "m", "cm", "mm", "dm", "nm", "μm", "kg", "g", "mg", "ms", "s", "h", "l", "L", "ml", "mL", "N", "J", "kJ", "W", "kW", "V", "A", "K"),
        *("kcal", "Ω", "Å"),
    ]
) & frozenset(_NAMES)  # fmt: skip
USUAL_LETTERS = frozenset(name for name in _PLAIN if len(name) == 1 and name.isalpha())
ALL_SYMBOLS = frozenset(_NAMES) - frozenset(_WORDS) | frozenset(name for name in _WORDS if name in _SYMBOLS)
POWERS = {"square": 2, "sq": 2, "squared": 2, "cubic": 3, "cu": 3, "cubed": 3}
SCALES = {"hundred": 2, "thousand": 3, "million": 6, "billion": 9, "trillion": 12}
CURRENCIES = {"$": "dollar", "€": "euro", "£": "GBP", "¥": "yen", "₹": "rupee", "￥": "yen"}
# The ratio of two units, for quantities of several parts: `2 h 30 min` is so many of each.
PARTS: dict[str, tuple[str, int]] = {
    "h": ("time", 3600), "min": ("time", 60), "s": ("time", 1), "day": ("time", 86400), "week": ("time", 604800),
    "month": ("months", 1), "year": ("months", 12), "degree": ("angle", 3600), "arcmin": ("angle", 60), "arcsec": ("angle", 1),
    "ft": ("inches", 12), "in": ("inches", 1), "yd": ("inches", 36), "mi": ("inches", 63360), "km": ("metres", 1_000_000), "m": ("metres", 1000),
    "dm": ("metres", 100), "cm": ("metres", 10), "mm": ("metres", 1), "t": ("grams", 1_000_000_000), "kg": ("grams", 1_000_000), "g": ("grams", 1000),
    "mg": ("grams", 1), "lb": ("ounces", 16), "oz": ("ounces", 1), "dollar": ("cents", 100), "cent": ("cents", 1), "l": ("litres", 1000), "ml": ("litres", 1),
    "gal": ("pints", 8), "qt": ("pints", 2), "pt": ("pints", 1),
}  # fmt: skip


def unit_name(word: str) -> str:
    """The one name of a unit; a word that is no known unit is its own name in lower case."""
    word = word.strip().rstrip(".")
    return _NAMES.get(word) or _RARE.get(word) or _NAMES.get(word.lower()) or word.lower()


def is_unit_word(word: str) -> bool:
    """Return True for the name of a known unit. Single letters count in the case in which the unit is written."""
    word = word.strip().rstrip(".")
    return word in _PLAIN or (len(word) > 2 and word.lower() in _PLAIN)


def is_unit_symbol(word: str) -> bool:
    """Return True for what is a unit where it is set upright behind a number."""
    return word in ALL_SYMBOLS or is_unit_word(word)


def is_rare_symbol(word: str) -> bool:
    """Return True for a unit with a prefix that is hardly ever written with it, as `cg`: a word or a product where it stands alone."""
    return word in _RARE


@lru_cache(maxsize=4096)
def factors(unit: str) -> Mapping[str, int] | None:
    """The symbols of a unit such as `N*m`, `km/h` or `m*s^-2` with their exponents; None where one is not known.

    `ms^-1` is metres per second, as it is written where the space is left out, and not one in a millisecond.
    """
    found: dict[str, int] = {}
    sign = 1
    for joint, name, power in re.findall(
        r"([/*]?)([^/*^]+)(?:\^(-?\d+))?", unit.replace("Wh", "W*h").replace("ms^-", "m*s^-")
    ):
        sign = -1 if joint == "/" else sign
        if name not in _KNOWN and name != "%":
            return None
        found[name] = found.get(name, 0) + sign * int(power or 1)
    return {name: power for name, power in found.items() if power} or None


def differ(unit: str, other: str) -> bool:
    """Return True if both units are known and are not the same. Degrees of a scale, `unit`, may be degrees in `other`."""
    if not unit or not other or unit == other or "%" in (unit, other):
        return False
    if unit in ("degreeC", "degreeF") and other == "degree":
        return False
    ours, theirs = factors(unit), factors(other)
    return ours is not None and theirs is not None and ours != theirs
