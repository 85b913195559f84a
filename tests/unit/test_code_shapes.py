"""Rows in the exact shapes of public data sets: a right program passes, a wrong one does not, and what cannot be judged is refused."""

import asyncio
import json

import pytest

import r1sdk
from r1_envs.table import File
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers import CodeVerifier
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.shapes import normal_info
from r1_verifiers.code.tests import read_tests


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=1)
    close_pools()


def value(sandbox, row, program, **options):
    """The value that a program earns for a row of a data set."""
    info = {**row, **normal_info(row)}
    return asyncio.run(check_program(f"```python\n{program}\n```", info, sandbox, **options)).value


STARTER = "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        "
TWO_SUM = (
    "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n"
    "        for j, x in enumerate(nums):\n            for i in range(j):\n                if nums[i] + x == target:\n"
    "                    return [i, j]"
)
WRONG_SUM = TWO_SUM.replace("[i, j]", "[j, i]")
CONSTANT_SUM = "class Solution:\n    def twoSum(self, nums, target):\n        return [0, 1]"
LEETCODE = {
    "task_id": "two-sum",
    "question_id": 1,
    "difficulty": "Easy",
    "tags": ["Array"],
    "problem_description": "Two sum.",
    "starter_code": STARTER,
    "prompt": "import random\nfrom typing import *\n\nclass ListNode:\n    def __init__(self, val=0, next=None):\n        self.val = val\n\n\ndef is_same_list(a, b):\n    return a.val == b.val\n",
    "completion": TWO_SUM,
    "entry_point": "Solution().twoSum",
    "test": "def check(candidate):\n    assert candidate(nums = [3,3],target = 6) == [0, 1]\n    assert candidate(nums = [2,5,4],target = 9) == [1, 2]\n",
    "input_output": [
        {"input": "nums = [3,3], target = 6", "output": "[0, 1]"},
        {"input": "nums = [2,5,4], target = 9", "output": "[1, 2]"},
    ],
    "query": "Two sum?",
    "response": "r",
}
FUNCTIONAL = {"question_id": "s1", "question": "Two sum", "starter_code": STARTER, "is_synthesized": [False, True], "test_case_type": "functional", "func_name": "twoSum", "class_name": "Solution"}  # fmt: skip
ADD, ADD_WRONG = "print(sum(map(int, input().split())))", "a, b = map(int, input().split())\nprint(a - b)"
F, F_WRONG = "def f(x):\n    return x + 1", "def f(x):\n    return x + 2"
METHOD, METHOD_WRONG = (f"class Solution:\n    def f(self, x):\n        return x + {step}" for step in (1, 2))
CONTESTS = {"name": "1_A", "description": "sum", "public_tests": {"input": ["1 2\n"], "output": ["3\n"]}, "private_tests": {"input": ["2 2\n"], "output": ["4\n"]}, "generated_tests": {"input": [], "output": []}, "input_file": "", "output_file": ""}  # fmt: skip
FORCES = {"id": "1/A", "time_limit": 2.0, "memory_limit": 256.0, "input_mode": "stdio", "official_tests": [{"input": "1 2\n", "output": "3\n"}], "official_tests_complete": True, "generated_checker": None, "interaction_format": None}  # fmt: skip
ROWS = [
    (LEETCODE, TWO_SUM, (WRONG_SUM, CONSTANT_SUM)),
    ({**FUNCTIONAL, "inputs": ["[2,5,4]\n9", "[3,3]\n6"], "outputs": ["[1,2]", "[0,1]"]}, TWO_SUM, (WRONG_SUM,)),
    ({**FUNCTIONAL, "inputs": ["[[2,5,4],9]", "[[3,3],6]"], "outputs": ["[1,2]", "[0,1]"]}, TWO_SUM, (WRONG_SUM,)),
    ({**FUNCTIONAL, "inputs": ['{"nums": [2,5,4], "target": 9}'], "outputs": ["[1,2]"]}, TWO_SUM, (WRONG_SUM, "pass")),
    (
        {
            "func_name": "total",
            "starter_code": "def total(nums):",
            "inputs": ["[5]", "[1, 2]"],
            "outputs": ["5", "3"],
        },
        "def total(nums):\n    return sum(nums)",
        ("def total(nums):\n    return len(nums)", "def total(n):\n    return n"),
    ),
    (
        {
            "func_name": "double",
            "starter_code": "def double(n):",
            "inputs": ["[5]", "[1]"],
            "outputs": ["10", "2"],
        },
        "def double(n):\n    return n * 2",
        ("def double(n):\n    return n",),
    ),
    ({"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"], "func_name": "", "test_case_type": "stdin"}, ADD, (ADD_WRONG, "pass")),
    ({"tests": json.dumps({"inputs": ["1 2\n"], "outputs": ["3\n"], "testtype": "stdin", "fn_name": ""})}, ADD, (ADD_WRONG,)),
    ({"tests": json.dumps({"inputs": ["[1]\n2"], "outputs": ["[1, 2]"], "testtype": "functional", "fn_name": "g"})}, "def g(a, b):\n    return [*a, b]", ("def g(a, b):\n    return a",)),
    ({"tests": json.dumps({"inputs": ["assert f(1) == 2"], "outputs": [""], "testtype": "code", "fn_name": ""})}, F, (F_WRONG, "x = 1", "pass")),
    (CONTESTS, ADD, (ADD_WRONG, "print(3)")),
    ({"tests": {"input": ["1 2", "2 2"], "output": ["3", "4"]}}, ADD, (ADD_WRONG, "print(3)")),
    (FORCES, ADD, (ADD_WRONG,)),
    ({"reward_model": {"style": "rule", "ground_truth": json.dumps({"functional": "def check(candidate):\n    assert candidate(1) == 2\n\ncheck(Solution().f)"})}}, METHOD, (METHOD_WRONG, "pass")),
    ({"reward_model": {"style": "rule", "ground_truth": json.dumps({"functional": "def check(candidate):\n    assert candidate(1) == 2\n\ncheck(Solution().f)"})}, "extra_info": {"prefix": "from typing import List"}}, METHOD.replace("x)", "x: List)"), (METHOD_WRONG,)),
    ({"reward_model": {"style": "rule", "ground_truth": json.dumps({"pytest": "from solution import f\n\ndef test_a():\n    assert f(1) == 2\n"})}}, F, (F_WRONG,)),
    ({"reward_model": {"style": "rule", "ground_truth": "from solution import f\n\ndef test_a():\n    assert f(1) == 2\n"}}, F, (F_WRONG,)),
    ({"ground_truth": [json.dumps(["assert f(1) == 2", "assert f(2) == 3"])]}, F, (F_WRONG, "def f(x):\n    return 2")),
    ({"ground_truth": json.dumps(["assert f(1) == 2", "assert f(2) == 3"])}, F, (F_WRONG,)),
    ({"test": "import pytest\nfrom solution import f\n\ndef test_b():\n    with pytest.raises(ValueError):\n        f(-1)\n"}, "def f(x):\n    raise ValueError", (F, "def f(x):\n    raise KeyError")),
    ({"test": "import solution\n\ndef test_a():\n    assert solution.f(1) == 2\n"}, F, (F_WRONG,)),
    ({"test": "import solution as s\n\ndef test_a():\n    given = 1\n    assert s.Solution().f(given) == 2\n"}, METHOD, (METHOD_WRONG,)),
    ({"test_cases": "import math\nx = 4\nassert f(x) == 5\n"}, F, (F_WRONG,)),
    ({"tests": "x = 3\nassert f(x) == 4\nx = 1\nassert f(x) == 2\n"}, F, (F_WRONG, "def f(x):\n    return 4")),
    ({"tests": "from solution import f\nvalues = [1, 2]\nassert f(values[0]) == 2\nfor v in values:\n    assert f(v) == v + 1"}, F, (F_WRONG, "def f(x):\n    return 2")),
    ({"test_cases": "assert f(\n    1\n) == 2\nassert f(2) == 3\n"}, F, (F_WRONG,)),
    ({"tests": [{"input": "12\n", "output": None}], "checker": "def check(given, expected, printed):\n    a, b = map(int, printed.split())\n    return a * b == int(given) and a > 1 and b > 1"}, "print(3, 4)", ("print(3, 5)", "print(1, 12)", "pass")),
]  # fmt: skip


@pytest.mark.parametrize(("row", "right", "wrong"), ROWS)
def test_a_row_pays_the_right_program_alone(sandbox, row, right, wrong):
    assert value(sandbox, row, right) == 1.0
    for program in wrong:
        assert value(sandbox, row, program) < 1.0, program


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**FORCES, "input_mode": "file"}, "its input does not come from stdin: 'input_mode' is 'file'"),
        ({**FORCES, "interaction_format": "guess a number"}, "its program must hold a dialogue"),
        ({**FORCES, "official_tests_complete": False}, "its tests are cut short"),
        ({**FORCES, "generated_checker": "import sys"}, "need the checker"),
        ({**CONTESTS, "input_file": "in.txt"}, "reads or writes a file"),
        ({**CONTESTS, "checker": '#include "testlib.h"\nint main() {}'}, "the checker is C\\+\\+"),
        ({key: LEETCODE[key] for key in ("starter_code", "input_output")}, "its inputs are arguments of a function"),
        ({"entry_point": "f", "input_output": {"inputs": ["n = 3"], "outputs": ["4"]}}, "its inputs are arguments"),
        ({"tests": json.dumps({"inputs": ["1"], "outputs": ["2"], "testtype": "functional"})}, "without the name"),
        ({"inputs": ["1"], "outputs": ["2"], "test_case_type": "functional", "func_name": ""}, "without the name"),
        ({"tests": json.dumps({"inputs": ["1"], "outputs": ["2"], "testtype": "dialogue"})}, "testtype is functional"),
        ({"inputs": ["1", "2"], "outputs": ["", "\n"]}, "every expected output is empty"),
        ({"tests": [{"input": "1", "output": ""}]}, "every expected output is empty"),
        ({"tests": [{"input": "1", "output": None}]}, "output is a text"),
        (
            {**LEETCODE, "test": "def check(candidate):\n    assert is_same_list(candidate(ListNode(1)), ListNode(1))"},
            r"is_same_list\(\) would have to judge beside the program",
        ),
        (
            {"test_list": ["assert same(f(1), 2)"], "test_setup_code": "def same(a, b):\n    return a == b"},
            r"same\(\) would have to judge",
        ),
    ],
)
def test_a_row_that_cannot_be_judged_is_refused_with_its_reason(row, said):
    with pytest.raises(r1sdk.R1Error, match=said):
        read_tests({**row, **normal_info(row)})


def test_inputs_that_look_like_assignments_are_input_where_no_function_is_asked_for(sandbox):
    row = {"input_output": {"inputs": ["a = 3", "b = 4"], "outputs": ["a", "b"]}}
    assert value(sandbox, row, "print(input().split()[0])") == 1.0 and value(sandbox, row, "print('a')") == 0.5


def test_a_helper_that_only_makes_an_argument_may_be_the_tasks_own(sandbox):
    row = {
        "test_list": ["assert f(node(3)) == 4", "assert not f(node(-1))"],
        "test_setup_code": "class Node:\n    def __init__(self, value):\n        self.value = value\ndef node(value):\n    return Node(value)",
    }
    assert value(sandbox, row, "def f(n):\n    return n.value + 1") == 1.0
    assert value(sandbox, row, "def f(n):\n    return n.value") == 0.0


@pytest.mark.parametrize(
    ("named", "program", "expected"), [(None, TWO_SUM, 1.0), ("test", TWO_SUM, 1.0), ("other", ADD, 1.0)]
)
def test_the_environment_file_reads_a_named_column_and_else_the_best(tmp_path, sandbox, named, program, expected):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({**LEETCODE, "other": [{"input": "1 2", "output": "3"}]}) + "\n")
    env = File(
        str(path),
        test_share=0.0,
        verifier=CodeVerifier(sandbox=sandbox),
        prompt_column="query",
        tests_column=named,
    )
    task = next(iter(env.tasks("train")))
    reply = [{"role": "assistant", "content": f"<think>\nx\n</think>\n<answer>\n```python\n{program}\n```\n</answer>"}]
    assert asyncio.run(env.verify(r1sdk.Rollout(task, r1sdk.Completion(reply)))).value == expected


def test_exact_takes_either_line_end_of_an_expected_output(sandbox):
    row = {"tests": [{"input": "2\r\nab\r\n", "output": "2\r\n  ab\r\n"}]}
    right = "n = input()\nprint(n)\nprint('  ' + input())"
    assert value(sandbox, row, right, exact=True) == 1.0
    assert value(sandbox, row, right.replace("'  ' + ", ""), exact=True) == 0.0
    assert value(sandbox, row, right + "\nprint()", exact=True) == 0.0
    unix = {"tests": [{"input": "2\nab\n", "output": "2\n  ab\n"}]}
    windows = "import sys\nsys.stdout.write('2\\r\\n  ab\\r\\n')"
    assert value(sandbox, row, windows, exact=True) == 1.0 and value(sandbox, unix, windows, exact=True) == 0.0


def test_a_constant_printer_is_no_guess_where_the_answer_is_the_same_for_every_input(sandbox):
    def marks(outputs):
        tests = [{"input": f"{n}\n", "output": output} for n, output in enumerate(outputs)]
        return asyncio.run(check_program("```python\nprint('YES')\n```", {"tests": tests}, sandbox)).marks["code/hacks"]

    assert marks(["YES", "YES\n"]) == ()
    assert marks(["YES", "NO"]) == marks(["YES"]) == ("prints_guesses",)
