"""Units by their names: one name for all ways to write a unit, and whether two units are known to differ."""

import re

_NAMES = {  # unit -> other ways to write it
    "km": "kilometer kilometers kilometre kilometres kms",
    "m": "meter meters metre metres mtr mtrs",
    "cm": "centimeter centimeters centimetre centimetres cms",
    "mm": "millimeter millimeters millimetre millimetres",
    "dm": "decimeter decimeters decimetre decimetres",
    "nm": "nanometer nanometers",
    "µm": "micrometer micrometers micron microns",
    "in": "inch inches",
    "ft": "foot feet",
    "yd": "yard yards yds",
    "mi": "mile miles",
    "kg": "kilogram kilograms kilo kilos kgs",
    "g": "gram grams gm gms",
    "mg": "milligram milligrams",
    "t": "ton tons tonne tonnes",
    "lb": "lbs pound pounds",
    "oz": "ounce ounces",
    "ms": "millisecond milliseconds",
    "s": "sec secs second seconds",
    "min": "mins minute minutes",
    "h": "hr hrs hour hours",
    "day": "days",
    "week": "weeks wk wks",
    "month": "months",
    "year": "years yr yrs",
    "l": "L liter liters litre litres",
    "ml": "mL milliliter milliliters millilitre millilitres",
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
    "rad": "radian radians rads",
    "N": "newton newtons",
    "J": "joule joules",
    "kJ": "kilojoule kilojoules",
    "W": "watt watts",
    "kW": "kilowatt kilowatts",
    "V": "volt volts",
    "A": "amp amps ampere amperes",
    "K": "kelvin kelvins",
    "Pa": "pascal pascals",
    "kPa": "",
    "Hz": "hertz hz",
    "mol": "mole moles mols",
    "eV": "",
    "MeV": "",
    "erg": "ergs",
    "kWh": "",
    "m/s": "mps",
    "mi/h": "mph",
    "km/h": "kmh kmph kph",
    "km^2": "sqkm",
    "%": "percent",
}
_KNOWN = {name: unit for unit, names in _NAMES.items() for name in (unit, *names.split())}
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
    return _KNOWN.get(word) or _KNOWN.get(word.lower()) or word.lower()


def is_unit_word(word: str) -> bool:
    """Return True for the name of a known unit. Single letters count in the case in which the unit is written."""
    word = word.strip().rstrip(".")
    return word in _KNOWN or (len(word) > 2 and word.lower() in _KNOWN)


def is_known(unit: str) -> bool:
    """Return True if every part of a unit such as `km/h` or `N*m` is known."""
    parts = [part for part in re.split(r"[/*]|\^-?\d+", unit) if part]
    return bool(parts) and all(part in _NAMES or part in PARTS or part in ("degreeC", "degreeF") for part in parts)


def differ(unit: str, other: str) -> bool:
    """Return True if both units are known and are not the same."""
    return bool(unit and other) and unit != other and is_known(unit) and is_known(other) and "%" not in (unit, other)
