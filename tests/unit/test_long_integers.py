"""Integers of more digits than Python converts by itself: read, compared and written, up to a limit that is said."""

import asyncio
import json
import time

import pytest

import r1sdk
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.long_integers import (
    MAX_DIGITS,
    TooLong,
    integer_text,
    read_integer,
    read_json,
    read_literal,
    unmarked,
    without_long_literals,
)
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.shapes import normal_info
from r1_verifiers.code.tests import read_tests

pytestmark = pytest.mark.heavy
LONG = "1" + "0" * 4998 + "7"
VALUE = 10**4999 + 7


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=2)
    close_pools()


def test_digits_are_read_and_written_at_any_length():
    for digits in ("0", "-7", "9" * 4000, "9" * 4301, "-" + "1" * 5000, "123456789" * 3000, "1" + "0" * 70_000):
        assert integer_text(read_integer(digits)) == digits
    start = time.perf_counter()
    assert integer_text(read_integer("7" * MAX_DIGITS)) == "7" * MAX_DIGITS
    assert time.perf_counter() - start < 5
    for wrong in ("7" * (MAX_DIGITS + 1), "7" * 5000 + "x", "7" * 5000 + "_7", "1e" + "0" * 5000):
        with pytest.raises(ValueError):
            read_integer(wrong)
    with pytest.raises(TooLong):
        integer_text(1 << (4 * MAX_DIGITS))


def test_json_and_literals_hold_them_in_a_form_that_any_json_reader_takes():
    for read, text in ((read_json, f'{{"a": [{LONG}, 5, -{LONG}]}}'), (read_literal, f"{{'a': [{LONG}, 5, -{LONG}]}}")):
        value = read(text)
        assert unmarked(json.loads(json.dumps(value))) == {"a": [VALUE, 5, -VALUE]}
    assert read_json("[5, 5.5]") == [5, 5.5] and read_literal("(5, '6')") == (5, "6")
    assert read_literal(f"'{LONG}'") == LONG


def test_literals_in_texts_and_comments_stay():
    source = f"x = '{LONG}'  # {LONG}\nassert f(x) == {LONG} + 0x{LONG}\n"
    short = without_long_literals(source)
    assert short.startswith(f"x = '{LONG}'  # {LONG}\nassert f(x) == int('") and short.endswith(f"+ 0x{LONG}\n")
    compile(short, "a", "exec")
    assert without_long_literals("assert f(1) == 5") == "assert f(1) == 5"


CASES = [
    {"input_output": json.dumps({"fn_name": "f", "inputs": [[1]], "outputs": ["@"]}).replace('"@"', LONG)},
    {"input_output": json.dumps({"fn_name": "f", "inputs": [["@"]], "outputs": ["@"]}).replace('"@"', LONG)},
    {"input_output": json.dumps({"fn_name": "f", "inputs": [[[["@"]]]], "outputs": [[["@"]]]}).replace('"@"', LONG)},
    {"verification_info": {"test_cases": [{"fn_name": "f", "input": LONG, "output": LONG, "type": "function_call"}]}},
    {"verification_info": {"test_cases": [{"fn_name": "f", "input": f"[{LONG}]", "output": f"[{LONG}]"}]}},
    {"tests": [f"assert f(1) == {LONG}"]},
    {"tests": [f"assert f({LONG}) == {LONG}"]},
    {"tests": [f"x = {LONG}\nfor y in [x]:\n    assert f(y) == x"]},
    {"tests": [f"assert str(f(1)) == '{LONG}'"]},
    {"tests": [f"assert [str(x) for x in [f(1)]] == ['{LONG}']"]},
    {"tests": ["assert len(str(f(1))) == 5000 and f(1) % 10 == 7"]},
    {"test": f"def test_a():\n    assert f(1) == {LONG}\n"},
    {"test": f"def check(candidate):\n    assert candidate(1) == {LONG}\n", "entry_point": "f"},
]


@pytest.mark.parametrize("info", CASES)
def test_they_are_inputs_and_outputs_of_functions(sandbox, info):
    info = json.loads(json.dumps(normal_info(info)))
    program = "def f(x):\n    while isinstance(x, list): x = x[0]\n    assert not isinstance(x, str)\n    return {}"
    shown = "[[{}]]" if "[[[" in str(info) and "fn_name" in str(info) else "{}"
    for value, paid in (("10**4999 + 7", 1.0), ("10**4999 + 8", 0.0), (f"'{LONG}'", None)):
        found = asyncio.run(
            check_program(f"```python\n{program.format(shown.format(value))}\n```", info, sandbox)
        ).value
        assert found == paid or paid is None, value
    assert read_tests(info).examples(1)


def test_they_are_printed_as_text(sandbox):
    info = normal_info({"input_output": f'{{"inputs": [{LONG}], "outputs": [{LONG}]}}'})
    for program, paid in (("print(input())", 1.0), ("print(input()[:-1] + '8')", 0.0)):
        assert asyncio.run(check_program(f"```python\n{program}\n```", info, sandbox)).value == paid


def test_one_that_is_too_long_is_said():
    long = "7" * (MAX_DIGITS + 1)
    for info in (
        {"input_output": f'{{"fn_name": "f", "inputs": [[1]], "outputs": [{long}]}}'},
        {"verification_info": {"test_cases": [{"fn_name": "f", "input": "1", "output": long}]}},
        {"tests": [f"assert f(1) == {long}"]},
    ):
        with pytest.raises(
            r1sdk.R1Error, match=f"an integer of {MAX_DIGITS + 1} digits; at most {MAX_DIGITS} are read"
        ):
            read_tests(info)


def test_a_row_with_a_bare_one_says_what_to_do(tmp_path):
    from r1_envs.table import File

    (tmp_path / "a.jsonl").write_text(f'{{"problem": "Q", "answer": {LONG}}}\n')
    with pytest.raises(r1sdk.R1Error, match="line 1: an integer of more than 4300 digits: write it as text"):
        list(File(source=str(tmp_path / "a.jsonl"), test_share=0.0).tasks("train"))
