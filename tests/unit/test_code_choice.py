"""Which of several blocks is judged: the last that can be an answer by itself, right or wrong, never a part of one."""

import asyncio

import pytest

from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.code_block import find_program
from r1_verifiers.code.run_tests import check_program

pytestmark = pytest.mark.heavy

SUM = {"tests": [{"input": "3\n1 2 3\n", "output": "6\n"}, {"input": "1\n7\n", "output": "7\n"}]}
NO_INPUT = {"tests": [{"input": "", "output": "55"}]}
MAIN = (
    "import sys\n\ndef main():\n    data = sys.stdin.read().split()\n    n = int(data[0])\n    a = list(map(int, data[1:1 + n]))\n"
    "    total = 0\n    for i in range(n):\n        total += a[i]\n    print(total)\n\nif __name__ == '__main__':\n    main()"
)
FLAT = "n = int(input())\na = list(map(int, input().split()))\ntotal = sum(a)\nprint(total)"
SOLVER = "class Solver:\n    def run(self):\n        input()\n        data = list(map(int, input().split()))\n        print(sum(data))\nSolver().run()"
HELPED = "def solve(s):\n    return sum(map(int, s.split()[1:]))\nif __name__ == '__main__':\n    import sys\n    print(solve(sys.stdin.read()))"
FIBONACCI = "def solve():\n    dp = [0, 1]\n    for i in range(2, 11):\n        dp.append(dp[i - 1] + dp[i - 2])\n    print(dp[10])\nsolve()"
TWO_SUM = {"tests": [{"fn_name": "twoSum", "input": [[2, 7, 11], 9], "output": [0, 1]}, {"fn_name": "twoSum", "input": [[1, 3, 3], 6], "output": [1, 2]}]}  # fmt: skip
SOLUTION = (
    "class Solution:\n    def twoSum(self, nums: List[int], target: int) -> List[int]:\n        seen = {}\n"
    "        for i, x in enumerate(nums):\n            if target - x in seen:\n                return [seen[target - x], i]\n"
    "            seen[x] = i\n        return []"
)
WRONG = "class Solution:\n    def twoSum(self, nums, target):\n        return [0, 0]"


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=1)
    close_pools()


def value(sandbox, info, *blocks, tag="python", shell="{}"):
    walk = "\n\nThen:\n".join(f"```{tag}\n{block}\n```" for block in blocks)
    text = f"<think>\nhm\n</think>\n{shell.format(walk)}"
    return asyncio.run(check_program(text, info, sandbox)).value


PARTS = [
    (SUM, MAIN, "data = sys.stdin.read().split()\nn = int(data[0])"),
    (SUM, MAIN, "for i in range(n):\n    total += a[i]"),
    (SUM, MAIN, "n = int(data[0])\nprint(n)"),
    (SUM, MAIN, "import sys\ninput = sys.stdin.readline"),
    (SUM, MAIN, "def main():\n    data = sys.stdin.read().split()\n    print(sum(map(int, data[1:])))"),
    (SUM, FLAT, "total = sum(a)"),
    (SUM, FLAT, "print(total)"),
    (SUM, FLAT, "n = int(input())\na = list(map(int, input().split()))"),
    (SUM, FLAT, "MOD = 10**9 + 7"),
    (SUM, FLAT, "nums = [1, 2, 3]\nprint(sum(nums))"),
    (SUM, FLAT, "import random\nprint(3)\nprint(*[random.randint(1, 9) for _ in range(3)])"),
    (SUM, FLAT, "total = 0\ncount += 1"),
    (SUM, SOLVER, "print(sum(data))"),
    (SUM, SOLVER, "solver = Solver()\nsolver.run()"),
    (SUM, HELPED, "from main import solve\nassert solve('2\\n1 2') == 3\nprint('ok')"),
    (SUM, HELPED, "import solution\nprint(solution.solve(open('in').read()))"),
    (SUM, HELPED, "assert solve('2\\n1 2') == 3"),
    (SUM, HELPED, "import sys\nfor line in sys.stdin:\n    print(solve(line))"),
    (SUM, FLAT + "\nif total > 99:\n    print('big')", "print('big')"),
    (NO_INPUT, FIBONACCI, "dp.append(dp[i - 1] + dp[i - 2])"),
    (NO_INPUT, FIBONACCI, "print(dp[10])"),
    (NO_INPUT, FIBONACCI, "dp = [0, 1]"),
    (NO_INPUT, FIBONACCI, "print(answer)"),
    (TWO_SUM, SOLUTION, "twoSum = Solution().twoSum\nprint(twoSum([2, 7, 11], 9))"),
    (TWO_SUM, SOLUTION, "class Solution:\n    def twoSum(self, nums, target):\n        ..."),
    (TWO_SUM, SOLUTION, "def twoSum(nums, target):\n    '''Return two indices.'''\n    pass"),
    (TWO_SUM, SOLUTION, "class Solution:\n    def twoSum(self, nums, target):\n        raise NotImplementedError"),
    (TWO_SUM, SOLUTION, "def twoSum(self, nums, target):\n    seen = {}\n    return [len(seen), 1]"),
    (TWO_SUM, SOLUTION, "def twoSum(nums, target):\n    return Solution().twoSum(nums[:1], target)"),
    (TWO_SUM, SOLUTION, "from solution import Solution\ntwoSum = Solution().twoSum"),
    (TWO_SUM, SOLUTION, "if target - x in seen:\n    result = [seen[target - x], i]"),
    (TWO_SUM, SOLUTION, "print(Solution().twoSum([2, 7, 11], 9))"),
]


@pytest.mark.parametrize(("info", "program", "part"), PARTS)
def test_a_part_or_a_use_behind_the_program_is_not_judged_instead_of_it(sandbox, info, program, part):
    assert value(sandbox, info, program, part) == 1.0
    assert value(sandbox, info, part, program) == 1.0
    assert value(sandbox, info, program, part, shell="<answer>\n{}\n</answer>") == 1.0
    assert value(sandbox, info, program, part, tag="") == 1.0


@pytest.mark.parametrize(
    ("info", "program", "part"), [*PARTS, (SUM, FLAT, "O(1)"), (SUM, FLAT, "{'a': 2}"), (SUM, FLAT, "a = 1\nb = 2")]
)
def test_a_wrong_program_is_not_saved_by_a_part_behind_it(sandbox, info, program, part):
    wrong = {**info, "tests": [{**test, "output": "9"} for test in info["tests"]]}
    assert value(sandbox, wrong, program, part) == 0.0


@pytest.mark.parametrize(
    ("info", "right", "wrong"),
    [
        (SUM, MAIN, "n = int(input())\nprint(n)"),
        (SUM, FLAT, "n = int(input())\na = list(map(int, input().split()))\nprint(max(a) + 1)"),
        (SUM, FLAT, MAIN.replace("total = 0", "total = 1")),
        (SUM, FLAT, "print(8)"),  # a guess
        (SUM, FLAT, FLAT.replace("print(total)", "print(totla)")),
        (SUM, HELPED, HELPED.replace("[1:]", "")),
        (NO_INPUT, FIBONACCI, "print(54)"),
        (NO_INPUT, FIBONACCI, FIBONACCI.replace("print(dp[10])", "print(dp[9])")),
        (TWO_SUM, SOLUTION, WRONG),
        (TWO_SUM, SOLUTION, "def twoSum(nums, target):\n    return []"),
        (TWO_SUM, SOLUTION, "twoSum = lambda nums, target: [0, 0]"),
    ],
)
def test_of_two_whole_programs_the_last_is_judged_right_or_wrong(sandbox, info, right, wrong):
    assert value(sandbox, info, wrong, right) == 1.0
    assert value(sandbox, info, right, wrong) == 0.0
    assert value(sandbox, info, right, wrong, tag="") == 0.0


def test_a_shortened_rewrite_wins_though_its_lines_stand_in_the_draft(sandbox):
    assert value(sandbox, SUM, FLAT + "\nprint('debug', a)", FLAT) == 1.0
    assert value(sandbox, SUM, FLAT, FLAT + "\nprint('debug', a)") == 0.0


@pytest.mark.parametrize("text", ["O(1)", "{'a': 2, 'b': 1}", "a = 1\nb = 2", "6", "[1, 2]", "Yes", "nums.sort()"])
def test_text_without_a_tag_that_happens_to_be_python_is_no_program(sandbox, text):
    assert value(sandbox, SUM, FLAT, text, tag="") == 1.0


CPP = "#include <iostream>\nint main() { long long n, x, s = 0; std::cin >> n; while (std::cin >> x) s += x; std::cout << s; }"
JS = "const t = require('fs').readFileSync(0, 'utf8').trim().split(/\\s+/).map(Number);\nconsole.log(t.slice(1).reduce((a, b) => a + b, 0));"


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("language", "program", "part"),
    [
        ("cpp", CPP, "int remaining = b - a;"),
        ("cpp", CPP, "// the domain of main(a) is small\nlong long s = a + b;"),
        ("cpp", CPP, "/* main() */ auto text = \"main()\";"),
        ("cpp", CPP, "int main() { solve(); }"),
        ("javascript", JS, "const [a, b] = t;"),
        ("javascript", JS, "console.log(t[0] + t[1]);"),
        ("javascript", JS, "const add = (a, b) => a + b;"),
    ],
)  # fmt: skip
def test_a_part_in_another_language_is_not_judged_instead_of_the_program(sandbox, language, program, part):
    info = {**SUM, "language": language}
    assert value(sandbox, info, program, part, tag=language) == 1.0
    wrong = program.replace("std::cout << s", "std::cout << s + 1").replace("a + b, 0", "a + b, 1")
    assert value(sandbox, info, program, wrong, tag=language) == 0.0
    assert value(sandbox, info, wrong, program, tag=language) == 1.0


def test_a_snippet_behind_a_program_marks_no_guess(sandbox):
    text = f"```python\n{FLAT}\n```\nThe key:\n```python\ntotal = sum(a)\n```"
    assert asyncio.run(check_program(text, SUM, sandbox)).marks == {"code/hacks": ()}


@pytest.mark.parametrize(
    ("text", "program"),
    [
        ("```python\na\n``` This prints it.\n\nSample output:\n```\n3\n```", "a\n"),
        ("```python\na\n``` and then\n```python\nb\n```", "b\n"),
        ("```python\na\n``` and then\n```python\nb", "a\n"),
        ("```python\na```\nOutput:\n```\n3\n```", "a\n"),
        ("```python\nx = '''\n``` here\n'''\n```", "x = '''\n``` here\n'''\n"),
        ("```python\na\n``` It is linear.", "a\n"),
        ("```python\na\n``` It is linear.\n```text\n3\n```\nand\n```\n4\n```", "a\n"),
        ("```python\n\ufeffa\n```", "a\n"),
    ],
)
def test_words_behind_a_closing_fence_do_not_join_two_blocks(text, program):
    assert find_program(text) == program


def test_hostile_blocks_are_compared_in_time(sandbox):
    deep = "(" * 5000 + ")" * 5000
    many = ["x = 1", deep, "def f(: pass", "\x00", "lambda: " * 3000 + "1", FLAT, *(f"y{n} = {n}" for n in range(12))]
    assert value(sandbox, SUM, *many) == 1.0
