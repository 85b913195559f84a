"""A policy that collapses goes back to its last healthy checkpoint, and at the end of its rollbacks the run ends with that."""

import json

import pytest

from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.checkpoints import mark_complete
from r1sdk.storage.rollbacks import Rollback
from r1sdk.storage.run_folder import RunFolder

SMALL = [
    "env.options.train_size=64",
    "trainer.per_device_train_batch_size=8",
    "trainer.save_steps=1",
    "generation.samples=4",
    "generation.max_tokens=48",
    "evaluation.tasks=64",
    "evaluation.during=0",
    "keep_best.tasks=64",
]
RECIPE = load_recipe(None, {"model": "tiny", "env": "countdown"})


@pytest.fixture(scope="module")
def collapsed(tmp_path_factory, run_r1):
    """A run whose learning rate is far too high, with one rollback allowed."""
    out = tmp_path_factory.mktemp("collapsed") / "run"
    wrong = ["trainer.learning_rate=0.2", "trainer.lr_scheduler_type=constant", "on_collapse.most=1"]
    sets = [part for one in [*SMALL, *wrong] for part in ("--set", one)]
    said = run_r1(
        "train",
        "--env",
        "countdown",
        "--model",
        "tiny",
        "--steps",
        "4",
        "--on-collapse",
        "rollback",
        *sets,
        "--out",
        out,
    )
    assert said.code == 0, said.err
    return RunFolder.open(out), said


def test_a_collapsed_run_goes_back_and_ends_with_the_last_healthy_model(collapsed):
    folder, said = collapsed
    first, last = folder.rollbacks()
    assert (first.to, first.ends, first.learning_rate) == (0, False, 0.25)
    assert last.ends and last.done and "held-out accuracy" in first.reason
    assert folder.status()["state"] == "finished" and folder.status()["done"] == last.to
    before, after = (folder.evaluation(name)["accuracy"]["mean"] for name in ("before", "after"))
    assert after > 0.6 * before > 0.1
    assert "note: the policy collapsed at step" in said.err and "the run ends with" in said.err


def test_rollbacks_stand_in_the_metrics_the_log_and_files_of_their_own(collapsed):
    folder, _ = collapsed
    first, last = folder.rollbacks()
    texts = {line["name"]: line["text"] for line in folder.metrics("warning")}
    assert texts["rollback 2"] == last.text and "multiplied by 0.25" in first.text
    assert first.text in folder.log_file.read_text()
    lines = (folder.path / "rollback-1.jsonl").read_text().split("\n")
    assert [json.loads(line)["step"] for line in lines if '"kind": "step"' in line] == [*range(1, first.at + 1)]
    assert (
        first.reason in (folder.path / "report.html").read_text()
        or last.reason in (folder.path / "report.html").read_text()
    )
    assert not [line for line in folder.metrics() if line["step"] > last.to]


def checkpoints(folder, *steps):
    for step in steps:
        path = folder.checkpoints / f"checkpoint-{step}"
        path.mkdir(parents=True)
        (path / "state.bin").write_bytes(b"state")
        mark_complete(path)


def left(folder):
    return sorted(int(path.name.rpartition("-")[2]) for path in folder.checkpoints.iterdir())


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", RECIPE, {"seed": 0})


@pytest.mark.parametrize(
    "killed_after", ["the record", "the rows were set aside", "a checkpoint was deleted", "nothing"]
)
def test_a_rollback_that_was_killed_anywhere_ends_the_same(folder, killed_after):
    for step in range(1, 8):
        folder.append_metrics({"kind": "step", "step": step, "loss": 0.1})
    checkpoints(folder, 2, 4, 6)
    folder.note_rollback(Rollback(at=7, to=4, reason="a sign", learning_rate=0.5))
    if killed_after == "the rows were set aside":
        folder._roll_back()
    if killed_after == "a checkpoint was deleted":
        (folder.checkpoints / "checkpoint-6" / "complete").unlink()
    assert folder.rewind() == folder.checkpoints / "checkpoint-4"
    folder.append_metrics({"kind": "step", "step": 5, "loss": 0.2})
    checkpoints(folder, 5)
    assert folder.rewind() == folder.checkpoints / "checkpoint-5"  # the rollback is done, and is not made again
    assert left(folder) == [2, 4, 5]
    assert [line["step"] for line in folder.metrics()] == [1, 2, 3, 4, 5]
    assert [line["name"] for line in folder.metrics("warning")] == ["rollback 1"]
    aside = (folder.path / "rollback-1.jsonl").read_text().split("\n")
    assert [json.loads(line)["step"] for line in aside if line] == [5, 6, 7]


def accuracy(folder, step, right):
    values = {str(at): float(at < right) for at in range(8)}
    folder.append_checkpoint_accuracy({"step": step, "accuracy": right / 8, "n": 8, "values": values})


@pytest.mark.parametrize(("most", "stay"), [(2, [2, 8]), (3, [2, 6, 8]), (1, [8]), (9, [2, 4, 6, 8])])
def test_the_best_checkpoint_is_one_of_those_that_stay(folder, most, stay):
    for step, right in ((2, 6), (4, 3), (6, 1)):
        accuracy(folder, step, right)
    checkpoints(folder, 2, 4, 6, 8)
    folder.keep_checkpoints(most)
    assert left(folder) == stay


def test_the_newest_checkpoints_stay_where_the_best_is_one_of_them(folder):
    accuracy(folder, 2, 1)
    accuracy(folder, 6, 4)
    checkpoints(folder, 2, 4, 6, 8)
    folder.keep_checkpoints(2)
    assert left(folder) == [6, 8] and folder.best_checkpoint()["step"] == 6


def test_a_longer_run_goes_on_from_where_a_rollback_ended_it(folder):
    folder.note_rollback(Rollback(at=7, to=4, reason="a sign", learning_rate=1.0, ends=True, done=True))
    folder.extend(RECIPE, ["r1"])
    assert not folder.rollbacks()[0].ends


def test_rollback_is_refused_where_it_cannot_be_kept(r1):
    for extra, said in (
        (["--set", "trainer.save_total_limit=1"], "needs two checkpoints"),
        (["--set", "trainer.save_strategy=no"], "needs checkpoints"),
        (["--accelerate", "ddp", "--processes", "2"], "for one process"),
        (["--method", "sft"], "is for method grpo"),
    ):
        told = r1("train", "--env", "countdown", "--on-collapse", "rollback", "--dry-run", *extra)
        assert told.code == 1 and said in told.err, told.err
    told = r1("train", "--env", "countdown", "--on-collapse", "rolback", "--dry-run")
    assert told.code == 1 and "rollback" in told.err
