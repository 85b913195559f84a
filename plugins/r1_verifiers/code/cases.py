"""The tests of a task, read from its info: what a program is given, and what must come back. Only the first enters a sandbox.

    {"tests": [{"input": "1 2\\n", "output": "3\\n"}]}                 a program that reads stdin and prints
    {"tests": [{"call": "add(1, 2)", "output": 3}]}                   a function, in Python; `output` is JSON
    {"tests": ["assert add(1, 2) == 3"]}                              the same, as MBPP has it
    {"verification_info": {"language": "python", "test_cases": [{"input": ..., "output": ..., "fn_name": ...}]}}    Open-R1's

A test may have a `weight`. Beside the tests, info may have `language`, `timeout_s`, `memory_bytes` (of each case), `tolerance`,
`prelude`: code that is run before the program, such as imports, and `checker`: Python that defines `check(given, expected, printed)`, for
problems with several right outputs.
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import r1sdk

from ..fences import language_name
from .asking import asking
from .checker import check_checker
from .values import WRITER, same_value, write_value

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|[-+]?inf", re.ASCII)

_CALL = """
if "call" in asked:
    value = eval(compile(asked["call"], "call", "eval", dont_inherit=True), names)
else:
    function = names.get(asked["function"]) or getattr(names["Solution"](), asked["function"])
    value = function(*asked["arguments"])
said = write_value(value)
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One test: what the program is given on stdin, and what must come back."""

    stdin: str
    expected: str  # what is printed, or the value of a call as `write_value` writes it
    is_call: bool = False
    weight: float = 1.0
    tolerance: float | None = None  # between numbers
    loose: bool = False  # of a call: expected came as JSON, which has no tuples

    def is_met_by(self, execution: r1sdk.Execution, exact: bool = False) -> bool:
        """Whether it ended well and what came back is right: the same words, or with `exact` the same text.

        Whitespace between words is free, nothing may be missing or follow. With `exact` only a last newline is.
        """
        if execution.status != "ok":
            return False
        if self.is_call:
            return same_value(execution.stdout, self.expected, self.tolerance, self.loose)
        if exact:
            return execution.stdout.removesuffix("\n") == self.expected.removesuffix("\n")
        got, wanted = execution.stdout.split(), self.expected.split()
        return len(got) == len(wanted) and all(map(self._same_word, got, wanted))

    def _same_word(self, got: str, wanted: str) -> bool:
        if got == wanted or self.tolerance is None:
            return got == wanted
        if len(got) > 400 or not _NUMBER.fullmatch(got) or not _NUMBER.fullmatch(wanted):
            return False
        a, b = float(got), float(wanted)
        return a == b or abs(a - b) <= self.tolerance * max(1.0, abs(b))


@dataclass(frozen=True, slots=True)
class Tests:
    """All the tests of one task, with the limits of each execution."""

    cases: tuple[Case, ...]
    language: str
    limits: r1sdk.ExecutionLimits
    prelude: str = ""
    checker: str = ""  # Python that defines check(given, expected, printed); "": what is printed is compared

    def program(self, code: str) -> str:
        """What is run for a reply's `code`."""
        if self.prelude:
            code = f"{self.prelude}\n{code}"
        return WRITER + asking(code, "solution", _CALL) if self.cases[0].is_call else code


def read_tests(info: Mapping[str, Any], timeout_s: float = 5.0, memory_bytes: int = 512 << 20) -> Tests:
    """The tests in a task's info. Raises: R1Error that says what is wrong with them."""
    given = info.get("verification_info") or info
    given = json.loads(given) if isinstance(given, str) else given
    tests = given.get("tests", given.get("test_cases"))
    tests = json.loads(tests) if isinstance(tests, str) else tests
    if not isinstance(tests, Sequence) or not tests:
        raise r1sdk.R1Error(f"the task has no tests: info has {', '.join(info) or 'nothing'}, and 'tests' is a list")
    tolerance = given.get("tolerance")
    cases = []
    for number, test in enumerate(tests, 1):
        try:
            cases.append(_read(test, None if tolerance is None else float(tolerance)))
        except (KeyError, TypeError, ValueError, SyntaxError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            raise r1sdk.R1Error(f"test {number} cannot be read: {what}: {test!r:.200}") from None
    if len({case.is_call for case in cases}) > 1:
        raise r1sdk.R1Error("the tests are of two kinds: either all call a function, or none")
    if not sum(case.weight for case in cases) > 0:
        raise r1sdk.R1Error("the tests weigh nothing together")
    language = language_name(str(given.get("language") or "python"))
    if cases[0].is_call and language != "python":
        raise r1sdk.R1Error(
            f"the tests call a function, which is for python; for {language} they are of input and output"
        )
    limits = r1sdk.ExecutionLimits(
        timeout_s=float(given.get("timeout_s") or timeout_s),
        memory_bytes=int(given.get("memory_bytes") or memory_bytes),
    )
    checker = str(given.get("checker") or "")
    if checker and cases[0].is_call:
        raise r1sdk.R1Error("a checker is for tests of input and output, and these call a function")
    if checker:
        check_checker(checker)
    return Tests(tuple(cases), language, limits, str(given.get("prelude") or ""), checker)


def _read(test: Any, tolerance: float | None) -> Case:
    if isinstance(test, str):
        return _read_assert(test, tolerance)
    weight = float(test.get("weight", 1.0))
    if weight < 0:
        raise ValueError("a weight is not negative")
    if test.get("tolerance") is not None:
        tolerance = float(test["tolerance"])
    if "assert" in test:
        return replace(_read_assert(test["assert"], tolerance), weight=weight)
    if "call" in test:
        compile(test["call"], "call", "eval")
        asked = {"call": test["call"]}
    elif test.get("fn_name"):
        given = test["input"]
        given = json.loads(given) if isinstance(given, str) else given
        asked = {"function": test["fn_name"], "arguments": given if isinstance(given, list) else [given]}
    else:
        return Case(_text(test["input"]), _text(test["output"]), weight=weight, tolerance=tolerance)
    expected = test["output"]
    if test.get("fn_name") and isinstance(expected, str):
        try:
            expected = json.loads(expected)  # Open-R1's are JSON in a string
        except ValueError:
            pass
    return Case(json.dumps(asked), write_value(expected), True, weight, tolerance, loose=True)


def _read_assert(text: str, tolerance: float | None) -> Case:
    """`assert CALL == VALUE`, `assert [not] CALL`, `assert abs(CALL - VALUE) < T` or `assert math.isclose(CALL, VALUE[, T])`."""
    parsed = ast.parse(text.strip()).body
    if len(parsed) != 1 or not isinstance(parsed[0], ast.Assert):
        raise ValueError("not one assert statement")
    left, expected = parsed[0].test, True
    match left:
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="abs"), args=[ast.BinOp(left=call, op=ast.Sub(), right=right)]),
            ops=[ast.Lt() | ast.LtE()],
            comparators=[bound],
        ):
            left, expected, tolerance = call, ast.literal_eval(right), float(ast.literal_eval(bound))
        case ast.Call(
            func=ast.Name(id="isclose") | ast.Attribute(attr="isclose"), args=[call, right], keywords=keywords
        ):
            bounds = [float(ast.literal_eval(k.value)) for k in keywords if k.arg in ("rel_tol", "abs_tol")]
            left, expected, tolerance = call, ast.literal_eval(right), max(bounds, default=1e-9)
        case ast.Compare(left=call, ops=[ast.Eq() | ast.Is()], comparators=[right]):
            left, expected = call, _literal(right)
        case ast.UnaryOp(op=ast.Not(), operand=call):
            left, expected = ast.Call(ast.Name("bool"), [call], []), False
        case ast.Compare() | ast.BoolOp():
            raise ValueError("what is compared must be a call on the left and a value on the right of ==")
        case _:
            left = ast.Call(ast.Name("bool"), [left], [])
    return Case(json.dumps({"call": ast.unparse(left)}), write_value(expected), True, 1.0, tolerance)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("set", "frozenset"):
        return set(ast.literal_eval(node.args[0])) if node.args else set()
    return ast.literal_eval(node)


def _text(value: Any) -> str:
    """Open-R1 has some inputs as a list of lines."""
    return "\n".join(map(str, value)) if isinstance(value, list) else str(value)
