"""The tests of a task, read from its info: inputs and expected outputs. Only inputs enter a sandbox.

    {"tests": [{"input": "1 2\\n", "output": "3\\n"}]}                 a program that reads stdin and prints
    {"tests": [{"call": "add(1, 2)", "output": 3}]}                   a function, in Python; `output` is JSON
    {"tests": ["assert add(1, 2) == 3"]}                              the same, as MBPP has it
    {"verification_info": {"language": "python", "test_cases": [{"input": ..., "output": ..., "fn_name": ...}]}}    Open-R1's

The shapes of other data sets are in `shapes.py`. A test may have a `weight`. Beside the tests, info may have `language`, `timeout_s`,
`memory_bytes` (of each case), `tolerance`, `prelude`: code that is run before the program, such as imports, `imports`: true for the usual
ones, and `checker`: Python that defines `check(given, expected, printed)`, for problems with several right outputs.
"""

import ast
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import r1sdk

from ..fences import language_name
from . import Imports
from .answer_checks import is_true, read_answers, result_of
from .answer_operations import Unsupported
from .asserts import read_call, read_check, read_functions, read_loop, read_script
from .checker import check_checker
from .harness import CALL, harness, with_imports
from .imports import NUMPY, USUAL_IMPORTS
from .script_reader import Script
from .shapes import SHAPES, DataSetShape, decoded_once, lines, normal_info
from .values import WRITER, Bounds, from_json, read_value, same, show, show_value, write_value

_NUMBER = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,6})?|[-+]?inf", re.ASCII)
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_EXACT_DIGITS = Context(prec=450, traps=[])
_FLOATS = 1e-9  # between floats of a call whose task names no tolerance
_LEAST_OUTPUT, _MOST_OUTPUT = 1 << 20, 1 << 28  # bytes
_SHOWN_CHECKS = 3  # asserts of one test that a prompt shows
_EVALPLUS = re.compile(r"^assertion(?:_of_sets)?\((_asked_\d+_), (.*), [\d.e-]+\)$", re.DOTALL)
_RAISED = re.compile(r"^_raised_\((_asked_\d+_), \('(\w+)'.*$", re.DOTALL)
_MAX_NUMBER = 400  # characters of a number that is no integer


@dataclass(frozen=True, slots=True)
class Case:
    """One execution: the stdin of the program, and the expected output."""

    stdin: str
    expected: str  # the output, or the value of a call as `write_value` writes it
    is_call: bool = False
    weight: float = 1.0
    tolerance: float | None = None  # between numbers of which one is no integer
    is_decimal: bool = False  # of printed numbers: 0.5 is 0.500
    checks: tuple[str, ...] = ()  # of a test that asserts: expressions over the answers, instead of `expected`
    value: str = "_asked_0_"  # of a call: the expression over the answers that is compared with `expected`
    is_wrapped: bool = False  # of a call: `expected` may be a list of the one right value

    def is_met_by(self, execution: r1sdk.Execution, exact: bool = False) -> bool:
        """True if the program ended well and its output is right: the same words, or with `exact` the same text.

        Whitespace between words is free, nothing may be missing or follow. With `exact` only a last newline is free.
        """
        if execution.status != "ok":
            return False
        if self.is_call:
            return self._is_met_by_answers(execution.stdout)
        if exact:
            printed = execution.stdout.removesuffix("\n")
            return printed in (self.expected.removesuffix("\n"), self.expected.replace("\r\n", "\n").removesuffix("\n"))
        if execution.stdout == self.expected:
            return True
        got, wanted = execution.stdout.split(), self.expected.split()
        return len(got) == len(wanted) and all(map(self._same_word, got, wanted))

    def _is_met_by_answers(self, printed: str) -> bool:
        try:
            answers = read_answers(printed)
        except (ValueError, TypeError, KeyError, LookupError, OverflowError, ZeroDivisionError, RecursionError):
            return False
        asked = {f"_asked_{number}_": value for number, value in enumerate(answers)}
        if self.checks:
            return all(is_true(check, asked) for check in self.checks)
        try:
            got = asked[self.value] if self.value in asked else result_of(self.value, asked)
        except (ValueError, LookupError):
            return False
        bound = self.tolerance if self.tolerance is not None else 0.0
        bounds = Bounds(bound, bound if self.tolerance is not None else _FLOATS, loose=True)
        wanted = read_value(self.expected)
        return same(got, wanted, bounds) or (self.is_wrapped and same(got, wanted[0], bounds))

    def _same_word(self, got: str, wanted: str) -> bool:
        if got == wanted:
            return True
        if self.tolerance is None and not self.is_decimal:
            return False
        if not _NUMBER.fullmatch(got) or not _NUMBER.fullmatch(wanted):
            return False
        if _INTEGER.fullmatch(got) and _INTEGER.fullmatch(wanted):
            return _plain_integer(got) == _plain_integer(wanted)
        if max(len(got), len(wanted)) > _MAX_NUMBER:
            return False
        try:
            a, b = Decimal(got), Decimal(wanted)
        except InvalidOperation:
            return False
        if a == b:
            return True
        if self.tolerance is None or not (a.is_finite() and b.is_finite()):
            return False
        bound = Decimal(self.tolerance) * max(Decimal(1), abs(b))
        return abs(_EXACT_DIGITS.subtract(a, b)) <= bound


def _plain_integer(text: str) -> str:
    digits = text.lstrip("+-").lstrip("0") or "0"
    return f"-{digits}" if text[0] == "-" and digits != "0" else digits


@dataclass(frozen=True, slots=True)
class Tests:
    """All the tests of one task, with the limits of each execution."""

    cases: tuple[Case, ...]
    language: str
    limits: r1sdk.ExecutionLimits
    before: tuple[str, ...] = ()  # code to run in the program's namespace before it
    checker: str = ""  # Python that defines check(given, expected, printed); "": outputs are compared
    called: tuple[str, ...] = ()  # the names that a program must define
    has_imports: bool = False  # the usual imports are among `before`
    left_out: tuple[str, ...] = ()  # why tests of the data set are not among the cases
    shape: str = "own"
    solution: str | None = None  # a program that passes, where the task has one

    def examples(self, count: int) -> list[str]:
        """Return the first `count` tests in words, for a prompt."""
        found = []
        for case in self.cases[:count]:
            if not case.is_call:
                found.append(f"Input:\n{case.stdin.rstrip()}\nOutput:\n{case.expected.rstrip()}")
                continue
            asked = json.loads(case.stdin)
            if case.checks:
                found.append(_example(asked["steps"], case.checks))
            elif "function" in asked:
                arguments = ", ".join(show(_keyed(argument)) for argument in asked["arguments"])
                found.append(f"Example: {asked['function']}({arguments}) is {show_value(case.expected)}")
            else:
                found.append(f"Example: {asked['steps'][-1][1]} is {show_value(case.expected)}")
        return found

    def program(self, code: str) -> str:
        """Return the source to run for a reply's `code`."""
        if self.language != "python":
            return code
        if self.cases[0].is_call:
            return harness(code, "solution", CALL, self._before(code), WRITER)
        return with_imports(code, self._before(code))

    def _before(self, code: str) -> tuple[str, ...]:
        """Return the code to run before `code`. It only looks for numpy, which takes time, if the code may use it."""
        return ((NUMPY,) if self.has_imports and "np." in code else ()) + self.before


def read_tests(
    info: Mapping[str, Any], timeout_s: float = 5.0, memory_bytes: int = 512 << 20, imports: Imports = "auto"
) -> Tests:
    """Return the tests in a task's info. Raises: R1Error that names their fault."""
    given = {**info, **normal_info(info)}
    shape = SHAPES[given.get("shape") or "own"]
    tolerance = _number(given, "tolerance", 0.0)
    cases: list[Case] = []
    called: dict[str, None] = {}
    left_out: list[str] = []
    checker = str(given.get("checker") or "")
    helpers = _functions_of(str(given.get("prelude") or ""))
    for number, test in enumerate(given["tests"], 1):
        try:
            if checker and isinstance(test, Mapping) and test.get("output") is None:
                test = {**test, "output": ""}
            for case, names in _read(test, shape, tolerance):
                _check_is_judged_here(case, helpers, _checked_function(test))
                cases.append(case)
                called |= dict.fromkeys(names)
        except (KeyError, TypeError, ValueError, SyntaxError, AttributeError, RecursionError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            left_out.append(f"test {number} cannot be read: {what}: {test!r:.200}")
            if not shape.skips:
                break
    if left_out and (not cases or not shape.skips):
        raise r1sdk.R1Error(left_out[0])
    cases = _unwrapped(cases)
    if len({case.is_call for case in cases}) > 1:
        raise r1sdk.R1Error("the tests are of two kinds: either all call a function, or none")
    if not sum(case.weight for case in cases) > 0:
        raise r1sdk.R1Error("the tests weigh nothing together")
    is_call = cases[0].is_call
    language = language_name(str(given.get("language") or "python"))
    if is_call and language != "python":
        raise r1sdk.R1Error(
            f"the tests call a function, which is for python; for {language} they are of input and output"
        )
    longest = max(len(case.expected.encode()) for case in cases)
    limits = r1sdk.ExecutionLimits(
        timeout_s=_number(given, "timeout_s", 0.0) or timeout_s,
        memory_bytes=int(_number(given, "memory_bytes", 0.0) or memory_bytes),
        output_bytes=min(_MOST_OUTPUT, max(_LEAST_OUTPUT, 2 * longest + (64 << 10))),
    )
    if checker and is_call:
        raise r1sdk.R1Error("a checker is for tests of input and output, and these call a function")
    if checker:
        check_checker(checker)
    if not is_call and not checker and not any(case.expected.strip() for case in cases):
        raise r1sdk.R1Error("every expected output is empty, so the tests tell nothing")
    asked = given.get("imports")
    by_shape = shape.imports or (is_call and not cases[0].checks) if asked is None else bool(asked)
    has_imports = language == "python" and (by_shape if imports == "auto" else imports == "always")
    before = ((USUAL_IMPORTS,) if has_imports else ()) + tuple(filter(None, [str(given.get("prelude") or "")]))
    return Tests(
        *(tuple(cases), language, limits, before, checker, tuple(called)),
        *(has_imports, tuple(left_out), shape.name),
    )


def _example(steps: list[list[str]], checks: tuple[str, ...]) -> str:
    """A test of asserts in words; `add(1, 2) is 3` where it is no more than that."""
    asks = [text for kind, text in steps if kind != "do"]
    checks = tuple(_EVALPLUS.sub(r"\1 == \2", check) for check in checks[:_SHOWN_CHECKS])
    shown = [_RAISED.sub(r"\1 raises \2", check) if _RAISED.match(check) else f"assert {check}" for check in checks]
    for number, text in enumerate(asks):
        shown = [check.replace(f"_asked_{number}_", text) for check in shown]
    before = [text for kind, text in steps if kind == "do"]
    plain = re.fullmatch(r"_asked_0_ == (.*)", checks[0], re.DOTALL)
    if len(checks) == 1 and not before and plain and "_asked_" not in plain[1]:
        return f"Example: {asks[0]} is {plain[1]}"
    return "Example:\n" + "\n".join([*before, *shown])


def _number(given: Mapping[str, Any], name: str, least: float) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise r1sdk.R1Error(f"{name} is a number, got {value!r:.60}") from None
    if not (math.isfinite(number) and number >= least):
        raise r1sdk.R1Error(f"{name} must be above {least:g}, got {value!r:.60}")
    return number


def _read(test: Any, shape: DataSetShape, tolerance: float | None) -> Iterator[tuple[Case, tuple[str, ...]]]:
    """The cases of one test, each with the names that it calls. Raises: ValueError and the like."""
    if isinstance(test, str):
        yield _asserting(read_script(test))
        return
    if not isinstance(test, Mapping):
        raise TypeError("a test is an object with input and output, or an assert")
    given_weight = test.get("weight")
    weight = 1.0 if given_weight is None else float(given_weight)
    if not (math.isfinite(weight) and weight >= 0):
        raise ValueError("a weight is not negative")
    if test.get("tolerance") is not None:
        tolerance = _number(test, "tolerance", 0.0)
    if "assert" in test:
        case, names = _asserting(read_script(test["assert"]))
        yield replace(case, weight=weight), names
    elif "pytest" in test:
        yield from _functions(test["pytest"])
    elif "check" in test:
        for text in read_check(test["check"], test["function"]):
            yield _asserting(read_script(text))
    elif "evalplus" in test:
        for script in read_loop(test["evalplus"], test["function"]):
            yield _asserting(script)
    elif "call" in test:
        script, value = read_call(test["call"])
        yield Case(_steps(script), write_value(test["output"]), True, weight, tolerance, value=value), script.called
    elif test.get("fn_name"):
        asked, expected = _function(test)
        may_wrap = shape.wrapped or test.get("type") == "function_call"
        is_wrapped = may_wrap and isinstance(expected, list) and len(expected) == 1
        yield (
            Case(json.dumps(asked), write_value(expected), True, weight, tolerance, is_wrapped=is_wrapped),
            (str(test["fn_name"]),),
        )
    else:
        if test.get("type") == "function_call" or test.get("testtype") == "functional":
            raise ValueError("a test of a function without its name (fn_name)")
        given = "" if test["input"] is None else _text(test["input"], "input")
        expected = _text(test["output"], "output")
        tolerance = shape.tolerance if tolerance is None else tolerance
        yield Case(given.replace("\r\n", "\n"), expected, False, weight, tolerance, shape.decimal), ()


def _function(test: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Return the call of a function and the value it must return. If the arguments are JSON text, so is the result."""
    asked: dict[str, Any] = {"function": str(test["fn_name"])}
    if "arguments" in test:
        given, expected = test["arguments"], test["result"]
    else:
        given, expected = test["input"], test["output"]
        if isinstance(given, str):
            given, asked["is_text"] = _arguments(given), True
            expected = decoded_once(expected)
    if isinstance(given, Mapping):
        asked["named"] = dict(given)
    arguments = given if isinstance(given, list) else [given]
    asked["arguments"] = [_with_integer_keys(argument) for argument in arguments]
    return asked, expected


def _arguments(text: str) -> Any:
    """One JSON value, or one a line."""
    whole = decoded_once(text)
    if whole is text and "\n" in text.strip():
        return lines(text)
    return list(whole) if isinstance(whole, tuple) else whole


def _with_integer_keys(value: Any) -> Any:
    """JSON has no keys but texts; APPS and verl read those that are integers as such. Written for the sandbox as pairs."""
    if (
        isinstance(value, dict)
        and value
        and all(isinstance(k, str) and re.fullmatch(r"-?[0-9]{1,18}", k) for k in value)
    ):
        return {"__pairs__": [[int(key), item] for key, item in value.items()]}
    return value


def _keyed(argument: Any) -> Any:
    """An argument as the sandbox makes it, to be shown."""
    pairs = argument.get("__pairs__") if isinstance(argument, dict) else None
    return from_json(json.loads(write_value(dict(map(tuple, pairs)) if pairs else argument)))


def _unwrapped(cases: list[Case]) -> list[Case]:
    """Outputs stand in lists of one only if those of all the tests do."""
    if all(case.is_wrapped for case in cases):
        return cases
    return [replace(case, is_wrapped=False) for case in cases]


def _functions(source: str) -> Iterator[tuple[Case, tuple[str, ...]]]:
    """The test functions of a module, a case each; those that cannot be read are left out while another can."""
    found, faults = [], []
    functions = read_functions(source)
    if not functions:
        raise Unsupported("no test functions")
    for name, read in functions:
        try:
            found.append(_asserting(read()))
        except (Unsupported, ValueError) as error:
            faults.append(f"{name}: {error}")
    if not found:
        raise Unsupported(faults[0])
    yield from found


def _functions_of(source: str) -> frozenset[str]:
    """The functions that the code before a program defines."""
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef))


def _checked_function(test: Any) -> str:
    """The function or class that the test `check(candidate)` is given; "" for other tests."""
    found = re.match(r"\w+", str(test["function"])) if isinstance(test, Mapping) and "check" in test else None
    return found[0] if found else ""


def _check_is_judged_here(case: Case, helpers: frozenset[str], function: str) -> None:
    """Raises: Unsupported if a helper in the sandbox, which a program can redefine, decides about what the program returned."""
    if not case.checks or not (helpers or function):
        return
    asks = [text for kind, text in json.loads(case.stdin)["steps"] if kind != "do"]
    bare = {int(found[1]) for check in case.checks if (found := re.fullmatch(r"(?:not )?_asked_(\d+)_", check))}
    for number, text in enumerate(asks):
        name = re.match(r"\w+", text)
        if not name or name[0] == function:
            continue
        is_around = bool(function) and re.search(rf"\b{function}\b", text) is not None
        if is_around or (number in bare and name[0] in helpers):
            raise Unsupported(f"{name[0]}() would have to judge beside the program")


def _asserting(script: Script) -> tuple[Case, tuple[str, ...]]:
    return Case(_steps(script), "", True, checks=script.checks), script.called


def _steps(script: Script) -> str:
    return json.dumps({"steps": script.steps, "needs": script.called})


def _text(value: Any, name: str) -> str:
    """The text of an input or an output; some are a list of lines."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and not any(isinstance(line, dict) or line is None for line in value):
        return "\n".join(" ".join(map(str, line)) if isinstance(line, list) else str(line) for line in value)
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"{name} is a text, got {value!r:.60}")
