"""Integers of more digits than Python reads or writes by itself (4300), up to a limit that keeps one of them under half a second.

JSON and the literals of tests may hold such integers. In JSON that stays with a task one is `{"__int__": hex}`, which every JSON reader takes;
in the source of a test it is `int('...', 16)`.
"""

import ast
import decimal
import io
import json
import re
import tokenize
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

MAX_DIGITS = 250_000
_SHORT = 4000  # digits that Python converts whatever its settings
_SHORT_BITS = 13_000
_BITS = int(MAX_DIGITS * 3.322) + 1
_LONG = re.compile(rf"[0-9]{{{_SHORT + 1},}}")
_MARK = "__int__"


class TooLong(ValueError):
    """Raised for an integer of more than `MAX_DIGITS` digits."""


def read_integer(text: str) -> int:
    """Return the integer of decimal digits. Raises: TooLong, ValueError."""
    if len(text) <= _SHORT:
        return int(text)
    if len(text) > MAX_DIGITS:
        raise TooLong(f"an integer of {len(text)} digits; at most {MAX_DIGITS} are read")
    if not re.fullmatch(r"-?[0-9]+", text):
        raise ValueError(f"no integer: {text:.40}")
    return -_digits(text[1:]) if text[0] == "-" else _digits(text)


def _digits(text: str) -> int:
    if len(text) <= _SHORT:
        return int(text)
    low = 1 << (len(text) - 1).bit_length() - 1
    return _digits(text[:-low]) * _power(low) + _digits(text[-low:])


@lru_cache(maxsize=32)
def _power(digits: int) -> int:
    return int(10**digits)


def integer_text(value: int) -> str:
    """Return an integer in decimal digits. Raises: TooLong."""
    if value.bit_length() <= _SHORT_BITS:
        return str(value)
    if value.bit_length() > _BITS:
        raise TooLong(f"an integer of more than {MAX_DIGITS} digits")
    exact = decimal.Context(
        prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN, traps=[decimal.Inexact]
    )

    def split(number: int, bits: int) -> decimal.Decimal:
        if bits <= _SHORT_BITS:
            return decimal.Decimal(number)
        half = bits >> 1
        high = number >> half
        return exact.fma(split(high, bits - half), powers(half), split(number - (high << half), half))

    @cache
    def powers(bits: int) -> decimal.Decimal:
        return exact.power(decimal.Decimal(2), bits)

    return f"{'-' if value < 0 else ''}{split(abs(value), value.bit_length())}"


def read_json(text: str) -> Any:
    """Parse JSON; a long integer is `{"__int__": hex}`. Raises: ValueError."""
    return json.loads(text, parse_int=lambda digits: _marked(read_integer(digits)))


def read_literal(text: str) -> Any:
    """Parse a Python literal; a long integer is `{"__int__": hex}`. Raises: as `ast.literal_eval`."""
    if not _LONG.search(text):
        return ast.literal_eval(text)
    return _all_marked(ast.literal_eval(_rewritten(text, hex)))


def _marked(value: int) -> Any:
    return value if value.bit_length() <= _SHORT_BITS else {_MARK: f"{value:x}"}


def _all_marked(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_all_marked, value))
    if isinstance(value, dict):
        return {key: _all_marked(item) for key, item in value.items()}
    return _marked(value) if type(value) is int else value


def is_marked(value: Any) -> bool:
    """True for `{"__int__": hex}`."""
    return isinstance(value, Mapping) and list(value) == [_MARK]


def unmarked(value: Any) -> Any:
    """Return a value from JSON with its long integers. Raises: ValueError."""
    if isinstance(value, list | tuple):
        return type(value)(map(unmarked, value))
    if is_marked(value):
        return int(value[_MARK], 16)
    return {key: unmarked(item) for key, item in value.items()} if isinstance(value, dict) else value


def integer_source(value: int) -> str:
    """Return an expression of an integer that Python compiles whatever its length."""
    return repr(value) if value.bit_length() <= _SHORT_BITS else f"int('{value:x}', 16)"


def without_long_literals(source: str) -> str:
    """Return the source of a test with long integers as `int('...', 16)`. Raises: TooLong."""
    return _rewritten(source, integer_source) if _LONG.search(source) else source


def parse_python(source: str) -> ast.Module:
    """Parse the source of tests with integers of any length. Raises: SyntaxError, ValueError."""
    return ast.parse(without_long_literals(source))


def _rewritten(source: str, written: Any) -> str:
    """The source with `written(value)` in the place of long decimal literals; texts stay as they are."""
    lines = source.splitlines(keepends=True)
    found = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.NUMBER and _LONG.fullmatch(token.string):
                found.append(token)
    except (tokenize.TokenError, IndentationError):
        return source
    for token in reversed(found):
        row, (start, end) = token.start[0] - 1, (token.start[1], token.end[1])
        lines[row] = lines[row][:start] + written(read_integer(token.string)) + lines[row][end:]
    return "".join(lines)
