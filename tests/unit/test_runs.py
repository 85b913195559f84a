"""The run folder: written so that a kill at any moment loses nothing, and read back as it was."""

import json
import os

import pytest

from r1sdk import Completion, Rollout, RunError, Score, Task, Verdict
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.checkpoints import mark_complete
from r1sdk.storage.run_folder import RunFolder, latest_run, rollout_line

RECIPE = load_recipe(None, {"model": "tiny", "env": "countdown"})
HOSTILE = 'a\nb\r\x00\x1b[2J\u2028\x85"}\\ é 𝕏 \ufffd'


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", RECIPE, {"seed": 0})


def attempt(text="hello", step=1):
    task = Task([{"role": "user", "content": HOSTILE}], "2", {"nums": [1, 2]}, f"train/{step}")
    verdict = Verdict(0.0, extracted=text, reason="uses 3 twice")
    return Rollout(task, Completion([{"role": "assistant", "content": text}], [1, 2, 3], "length"), verdict)


def checkpoint(folder, step, whole=True):
    path = folder.checkpoints / f"checkpoint-{step}"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "state.bin").write_bytes(b"state")
    if whole:
        mark_complete(path)
    return path


def test_a_new_folder_holds_the_recipe_and_the_manifest_and_is_prepared(folder):
    opened = RunFolder.open(folder.path)
    assert opened.recipe() == RECIPE
    assert opened.manifest() == {"seed": 0}
    assert opened.status()["state"] == "prepared"
    assert opened.metrics() == [] and list(opened.rollouts()) == [] and opened.evaluation("after") is None


def test_a_folder_that_holds_a_run_is_replaced_only_when_asked(folder):
    folder.append_metrics({"kind": "step", "step": 1})
    folder.set_status("finished")
    with pytest.raises(
        RunError, match="already holds a run .finished.: continue it with --resume .*--out.*--overwrite"
    ):
        RunFolder.create(folder.path, RECIPE, {})
    assert folder.metrics() == [{"kind": "step", "step": 1}]
    again = RunFolder.create(folder.path, RECIPE, {}, overwrite=True)
    assert again.metrics() == [] and again.status()["state"] == "prepared"


def test_a_folder_or_file_of_something_else_is_never_touched(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("work")
    for path in (tmp_path / "thesis", tmp_path / "file"):
        with pytest.raises(RunError, match="is no run folder"):
            RunFolder.create(path, RECIPE, {}, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_an_empty_folder_may_become_a_run(tmp_path):
    assert RunFolder.create(tmp_path, RECIPE, {}).recipe() == RECIPE


def test_what_is_no_run_folder_is_not_opened(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(RunError, match="is no run folder: it has no recipe.yaml"):
            RunFolder.open(path)


def test_one_process_at_a_time_holds_a_folder_and_it_is_not_overwritten_meanwhile(folder):
    other = RunFolder.open(folder.path)
    folder.lock()
    with pytest.raises(RunError, match=f"in use by another process .pid {os.getpid()}."):
        other.lock(wait_s=0.1)
    with pytest.raises(RunError, match="in use"):
        RunFolder.create(folder.path, RECIPE, {}, overwrite=True)
    folder.unlock()
    other.lock()
    other.unlock()


def test_the_status_is_replaced_as_a_whole_and_one_that_cannot_be_read_is_empty(folder):
    folder.set_status("running", phase="training", done=3, total=80)
    folder.set_status("finished", done=80)
    assert {key: value for key, value in folder.status().items() if key not in ("pid", "updated")} == {
        "state": "finished",
        "done": 80,
    }
    for broken in ("", '{"state": "run', "[1]", "3"):
        folder.status_file.write_text(broken)
        assert folder.status() == {}
    folder.status_file.unlink()
    assert folder.status() == {}


def test_metrics_are_read_back_in_order_and_by_kind(folder):
    lines = [{"kind": "step", "step": 1}, {"kind": "warning", "step": 1, "text": HOSTILE}, {"kind": "step", "step": 2}]
    for line in lines:
        folder.append_metrics(line)
    assert folder.metrics() == [lines[0], lines[2]]
    assert folder.metrics("warning") == [lines[1]]
    assert folder.metrics(None) == lines


def test_a_line_that_a_kill_cut_short_is_not_read(folder):
    folder.append_metrics({"kind": "step", "step": 1})
    with folder.metrics_file.open("ab") as file:
        file.write('{"kind": "step", "text": "é'.encode()[:-1])
    assert folder.metrics() == [{"kind": "step", "step": 1}]


@pytest.mark.parametrize("text", ["", HOSTILE, "\ud800", "x" * 100_000])
def test_any_rollout_is_one_line_that_reads_back(folder, text):
    score = Score({"accuracy": 0.0, "format": None}, 0.0)
    folder.append_rollouts(7, [attempt(text), attempt()], [score, score])
    first, second = folder.rollouts()
    assert first["step"] == 7
    assert first["task"] == {
        "prompt": [{"role": "user", "content": HOSTILE}],
        "answer": "2",
        "info": {"nums": [1, 2]},
        "id": "train/1",
    }
    assert first["completion"]["messages"][0]["content"] == text
    assert (first["completion"]["tokens"], first["completion"]["finish"]) == (3, "length")
    assert (first["verdict"]["value"], first["verdict"]["reason"]) == (0.0, "uses 3 twice")
    assert (first["rewards"], first["total"]) == ({"accuracy": 0.0, "format": None}, 0.0)
    assert second["completion"]["messages"][0]["content"] == "hello"


def test_a_rollout_that_was_not_judged_or_priced_has_a_line_too():
    line = rollout_line(Rollout(attempt().task, attempt().completion))
    assert line["verdict"] is None and "rewards" not in line
    json.dumps(line)


def test_a_line_says_which_rewards_were_not_priced_and_why_and_nothing_where_all_were():
    priced = Score({"a": None, "b": 1.0}, 1.0, {"a": "timeout"}, {"a": 2.0, "b": 0.1}, {"a": "no result within 2 s"})
    line = rollout_line(attempt(), priced)
    assert (line["statuses"], line["reasons"]) == ({"a": "timeout"}, {"a": "no result within 2 s"})
    assert not {"statuses", "reasons"} & set(rollout_line(attempt(), Score({"a": 1.0}, 1.0)))


def test_evaluations_are_kept_by_name(folder):
    folder.write_evaluation("before", {"accuracy": {"mean": 0.25, "stderr": 0.1, "n": 20}})
    assert folder.evaluation("before") == {"accuracy": {"mean": 0.25, "stderr": 0.1, "n": 20}}
    assert folder.evaluation("after") is None


def test_a_checkpoint_counts_once_it_is_whole_and_they_are_in_order_of_their_steps(folder):
    for step in (9, 10, 100):
        checkpoint(folder, step)
    checkpoint(folder, 200, whole=False)
    assert [path.name for path in folder.complete_checkpoints()] == ["checkpoint-9", "checkpoint-10", "checkpoint-100"]


def test_rewinding_makes_the_folder_as_it_was_at_the_last_whole_checkpoint(folder):
    for step in range(1, 14):
        folder.append_metrics({"kind": "step", "step": step})
        folder.append_rollouts(step, [attempt(step=step)], [Score({}, 0.0)])
    folder.append_metrics({"kind": "warning", "step": 12, "name": "flat", "text": "flat"})
    with folder.metrics_file.open("a") as file:
        file.write('{"kind": "st')
    checkpoint(folder, 9)
    last = checkpoint(folder, 10)
    half = checkpoint(folder, 12, whole=False)
    assert folder.rewind() == last
    assert not half.exists() and last.exists()
    assert [line["step"] for line in folder.metrics(None)] == [*range(1, 11)]
    assert [line["step"] for line in folder.rollouts()] == [*range(1, 11)]
    before = folder.metrics_file.read_bytes(), folder.rollouts_file.read_bytes()
    assert folder.rewind() == last
    assert (folder.metrics_file.read_bytes(), folder.rollouts_file.read_bytes()) == before


def test_rewinding_without_a_whole_checkpoint_starts_over(folder):
    folder.append_metrics({"kind": "step", "step": 1})
    folder.append_rollouts(1, [attempt()], [Score({}, 0.0)])
    checkpoint(folder, 1, whole=False)
    assert folder.rewind() is None
    assert folder.metrics(None) == [] and list(folder.rollouts()) == [] and not list(folder.checkpoints.iterdir())


def test_rewinding_a_folder_that_was_never_trained_does_nothing(folder):
    assert folder.rewind() is None


def test_the_latest_run_is_the_one_written_to_last(tmp_path):
    with pytest.raises(RunError, match="no run folder under"):
        latest_run(tmp_path / "runs")
    old, new = (RunFolder.create(tmp_path / "runs" / name, RECIPE, {}) for name in ("b", "a"))
    (tmp_path / "runs" / "notes").mkdir()
    os.utime(old.status_file, (1, 1))
    assert latest_run(tmp_path / "runs").path == new.path
    new.status_file.unlink()  # killed before it was written
    assert latest_run(tmp_path / "runs").path == old.path
