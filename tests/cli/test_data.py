"""`r1 data`: what is wrong with data is found and named, benchmarks in it too, and pass rates choose rows."""

import json
from types import SimpleNamespace

import pytest

from r1_envs.mixture import Mixture
from r1_envs.table import File
from r1sdk import Part, R1Error, Task, Verdict
from r1sdk.data import Item, Overlap, check_data, items, rate
from r1sdk.plugins.loading import load_plugins


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def row(problem, answer="1", **more):
    return {"problem": problem, "answer": answer, **more}


def test_everything_that_is_wrong_is_found_and_named(tmp_path):
    train = write(
        tmp_path / "a.jsonl",
        row("What is 1 + 1?", "2", note=""),
        row("What  IS 1 + 1?", "2", note=""),
        row("What is 1 + 1?", "3"),
        row("Gold?", r"\foo{"),
        row("", "2"),
        row("Long " * 50, "4"),
        row("Shared?", "5"),
    )
    test = write(tmp_path / "b.jsonl", row("shared?", "5"))
    report = check_data(
        File(train, test_source=test),
        ["train", "test"],
        lengths=lambda tasks: [len(task.prompt[-1]["content"]) for task in tasks],
        room=100,
    )
    found = report.splits[0]
    assert (found.tasks, found.checked, found.unanswered) == (6, 6, 0)
    assert [fault.partition(":")[0].rpartition(" ")[2] for fault in found.unreadable] == ["5"]
    assert found.duplicates == ("train/row 2 is train/row 1 again", "train/row 3 is train/row 1 again")
    assert found.disagreeing == ("train/row 3 says '3', train/row 1 '2'",)
    assert [fault.task for fault in found.gold] == ["train/row 4"]
    assert found.empty == {"note": 2} and found.prompt_tokens["longest"] == 249
    assert found.too_long == ("train/row 6 has 249 tokens",)
    assert report.leaked == ("test/row 1 is train/row 7",) and not report.is_clean
    assert json.loads(json.dumps(report.to_json()))["clean"] is False


def test_tasks_that_an_environment_draws_again_are_listed_and_no_fault(r1):
    said = r1(
        "data", "check", "--env", "countdown", "--set", "countdown.level=easy", "--set", "countdown.train_size=500"
    )
    assert said.code == 0 and said.out.endswith("clean\n")
    assert "tasks that come again, which is intended (each is drawn from its own random stream): " in said.out
    assert "test: 500 tasks" in said.out and said.out.count("come again") == 1, "test tasks are all different"


def test_repeats_that_disagree_are_faults_all_the_same():
    tasks = [Task([{"role": "user", "content": "2 + 2"}], answer, {}, id=f"train/{answer}") for answer in "45"]
    environment = SimpleNamespace(
        tasks=lambda split: iter(tasks), verify=lambda rollout: Verdict(0.0), repeats=lambda split: "drawn"
    )
    report = check_data(environment, ["train"], gold=False)
    assert report.splits[0].duplicates and report.splits[0].disagreeing and not report.is_clean


def test_clean_data_is_clean_and_an_environment_without_rows_is_checked_too(tmp_path):
    clean = File(write(tmp_path / "a.jsonl", row("a?"), row("b?", "2")), test_share=0.0)
    assert check_data(clean, ["train"]).is_clean
    maths = load_plugins().build("environment", "maths", {"level": 3, "kinds": ["system"]})
    report = check_data(maths, ["train", "test"], limit=20)
    assert [split.tasks for split in report.splits] == [20, 20] and report.is_clean


BENCHMARK = [
    ("b/1", "A train leaves Rome at nine and drives to Pisa, how long does it take?"),
    ("b/2", "What is 2 + 3?"),
    ("b/3", "Find all x."),
]


@pytest.mark.parametrize(
    ("problem", "its_task"),
    [
        ("Ann says: a TRAIN leaves Rome (at nine) and drives to Pisa. How far?", "b/1"),
        ("what is 2+3 ?", "b/2"),
        ("What is 2 - 3?", None),
        ("What is 2 + 3? Then what is it plus one and two and three?", None),
        ("find all x", None),  # the stop is a sign
        ("Find all x.", "b/3"),
        ("A train leaves Rome at nine and stops.", None),  # seven words
        ("", None),
    ],
)
def test_overlap_is_n_words_in_a_row_or_the_whole_of_a_short_problem(problem, its_task):
    overlap = Overlap(8)
    assert overlap.add("b", BENCHMARK) == 3
    found = overlap.find(problem)
    assert (found and found.task) == its_task
    if found:
        assert found.benchmark == "b" and found.words


def test_what_the_prompt_adds_is_no_overlap(tmp_path):
    rows = [{"problem": f"Print {n}.", "tests": [{"input": "", "output": str(n)}]} for n in (1, 2)]
    files = [write(tmp_path / f"{n}.jsonl", one) for n, one in enumerate(rows)]
    data, benchmark = (File(file, verifier="code", test_share=0.0) for file in files)
    overlap = Overlap(4)
    overlap.add("b", ((item.task.id, item.problem) for item in items(benchmark, "train")))
    assert [overlap.find(item.problem) for item in items(data, "train")] == [None]
    assert "in one fenced block of python code" in next(iter(items(data, "train"))).task.prompt[-1]["content"]


def test_decontaminating_writes_the_rows_as_they_were_and_reports_every_match(r1, tmp_path):
    rows = [row("Kept, surely.", extra=[1]), row("What is 2 + 3?"), row(BENCHMARK[0][1] + " Say so.")]
    train = write(tmp_path / "train.jsonl", *rows)
    benchmark = write(tmp_path / "bench.jsonl", *(row(problem) for _, problem in BENCHMARK))
    out, report = tmp_path / "clean.jsonl", tmp_path / "matches.jsonl"
    command = (
        *(
            "data",
            "decontaminate",
            "--env",
            "file",
            "--set",
            f"env.options.source={train}",
            "--set",
            "env.options.test_share=0",
        ),
        *("--against", "aime24", "--option", f"aime24.source={benchmark}", "--out", out, "--report", report),
    )
    said = r1(*command)
    assert said.code == 0, said.err
    assert "2 of 3 tasks of file" in said.out and "aime24            2 overlap with its 3 tasks" in said.out
    assert [json.loads(line) for line in out.read_text().splitlines()] == rows[:1]
    found = [json.loads(line) for line in report.read_text().splitlines()]
    assert [(match["task"], match["its_task"]) for match in found] == [
        ("train/row 2", "test/row 2"),
        ("train/row 3", "test/row 1"),
    ]
    again = r1(*command)
    assert again.code == 1 and "--overwrite" in again.err
    assert "--against" in r1("data", "decontaminate", "--env", "maths", "--out", tmp_path / "x.jsonl").err


def test_data_check_ends_with_one_where_something_is_wrong(r1, tmp_path):
    bad = write(tmp_path / "bad.jsonl", row("a?"), row("a?"), row("b?", r"\foo{"))
    said = r1(
        "data",
        "check",
        "--env",
        "file",
        "--set",
        f"env.options.source={bad}",
        "--set",
        "env.options.test_share=0",
        "--model",
        "tiny",
    )
    assert (
        said.code == 1
        and "duplicates: 1" in said.out
        and "cannot be verified: 1" in said.out
        and "prompt tokens: median" in said.out
    )
    good = r1(
        "data", "check", "--env", "aime24", "--set", f"env.options.source={write(tmp_path / 'good.jsonl', row('a?'))}"
    )
    assert good.code == 0 and good.out.endswith("clean\n") and good.out.startswith("test: 1 tasks")
    assert "name the environment with --env" in r1("data", "check").err


def test_the_pass_rate_is_the_share_of_verdicts_of_one(tmp_path):
    found = list(items(File(write(tmp_path / "a.jsonl", row("a?"), row("b?"), row("c?")), test_share=0.0), "train"))

    def lines(task, *values):
        return [{"task": {"id": task}, "verdict": None if v == "-" else {"value": v}} for v in values]

    saved = lines("train/row 1", 1.0, 0.5, None) + lines("train/row 3", None, "-")
    first, second = rate(found, saved)
    assert (first.pass_rate, first.samples, second.pass_rate) == (0.5, 2, None)
    assert first.line == {**row("a?"), "pass_rate": 0.5, "pass_samples": 2}
    with pytest.raises(R1Error, match="not in the data, the first: 'train/row 9'"):
        list(rate(found, lines("train/row 9", 1.0)))


def test_rows_are_chosen_by_the_pass_rates_of_an_evaluation(r1, tmp_path):
    source = write(tmp_path / "a.jsonl", *(row(f"What is {n} + {n}?", str(2 * n)) for n in range(6)))
    said = r1(
        *("eval", "tiny_blank", "--env", "file", "--split", "train", "--samples", "2", "--out", tmp_path / "e"),
        *(
            "--set",
            f"env.options.source={source}",
            "--set",
            "env.options.test_share=0",
            "--set",
            "generation.max_tokens=4",
        ),
    )
    assert said.code == 0, said.err
    rated = r1("data", "difficulty", tmp_path / "e", "--most", "0.5", "--out", tmp_path / "hard.jsonl")
    assert rated.code == 0 and "pass rate of tiny_blank on file, split train: 6 tasks" in rated.out
    written = [json.loads(line) for line in (tmp_path / "hard.jsonl").read_text().splitlines()]
    assert [line["pass_rate"] for line in written] == [0.0] * 6 and written[0]["problem"] == "What is 0 + 0?"
    easy = r1("data", "difficulty", tmp_path / "e", "--least", "0.5", "--out", tmp_path / "easy.jsonl", "--json")
    assert json.loads(easy.out) == {"rated": 6, "kept": 0, "pass_rates": json.loads(easy.out)["pass_rates"]}
    assert (
        "one of tiny_blank"
        in r1("data", "difficulty", tmp_path / "e", "--model", "x", "--out", tmp_path / "z.jsonl").err
    )


def test_the_difficulty_of_an_evaluation_with_rollouts_that_are_gone_is_not_told(r1, tmp_path):
    asked = ("eval", "tiny_blank", "--env", "countdown", "--tasks", "4", "--samples", "2", "--out", tmp_path / "e")
    assert r1(*asked, "--set", "generation.max_tokens=4").code == 0
    file = tmp_path / "e" / "tiny_blank" / "countdown" / "rollouts.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:5]))
    said = r1("data", "difficulty", tmp_path / "e", "--out", tmp_path / "rated.jsonl")
    assert said.code == 1 and f"{file} has 5 of the 8 rollouts" in said.err and not (tmp_path / "rated.jsonl").exists()
    file.with_name("result.json").unlink()
    said = r1("data", "difficulty", tmp_path / "e", "--out", tmp_path / "rated.jsonl")
    assert said.code == 0 and "the evaluation may be unfinished" in said.err


def test_a_mixture_has_the_rows_of_its_parts(tmp_path):
    one, two = (File(write(tmp_path / f"{name}.jsonl", row(name)), test_share=0.0) for name in "ab")
    mixture = Mixture((Part("one", 1.0, one), Part("two", 1.0, two)))
    found = list(items(mixture, "train"))
    assert [(item.task.id, item.problem) for item in found] == [("one/train/row 1", "a"), ("two/train/row 1", "b")]
    assert all(isinstance(item, Item) for item in found)


def test_a_file_for_sft_is_checked_row_by_row(r1, tmp_path):
    file = tmp_path / "rows.jsonl"
    lines = [
        b'{"question": "2+2?", "answer": "4"}',
        b'{"question": "?", "answer": ""}',
        b'{"question": "caf\xe9", "answer": "x"}',
    ]
    file.write_bytes(b"\n".join(lines) + b"\n")
    said = r1("data", "check", "--data", file, "--method", "sft")
    assert said.code == 1 and "read from `question` -> `answer`" in said.out
    assert "3 rows, 1 demonstrations, 2 bad rows" in said.out
    assert "line 2: the reply is empty" in said.out and "line 3: byte" in said.out and "not clean" in said.out
    assert r1("data", "check", "--data", file, "--skip-bad", "2").code == 0
    found = json.loads(r1("data", "check", "--data", file, "--json").out)
    assert found["rows"] == 3 and len(found["bad"]) == 2
    named = r1("data", "check", "--data", file, "--set", "data.prompt_column=qestion")
    assert "did you mean 'question'" in named.out
    assert r1("data", "check", "--data", file, "--method", "grpo").code == 1


def test_a_file_for_sft_is_compared_with_a_models_template(r1, tmp_path):
    pytest.importorskip("transformers")
    file = tmp_path / "rows.jsonl"
    row = {
        "messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "4", "reasoning_content": "hm"}]
    }
    file.write_text(json.dumps(row) + "\n")
    said = r1("data", "check", "--data", file, "--model", "tiny")
    assert "1 of 1 replies differ" in said.out and "hm" in said.out and said.code == 0


def test_the_same_fault_of_many_rows_is_one_line_with_their_number(r1, tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"question": "q"}) + "\n" + 39 * (json.dumps({"frage": "q", "answer": "1"}) + "\n"))
    said = r1("data", "check", "--env", "file", "--set", f"env.options.source={file}", "--split", "train")
    assert said.code == 1 and "rows that make no task: 40" in said.out
    assert said.out.count("no column 'answer'") == said.out.count("no column 'problem'") == 1
    assert "and 38 more rows with this fault" in said.out


def test_a_split_that_cannot_be_read_is_a_fault_and_an_empty_one_says_why(r1, tmp_path):
    (tmp_path / "train.jsonl").write_text('{"question": "1+1?", "answer": "2"}\n')
    source = f"env.options.source={tmp_path}"
    said = r1("data", "check", "--env", "file", "--set", source, "--set", "env.options.test_split=validation")
    assert said.code == 1 and "has no split 'validation'; found train" in said.out
    (tmp_path / "train.jsonl").write_text("")
    said = r1("data", "check", "--env", "file", "--set", source)
    assert said.code == 1 and "has no rows" in said.out
