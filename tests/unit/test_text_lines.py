"""Text is text: whatever a prompt or a completion holds, every reader of lines gives it back and drops nothing."""

import json

import pytest

from r1_envs.table_io import read_rows as read_table
from r1_verifiers.judge.judge_cache import Cache
from r1sdk import Completion, Rollout, Score, Task, Verdict
from r1sdk.data.difficulty import RatedRow
from r1sdk.data.items import Item, write_rows
from r1sdk.data.rates import read_rates
from r1sdk.evaluation.evaluation_folder import EvaluationFolder, read_lines
from r1sdk.generation.journal import Journal
from r1sdk.progress.follower import Follower
from r1sdk.recipe.schema import load_recipe
from r1sdk.rollout.sampling import Sampling
from r1sdk.storage.rollout_rows import count_rows, read_groups
from r1sdk.storage.run_folder import RunFolder

TEXTS = {
    "line separator": "a\u2028b",
    "paragraph separator": "a\u2029b",
    "next line": "a\x85b",
    "carriage returns": "a\rb\r\nc",
    "other separators": "\x0b\x0c\x1c\x1d\x1e",
    "NUL": "a\x00b",
    "lone surrogates": "\ud800 \udfff \ud83d",
    "surrogate after a backslash": "\\\ud800\\ud800",
    "byte order mark": "\ufeffa\ufeff",
    "astral": "𝕏",
}
each_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def attempt(text, number=0):
    task = Task([{"role": "user", "content": text}], text, {"note": text}, f"train/{number}")
    return Rollout(
        task, Completion([{"role": "assistant", "content": text}], [1]), Verdict(1.0, extracted=text, reason=text)
    )


def words(line):
    return line["task"]["prompt"][0]["content"], line["completion"]["messages"][0]["content"], line["verdict"]["reason"]


@each_text
def test_run_folders_keep_it(tmp_path, text):
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    folder.append_rollouts(1, [attempt(text)] * 3, [Score({}, 1.0)] * 3)
    folder.append_evaluation("during", [attempt(text)] * 2, [Score({}, 1.0)] * 2, step=1)
    folder.append_metrics({"kind": "warning", "step": 1, "text": text})
    folder.append_metrics({"kind": "step", "step": 1})
    assert [words(line) for line in folder.rollouts()] == [(text, text, text)] * 3
    assert [words(line) for line in folder.evaluation_rollouts("during")] == [(text, text, text)] * 2
    assert [line["text"] for line in folder.metrics("warning")] == [text] and len(folder.metrics()) == 1
    follower = Follower(folder)
    assert len(follower.refresh()) == 2 and follower.damage.count == 0
    assert words(follower.sample) == (text, text, text) and follower.warnings[0]["text"] == text


@each_text
def test_the_viewer_lists_and_reads_it(tmp_path, text):
    index_of = pytest.importorskip("r1sdk.report.index").RolloutIndex
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    folder.append_rollouts(1, [attempt(text)] * 3, [Score({}, 1.0)] * 3)
    index = index_of.open(folder.path)
    index.refresh()
    assert len(index.rows) == 3 and index.unreadable == 0
    assert [words(index.read(row)) for row in index.rows] == [(text, text, text)] * 3


@each_text
def test_evaluations_keep_every_task_and_ask_nothing_again(tmp_path, text):
    class Says:
        calls = 0

        def generate(self, prompts, sampling):
            Says.calls += 1
            message = {"role": "assistant", "content": text}
            return [[Completion([message], [1]) for _ in range(sampling.samples)] for _ in prompts]

    class World:
        tasks = None

        @staticmethod
        def verify(rollout):
            return Verdict(float(rollout.completion.text == text), extracted=text, reason=text)

    tasks = [Task([{"role": "user", "content": text}], "1", {}, str(number)) for number in range(20)]
    for name in ("m", "n"):
        folder = EvaluationFolder.open(tmp_path / "e", {"models": ["m", "n"], "envs": {"w": {}}})
        folder.evaluate(name, "w", tasks, World(), {}, Says, Sampling(samples=2))
        folder.close()
    assert len(list(read_lines(folder.part("m", "w") / "rollouts.jsonl"))) == 40
    assert folder.compare("m", "n", "w").n == 20
    before = Says.calls
    again = EvaluationFolder.open(tmp_path / "e", {"models": ["m", "n"], "envs": {"w": {}}})
    found = again.evaluate("m", "w", tasks, World(), {}, Says, Sampling(samples=2))
    again.close()
    assert found.accuracy.mean == 1.0 and found.accuracy.n == 20 and Says.calls == before


@each_text
def test_journals_keep_it_under_its_key(tmp_path, text):
    journal = Journal(tmp_path / "a.jsonl")
    list(journal.open())
    for sample in range(3):
        journal.add((0, sample), {"text": text})
    journal.close()
    again = Journal(journal.path)
    assert [line["text"] for line in again.open()] == [text] * 3
    assert again.read((0, 2))["text"] == text
    again.close()


@each_text
def test_rows_that_are_written_are_read_back_by_every_reader_of_data(tmp_path, text):
    row = {"prompt": text, "completion": text, "answer": text}
    items = [Item(Task([], text, {}, str(number)), text, {**row, "n": number}) for number in range(3)]
    file = tmp_path / "rows.jsonl"
    assert write_rows((RatedRow(item.row, 0.5, 2).line for item in items), file) == 3 == count_rows(file)
    assert [found["prompt"] for found in read_table(str(file))] == [text] * 3
    assert [rollout.completion.text for group in read_groups(file) for rollout in group] == [text] * 3
    assert {key: known.right for key, known in read_rates(file, items).items()} == dict.fromkeys("012", 1.0)


@each_text
def test_raw_and_escaped_text_are_the_same_to_readers_of_files_that_others_wrote(tmp_path, text):
    row = {"prompt": text, "completion": text}
    raw, escaped = tmp_path / "raw.jsonl", tmp_path / "escaped.jsonl"
    raw.write_bytes(json.dumps(row, ensure_ascii=False).encode("utf-8", "backslashreplace") * 1 + b"\n")
    escaped.write_text(json.dumps(row) + "\n")
    for file in (raw, escaped):
        assert [found["prompt"] for found in read_table(str(file))] == [text]
        assert [rollout.completion.text for group in read_groups(file) for rollout in group] == [text]


@each_text
def test_the_cache_of_judgements_keeps_it(tmp_path, text):
    Cache(tmp_path / "c.jsonl").put(text, 0.5)
    assert Cache(tmp_path / "c.jsonl").get(text) == 0.5
