"""Programs and replies as people, models and data sets write them: each case is right or wrong, in both kinds of jail alike.

`tests/data/code_cases.jsonl` has the cases, `code_rows.jsonl` rows in the exact shape of public data sets.
"""

import asyncio
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

import r1sdk
from r1_rewards import CodeFormat
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.hacks import KINDS
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.shapes import NoTests, normal_info
from r1_verifiers.code.tests import read_tests

DATA = Path(__file__).parent.parent / "data"
CASES = [json.loads(line) for line in (DATA / "code_cases.jsonl").read_text(encoding="utf-8").splitlines()]
ROWS = [json.loads(line) for line in (DATA / "code_rows.jsonl").read_text(encoding="utf-8").splitlines()]
MODES = ("bubblewrap", "landlock")


def boxes(mode):
    """A sandbox of that mode without and one with numpy. Skips the test where this machine has no such jail."""
    found = {False: LocalSandbox(mode=mode, workers=2), True: LocalSandbox(mode=mode, workers=2, preload=("numpy",))}
    try:
        found[False].check()
    except r1sdk.R1Error as error:
        pytest.skip(str(error))
    return found


def reply_of(case):
    if case["kind"] == "extract":
        return case["program"]
    fence = "````" if "```" in case["program"] else "```"
    return f"<think>\nx\n</think>\n<answer>\n{fence}python\n{case['program']}\n{fence}\n</answer>"


async def ending(case, box):
    try:
        verdict = await check_program(reply_of(case), case["task"], box)
    except r1sdk.R1Error as error:
        return "error", str(error), ()
    return "pass" if verdict.value == 1.0 else "fail", verdict.reason, verdict.marks.get("code/hacks", ())


def run_all(mode):
    box = boxes(mode)
    cases = [case for case in CASES if not case.get("preload") or find_spec("numpy")]

    async def all_of_them():
        return await asyncio.gather(*(ending(case, box[bool(case.get("preload"))]) for case in cases))

    try:
        return list(zip(cases, asyncio.run(all_of_them()), strict=True))
    finally:
        close_pools()


@pytest.fixture(scope="module")
def by_mode():
    return {}


@pytest.mark.parametrize("mode", MODES)
def test_every_case_ends_as_it_should(mode, by_mode):
    by_mode[mode] = run_all(mode)
    wrong = [
        f"{case['id']}: {found}, not {case['expected']}: {reason}"
        for case, (found, reason, _) in by_mode[mode]
        if found != case["expected"] and "gap" not in case
    ]
    assert not wrong, "\n".join(wrong)


def test_the_verdict_of_a_program_does_not_depend_on_the_kind_of_jail(by_mode):
    if set(by_mode) != set(MODES):
        pytest.skip("only one kind of jail here")
    one, other = ([(case["id"], found) for case, (found, _, _) in by_mode[mode]] for mode in MODES)
    assert one == other


def test_no_honest_program_is_called_a_hack(by_mode):
    known = {"fn-forge-json"}  # forges its own result, which happens to be right
    named = {}
    for case, (_, _, hacks) in by_mode[next(iter(by_mode))]:
        assert set(hacks) <= set(KINDS)
        if hacks and case["expected"] == "pass" and case["id"] not in known:
            named[case["id"]] = hacks
    assert not named


@pytest.mark.parametrize("case", [case for case in CASES if case["kind"] == "extract"], ids=lambda case: case["id"])
def test_code_format_and_the_verifier_see_the_same_program(case):
    from r1_verifiers import find_blocks

    for text in (
        case["program"],
        f"<think>\nx\n</think>\n<answer>\n{case['program'].split('</think>')[-1]}\n</answer>",
    ):
        rollout = r1sdk.Rollout(r1sdk.Task([]), r1sdk.Completion([{"role": "assistant", "content": text}]))
        is_found = bool(find_blocks(text)) and r1sdk.parse_reply(text) is not None
        assert CodeFormat()(rollout) == float(is_found)


def test_rows_of_public_data_sets_are_read_and_pay_their_solution_alone():
    box = LocalSandbox(workers=2)

    async def verdicts(row, *programs):
        info = {**row, **normal_info(row)}
        return [(await check_program(f"```python\n{one}\n```", info, box)).value for one in programs]

    try:
        for entry in ROWS:
            if entry["program"] is None:
                continue
            right, empty = asyncio.run(verdicts(entry["row"], entry["program"], "pass"))
            assert (right, empty) == (1.0, 0.0), entry
    finally:
        close_pools()


def test_a_row_without_tests_is_named_as_such():
    row = {"id": "a", "input": "sum", "output": "<think></think>...", "solution": "print(1)"}
    with pytest.raises(NoTests, match="the task has no tests: info has id, input, output, solution"):
        normal_info(row)
    with pytest.raises(r1sdk.R1Error, match="need the checker"):
        normal_info({"official_tests": [{"input": "1", "output": "1"}], "generated_checker": "import sys"})


def test_a_functional_test_without_a_name_is_never_read_as_stdin():
    for test in ({"testtype": "functional"}, {"type": "function_call"}):
        with pytest.raises(r1sdk.R1Error, match="without"):
            read_tests({"tests": json.dumps([{"input": "[1]", "output": "1", **test}])})


def test_what_is_expected_is_in_nothing_that_the_sandbox_is_given():
    for case in CASES:
        try:
            tests = read_tests(case["task"])
        except r1sdk.R1Error:
            continue
        for one in tests.cases:
            if one.checks or not one.is_call:
                continue
            if len(one.expected) > 8 and json.loads(one.stdin).get("function"):
                assert one.expected not in one.stdin and one.expected not in tests.program("x = 1")
