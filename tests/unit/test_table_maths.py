"""The verifier `maths` of a table: which tasks a file gives, and how answers are judged beside a trainer that must not hang."""

import asyncio
import json
import subprocess
import sys
import time

import pytest

import r1sdk
from r1_envs.table import File
from r1_verifiers.maths.pooled_check import judged
from r1sdk.plugins.loading import load_plugins

pytestmark = pytest.mark.heavy

HANGS = r"\boxed{\dfrac{5^{\left(5^{\left(5^{\left(5^5\right)}\right)} - 4\right)} - 5}{16}}"


def rollout(task, text):
    return r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}]))


def maths(**options):
    return {"name": "maths", "options": options}


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def file(tmp_path):
    return lines(tmp_path / "sums.jsonl", [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(400)])


def test_the_tasks_ask_for_the_format_hold_the_gold_answer_and_name_their_row(file):
    task = next(File(file).tasks("train"))
    row = task.info["row"]
    assert task.prompt == [
        {"role": "system", "content": r1sdk.SYSTEM_PROMPT},
        {"role": "user", "content": f"What is {row - 1} + 1?"},
    ]
    assert task.answer == str(row) and task.id == f"train/row {row}"


def test_a_problem_is_in_one_split_whatever_the_order_case_and_spaces(tmp_path, file):
    shuffled = lines(
        tmp_path / "again.jsonl",
        [{"problem": f"what  is {n} + 1? ", "answer": "0"} for n in reversed(range(400))],
    )
    asked = {split: {t.prompt[1]["content"].casefold() for t in File(file).tasks(split)} for split in ("train", "test")}
    assert not asked["train"] & asked["test"] and len(asked["train"] | asked["test"]) == 400
    assert 15 <= len(asked["test"]) <= 75
    for split in ("train", "test"):
        again = {" ".join(t.prompt[1]["content"].split()).casefold() for t in File(shuffled).tasks(split)}
        assert again == asked[split]


def test_the_test_share_is_the_share_and_a_larger_one_keeps_every_test_task(file):
    tenth, half = ({t.info["row"] for t in File(file, test_share=share).tasks("test")} for share in (0.1, 0.5))
    assert tenth < half and 160 <= len(half) <= 240
    assert not list(File(file, test_share=0.0).tasks("test"))


@pytest.mark.parametrize(
    ("columns", "options", "answer"),
    [
        ({"question": "q", "answer": "Adding gives 41.\n#### 42"}, {}, "42"),
        ({"prompt": "q", "final_answer": 42}, {}, "42"),
        ({"problem": "q", "solution": r"Thus \boxed{42}."}, {}, r"Thus \boxed{42}."),
        ({"problem": "q", "solution": "long", "answer": "42"}, {}, "42"),
        ({"frage": "q", "antwort": 0.5, "answer": "no"}, {"prompt_column": "frage", "answer_column": "antwort"}, "0.5"),
        ({"prompt": [{"role": "user", "content": "q"}], "answer": "42"}, {}, "42"),
        ({"problem": "q", "answer": None}, {}, ""),
    ],
)
def test_the_usual_columns_are_found_and_others_are_named(tmp_path, columns, options, answer):
    (task,) = File(lines(tmp_path / "one.jsonl", [columns]), test_share=0.0, **options).tasks("train")
    assert task.prompt[-1] == {"role": "user", "content": "q"} and task.prompt[0]["role"] == "system"
    assert task.answer == answer


VERL = {
    "prompt": [{"role": "user", "content": "q"}],
    "reward_model": {"ground_truth": "5", "style": "rule"},
    "extra_info": {"index": 0},
}
ASKED = {"from": "human", "value": "q"}


@pytest.mark.parametrize(
    ("row", "options", "answer"),
    [
        (VERL, {}, "5"),
        (VERL, {"answer_column": "reward_model.ground_truth"}, "5"),
        (
            {**VERL, "reward_model": json.dumps(VERL["reward_model"])},
            {"answer_column": "reward_model.ground_truth"},
            "5",
        ),
        ({"problem": "q", "Gold": {"value": "5"}}, {"answer_column": "Gold.value"}, "5"),
        ({"problem": "q", "gold.value": "5"}, {"answer_column": "gold.value"}, "5"),
        ({"messages": [{"role": "user", "content": "q"}], "ground_truth": "5"}, {}, "5"),
        ({"problem": "q", "expected_answer": "5"}, {}, "5"),
        (
            {"system": "Think.", "conversations": [ASKED, {"from": "gpt", "value": r"It is $\boxed{5}$."}]},
            {},
            r"It is $\boxed{5}$.",
        ),
        ([ASKED, {"from": "assistant", "ground_truth": {"value": "5"}}], {}, "5"),
        ({"1": {"from": "assistant", "value": None, "ground_truth": {"value": "5"}}, "0": ASKED}, {}, "5"),
        ({"problem": "q", "final_answer": ["1", "2"]}, {}, '["1", "2"]'),
        ({"problem": "q", "final_answer": [1, 2]}, {}, '["1", "2"]'),
        ({"problem": "q", "final_answer": ["$x=2$"]}, {}, "$x=2$"),
        ({"problem": "q (A) 1 (B) 5", "answer": "B", "options": ["1", "5"]}, {}, "B"),
    ],
)
def test_the_rows_of_known_data_sets_are_read(tmp_path, row, options, answer):
    environment = File(lines(tmp_path / "one.jsonl", [row]), test_share=0.0, **options)
    (task,) = environment.tasks("train")
    assert task.prompt[0]["role"] == "system" and task.prompt[-1]["content"].startswith("q")
    assert task.answer == answer
    assert asyncio.run(environment.verify(rollout(task, environment.gold_reply(task)))).value == 1.0
    assert "answer from" in environment.summary()


def test_a_list_of_answers_asks_for_all_of_them(tmp_path):
    environment = File(lines(tmp_path / "a.jsonl", [{"problem": "q", "answer": ["1", "2"]}]), test_share=0.0)
    (task,) = environment.tasks("train")
    given = [
        asyncio.run(environment.verify(rollout(task, f"<answer>{text}</answer>"))).value
        for text in ("2, 1", "1", "1, 2, 3")
    ]
    assert given == [1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("row", "said", "advice"),
    [
        (
            {"problem": "q", "answer": {"text": "5", "style": "rule"}},
            "'answer' holds an object with the keys text, style\n  .*answer_column, as answer.text",
            {"answer_column": "answer.text"},
        ),
        (
            {"problem": "q", "reference": {"value": "5"}},
            r"no column 'answer' .*found problem, reference\n  .*option answer_column; .* as reference.value",
            {"answer_column": "reference.value"},
        ),
        (
            {"problem": "q", "answer": "B", "options": ["1", "5"]},
            "the problem does not show the options\n  set the option verifier to choice",
            {"verifier": "choice"},
        ),
        (
            {"Frage": "q", "answer": "5"},
            "found Frage, answer\n  .*option prompt_column",
            {"prompt_column": "Frage"},
        ),
    ],
)
def test_what_cannot_be_an_answer_is_an_error_whose_advice_works(tmp_path, row, said, advice):
    file = lines(tmp_path / "one.jsonl", [row])
    with pytest.raises(r1sdk.R1Error, match=said):
        list(File(file, test_share=0.0).tasks("train"))
    (task,) = File(file, test_share=0.0, **advice).tasks("train")
    assert task.answer in ("5", "B")


def test_a_proof_is_no_answer(tmp_path):
    environment = File(lines(tmp_path / "a.jsonl", [{"problem": "q", "answer": "proof"}]), test_share=0.0)
    (task,) = environment.tasks("train")
    verdict = asyncio.run(environment.verify(rollout(task, "<answer>proof</answer>")))
    assert verdict.value is None and verdict.status == "unverifiable" and "proof" in verdict.reason


def test_files_of_every_kind_hold_the_same_rows(tmp_path):
    import gzip

    import datasets
    import pyarrow

    rows = [{"problem": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(30)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "a.json").write_text(json.dumps(rows))
    (tmp_path / "b.json").write_text(text)
    (tmp_path / "c.json").write_text(json.dumps({"version": 1, "data": rows}))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text.encode()))
    with pyarrow.output_stream(str(tmp_path / "a.jsonl.zst"), compression="zstd") as packed:
        packed.write(text.encode())
    table = pyarrow.Table.from_pylist(rows)
    for name, writer in (("a.arrow", pyarrow.ipc.new_file), ("b.arrow", pyarrow.ipc.new_stream)):
        with writer(str(tmp_path / name), table.schema) as file:
            file.write_table(table)
    saved = datasets.Dataset.from_list(rows)
    saved.save_to_disk(str(tmp_path / "saved"))
    datasets.DatasetDict({"train": saved}).save_to_disk(str(tmp_path / "splits"))
    expected = [(f"What is {n} + 1?", str(n + 1)) for n in range(30)]
    for name in ("a.json", "b.json", "c.json", "a.jsonl.gz", "a.jsonl.zst", "a.arrow", "b.arrow", "saved", "splits"):
        tasks = File(str(tmp_path / name), test_share=0.0).tasks("train")
        assert [(task.prompt[-1]["content"], task.answer) for task in tasks] == expected, name


def test_csv_and_parquet_are_read_as_json_lines_are(tmp_path):
    (tmp_path / "a.csv").write_text('problem,answer\n"What is 1, plus 1?",2\n')
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(
        pyarrow.table({"problem": ["What is 1, plus 1?"], "answer": [2]}), str(tmp_path / "a.parquet")
    )
    one = lines(tmp_path / "a.jsonl", [{"problem": "What is 1, plus 1?", "answer": 2}])
    tasks = [
        list(File(str(f), test_share=0.0).tasks("train")) for f in (tmp_path / "a.csv", tmp_path / "a.parquet", one)
    ]
    assert tasks[0] == tasks[1] == tasks[2] and tasks[0][0].answer == "2"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '{"frage": "q", "answer": "1"}\n',
            "row 1: no column 'problem' or 'question' or 'prompt' or 'description' or .*; found frage, answer",
        ),
        ('{"problem": "q", "answer": "1"}\n{"problem": "q"}\n', "row 2: no column 'answer'"),
        ('{"problem": "", "answer": "1"}\n', "row 1: a problem is a text"),
        ('{"problem": "q", "answer": "1"}\nnonsense\n', "line 2 is not JSON"),
        ('{"problem": "q", "answer": "1"}\n[1]\n', "line 2 must be an object"),
    ],
)
def test_a_row_at_fault_is_named(tmp_path, text, said):
    (tmp_path / "bad.jsonl").write_text(text)
    with pytest.raises(r1sdk.R1Error, match=said):
        list(File(str(tmp_path / "bad.jsonl"), test_share=0.0).tasks("train"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"source": ""}, "source: name a"),
        ({"source": "nosuch.jsonl"}, "no file nosuch.jsonl"),
        ({"source": "openai/gsm8k"}, "is the environment hub"),
        ({"test_share": 1.5}, "test_share is from 0 to 1"),
        ({"verifier": {"name": "maths", "options": {"timeout_s": 0}}}, "timeout_s must be above 0"),
        ({"verifier": {"name": "maths", "options": {"mode": "strict"}}}, "option 'mode'"),
        ({"verifier": {"name": "maths", "options": {"moed": "r1"}}}, "did you mean 'mode'"),
        ({"verifier": "math"}, "did you mean 'maths'"),
        ({"where": ("level",)}, "a condition is COLUMN SIGN VALUE"),
        ({"template": "Put it in \\boxed{}: {prompt}"}, "a brace that stands for itself"),
        ({"template": "Hello"}, "shows no column"),
    ],
)
def test_settings_that_cannot_be_are_refused(file, options, said):
    with pytest.raises((ValueError, r1sdk.PluginError), match=said):
        File(**{"source": file, **options})


def test_every_setting_at_fault_is_named_at_once(file):
    with pytest.raises(ValueError) as refused:
        File("nosuch.csv", test_share=2.0, where=("x",), verifier="mahts")
    faults = ("nosuch.csv", "test_share", "condition", "did you mean 'maths'")
    assert all(part in str(refused.value) for part in faults)
    options = {"source": "nosuch.csv", "test_share": 2.0, "where": ["x"], "verifier": "mahts"}
    with pytest.raises(r1sdk.PluginError) as refused:
        load_plugins().build("environment", "file", options)
    assert all(part in str(refused.value) for part in faults)


def verdicts(replies, gold, mode="r1", timeout_s=20.0):
    async def all_of_them():
        return await asyncio.gather(*(judged(reply, gold, mode, timeout_s) for reply in replies))

    return asyncio.run(all_of_them())


def test_verify_judges_numbers_here_and_algebra_in_a_worker(tmp_path):
    file = lines(tmp_path / "a.jsonl", [{"problem": "a", "answer": "42"}, {"problem": "b", "answer": r"\frac{1}{3}"}])
    environment = File(file, test_share=0.0, verifier=maths(timeout_s=20.0))
    number, third = environment.tasks("train")

    async def judge(task, text):
        return await environment.verify(rollout(task, f"<think>hm</think><answer>{text}</answer>"))

    assert asyncio.run(judge(number, "42.0")).value == 1.0
    assert asyncio.run(judge(number, "41")).value == 0.0
    assert asyncio.run(judge(third, r"\int_0^1 x^2 dx")).value == 1.0
    wrong = asyncio.run(judge(third, r"\int_0^1 x^3 dx"))
    assert wrong.value == 0.0 and wrong.extracted == r"\int_0^1 x^3 dx" and wrong.seconds > 0


def test_an_answer_that_hangs_costs_its_deadline_and_nobody_elses_verdict():
    verdicts([r"\boxed{x}"], r"\sqrt{12}")  # the workers are there
    started = time.monotonic()
    found = verdicts([HANGS, *[r"\boxed{2\sqrt{3}}", r"\boxed{5x}"] * 8], r"\sqrt{12}", timeout_s=4.0)
    seconds = time.monotonic() - started
    assert (found[0].value, found[0].status) == (0.0, "timeout") and "4 s" in found[0].reason and found[0].extracted
    assert [verdict.value for verdict in found[1:]] == [1.0, 0.0] * 8
    assert seconds < 20.0


def test_the_same_answer_again_is_judged_once_and_one_that_hangs_costs_its_deadline_once():
    gold = r"\sqrt{48}"
    verdicts([r"\boxed{x}"], gold)
    started = time.monotonic()
    found = verdicts([HANGS] * 8 + [r"\boxed{4\sqrt{3}}"] * 8, gold, timeout_s=3.0)
    assert time.monotonic() - started < 9.0  # eight of them on two workers would take 12
    assert [verdict.status for verdict in found] == ["timeout"] * 8 + ["ok"] * 8
    started = time.monotonic()
    assert [verdict.value for verdict in verdicts([r"\boxed{4\sqrt{3}}"] * 500, gold, timeout_s=3.0)] == [1.0] * 500
    assert time.monotonic() - started < 1.0


def test_a_gold_answer_that_makes_every_check_hang_is_unverifiable_and_costs_that_once():
    gold = HANGS
    (first,) = verdicts([r"\boxed{5x}"], gold, timeout_s=2.0)
    assert first.value is None and first.status == "unverifiable" and "no check ends" in first.reason
    started = time.monotonic()
    (second,) = verdicts([r"\boxed{7x}"], gold, timeout_s=2.0)
    assert second.status == "unverifiable" and time.monotonic() - started < 1.0


def test_a_gold_answer_that_cannot_be_read_is_unverifiable():
    for verdict in verdicts(["<answer>1</answer>", "", HANGS], r"\foo{"):
        assert verdict.value is None and verdict.status == "unverifiable"


def test_mode_trl_is_judged_in_a_worker_too():
    right, wrong = verdicts([r"\boxed{2\sqrt{3}}", "<answer>2</answer>"], r"$\sqrt{12}$", "trl")
    assert (right.value, wrong.value) == (1.0, 0.0)


def test_the_gold_reply_earns_one_in_both_modes(tmp_path):
    golds = ["42", r"$\frac{1}{2}$", r"\boxed{x+1}", "$(1,2)$"]
    file = lines(tmp_path / "a.jsonl", [{"problem": gold, "answer": gold} for gold in golds])
    for mode in ("r1", "trl"):
        environment = File(file, test_share=0.0, verifier=maths(mode=mode, timeout_s=20.0))
        for task in environment.tasks("train"):
            assert asyncio.run(environment.verify(rollout(task, environment.gold_reply(task)))).value == 1.0


def test_the_environment_is_loaded_without_math_verify_or_sympy():
    program = "import sys, r1_envs; print([m for m in ('sympy', 'math_verify', 'antlr4') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_math_verify_is_said_with_the_command_that_brings_it(monkeypatch, file):
    """The far side, a package that is not installed, is faked: the finder of modules is told that it is not there."""
    monkeypatch.setitem(sys.modules, "math_verify", None)
    with pytest.raises(r1sdk.R1Error, match=r"needs: pip install 'r1sdk\[maths\]'"):
        File(file)
