"""What a run keeps of its held-out tasks: all rollouts before and after, a few at each quarter; its numbers stay as they are."""

import json

import pytest

from r1sdk.report import PAGE
from r1sdk.storage.checkpoints import mark_complete
from r1sdk.storage.run_folder import RunFolder


@pytest.fixture(scope="module")
def runs(tmp_path_factory, run_r1, small):
    """Two runs of four steps, the second without attempts during training."""
    found = {}
    for name, during in (("with", 2), ("without", 0)):
        out = tmp_path_factory.mktemp(name) / "run"
        extra = ["--set", "evaluation.tasks=3", "--set", f"evaluation.during={during}", "--steps", "4", "--out", out]
        said = run_r1("train", "--env", "countdown", *small, *extra)
        assert said.code == 0, said.err
        found[name] = RunFolder.open(out), said
    return found


def test_the_rollouts_of_both_evaluations_are_kept_and_some_of_each_quarter(runs):
    folder, _ = runs["with"]
    for name in ("before", "after"):
        kept = list(folder.evaluation_rollouts(name))
        assert [line["task"]["id"] for line in kept] == ["test/0", "test/1", "test/2"]
        mean = sum(line["verdict"]["value"] for line in kept) / 3
        assert mean == pytest.approx(folder.evaluation(name)["accuracy"]["mean"])
    during = [(line["step"], line["task"]["id"]) for line in folder.evaluation_rollouts("during")]
    assert during == [(step, task) for step in (1, 2, 3) for task in ("test/0", "test/1")]
    assert not list(runs["without"][0].evaluation_rollouts("during"))


def test_attempts_during_training_change_no_number_of_it(runs):
    rollouts = [[line["completion"] for line in folder.rollouts()] for folder, _ in runs.values()]
    assert rollouts[0] == rollouts[1]
    losses = [[line["loss"] for line in folder.metrics()] for folder, _ in runs.values()]
    assert losses[0] == losses[1]


def test_a_finished_run_has_its_page_and_the_command_says_where(runs):
    folder, said = runs["with"]
    page = (folder.path / PAGE).read_text(encoding="utf-8")
    assert "finished" in page and "step 2" in page
    assert f"report    {folder.path / PAGE}" in said.err


def test_a_run_taken_back_to_a_checkpoint_forgets_later_attempts(runs, tmp_path):
    folder = RunFolder(tmp_path)
    folder.evaluations.mkdir()
    (folder.checkpoints / "checkpoint-2").mkdir(parents=True)
    mark_complete(folder.checkpoints / "checkpoint-2")
    lines = [json.dumps(line) + "\n" for line in runs["with"][0].evaluation_rollouts("during")]
    folder.evaluation_file("during").write_text("".join(lines))
    folder.rewind()
    assert {line["step"] for line in folder.evaluation_rollouts("during")} == {1, 2}
