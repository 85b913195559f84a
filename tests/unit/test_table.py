"""The environments `file` and `hub`: columns, conditions, templates, splits, and the verifiers exact, choice and judge."""

import asyncio
import json

import pytest

import r1sdk
from r1_envs.table import File, Hub
from r1_envs.table.conditions import read_condition
from r1_envs.table_io import Origin, read_rows
from r1sdk.data import check_data
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.gold_check import check_gold


def write(path, *rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def verdict(environment, task, answer):
    text = f"<think>hm</think><answer>{answer}</answer>"
    rollout = r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}]))
    return asyncio.run(environment.verify(rollout))


def test_the_columns_that_were_guessed_are_said_and_those_that_were_named_are_not(tmp_path):
    file = write(tmp_path / "a.jsonl", {"question": "q", "final_answer": "1", "subject": "s", "other": 2})
    said = File(file).summary()
    assert "prompt from 'question', answer from 'final_answer', category from 'subject'" in said
    assert (
        "found by name; else set prompt_column, answer_column, category_column" in said
        and "verified by MathsVerifier" in said
    )
    named = File(file, prompt_column="other", answer_column="question", category_column="subject").summary()
    assert "prompt from 'other', answer from 'question'" in named and "found by name" not in named


def test_a_missing_column_is_an_error_that_names_those_there_are(tmp_path):
    file = write(tmp_path / "a.jsonl", {"question": "q", "gold": "1"})
    with pytest.raises(r1sdk.R1Error, match=r"row 1: no column 'answer' or .*; found question, gold\n.*answer_column"):
        list(File(file).tasks("train"))
    tests = write(tmp_path / "b.jsonl", {"question": "q", "tests": []})
    with pytest.raises(r1sdk.R1Error, match="it has tests: choose the verifier code"):
        list(File(tests, test_share=0.0).tasks("train"))


def test_faults_are_listed_row_by_row_where_tasks_stops_at_the_first(tmp_path):
    file = write(tmp_path / "a.jsonl", {"problem": "", "answer": "1"}, {"problem": "q", "answer": "1"}, {"answer": "2"})
    table = File(file, test_share=0.0)
    assert [fault.partition(": ")[0].rpartition(" ")[2] for fault in table.faults("train")] == ["1", "3"]
    with pytest.raises(r1sdk.R1Error, match="row 1"):
        list(table.tasks("train"))


def test_the_template_shows_columns_and_the_system_prompt_may_be_left_out(tmp_path):
    file = write(tmp_path / "a.jsonl", {"problem": "Is {x} even?", "answer": "no", "hint": "{y}"})
    (task,) = File(file, test_share=0.0, system="", template="{prompt}\nHint: {hint} {{}}").tasks("train")
    assert task.prompt == [{"role": "user", "content": "Is {x} even?\nHint: {y} {}"}]
    with pytest.raises(r1sdk.R1Error, match="the template asks for 'hnit'; found problem, answer, hint"):
        list(File(file, test_share=0.0, template="{prompt} {hnit}").tasks("train"))


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ("level >= 2", [2, 3]),
        ("level = 2", [2]),
        ("level != 2", [1, 3]),
        ("source in [amc]", None),
        ('source in ["amc", "x"]', [1, 3]),
        ('source not in ["amc"]', [2]),
        ("source = amc", [1, 3]),
        ("source = null", []),
    ],
)
def test_conditions_choose_rows(tmp_path, condition, kept):
    rows = [{"problem": f"q{n}", "answer": str(n), "level": n, "source": "amc" if n % 2 else "aime"} for n in (1, 2, 3)]
    if kept is None:
        with pytest.raises(ValueError, match="comes a list"):
            read_condition(condition)
        return
    table = File(write(tmp_path / "a.jsonl", *rows), test_share=0.0, where=(condition,), keep=("level",))
    assert [task.info["level"] for task in table.tasks("train")] == kept


def test_a_condition_on_a_csv_compares_numbers_and_one_on_no_column_is_an_error(tmp_path):
    (tmp_path / "a.csv").write_text("problem,answer,level\nq1,1,9\nq2,2,10\n")
    table = File(str(tmp_path / "a.csv"), test_share=0.0, where=("level > 9",))
    assert [task.answer for task in table.tasks("train")] == ["2"]
    with pytest.raises(r1sdk.R1Error, match="no column 'levle'"):
        list(File(str(tmp_path / "a.csv"), test_share=0.0, where=("levle > 9",)).tasks("train"))


def test_test_tasks_may_come_from_a_file_of_their_own(tmp_path):
    train = write(tmp_path / "a.jsonl", *({"problem": f"q{n}", "answer": "1"} for n in range(20)))
    test = write(tmp_path / "b.jsonl", {"problem": "t", "answer": "1"})
    table = File(train, test_source=test)
    assert len(list(table.tasks("train"))) == 20
    assert [task.prompt[-1]["content"] for task in table.tasks("test")] == ["t"]


def test_a_folder_in_the_layout_of_a_data_set_is_read_as_the_hub_is(tmp_path):
    import pyarrow
    import pyarrow.parquet

    folder = tmp_path / "set"
    for split, problems in (("train", ["a", "b"]), ("test", ["c"])):
        (folder / "main").mkdir(parents=True, exist_ok=True)
        rows = pyarrow.table({"problem": problems, "answer": ["1"] * len(problems), "heavy": ["x"] * len(problems)})
        pyarrow.parquet.write_table(rows, folder / "main" / f"{split}-00000-of-00001.parquet")
    card = "configs:\n- config_name: main\n  data_files:\n  - {split: train, path: main/train-*}\n  - {split: test, path: main/test-*}\n"
    (folder / "README.md").write_text(f"---\n{card}---\n")
    table = File(str(folder), config="main", test_split="test")
    assert [t.prompt[-1]["content"] for t in table.tasks("train")] == ["a", "b"]
    assert [t.prompt[-1]["content"] for t in table.tasks("test")] == ["c"]
    (first, _) = read_rows(Origin(str(folder), "main", without=("heavy",)))
    assert first == {"problem": "a", "answer": "1"}
    with pytest.raises(r1sdk.R1Error, match="cannot load .* nosuch"):
        list(File(str(folder), config="nosuch").tasks("train"))


def test_a_data_set_that_cannot_be_loaded_says_how_to_do_without_the_hub(monkeypatch):
    import datasets
    import huggingface_hub.constants

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(r1sdk.R1Error, match=r"cannot load nobody/nothing(.|\n)*env.options.source=FOLDER"):
        list(Hub("nobody/nothing").tasks("train"))
    with pytest.raises(ValueError, match="OWNER/NAME"):
        Hub("problems.jsonl/a/b")


@pytest.mark.parametrize(
    ("answer", "value"),
    [("Paris", 1.0), ("  paris. ", 1.0), ("The city", 0.0), ("Paris or Lyon", 0.0), ("", 0.0), ("P" * 9999, 0.0)],
)
def test_exact_is_the_same_text_in_any_case(tmp_path, answer, value):
    file = write(tmp_path / "a.jsonl", {"question": "capital?", "answer": "Paris"})
    table = File(file, test_share=0.0, verifier="exact")
    (task,) = table.tasks("train")
    assert verdict(table, task, answer).value == value
    strict = File(file, test_share=0.0, verifier={"name": "exact", "options": {"ignore_case": False}})
    assert verdict(strict, task, "paris").value == 0.0 and verdict(strict, task, "Paris").value == 1.0


def test_exact_takes_any_of_several_gold_answers_and_an_empty_one_is_unverifiable(tmp_path):
    file = write(tmp_path / "a.jsonl", {"question": "a?", "answer": ["U.S.", "USA"]}, {"question": "b?", "answer": ""})
    table = File(file, test_share=0.0, verifier="exact")
    first, second = table.tasks("train")
    assert [verdict(table, first, text).value for text in ("usa", "U.S.", "UK")] == [1.0, 1.0, 0.0]
    assert verdict(table, second, "x").status == "unverifiable"
    assert [fault.index for fault in check_gold(table.tasks("train"), table).faults] == [1]


CAPITALS = {"question": "Capital of France?", "options": ["Lyon", "Paris", "Nice"], "answer": "Paris"}


@pytest.mark.parametrize("gold", ["Paris", "B", "(b)", 1, "1", 1.0])
def test_a_gold_choice_is_a_letter_a_number_or_a_text(tmp_path, gold):
    table = File(write(tmp_path / "a.jsonl", {**CAPITALS, "answer": gold}), test_share=0.0, verifier="choice")
    (task,) = table.tasks("train")
    assert task.answer == "B" and "A) Lyon\nB) Paris\nC) Nice" in task.prompt[-1]["content"]
    assert not check_gold([task], table).faults


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        *(
            (text, 1.0)
            for text in ("B", "b", "(B)", "B)", "B.", "B) Paris", "Paris", r"\boxed{B}", r"\boxed{\text{B}}", "**B**")
        ),
        *((text, 1.0) for text in ("The answer is B", "Option B", "B: paris")),
        *(
            (text, 0.0)
            for text in ("A", "B) Lyon", "A or B", "B, C", "", "D", "Z", "Paris or Lyon", "not B", "ABC", "AB")
        ),
    ],
)
def test_a_choice_is_one_letter_with_no_other_text_than_its_own(tmp_path, answer, value):
    table = File(write(tmp_path / "a.jsonl", CAPITALS), test_share=0.0, verifier="choice")
    (task,) = table.tasks("train")
    assert verdict(table, task, answer).value == value


def test_options_that_differ_in_case_alone_are_told_apart(tmp_path):
    row = {"question": "Energy?", "options": ["$e$", "$E$", "$F$"], "answer": "$E$"}
    table = File(write(tmp_path / "a.jsonl", row), test_share=0.0, verifier="choice")
    (task,) = table.tasks("train")
    assert task.answer == "B"
    assert [verdict(table, task, text).value for text in ("$E$", "B", "$e$", "A", "f")] == [1.0, 1.0, 0.0, 0.0, 0.0]


def test_shuffled_options_depend_on_the_question_and_the_seed_alone(tmp_path):
    rows = [{"question": f"q{n}?", "options": list("wxyz"), "answer": 0} for n in range(40)]
    one, other = write(tmp_path / "a.jsonl", *rows), write(tmp_path / "b.jsonl", *reversed(rows))

    def letters(file, seed):
        table = File(file, test_share=0.0, verifier={"name": "choice", "options": {"shuffle": True, "seed": seed}})
        return {task.prompt[-1]["content"].split("?")[0]: task.answer for task in table.tasks("train")}

    assert letters(one, 0) == letters(other, 0) != letters(one, 1)
    assert set(letters(one, 0).values()) == set("ABCD")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**CAPITALS, "options": ["one"]}, "a list of 2 to 26 texts"),
        ({**CAPITALS, "options": ["x  y", "x y"]}, "two options are the same"),
        ({**CAPITALS, "answer": "Rome"}, "is no option"),
        ({**CAPITALS, "answer": 3}, "is no option"),
        ({"question": "q", "answer": "A"}, "no column 'choices' or 'options'"),
    ],
)
def test_a_choice_that_cannot_be_posed_is_named(tmp_path, row, said):
    with pytest.raises(r1sdk.R1Error, match=f"row 1: .*{said}"):
        list(File(write(tmp_path / "a.jsonl", row), test_share=0.0, verifier="choice").tasks("train"))


def test_only_the_verifier_code_has_a_sandbox_built(tmp_path):
    file = write(tmp_path / "a.jsonl", {"problem": "q", "answer": "1"})
    registry = load_plugins()
    assert registry.build("environment", "file", {"source": file}).sandbox is None
    code = registry.build(
        "environment", "file", {"source": file, "verifier": {"name": "code", "options": {"shown": 0}}}
    )
    assert code.sandbox is not None


def test_the_verifier_judge_has_the_options_of_the_reward_and_says_what_is_wrong_with_them(tmp_path):
    file = write(tmp_path / "a.jsonl", {"problem": "q", "answer": "1"})
    with pytest.raises(r1sdk.PluginError, match="base_url must be the URL"):
        File(file, verifier="judge")
    server = {"base_url": "http://localhost:1/v1", "model": "m", "retries": 0, "timeout_s": 1}
    table = File(file, test_share=0.0, verifier={"name": "judge", "options": server})
    (task,) = table.tasks("train")
    assert task.answer == "1" and not check_gold([task], table).checked
    with pytest.raises(r1sdk.Unavailable):
        verdict(table, task, "1")
    assert verdict(table, task, "").value == 0.0


TABLES = {  # name -> content, and the text that names its fault
    "comma.csv": ("question,answer\nGiven a=6, b=2, what is a+b?,8\n", r"row 1: it has 4 cells.*2 columns"),
    "short.csv": ("question,answer\nq\n", r"row 1: it has 1 cells"),
    "trailing.tsv": ("question\tanswer\nq\t1\t\n", r"row 1: it has 3 cells"),
    "twice.csv": ("question,answer,answer\nq,1,9\n", "the column 'answer' twice"),
    "spaced.csv": ("question,answer, answer\nq,1,9\n", "the column 'answer' twice"),
    "quote.csv": ('question,answer\n"q,1\n', "a quote not closed"),
    "twice.jsonl": ('{"question": "q", "answer": "1", "answer": "2"}\n', "the key 'answer' twice"),
    "latin.jsonl": (b'{"question": "caf\xe9", "answer": "1"}\n', "is not UTF-8; convert"),
    "latin.csv": (b"question,answer\ncaf\xe9,1\n", "is not UTF-8; convert"),
    "wide.jsonl": ('{"question": "q", "answer": "1"}\n'.encode("utf-16"), "is UTF-16: convert it"),
    "wide.csv": ("question,answer\nq,1\n".encode("utf-16"), "is UTF-16: convert it"),
    "image.jsonl": ('{"question": "q", "answer": "1", "Images": ["a.png"]}\n', "column 'Images' is no text"),
    "video.csv": ("question,answer,video\nq,1,a.mp4\n", "column 'video' is no text"),
    "part.jsonl": (
        '{"prompt": [{"role": "user", "content": [{"type": "text", "text": "q"}, {"type": "image"}]}], "answer": "1"}\n',
        "a part of type 'image'",
    ),
    "nan.jsonl": ('{"question": "q", "answer": NaN}\n', "'answer' is NaN"),
    "half.jsonl": ('{"question": "q \\ud800", "answer": "1"}\n', "one half of a character"),
}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("in_folder", [False, True])
def test_a_row_that_would_be_read_wrongly_is_a_fault_and_never_a_task(tmp_path, name, in_folder):
    content, said = TABLES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    environment = File(str(tmp_path if in_folder else tmp_path / name), test_share=0.0)
    with pytest.raises(r1sdk.R1Error, match=said):
        list(environment.tasks("train"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'question,answer\n"Given a=6, b=2, what is a+b?",8\n'),
        ("a.csv", 'question, answer\n"Given a=6, b=2, what is a+b?",8\n'),
        ("a.tsv", "Question\tAnswer\nGiven a=6, b=2, what is a+b?\t8\n"),
        ("A.JSONL", '{"QUESTION": "Given a=6, b=2, what is a+b?", "Answer": 8}\n'),
        ("a.ndjson", '{"question": "Given a=6, b=2, what is a+b?", "answer": 8, "images": [], "image": null}\n'),
        ("a.json", '{"rows": [{"instruction": "Given a=6, b=2, what is a+b?", "input": "", "output": "8"}]}'),
        (
            "a.jsonl",
            '{"prompt": [{"role": "user", "content": [{"type": "text", "text": "Given a=6, b=2, what is a+b?"}]}], "answer": "8"}',
        ),
        ("a.jsonl", '{"question": "Given a=6, b=2, what is a+b?", "answer": "8", "pass_rate": NaN}'),
    ],
)
def test_every_format_and_spelling_gives_the_row_as_it_stands(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    for source in (tmp_path / name, tmp_path):
        (task,) = File(str(source), test_share=0.0).tasks("train")
        assert task.prompt[-1]["content"] == "Given a=6, b=2, what is a+b?" and task.answer == "8"


def test_the_input_of_an_instruction_is_part_of_the_problem(tmp_path):
    file = write(tmp_path / "a.jsonl", {"instruction": "Add.", "input": "6 and 2", "output": "8"})
    environment = File(file, test_share=0.0)
    (task,) = environment.tasks("train")
    assert task.prompt[-1]["content"] == "Add.\n\n6 and 2" and "'instruction' and 'input'" in environment.summary()


def test_a_file_named_for_tests_beside_the_training_file_is_the_test_split_and_that_is_said(tmp_path):
    for name, first in (("train", 0), ("dev", 100)):
        write(tmp_path / f"{name}.jsonl", *({"question": f"{first + n}?", "answer": "1"} for n in range(5)))
    environment = File(str(tmp_path))
    assert [task.prompt[-1]["content"] for task in environment.tasks("test")] == [f"{100 + n}?" for n in range(5)]
    assert len(list(environment.tasks("train"))) == 5
    assert "test tasks from the split 'validation'" in environment.summary()
    assert not list(File(str(tmp_path), test_share=0.0).tasks("test"))  # a share is a share
    assert len(list(File(str(tmp_path), test_split="dev").tasks("test"))) == 5
    with pytest.raises(r1sdk.R1Error, match="has no split 'test'; found train, validation|found validation, train"):
        list(File(str(tmp_path), test_split="test").tasks("test"))


@pytest.mark.parametrize(
    ("rows", "options", "said"),
    [
        ([], {}, "has no rows"),
        ([{"question": "q", "answer": "1", "split": "train"}], {"where": ["split == test"]}, "where split == test"),
        ([{"question": "q", "answer": "1"}], {"test_share": 1.0}, "test_share is 1"),
    ],
)
def test_a_split_without_tasks_says_why(tmp_path, rows, options, said):
    environment = File(write(tmp_path / "a.jsonl", *rows), **options)
    assert said in environment.why_empty("train")
    report = check_data(environment, ["train"])
    assert not report.is_clean and said in report.splits[0].why_empty


def test_two_signs_of_equality_are_one(tmp_path):
    rows = [{"question": f"{n}?", "answer": "1", "split": "train" if n else "test"} for n in range(3)]
    environment = File(write(tmp_path / "a.jsonl", *rows), test_share=0.0, where=["split == train"])
    assert len(list(environment.tasks("train"))) == 2
