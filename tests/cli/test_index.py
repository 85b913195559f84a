"""The index of rollouts: rows as they are written, a half-written line, a file that was rewound."""

import json

import pytest

from r1sdk import Completion, R1Error, Rollout, Score, Task, Verdict
from r1sdk.recipe.schema import load_recipe
from r1sdk.report.index import RolloutIndex
from r1sdk.storage.checkpoints import mark_complete
from r1sdk.storage.run_folder import RunFolder

RECIPE = load_recipe(None, {"model": "tiny", "env": "countdown"})


def attempt(task, text="x", value=0.0):
    asked = Task([{"role": "user", "content": "Make 3."}], None, {}, task)
    return Rollout(asked, Completion([{"role": "assistant", "content": text}], [1, 2]), Verdict(value, extracted=text))


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", RECIPE, {})


def keep(folder, step, *tasks):
    folder.append_rollouts(step, [attempt(task) for task in tasks], [Score({"accuracy": 0.0}, 0.0)] * len(tasks))


def test_a_run_is_listed_in_the_order_of_its_training(folder):
    score = [Score({"accuracy": 1.0}, 1.0)]
    folder.append_evaluation("after", [attempt("test/1")], score)
    folder.append_evaluation("during", [attempt("test/1")], score, step=2)
    keep(folder, 1, "train/1", "train/1")
    keep(folder, 3, "train/2")
    folder.append_evaluation("before", [attempt("test/1")], score)
    index = RolloutIndex.open(folder.path)
    assert index.refresh()
    rows = sorted(index.rows, key=lambda row: row.order)
    assert [(row.when, row.task) for row in rows] == [
        ("before", "test/1"),
        ("1", "train/1"),
        ("1", "train/1"),
        ("2 held out", "test/1"),
        ("3", "train/2"),
        ("after", "test/1"),
    ]
    assert len([row for row in rows if row.group == rows[1].group]) == 2


def test_a_group_that_was_not_trained_on_says_so(folder):
    score = [Score({"accuracy": 0.0}, 0.0)] * 2
    folder.append_rollouts(3, [attempt("train/1"), attempt("train/2")], score, [{}, {"dropped": "zero variance"}])
    index = RolloutIndex.open(folder.path)
    index.refresh()
    assert [row.when for row in index.rows] == ["3", "3 dropped"]


def test_a_live_file_is_read_on_and_a_half_written_line_waits(folder):
    keep(folder, 1, "train/1")
    index = RolloutIndex.open(folder.path)
    assert index.refresh() and not index.refresh()
    whole = json.dumps({"step": 2, "task": {"id": "train/2"}, "completion": {"messages": []}}) + "\n"
    with folder.rollouts_file.open("a") as file:
        file.write(whole[:20])
    assert not index.refresh() and len(index.rows) == 1
    with folder.rollouts_file.open("a") as file:
        file.write(whole[20:])
    assert index.refresh() and index.rows[-1].task == "train/2"


def test_a_run_that_was_taken_back_is_read_anew(folder):
    for step in (1, 2, 3):
        keep(folder, step, f"train/{step}")
    index = RolloutIndex.open(folder.path)
    index.refresh()
    assert [row.step for row in index.rows] == [1, 2, 3]
    (folder.checkpoints / "checkpoint-1").mkdir()
    mark_complete(folder.checkpoints / "checkpoint-1")
    folder.rewind()
    assert index.refresh()
    assert [row.step for row in index.rows] == [1]


def test_lines_that_are_no_rollouts_are_counted_and_the_others_listed(folder):
    folder.rollouts_file.write_bytes(b'nonsense\n{"task": 3}\n\xff\xfe\n[]\n')
    keep(folder, 1, "train/1")
    index = RolloutIndex.open(folder.path)
    index.refresh()
    assert (index.unreadable, [row.task for row in index.rows]) == (4, ["train/1"])


def test_a_rollout_is_read_as_it_was_written_whatever_the_model_wrote(folder):
    text = 'a\n\u2028"}\\ \x1b[2J \ud800 𝕏 é'
    folder.append_rollouts(1, [attempt("first"), attempt("train/1", text)], [Score({}, 0.0)] * 2)
    index = RolloutIndex.open(folder.path)
    index.refresh()
    assert index.read(index.rows[1])["completion"]["messages"][0]["content"] == text
    folder.rollouts_file.write_text("")
    with pytest.raises(R1Error, match="has changed"):
        index.read(index.rows[1])
