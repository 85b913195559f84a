"""The environment `code`: our own problems and those of files, judged in a sandbox."""

import asyncio
import json
from pathlib import Path

import pytest

import r1sdk
from r1_envs.code import CodeProblems
from r1_envs.code.code_env import OWN
from r1_envs.table import File
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.run_tests import check_program
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.gold_check import check_gold

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=2)
    close_pools()


def attempt(task, code):
    text = f"<think>\nx\n</think>\n<answer>\n```python\n{code}\n```\n</answer>"
    return r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}]))


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_our_problems_have_three_levels_and_each_is_in_one_split():
    env = CodeProblems()
    train, test = list(env.tasks("train")), list(env.tasks("test"))
    assert len(train) + len(test) == 40 and len(test) >= 5
    assert not {task.prompt[1]["content"] for task in train} & {task.prompt[1]["content"] for task in test}
    assert [task.id for task in train] == [task.id for task in env.tasks("train")]
    levels = [len(list(CodeProblems(level=level, test_share=0.0).tasks("train"))) for level in (1, 2, 3)]
    assert sum(levels) == 40 and min(levels) >= 10


def test_every_reference_solution_earns_one(sandbox):
    env = CodeProblems(sandbox=sandbox)
    for split in ("train", "test"):
        found = check_gold(env.tasks(split), env)
        assert found.checked == found.tasks and not found.faults, found.describe()


def test_the_tests_reject_the_common_mistakes(sandbox):
    rows = [json.loads(line) for line in Path(OWN).read_text(encoding="utf-8").splitlines()]

    async def judge():
        return await asyncio.gather(
            *(
                check_program(f"```python\n{wrong}\n```", {"tests": row["tests"]}, sandbox, scoring="all")
                for row in rows
                for wrong in row["wrong"]
            )
        )

    verdicts = iter(asyncio.run(judge()))
    for row in rows:
        assert len(row["wrong"]) >= 2
        for wrong in row["wrong"]:
            assert next(verdicts).value == 0.0, (row["prompt"], wrong)


def test_the_prompt_shows_an_example_and_never_the_hidden_tests():
    for row in Path(OWN).read_text(encoding="utf-8").splitlines():
        assert len(json.loads(row)["tests"]) >= 4
    task = next(t for t in CodeProblems(test_share=0.0).tasks("train") if "is_leap" in t.prompt[1]["content"])
    asked = task.prompt[1]["content"]
    assert "Example: is_leap(2024) is True" in asked and "1900" not in asked
    assert "python code in the answer" in asked


def test_a_reply_is_judged_by_running_it(sandbox):
    env = CodeProblems(sandbox=sandbox, test_share=0.0)
    task = next(iter(env.tasks("train")))
    assert asyncio.run(env.verify(attempt(task, task.answer))).value == 1.0
    assert asyncio.run(env.verify(attempt(task, "print(3)"))).value == 0.2
    assert asyncio.run(env.verify(attempt(task, "import os; os.fork()"))).value == 0.0


def test_files_in_the_shapes_of_mbpp_and_open_r1_are_read(tmp_path, sandbox):
    mbpp = {
        "text": "Write a function to add.",
        "code": "def add(a, b):\n    return a + b",
        "test_list": ["assert add(1, 2) == 3"],
    }
    r1 = {
        "problem": "Echo.",
        "verification_info": json.dumps({"language": "python", "test_cases": [{"input": "a", "output": "a"}]}),
    }
    own = {"prompt": "Halve.", "tests": [{"input": "1", "output": "0.5"}], "tolerance": 0.01, "timeout_s": 0.5}
    env = File(write(tmp_path / "p.jsonl", mbpp, r1, own), verifier="code", test_share=0.0, sandbox=sandbox)
    tasks = list(env.tasks("train"))
    for task, code in zip(tasks, (mbpp["code"], "print(input())", "print(float(input()) / 2 + 0.001)"), strict=True):
        assert asyncio.run(env.verify(attempt(task, code))).value == 1.0, task
    assert asyncio.run(env.verify(attempt(tasks[2], "while True: pass"))).seconds < 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"prompt": "x"}, "row 1: no column 'tests'"),
        ({"tests": [{"input": "", "output": ""}]}, "row 1: no column 'problem' or 'question' or 'prompt'"),
        ({"prompt": "x", "tests": "no json"}, "row 1: its tests cannot be read: its tests are not JSON"),
        ({"prompt": "x", "tests": [{"input": ""}]}, "row 1: test 1 cannot be read: no 'output'"),
        ({"prompt": "x", "test_list": ["print(f(1))"]}, "row 1: test 1 cannot be read"),
        ({"prompt": "x", "tests": [{"input": "", "output": ""}], "timeout_s": -1}, "row 1: timeout_s must be above 0"),
        ({"prompt": "x", "tests": [{"input": "", "output": ""}], "language": "cobol"}, "not 'cobol'"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_row(tmp_path, sandbox, row, message):
    env = File(write(tmp_path / "p.jsonl", row), verifier="code", test_share=0.0, sandbox=sandbox)
    with pytest.raises(r1sdk.R1Error, match=message):
        list(env.tasks("train"))


def test_a_sandbox_that_cannot_be_had_stops_the_run_before_training(r1):
    said = r1("train", "--env", "code", "--rewards", "accuracy", "--set", "env.options.sandbox=nosuch", "--dry-run")
    assert said.code == 1 and "unknown sandbox 'nosuch'" in said.err


def test_the_registered_environment_has_the_default_sandbox():
    env = load_plugins().build("environment", "code", {"level": 1})
    assert isinstance(env.sandbox, LocalSandbox)
    assert "our own, level 1; run in" in env.summary()
    close_pools()


def test_evaluation_runs_offline_with_real_executions(r1, tmp_path):
    said = r1(
        *("eval", "tiny_blank", "--env", "code", "--rewards", "accuracy,code_format", "--tasks", "1", "--samples", "1"),
        *("--set", "generation.max_tokens=8", "--set", "env.options.sandbox.name=local", "--out", tmp_path / "eval"),
    )
    assert said.code == 0 and "accuracy" in said.out, said.err


def test_tasks_whose_tests_pay_a_near_miss_are_suspect(tmp_path, sandbox):
    add = "print(sum(map(int, input().split())))"
    two = [{"input": "1 2", "output": "3"}, {"input": "1 3", "output": "4"}]
    loose = [{"input": "1", "output": "1000.5"}, {"input": "2", "output": "2000.5"}]
    rows = [
        {"prompt": "Good.", "tests": two, "solution": add},
        {"prompt": "One test.", "tests": two[:1], "solution": add},
        {"prompt": "Loose.", "tests": loose, "tolerance": 0.1, "solution": "print(int(input()) * 1000 + 0.5)"},
        {"prompt": "Wrong solution.", "tests": two, "solution": "print(3)"},
        {
            "prompt": "A function.",
            "tests": ["assert f(1) == 1", "assert f(2) == 4"],
            "solution": "def f(x): return x * x",
        },
    ]
    env = File(write(tmp_path / "p.jsonl", *rows), verifier="code", test_share=0.0, sandbox=sandbox)
    found = check_gold(env.tasks("train"), env)
    assert [fault.task for fault in found.faults] == ["train/row 4"]
    assert [suspect.task for suspect in found.suspects] == ["train/row 2", "train/row 3"]


def test_our_own_problems_pay_no_near_miss(sandbox):
    env = CodeProblems(sandbox=sandbox)
    found = check_gold(env.tasks("test"), env)
    assert found.probed == found.tasks and not found.suspects
