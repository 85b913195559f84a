"""The named data sets, loaded by their real code from small copies in the layout and the shape that they have on the Hub.

No Hub can be reached from here: that the columns are those of the data sets today is not shown by these tests.
"""

import asyncio
import base64
import json
import pickle
import zlib

import pytest

import r1sdk
from r1_envs.named import NAMED
from r1_sandboxes import LocalSandbox
from r1_sandboxes.jail_pool import close_pools
from r1_verifiers.code.answer_operations import Unsupported
from r1_verifiers.code.asserts import read_check
from r1_verifiers.code.packed import unpacked
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.gold_check import check_gold


@pytest.fixture(scope="module")
def sandbox():
    yield LocalSandbox(workers=1)
    close_pools()


def data_set(folder, config, **splits):
    """A folder as the Hub has it: parquet files by split, and a card that names them."""
    import pyarrow
    import pyarrow.parquet

    place = folder / (config or "data")
    place.mkdir(parents=True)
    for split, rows in splits.items():
        names = dict.fromkeys(name for row in rows for name in row)
        table = pyarrow.table({name: [row.get(name) for row in rows] for name in names})
        pyarrow.parquet.write_table(table, place / f"{split}-00000-of-00001.parquet")
    files = "".join(f"  - {{split: {split}, path: {place.name}/{split}-*}}\n" for split in splits)
    (folder / "README.md").write_text(
        f"---\nconfigs:\n- config_name: {config or 'default'}\n  data_files:\n{files}---\n"
    )
    return str(folder)


def verdict(environment, task, reply):
    rollout = r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": reply}]))
    return asyncio.run(environment.verify(rollout))


def answer(text):
    return f"<think>so</think><answer>{text}</answer>"


GSM8K = {"question": "Tom has 3 and buys 4. How many?", "answer": "3 + 4 = <<3+4=7>>7\n#### 1,007"}
AIME = {"problem": "Find n.", "solution": r"Thus \boxed{033}.", "answer": "033", "url": "u"}
MATHS = {
    "gsm8k": ("main", {"train": [GSM8K], "test": [GSM8K]}, "1,007", "1007", None),
    "math_500": (
        None,
        {
            "test": [
                {
                    "problem": "Half?",
                    "solution": r"So $\boxed{\frac{1}{2}}$.",
                    "answer": r"\frac{1}{2}",
                    "subject": "Algebra",
                    "level": 2,
                    "unique_id": "test/algebra/1.json",
                }
            ]
        },
        r"\frac{1}{2}",
        "0.5",
        "Algebra",
    ),
    "aime24": (None, {"train": [{**AIME, "id": 60, "year": "2024"}]}, "033", "33", None),
    "aime25": (None, {"train": [{**AIME, "id": "0", "year": "2025"}]}, "033", "33", None),
    "numina_math": (
        None,
        {
            "train": [
                {"problem": "Prove it.", "answer": "proof", "question_type": "proof"},
                {"problem": "Lost?", "answer": "notfound", "question_type": "math-word-problem"},
                {"problem": "Cut off", "answer": "3", "question_type": "MCQ", "problem_is_valid": "Incomplete"},
                {
                    "problem": "6 * 7?",
                    "answer": "42",
                    "question_type": "math-word-problem",
                    "source": "olympiads",
                    "problem_is_valid": "Yes",
                    "solution_is_valid": "Yes",
                    "solution": "long",
                },
            ]
        },
        "42",
        "42.0",
        "olympiads",
    ),
    "openr1_math": (
        "default",
        {
            "train": [
                {
                    "problem": "6 * 7?",
                    "solution": "long",
                    "answer": "42",
                    "problem_type": "Algebra",
                    "question_type": "math-word-problem",
                    "generations": ["<think>a</think>", "b"],
                    "messages": [{"role": "user", "content": "x"}],
                }
            ]
        },
        "42",
        "42",
        "Algebra",
    ),
    "deepmath": (
        None,
        {
            "train": [
                {
                    "question": "Limit?",
                    "final_answer": "0",
                    "difficulty": 4.5,
                    "topic": "Calculus",
                    "r1_solution_1": "long",
                }
            ]
        },
        "0",
        "0",
        "Calculus",
    ),
    "big_math": (
        None,
        {
            "train": [
                {
                    "problem": "x?",
                    "answer": "5",
                    "source": "orca_math",
                    "domain": ["Algebra"],
                    "llama8b_solve_rate": 0.5,
                }
            ]
        },
        "5",
        "5",
        "orca_math",
    ),
}


@pytest.mark.parametrize("name", MATHS)
def test_a_named_data_set_of_mathematics_is_read_and_judged(tmp_path, name):
    config, splits, gold, right, category = MATHS[name]
    kind = NAMED[name]
    built = kind(
        source=data_set(tmp_path / "set", config, **splits), **({} if kind.train_split is None else {"test_share": 0.0})
    )
    (task,) = built.tasks("test" if kind.train_split is None else "train")
    assert task.answer == gold and task.info.get("category") == category
    assert verdict(built, task, answer(right)).value == 1.0 and verdict(built, task, answer("77")).value == 0.0
    assert not check_gold([task], built).faults
    if kind.train_split is None:
        with pytest.raises(r1sdk.R1Error, match="for evaluation only"):
            list(built.tasks("train"))


def test_gsm8k_keeps_its_own_test_split_and_a_single_file_must_say_how_it_is_parted(tmp_path):
    other = {**GSM8K, "question": "Another?"}
    built = NAMED["gsm8k"](source=data_set(tmp_path / "set", "main", train=[GSM8K], test=[other]))
    assert [t.prompt[-1]["content"] for t in built.tasks("test")] == ["Another?"]
    (tmp_path / "one.jsonl").write_text(json.dumps(GSM8K) + "\n")
    with pytest.raises(r1sdk.R1Error, match=r"test_source.*test_split=null"):
        list(NAMED["gsm8k"](source=str(tmp_path / "one.jsonl")).tasks("train"))
    alone = NAMED["gsm8k"](source=str(tmp_path / "one.jsonl"), test_split=None, test_share=0.0)
    assert len(list(alone.tasks("train"))) == 1


def test_gpqa_is_shuffled_by_question_and_seed_and_its_columns_are_told_apart(tmp_path):
    rows = [
        {
            "Question": f"Which {n}?",
            "Correct Answer": "right ",
            "Incorrect Answer 1": "wrong 1",
            "Incorrect Answer 2": "wrong 2",
            "Incorrect Answer 3": "wrong 3\n",
            "High-level domain": "Physics",
            "Explanation": "because",
        }
        for n in range(12)
    ]
    source = data_set(tmp_path / "set", "gpqa_diamond", train=rows)
    built = NAMED["gpqa_diamond"](source=source)
    tasks = list(built.tasks("test"))
    assert len({task.answer for task in tasks}) > 1 and tasks == list(built.tasks("test"))
    assert {task.info["category"] for task in tasks} == {"Physics"} and "because" not in str(tasks)
    for task in tasks:
        assert f"{task.answer}) right" in task.prompt[-1]["content"]
        assert (
            verdict(built, task, answer(task.answer)).value == 1.0
            and verdict(built, task, answer("right")).value == 1.0
        )
        assert verdict(built, task, answer("wrong 1")).value == 0.0


@pytest.mark.heavy
def test_mbpp_shows_its_tests_runs_them_with_their_setup_and_names_what_it_cannot_read(tmp_path, sandbox):
    row = {
        "task_id": 11,
        "text": "Write a function to take the square root.",
        "code": "def root(x):\n    return math.sqrt(x)",
        "test_list": [
            "assert root(4) == 2",
            "assert math.isclose(root(2), 1.41421356, rel_tol=1e-6)",
            "assert root(0) == 0",
        ],
        "test_setup_code": "import math",
        "challenge_test_list": [],
    }
    odd = {**row, "text": "Odd.", "test_list": ["print(root(2))"]}
    source = data_set(tmp_path / "set", "full", train=[row, odd], test=[row])
    built = NAMED["mbpp"](source=source, sandbox=sandbox)
    (task,) = built.tasks("train")
    assert "root(4) is 2" in task.prompt[-1]["content"] and not check_gold([task], built).faults
    assert verdict(built, task, "```python\ndef root(x):\n    return x / 2\n```").value == 0.0
    assert len(list(built.faults("train"))) == 1 and "1 rows left out, the first: row 2: test 1" in built.summary()


HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'from typing import List\n\n\ndef twice(xs: List[int]) -> List[int]:\n    """Double each."""\n',
    "canonical_solution": "    return [2 * x for x in xs]\n",
    "test": "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == [2, 4]\n"
    "    assert candidate([]) == [], 'empty'\n    assert candidate([1.5])[0] == 6 / 2\n    assert True, 'a remark'\n",
    "entry_point": "twice",
}


def test_humaneval_is_completed_with_the_imports_of_its_prompt(tmp_path, sandbox):
    built = NAMED["humaneval"](source=data_set(tmp_path / "set", None, test=[HUMANEVAL]), sandbox=sandbox)
    (task,) = built.tasks("test")
    assert "Complete this function" in task.prompt[-1]["content"] and "METADATA" not in task.prompt[-1]["content"]
    assert not check_gold([task], built).faults
    bare = "```python\ndef twice(xs: List[int]) -> List[int]:\n    return [x + x for x in xs]\n```"
    assert verdict(built, task, bare).value == 1.0
    assert verdict(built, task, "```python\ndef twice(xs):\n    return xs\n```").value == 0.0


@pytest.mark.parametrize(
    "body", ["assert True", "y = candidate(1)", "while candidate(1):\n        assert candidate(2)"]
)
def test_a_check_that_cannot_be_taken_apart_is_refused(body):
    with pytest.raises(Unsupported):
        read_check(f"def check(candidate):\n    {body}\n", "f")


def test_a_check_becomes_one_test_for_each_assert():
    body = "x = [1]\n    assert candidate(x) == 2\n    for y in range(3):\n        assert candidate([y]) == y + 1"
    assert read_check(f"def check(candidate):\n    {body}\n", "f") == [
        "x = [1]\nassert f(x) == 2",
        "x = [1]\nfor y in range(3):\n    assert f([y]) == y + 1",
    ]


def packed(tests):
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def test_livecodebench_unpacks_hidden_tests_of_both_kinds(tmp_path, sandbox):
    folder = tmp_path / "set"
    folder.mkdir()
    common = {"platform": "x", "contest_date": "2024-09-01T00:00:00", "difficulty": "easy"}
    stdin = {
        **common,
        "question_content": "Print the sum.",
        "starter_code": "",
        "public_test_cases": json.dumps([{"input": "1 2\n", "output": "3\n", "testtype": "stdin"}]),
        "private_test_cases": packed([{"input": "5 5\n", "output": "10\n", "testtype": "stdin"}]),
        "metadata": "{}",
    }
    called = {
        **common,
        "question_content": "Add them.",
        "starter_code": "class Solution:\n    def add(self, xs: List[int], y: int) -> int:\n        ",
        "public_test_cases": json.dumps([{"input": "[1, 2]\n3", "output": "6", "testtype": "functional"}]),
        "private_test_cases": json.dumps([{"input": "[]\n1", "output": "1", "testtype": "functional"}]),
        "metadata": json.dumps({"func_name": "add"}),
    }
    (folder / "test.jsonl").write_text(json.dumps(stdin) + "\n")
    (folder / "test2.jsonl").write_text(json.dumps(called) + "\n")
    built = NAMED["livecodebench"](source=str(folder), sandbox=sandbox, where=('contest_date >= "2024-08"',))
    first, second = built.tasks("test")
    assert "5 5" not in first.prompt[-1]["content"] and "def add(self" in second.prompt[-1]["content"]
    right = "```python\nprint(sum(map(int, input().split())))\n```"
    assert verdict(built, first, right).value == 1.0 and verdict(built, first, "```python\nprint(3)\n```").value == 0.0
    method = (
        "```python\nclass Solution:\n    def add(self, xs: List[int], y: int) -> int:\n        return sum(xs) + y\n```"
    )
    assert verdict(built, second, method).value == 1.0
    assert len(list(NAMED["livecodebench"](source=str(folder), files="test2.jsonl").tasks("test"))) == 1


class Evil:
    def __reduce__(self):
        return print, ("ran",)


@pytest.mark.parametrize("tests", [pickle.dumps(Evil()), pickle.dumps(3), b"nonsense"])
def test_a_pickle_that_is_no_text_is_refused_and_runs_nothing(tests, capsys):
    with pytest.raises((ValueError, TypeError)):
        unpacked(base64.b64encode(zlib.compress(tests)).decode())
    assert "ran" not in capsys.readouterr().out


def test_codeforces_leaves_out_what_outputs_alone_cannot_judge_and_keeps_its_limits(tmp_path, sandbox):
    row = {
        "id": "1/A",
        "title": "Sum",
        "description": "Add two numbers.",
        "input_format": "One line.",
        "output_format": "The sum.",
        "interaction_format": None,
        "note": None,
        "examples": [{"input": "1 2\n", "output": "3\n"}],
        "official_tests": [{"input": "1 2\n", "output": "3\n"}, {"input": "2 2\n", "output": "4\n"}],
        "official_tests_complete": True,
        "input_mode": "stdio",
        "generated_checker": None,
        "time_limit": 1.0,
        "memory_limit": 256.0,
        "rating": 800,
    }
    others = [
        {**row, "generated_checker": "import sys"},
        {**row, "input_mode": "file"},
        {**row, "official_tests_complete": False},
        {**row, "interaction_format": "Ask."},
    ]
    built = NAMED["codeforces"](
        source=data_set(tmp_path / "set", "verifiable", train=[row, *others], test=[row]), sandbox=sandbox
    )
    (task,) = built.tasks("train")
    assert task.info["timeout_s"] == 1.0 and task.info["memory_bytes"] == 256 << 20 and task.info["category"] == "800"
    assert all(
        part in task.prompt[-1]["content"]
        for part in ("Sum\n", "Input\nOne line.", "Example input\n1 2", "1 s, 256 MB")
    )
    assert "2 2" not in task.prompt[-1]["content"]
    assert verdict(built, task, "```python\nprint(sum(map(int, input().split())))\n```").value == 1.0


def test_every_named_data_set_is_listed_without_a_network_and_says_where_it_is_from():
    entries = load_plugins().entries
    for name, kind in NAMED.items():
        (entry,) = entries["environment", name]
        source = next(field.default for field in kind.__dataclass_fields__.values() if field.name == "source")
        assert source in entry.summary, name
