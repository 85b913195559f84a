"""Tests in the shapes that data sets have, brought into ours; docs/code.md has the table of them.

`normal_info` turns what a row or a task's info has into `{"tests": [...], "shape": ...}`. The shape says what its official grader
does beside running the program: imports in front of it, numbers compared as numbers, outputs inside a list of one.
"""

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import r1sdk

from .code_block import find_program
from .long_integers import TooLong, read_json, read_literal
from .packed import unpacked


@dataclass(frozen=True, slots=True)
class DataSetShape:
    """The behaviour of a shape's official grader."""

    name: str
    imports: bool = False  # it puts the usual imports in front of a program
    decimal: bool = False  # numbers that are printed are compared as decimals: 0.5 is 0.500
    tolerance: float | None = None  # between numbers that are printed with a decimal point
    wrapped: bool = False  # the result of a call may stand in a list of one
    skips: bool = False  # a test that cannot be read is left out, as long as another can


OWN = DataSetShape("own")
SHAPES = {
    shape.name: shape
    for shape in (
        OWN,
        DataSetShape("open_r1", imports=True, wrapped=True),
        DataSetShape("synthetic", imports=True, tolerance=1e-5, wrapped=True),
        DataSetShape("inputs_outputs", imports=True, tolerance=1e-5, wrapped=True),
        DataSetShape("deepcoder", imports=True, decimal=True),
        DataSetShape("livecodebench", imports=True, decimal=True),
        DataSetShape("asserts", skips=True),
        DataSetShape("pytest", skips=True),
        DataSetShape("evalplus"),
    )
}
COLUMNS = (
    *("tests", "test_list", "verification_info", "test_cases", "input_output", "reward_model", "ground_truth"),
    *("public_test_cases", "official_tests", "test"),
)
"""Where tests stand, in the order in which they are looked for."""


class NoTests(r1sdk.R1Error):
    """A row or a task that has no tests at all."""


def normal_info(info: Mapping[str, Any], column: str | None = None) -> dict[str, Any]:
    """Return the tests of a row, or of a task's info, in r1sdk's shape: `tests`, `shape`, and the settings of the tests.

    `column`: where they stand; None: the first of `COLUMNS`, or `inputs` and `outputs`. Raises: NoTests, R1Error.
    """
    shape = info.get("shape")  # or a column of the data set that happens to have this name
    if isinstance(shape, str) and shape in SHAPES and isinstance(info.get("tests"), list) and column is None:
        return dict(info)
    name = column or _column(info)
    if name is None:
        raise NoTests(
            f"the task has no tests: info has {', '.join(map(str, info)) or 'nothing'}, and 'tests' is a list"
        )
    beside = {key: info[key] for key in ("metadata", "starter_code", "entry_point", "fn_name") if info.get(key)}
    try:
        if name == "public_test_cases" or (name == "private_test_cases"):
            found = _livecodebench(info)
        elif name == "official_tests" and info.get("generated_checker"):
            raise ValueError("its outputs need the checker in 'generated_checker'")
        elif name == "inputs":
            found = _inputs_outputs(info)
        elif _is_mbpp_plus(info, name):
            found = {"tests": [{"evalplus": info["test"], "function": _first_called(info)}], "shape": "evalplus"}
        else:
            found = _any(name, info[name], beside)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise r1sdk.R1Error(f"its tests cannot be read: {what:.200}") from None
    tests = found["tests"]
    if not isinstance(tests, Sequence) or isinstance(tests, str) or not tests:
        raise NoTests(f"the task has no tests: {name!r} holds none, and 'tests' is a list")
    return {**_before(info, name), **found, "tests": list(tests)}


def _before(info: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the code that MBPP's and HumanEval's tests need in front of a program, and the limits of Codeforces."""
    if name == "test_list" and not info.get("prelude"):
        setup = info.get("test_setup_code") or "\n".join(info.get("test_imports") or ())
        return {"prelude": setup} if setup else {}
    if name == "official_tests":
        seconds, megabytes = info.get("time_limit"), info.get("memory_limit")
        found: dict[str, Any] = {"timeout_s": float(seconds)} if seconds and not info.get("timeout_s") else {}
        return found | (
            {"memory_bytes": int(float(megabytes)) << 20} if megabytes and not info.get("memory_bytes") else {}
        )
    head = _head(info)
    return {"prelude": head} if name == "test" and head and not info.get("prelude") else {}


def _head(info: Mapping[str, Any]) -> str:
    """Return the code before the function in a prompt of HumanEval."""
    prompt, name = info.get("prompt"), info.get("entry_point")
    if not isinstance(prompt, str) or f"def {name}" not in prompt:
        return ""
    return prompt[: prompt.index(f"def {name}")].strip()


def _column(info: Mapping[str, Any]) -> str | None:
    for name in COLUMNS:
        if info.get(name) not in (None, "", [], {}):
            if name == "reward_model" and not (isinstance(info[name], Mapping) and info[name].get("ground_truth")):
                continue
            if name == "test" and not (isinstance(info[name], str) and ("assert" in info[name])):
                continue
            return name
    return "inputs" if "inputs" in info and "outputs" in info else next((n for n in COLUMNS[:4] if n in info), None)


def _is_mbpp_plus(info: Mapping[str, Any], name: str) -> bool:
    """True for a row whose `test` has all the tests of which its list shows the first three."""
    more = info.get("test")
    return name == "test_list" and isinstance(more, str) and "assertion(" in more and bool(_first_called(info))


def _first_called(info: Mapping[str, Any]) -> str:
    """The function that the first assert of a row calls."""
    if info.get("entry_point"):
        return str(info["entry_point"])
    for text in info.get("test_list") or ():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id not in _REDUCING:
                return node.func.id
    return ""


_REDUCING = ("set", "sorted", "abs", "len", "list", "tuple", "round", "isclose", "isinstance", "str", "float", "int")


def _any(name: str, value: Any, beside: Mapping[str, Any]) -> dict[str, Any]:
    """Whatever stands in the column `name`."""
    if isinstance(value, str):
        if name in ("tests", "test", "test_cases") and _is_python_tests(value):
            return _python_tests(value, beside)
        value = decoded(value)
    if isinstance(value, Mapping):
        if name == "reward_model":
            return _any("ground_truth", value["ground_truth"], beside)
        if "inputs" in value and "outputs" in value:
            return _inputs_outputs(value)
        for inner in ("ground_truth", "tests", "test_cases"):
            if value.get(inner) is not None:
                found = _any(inner, value[inner], {**beside, **value})
                kept = {
                    key: value[key]
                    for key in ("language", "timeout_s", "memory_bytes", "tolerance", "prelude", "checker", "imports")
                    if value.get(key) is not None
                }
                is_own = found["shape"] == "own" and name == "verification_info"
                return {**found, **kept, **({"shape": "open_r1"} if is_own else {})}
        raise NoTests(f"the task has no tests: {name!r} has {', '.join(map(str, value)) or 'nothing'}")
    if not isinstance(value, Sequence):
        raise TypeError(f"{name!r} is {value!r:.60}, and tests are a list")
    tests = list(value)
    if tests and all(isinstance(one, Mapping) and "testtype" in one for one in tests):
        return {"tests": [_testtype(one, beside) for one in tests], "shape": "deepcoder"}
    if name == "ground_truth":
        return {"tests": tests, "shape": "synthetic"}
    if tests and all(
        isinstance(one, Mapping) and one.get("type") in ("stdin_stdout", "function_call") for one in tests
    ):
        return {"tests": tests, "shape": "open_r1"}
    function = beside.get("fn_name")
    if function and all(isinstance(one, Mapping) and "input" in one for one in tests):
        tests = [{**one, "fn_name": one.get("fn_name") or function} for one in tests]
    is_asserts = tests and all(isinstance(one, str) for one in tests) and name != "tests"
    return {"tests": tests, "shape": "asserts" if is_asserts else "own"}


def read_solution(row: Mapping[str, Any], value: Any, language: str) -> str | None:
    """Return the reference solution of a row: a program, in a fenced block, the first of a list, or the rest of the prompt's code.

    None where there is none.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            pass
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = next((one for one in value if isinstance(one, str) and one.strip()), None)
    if not isinstance(value, str) or not value.strip():
        return None
    if "```" in value or "~~~" in value:
        return find_program(value, language) or value
    if row.get("canonical_solution") == value and _head_is_open(row):
        return f"{row['prompt']}{value}"
    return value


def _head_is_open(row: Mapping[str, Any]) -> bool:
    prompt = row.get("prompt")
    return isinstance(prompt, str) and f"def {row.get('entry_point')}" in prompt


def decoded(text: str) -> Any:
    """Parse JSON, or a Python literal as some data sets have it; JSON in a JSON text once more. Raises: ValueError."""
    try:
        value = read_json(text)
    except TooLong:
        raise
    except ValueError as error:
        try:
            value = read_literal(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            raise ValueError(f"its tests are not JSON: {error}") from None
    if isinstance(value, str):
        try:
            return read_json(value)
        except ValueError:
            return value
    return value


def _is_python_tests(text: str) -> bool:
    return "assert" in text and (
        "def test" in text or "def check" in text or text.lstrip().startswith(("assert", "import", "from"))
    )


def _python_tests(text: str, beside: Mapping[str, Any]) -> dict[str, Any]:
    if "assertion(" in text and "def check" in text:
        return {
            "tests": [{"evalplus": text, "function": str(beside.get("entry_point") or "candidate")}],
            "shape": "evalplus",
        }
    if "def test" in text:
        return {"tests": [{"pytest": text}], "shape": "pytest"}
    if "def check" in text:
        return {
            "tests": [{"check": text, "function": str(beside.get("entry_point") or "candidate")}],
            "shape": "pytest",
        }
    return {"tests": [line for line in text.splitlines() if line.strip().startswith("assert")], "shape": "asserts"}


def _inputs_outputs(value: Mapping[str, Any]) -> dict[str, Any]:
    """APPS, TACO, verl and DeepCoder's taco: two lists, and `fn_name` where a function is called."""
    inputs, outputs = (decoded(one) if isinstance(one, str) else one for one in (value["inputs"], value["outputs"]))
    if len(inputs) != len(outputs):
        raise ValueError(f"{len(inputs)} inputs and {len(outputs)} outputs")
    function = value.get("fn_name")
    pairs = zip(inputs, outputs, strict=True)
    if not function:
        return {"tests": [{"input": given, "output": wanted} for given, wanted in pairs], "shape": "inputs_outputs"}
    tests = [{"fn_name": function, "input": given, "output": wanted} for given, wanted in pairs]
    return {"tests": tests, "shape": "inputs_outputs"}


def _testtype(test: Mapping[str, Any], beside: Mapping[str, Any]) -> dict[str, Any]:
    """LiveCodeBench's and DeepCoder's tests: `functional` ones have a JSON value a line for each argument, and JSON as the output."""
    if test["testtype"] not in ("functional", "stdin"):
        raise ValueError(f"testtype is functional or stdin, got {test['testtype']!r:.40}")
    if test["testtype"] == "stdin":
        return {"input": test["input"], "output": test["output"]}
    for holder in (test.get("metadata"), beside.get("metadata"), beside):
        holder = decoded(holder) if isinstance(holder, str) and holder.strip() else holder
        if isinstance(holder, Mapping) and (function := holder.get("func_name") or holder.get("fn_name")):
            return {"fn_name": str(function), "arguments": lines(test["input"]), "result": decoded_once(test["output"])}
    raise ValueError("a functional test without func_name")


def lines(given: Any) -> list[Any]:
    """Return the arguments in a text of one JSON value a line."""
    if not isinstance(given, str):
        return given if isinstance(given, list) else [given]
    return [decoded_once(line) for line in given.split("\n") if line.strip()]


def decoded_once(text: Any) -> Any:
    """Parse JSON or a Python literal; other text is returned unchanged."""
    if not isinstance(text, str):
        return text
    try:
        return read_json(text)
    except TooLong:
        raise
    except ValueError:
        pass
    try:
        return read_literal(text.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _livecodebench(info: Mapping[str, Any]) -> dict[str, Any]:
    """The public and the hidden tests of LiveCodeBench."""
    tests: list[Any] = []
    for name in ("public_test_cases", "private_test_cases"):
        held = info.get(name)
        tests += unpacked(held) if isinstance(held, str) else list(held or ())
    return {"tests": [_testtype({"testtype": "stdin", **test}, info) for test in tests], "shape": "livecodebench"}
