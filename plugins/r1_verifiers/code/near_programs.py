"""Programs that are nearly right, and must not earn 1.0: a task that pays one of them has tests that decide too little.

Each is a fenced block, as a reply's answer would hold it: the empty program, one that always gives the first expected output, one that
knows the answer of the first test alone, and, where there is a reference solution in Python, that solution with each result off by one.
"""

import json
import re
from collections.abc import Callable, Iterator

from .tests import Case, Tests
from .values import DictValue, Other, Sequence, SetValue, read_value, show

_LONGEST = 50_000  # characters of an expected output that is written into a program

_EMPTY = {
    "python": "pass",
    "cpp": "int main() {}",
    "rust": "fn main() {}",
    "javascript": "void 0;",
    "bash": "true",
}
_PRINT: dict[str, Callable[[str], str]] = {
    "python": lambda text: f"import sys\nsys.stdout.write({text!r})",
    "cpp": lambda text: f"#include <cstdio>\nint main() {{ fputs({json.dumps(text)}, stdout); }}",
    "javascript": lambda text: f"process.stdout.write({json.dumps(text)});",
    "bash": lambda text: "printf '%s' '" + text.replace("'", "'\\''") + "'",
    "rust": lambda text: f'fn main() {{ print!("{{}}", r######"{text}"######); }}',
}
_OFF = """
def _off(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, (list, tuple)):
        changed = list(value)
        changed = [*changed[:-1], _off(changed[-1])] if changed else [0]
        return type(value)(changed) if type(value) in (list, tuple) else changed
    if isinstance(value, dict):
        return {**value, "off": 1}
    if isinstance(value, (set, frozenset)):
        return {*value, "off"}
    return 0
"""
_OFF_CALLS = """
def _around(function):
    return lambda *given, **named: _off(function(*given, **named))
for _name in {names!r}:
    if "Solution" in globals() and hasattr(Solution, _name):
        _method = getattr(Solution, _name)
        setattr(Solution, _name, lambda self, *given, _method=_method, **named: _off(_method(self, *given, **named)))
    elif _name in globals() and not isinstance(globals()[_name], type):
        globals()[_name] = _around(globals()[_name])
"""
_OFF_PRINTED = """
import contextlib as _contextlib, io as _io, re as _re, sys as _sys
_said = _io.StringIO()
with _contextlib.redirect_stdout(_said):
    try:
        exec(compile({source!r}, "main.py", "exec", dont_inherit=True), {{"__name__": "__main__"}})
    except SystemExit:
        pass
_words = _said.getvalue()
_number = list(_re.finditer(r"\\d+", _words))
if _number:
    _last = _number[-1]
    _words = _words[:_last.start()] + str(int(_last.group()) + 1) + _words[_last.end():]
else:
    _words = _words.rstrip() + "x"
_sys.__stdout__.write(_words)
_sys.__stdout__.flush()
"""


def near_misses(tests: Tests, solution: str | None) -> Iterator[str]:
    """Yield programs in fenced blocks that must earn less than 1.0; fewer where one cannot be made for these tests."""
    for program in _programs(tests, solution):
        fence = "~" * 8 if "```" in program else "```"
        yield f"{fence}{tests.language}\n{program}\n{fence}"


def _programs(tests: Tests, solution: str | None) -> Iterator[str]:
    if tests.language not in _EMPTY:
        return
    yield _EMPTY[tests.language]
    first = tests.cases[0]
    if first.is_call:
        yield from _called(tests, first)
    elif len(first.expected) <= _LONGEST and first.expected.strip():
        yield _PRINT[tests.language](first.expected)
        if tests.language == "python" and len(tests.cases) > 1 and len(first.stdin) <= _LONGEST:
            yield (
                f"import sys\ngiven = sys.stdin.read()\n"
                f"sys.stdout.write({first.expected!r} if given.split() == {first.stdin!r}.split() else '')"
            )
    if solution and tests.language == "python" and not tests.checker:
        if first.is_call:
            yield f"{solution}\n{_OFF}{_OFF_CALLS.format(names=tests.called)}"
        else:
            yield _OFF_PRINTED.format(source=solution)


def _called(tests: Tests, first: Case) -> Iterator[str]:
    """Functions that return the first expected value, always or for the first arguments alone."""
    value = _first_value(first)
    if value is None or not tests.called or len(value) > _LONGEST:
        return
    for body in (f"return {value}", f"return {value} if repr((given, named)) == {_first_given(first)!r} else None"):
        functions = [f"def {name}(*given, **named):\n    {body}" for name in tests.called if name.isidentifier()]
        yield "\n".join(["from fractions import Fraction", "inf, nan = float('inf'), float('nan')", *functions])


def _first_given(case: Case) -> str:
    """Return the arguments of the first call as Python source; "" if they are expressions, so nothing equals them."""
    asked = json.loads(case.stdin)
    return repr((tuple(asked["arguments"]), {})) if "function" in asked else ""


def _first_value(case: Case) -> str | None:
    if not case.checks:
        return None if case.value != "_asked_0_" else _source(read_value(case.expected))
    equal = re.fullmatch(r"_asked_0_ == (.*)|(.*) == _asked_0_", case.checks[0], re.DOTALL)
    if equal and "_asked_" not in (found := equal[1] or equal[2]) and "approx" not in found:
        return found
    return "True" if case.checks[0] == "_asked_0_" else None


def _source(value: object) -> str | None:
    if isinstance(value, Other | Sequence):
        return None
    if isinstance(value, DictValue | SetValue | list | tuple | str | int | float | bytes) or value is None:
        return show(value)
    return None
