"""The code check and its rewards: both directions, hostile programs, sandboxes that are not there."""

import asyncio
import json

import pytest

import r1sdk
from r1_rewards import BinaryCode, Code
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.code_block import find_program
from r1_verifiers.code.run_tests import check_program
from r1_verifiers.code.tests import read_tests
from r1_verifiers.code.values import same_value, write_value
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.score_rollouts import score

ADD = {"tests": [{"input": f"{a} {b}\n", "output": f"{a + b}\n"} for a, b in ((1, 2), (3, 4), (-5, 5), (10, 20))]}
RIGHT = "print(sum(map(int, input().split())))"
FACT = {"tests": [{"call": "fact(0)", "output": 1}, {"call": "fact(5)", "output": 120}, "assert fact(3) == 6"]}


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=1)
    close_pools()


def reply(code, tag="python"):
    return f"<think>\nhm\n</think>\n<answer>\n```{tag}\n{code}\n```\n</answer>"


def check(sandbox, text, info, **options):
    return asyncio.run(check_program(text, info, sandbox, **options))


def test_a_right_program_is_worth_one_and_the_share_that_passes_is_worth_its_share(sandbox):
    assert check(sandbox, reply(RIGHT), ADD).value == 1.0
    half = check(
        sandbox, reply("a, b = map(int, input().split())\nprint(a + b if a > 2 else 0)"), {"tests": ADD["tests"][:3]}
    )
    assert half.value == pytest.approx(2 / 3) and half.reason == "2 of 3 tests passed: wrong, passed x2"
    assert check(sandbox, reply("print(3)"), ADD).value == 0.25
    assert check(sandbox, reply("print(3)"), ADD, scoring="all").value == 0.0


FACTORS = {  # any two factors are right
    "tests": [{"input": "12\n", "output": "3 4"}, {"input": "35\n", "output": "5 7"}],
    "checker": "def check(given, expected, printed):\n    a, b = map(int, printed.split())\n    return a * b == int(given) and a > 1 and b > 1",
    "timeout_s": 1,
}


def test_a_checker_accepts_every_right_output_and_no_other(sandbox):
    factors = "n = int(input())\na = next(d for d in range(2, n) if n % d == 0)\nprint({})"
    assert check(sandbox, reply(factors.format("n // a, a")), FACTORS).value == 1.0
    assert check(sandbox, reply(factors.format("a, n // a")), FACTORS).value == 1.0
    wrong = check(sandbox, reply(factors.format("1, n")), FACTORS)
    assert wrong.value == 0.0 and wrong.reason.endswith("wrong x2 (checker: not accepted)")
    assert check(sandbox, reply("print('3 4')"), FACTORS).value == 0.5


@pytest.mark.heavy
def test_an_output_that_breaks_the_checker_is_not_accepted(sandbox):
    verdict = check(sandbox, reply("print('three four')"), FACTORS)
    assert verdict.value == 0.0 and "checker: failed: ValueError" in verdict.reason
    slow = {**FACTORS, "checker": "def check(given, expected, printed):\n    while True: pass", "timeout_s": 0.3}
    assert "checker: timeout" in check(sandbox, reply("print('3 4')"), slow).reason


def test_a_program_cannot_speak_for_the_checker(sandbox):
    shouts = "import atexit, os\natexit.register(lambda: os.write(1, b'passed'))\nprint('passed')"
    assert check(sandbox, reply(shouts), FACTORS).value == 0.0
    changes = "import builtins\nbuiltins.int = lambda text: 12\nprint('1 1')"
    assert check(sandbox, reply(changes), FACTORS).value == 0.0


@pytest.mark.parametrize(
    ("info", "said"),
    [
        ({**FACTORS, "checker": "def check(a): return True"}, r"must define check\(given, expected, printed\)"),
        ({**FACTORS, "checker": "def check(:"}, "no Python"),
        ({**FACT, "checker": FACTORS["checker"]}, "for tests of input and output"),
    ],
)
def test_a_checker_that_cannot_be_used_is_an_error(info, said):
    with pytest.raises(r1sdk.R1Error, match=said):
        read_tests(info)


def test_the_last_line_of_an_exception_is_the_reason(sandbox):
    verdict = check(sandbox, reply("raise ValueError('no idea')"), ADD)
    assert verdict.value == 0.0 and verdict.reason.endswith("failed x4 (ValueError: no idea)")


@pytest.mark.heavy
def test_time_is_a_status_only_where_nothing_was_passed(sandbox):
    none = check(sandbox, reply("while True: pass"), ADD, timeout_s=0.2)
    assert (none.value, none.status) == (0.0, "timeout") and "timeout x4" in none.reason
    some = check(
        sandbox, reply("a, b = map(int, input().split())\nwhile a > 9: pass\nprint(a + b)"), ADD, timeout_s=0.5
    )
    assert (some.value, some.status) == (0.75, "ok")


def test_early_stop_runs_no_more_than_it_must(sandbox):
    tests = {"tests": [{"input": str(n), "output": str(n), "weight": 1 + (n == 0)} for n in range(9)]}
    verdict = check(sandbox, reply("n = int(input())\nprint(n if n < 1 else -n)"), tests, scoring="weighted")
    assert verdict.value == pytest.approx(0.2) and "not run x4" in verdict.reason
    assert check(sandbox, reply("print(-1)"), tests, scoring="weighted").reason.endswith("wrong, not run x8")
    assert check(sandbox, reply("print(input())"), tests, scoring="weighted").value == 1.0


@pytest.mark.parametrize(
    ("printed", "expected", "passes"),
    [
        ("1 2 3\n", "1 2 3", True),
        ("1\n2\n3", "1 2 3", True),
        ("1 2", "1 2 3", False),
        ("1 2 3 4", "1 2 3", False),
        ("1\n", "1\n2\n", False),
        ("1\n2\n3\n", "1\n2\n", False),
        ("", "1", False),
        ("1.0", "1", False),
        ("Yes", "YES", False),
    ],
)
def test_words_are_compared_whole_and_none_may_be_missing_or_follow(sandbox, printed, expected, passes):
    info = {"tests": [{"input": "", "output": expected}]}
    assert check(sandbox, reply(f"print({printed!r}, end='')"), info).value == float(passes)


def test_exact_and_tolerance(sandbox):
    info = {"tests": [{"input": "", "output": "a  b\n"}]}
    assert check(sandbox, reply("print('a b')"), info).value == 1.0
    assert check(sandbox, reply("print('a b')"), info, exact=True).value == 0.0
    assert check(sandbox, reply("print('a  b', end='')"), info, exact=True).value == 1.0
    near = {"tests": [{"input": "", "output": "x 0.3333333"}], "tolerance": 1e-4}
    assert check(sandbox, reply("print('x', 1 / 3)"), near).value == 1.0
    for wrong in ("'x 0.34'", "'x nan'", "'x 0.3333333_0'", "'x', '9' * 10000", "'y', 1 / 3"):
        assert check(sandbox, reply(f"print({wrong})"), near).value == 0.0


def test_functions_are_called_and_their_values_compared_here(sandbox):
    good = "def fact(n):\n    print('noise')\n    return 1 if n < 1 else n * fact(n - 1)"
    assert check(sandbox, reply(good), FACT).value == 1.0
    for cheat in (
        "class A:\n    def __eq__(self, o): return True\n    __hash__ = None\ndef fact(n): return A()",
        "class A(int):\n    def __eq__(self, o): return True\ndef fact(n): return A(7)",
        "import os\nos.write(1, b'1')\nos._exit(0)\ndef fact(n): pass",
        "def write_value(v): return '120'\ndef fact(n): return 0",
        "import sys\ndef fact(n): sys.exit(0)",
        "def fact(n): return float('nan')",
        "def fact(n):\n    x = []\n    for _ in range(10 ** 5): x = [x]\n    return x",
        "def fact(n): return {i * (2 ** 61 - 1) for i in range(3000)}",
        "fact = None",
    ):
        verdict = check(sandbox, reply(cheat), {"tests": FACT["tests"][1:]})
        assert verdict.value == 0.0, (cheat, verdict)


def test_what_is_expected_is_in_nothing_that_a_sandbox_is_given():
    tests = read_tests({"tests": [{"call": "f(1)", "output": 741741}]})
    assert "741741" not in tests.program("def f(x): pass") and "741741" not in tests.cases[0].stdin


def test_open_r1s_shape_is_read(sandbox):
    cases = [
        {"fn_name": "add", "input": "[1, 2]", "output": "3"},
        {"fn_name": "add", "input": [[1], [2]], "output": [1, 2]},
    ]
    info = {"verification_info": json.dumps({"language": "Python", "test_cases": cases})}
    assert check(sandbox, reply("def add(a, b): return a + b"), info).value == 1.0
    assert check(sandbox, reply("class Solution:\n    def add(self, a, b): return a + b"), info).value == 1.0
    assert check(sandbox, reply("def add(a, b): return b + a"), info).value == 0.5
    stdin = {
        "verification_info": {
            "language": "python",
            "test_cases": [{"input": "1", "output": "1", "type": "stdin_stdout"}],
        }
    }
    assert check(sandbox, reply("print(input())"), stdin).value == 1.0


@pytest.mark.parametrize(
    ("test", "right", "wrong"),
    [
        ("assert f(2) == {1: 'a'}", "{1: 'a'}", "{1: 'b'}"),
        ("assert f(2) == (1, 2)", "(1, 2)", "[1, 2]"),
        ("assert set(f(2)) == set([1, 2])", "[2, 1]", "[1]"),
        ("assert abs(f(2) - 0.5) < 1e-3", "0.5001", "0.6"),
        ("import math\nassert math.isclose(f(2), 0.5, rel_tol=0.01)", "0.501", "0.6"),
        ("assert math.isclose(f(2), 0.5, rel_tol=0.01)", "0.501", "0.6"),
        ("assert f(2)", "[0]", "[]"),
        ("assert not f(2)", "0", "1"),
        ("assert f(2) == None", "None", "0"),
        ("assert f(2) == 10 ** 3", "1000", "999"),
        ("assert f(2) > 3", "4", "3"),
        ("print(f(2))", None, None),
        ("def helper(x): return x > 1\nassert helper(f(2))", None, None),
        ("while True: assert f(2)", None, None),
    ],
)
def test_asserts_are_taken_apart_so_that_the_value_stays_here(sandbox, test, right, wrong):
    if right is None:
        with pytest.raises(r1sdk.R1Error, match="test 1 cannot be read"):
            read_tests({"tests": [test]})
        return
    for value, price in ((right, 1.0), (wrong, 0.0)):
        assert check(sandbox, reply(f"import math\ndef f(x): return {value}"), {"tests": [test]}).value == price, value


def test_values_are_equal_as_python_says():
    for value in (
        None,
        True,
        3,
        -(10**30),
        1.5,
        "é",
        [1, [2]],
        (1,),
        {1, 2},
        {"a": {2: [3]}},
        b"x",
        {},
        [],
        float("inf"),
    ):
        assert same_value(write_value(value), write_value(value)), value
    for a, b in (
        (1, 2),
        (1, "1"),
        ([1], [1, 1]),
        ([1], (1,)),
        ({1: 2}, {1: 3}),
        (None, 0),
        ({1}, {2}),
        (10**30, 10**30 + 1),
    ):
        assert not same_value(write_value(a), write_value(b)), (a, b)
    assert same_value(write_value(1), write_value(1.0)) and same_value(write_value((1,)), write_value([1]), loose=True)
    for hostile in ("", "{", "[" * 10**5, "9" * 10**5, '{"list": 1}', '{"a": 1, "b": 2}', "[1]", '"1"'):
        assert not same_value(hostile, write_value([1]))


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\na\n```", "a\n"),
        ("```Python\na\n```", "a\n"),
        ("```PY\na\n```", "a\n"),
        ("```\na\n```", "a\n"),
        ("~~~python3\na\n~~~", "a\n"),
        ("```python\na\n```\n```python\nb\n```", "b\n"),
        ("```python\na\n```\n```text\nb\n```", "a\n"),
        ("```python\na\n```\n```python\nb", "a\n"),
        ("<think>```python\na\n```</think>none", None),
        ("<think>\n```python\na\n```\n", None),
        ("<think>x</think>\n```python\na\n```", "a\n"),
        ("````python\n```\nx\n```\n````", "```\nx\n```\n"),
        ("```python\n\n```", None),
        ("print(1)", None),
        ("```js\na\n```", None),
        ("  ```python\n  a\n  ```", "a\n"),
    ],
)
def test_the_program_is_the_last_closed_block_after_the_think_block(text, program):
    assert find_program(text) == program


def test_a_sandbox_that_does_not_answer_is_an_error_and_never_zero():
    class Down:
        """The far side: a service that is not there."""

        async def run(self, code, stdins, *, limits, language="python"):
            raise r1sdk.Unavailable("connection refused")

        def check(self, language="python"):
            return ()

    rollout = r1sdk.Rollout(
        r1sdk.Task([], info=ADD, id="t"), r1sdk.Completion([{"role": "assistant", "content": reply(RIGHT)}])
    )

    class Judge:
        def tasks(self, split):
            return [rollout.task]

        async def verify(self, rollout):
            return await check_program(rollout.completion.text, rollout.task.info, Down())

    judged, scores = score([rollout], Judge(), {"code": (Code(sandbox=Down()), 1.0)})
    assert (judged[0].verdict.value, judged[0].verdict.status) == (None, "error")
    assert scores[0].rewards == {"code": None} and scores[0].statuses == {"code": "error"}
    assert "connection refused" in judged[0].verdict.reason


@pytest.mark.heavy
def test_the_rewards_are_built_with_the_sandbox_that_the_recipe_names():
    registry = load_plugins()
    code = registry.build("reward", "code", {"sandbox": {"name": "local", "options": {"workers": 1}}, "scoring": "all"})
    assert code.sandbox == LocalSandbox(workers=1) and code.scoring == "all"
    assert registry.build("reward", "binary_code").scoring == "all"
    rollout = r1sdk.Rollout(
        r1sdk.Task([], info=ADD), r1sdk.Completion([{"role": "assistant", "content": reply(RIGHT)}])
    )
    assert asyncio.run(BinaryCode(sandbox=code.sandbox)(rollout)) == 1.0
    with pytest.raises(r1sdk.R1Error, match="unknown sandbox 'lokal'; did you mean 'local'"):
        registry.build("reward", "code", {"sandbox": "lokal"})
    with pytest.raises(r1sdk.R1Error, match="no option 'worker'; did you mean 'workers'"):
        registry.build("reward", "code", {"sandbox": {"name": "local", "options": {"worker": 1}}})
    with pytest.raises(r1sdk.R1Error, match="the name of a sandbox"):
        registry.build("reward", "code", {"sandbox": 3})
    close_pools()


@pytest.mark.parametrize(
    "info", [{}, {"tests": []}, {"tests": [{}]}, {"tests": [{"input": "1"}]}, {"tests": [{"call": "f(", "output": 1}]}]
)
def test_tests_that_cannot_be_read_are_said(info):
    with pytest.raises(r1sdk.R1Error):
        read_tests(info)


@pytest.mark.heavy
def test_tests_that_fail_have_a_budget_and_a_program_that_passes_is_never_cut(sandbox):
    many = {"tests": [{"input": str(n), "output": str(n)} for n in range(40)], "timeout_s": 2.0}
    hangs = check(sandbox, reply("n = int(input())\nwhile n > 2: pass\nprint(n)"), many, budget_s=3.0)
    assert hangs.value == pytest.approx(3 / 40)  # of 37 that hang, two or three were waited for
    assert "failed tests took 3 s, so the rest was not run" in hangs.reason
    slow = check(sandbox, reply("import time\ntime.sleep(0.1)\nprint(input())"), many, budget_s=0.3)
    assert slow.value == 1.0 and slow.seconds > 3


@pytest.mark.heavy
def test_ten_megabytes_of_input_and_of_expected_output_are_no_limit(sandbox):
    words = " ".join(map(str, range(1_400_000)))
    assert len(words) > 9_000_000
    info = {"tests": [{"input": words, "output": words}], "timeout_s": 20}
    assert check(sandbox, reply("print(input())"), info).value == 1.0
    assert check(sandbox, reply("print(input()[:-1])"), info).value == 0.0
    called = {"tests": [{"fn_name": "f", "input": [400_000], "output": list(range(400_000))}], "timeout_s": 20}
    assert check(sandbox, reply("def f(n): return list(range(n))"), called).value == 1.0


def test_the_verdict_says_which_block_was_run_and_what_stands_before_it(sandbox):
    demo = "```python\ndef add(a, b):\n    return a + b\n```\nUsage:\n```python\nprint(add(1, 2))\n```"
    info = {"tests": [{"fn_name": "add", "input": [1, 2], "output": 3}]}
    verdict = check(sandbox, demo, info)
    assert verdict.value == 1.0 and "add(a, b)" in verdict.extracted
    assert "block 1 of 2 was run; the usual imports stand before it" in verdict.reason
    assert "imports" not in check(sandbox, demo, info, imports="never").reason
    uses = reply("print(gcd(*map(int, input().split())))")
    stdin = {"tests": [{"input": "4 6", "output": "2"}]}
    assert check(sandbox, uses, stdin).value == 0.0 and check(sandbox, uses, stdin, imports="always").value == 1.0


def test_a_test_that_cannot_be_taken_apart_is_left_out_of_a_data_set_and_named(sandbox):
    odd = "def helper(x): return x > 1\nassert helper(f(2))"
    verdict = check(sandbox, reply("def f(x): return x"), {"test_list": ["assert f(2) == 2", odd]})
    assert verdict.value == 1.0 and "left out: 1 tests, the first: test 2 cannot be read: helper()" in verdict.reason
    with pytest.raises(r1sdk.R1Error, match="test 2 cannot be read"):
        read_tests({"tests": ["assert f(2) == 2", odd]})


def test_near_misses_earn_less_than_the_solution(sandbox):
    from r1_verifiers.code.near_programs import near_misses

    tasks = [
        (ADD, RIGHT, 4),
        (FACT, "def fact(n):\n    return 1 if n < 1 else n * fact(n - 1)", 4),
        ({"tests": ["assert f([2, 1]) == [1, 2]", "assert f([]) == []"]}, "def f(x): return sorted(x)", 4),
        ({"tests": [{"fn_name": "g", "input": ["a"], "output": "aa"}, {"fn_name": "g", "input": ["b"], "output": "bb"}]}, "class Solution:\n    def g(self, s): return s * 2", 4),
        (ADD, None, 3),
    ]  # fmt: skip
    for info, solution, count in tasks:
        found = list(near_misses(read_tests(info), solution))
        assert len(found) == count
        for text in found:
            verdict = check(sandbox, f"<think>x</think>\n<answer>\n{text}\n</answer>", info)
            assert verdict.value < 1.0 and "no closed block" not in verdict.reason, (text, verdict)
        if solution:
            assert check(sandbox, reply(solution), info).value == 1.0


def test_a_task_with_one_test_pays_a_constant(sandbox):
    from r1_verifiers.code.near_programs import near_misses

    info = {"tests": ADD["tests"][:1]}
    paid = [check(sandbox, text, info).value for text in near_misses(read_tests(info), RIGHT)]
    assert paid == [0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("program", "info", "kind"),
    [
        ("print(open('/proc/self/environ').read())", ADD, "reads_around"),
        ("import inspect\ndef fact(n): return inspect.stack()[1].frame.f_locals['asked']", FACT, "reads_around"),
        ("import builtins\nbuiltins.len = lambda x: 3\ndef fact(n): return 1", FACT, "patches_grader"),
        (
            "class A:\n    def __eq__(self, other):\n        return True\ndef fact(n): return A()",
            FACT,
            "patches_grader",
        ),
        ("import os\ndef fact(n): os._exit(0)", FACT, "exits_early"),
        ("print(3)", ADD, "prints_guesses"),
        ("input()\nprint(*range(100))", ADD, "prints_guesses"),
        (RIGHT, ADD, None),
        ("import sys\nprint(sum(map(int, sys.stdin.read().split())))\nsys.exit(0)", ADD, None),
        ("print(sum(map(int, open(0).read().split())))", ADD, None),
        (
            "import sys\ndef fact(n): return 1 if n < 1 else n * fact(n - 1)\nif __name__ == '__main__':\n    sys.exit(0)",
            FACT,
            None,
        ),
        ("import os\nif 'LOCAL' in os.environ: print('debug')\n" + RIGHT, ADD, None),
        ("def fact(n):\n    # never os._exit(1)\n    return 1 if n < 1 else n * fact(n - 1)", FACT, None),
    ],
)
def test_kinds_of_reward_hacking_are_named_and_counted(sandbox, program, info, kind):
    from r1sdk.training.monitor.batch_metrics import mark_metrics

    verdict = check(sandbox, reply(program), info)
    assert verdict.marks == {"code/hacks": (kind,) if kind else ()}
    rollout = r1sdk.Rollout(r1sdk.Task([]), r1sdk.Completion([]), verdict)
    counted = mark_metrics([rollout, r1sdk.Rollout(r1sdk.Task([]), r1sdk.Completion([]), r1sdk.Verdict(0.0))])
    assert counted == ({"code/hacks": 1.0, f"code/hacks/{kind}": 1.0} if kind else {"code/hacks": 0.0})


@pytest.mark.heavy
def test_an_assert_on_hostile_values_ends(sandbox):
    tests = {"tests": ["assert sorted(f(1)) == [1]", "r = f(1)\nassert all(r.count(x) == 1 for x in r)"]}
    for hostile in (
        "[i * (2 ** 61 - 1) for i in range(20000)]",
        "{i * (2 ** 61 - 1) for i in range(20000)}",
        "[[]] * 90000",
    ):
        verdict = check(sandbox, reply(f"def f(x): return {hostile}"), tests)
        assert verdict.value <= 0.5
