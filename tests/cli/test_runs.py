"""`r1 runs`: the table of runs, two of them compared, one removed; and what the shell completes."""

import json
import os

import pytest

from r1_cli import complete
from r1sdk import Completion, Rollout, Task, Verdict
from r1sdk.evaluation.statistics import estimate
from r1sdk.recipe.schema import load_recipe
from r1sdk.records import Score
from r1sdk.storage.run_folder import RunFolder

RECIPE = {"model": "tiny", "env": "countdown", "trainer": {"max_steps": 80}}


def make(path, verdicts, state="finished", **keys):
    folder = RunFolder.create(path, load_recipe(None, {**RECIPE, **keys}), {})
    folder.append_metrics({"kind": "step", "step": 80})
    accuracy = estimate([[verdict] for verdict in verdicts])
    for name in ("before", "after"):
        folder.write_evaluation(name, {"accuracy": {"mean": accuracy.mean, "stderr": accuracy.stderr, "n": accuracy.n}})
    rollouts = [
        Rollout(
            Task([{"role": "user", "content": "?"}], None, {}, id=f"test/{at}"),
            Completion([{"role": "assistant", "content": "!"}], []),
            Verdict(verdict, "ok"),
        )
        for at, verdict in enumerate(verdicts)
    ]
    folder.append_evaluation("after", rollouts, [Score({}, 0.0, {}) for _ in rollouts])
    folder.set_status(state)
    return folder


@pytest.fixture
def two(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "runs/a", [1.0, 0.0, 0.0, 1.0], seed=1)
    make(tmp_path / "runs/b", [1.0, 1.0, 0.0, 1.0], state="running", seed=2)
    return tmp_path / "runs"


def test_the_table_has_a_line_for_each_run(r1, two):
    said = r1("runs")
    head, *lines = said.out.splitlines()
    assert head.split() == ["run", "state", "model", "environment", "steps", "before", "after", "age"]
    by_name = {line.split()[0]: line for line in lines}
    assert "finished  tiny   countdown    80/80  0.500 ± 0.289  0.500 ± 0.289" in by_name["runs/a"]
    assert "killed" in by_name["runs/b"], "it says running, and no process holds it"


def test_the_table_as_json_is_an_object(r1, two):
    found = {run["folder"]: run for run in json.loads(r1("runs", "--json").out)["runs"]}
    assert found["runs/a"]["after"] == {"mean": 0.5, "stderr": pytest.approx(0.2887, abs=1e-4), "n": 4}
    assert found["runs/b"]["steps"] == 80


def test_a_run_in_progress_is_listed_as_running_and_not_removed(r1, two):
    folder = RunFolder.open(two / "b")
    folder.lock()
    try:
        assert "running" in r1("runs").out
        said = r1("runs", "rm", "--yes", two / "b")
        assert said.code == 1 and "in use by another process" in said.err and (two / "b/recipe.yaml").is_file()
    finally:
        folder.unlock()


def test_an_unreadable_run_is_a_line_and_no_error(r1, two):
    (two / "a/recipe.yaml").write_text("nonsense: 1\n")
    (two / "b/status.json").write_text("{")
    said = r1("runs")
    assert said.code == 0 and "unreadable" in said.out and len(said.out.splitlines()) == 3


def test_a_run_without_its_recipe_is_a_line_and_is_named_by_what_reads_it(r1, two):
    (two / "a" / "recipe.yaml").unlink()
    found = {run["folder"]: run for run in json.loads(r1("runs", "--json").out)["runs"]}
    assert found["runs/a"]["state"] == "unreadable" and "runs/a/recipe.yaml is missing" in found["runs/a"]["faults"][0]
    assert "runs/a/recipe.yaml is missing" in r1("report", "runs/a").err
    said = r1("eval", "runs/a", "--tasks", "2", "--out", two / "e")
    assert (
        said.code == 1 and "runs/a/recipe.yaml is missing" in said.err and "runs/a/model, with --env NAME" in said.err
    )


@pytest.mark.parametrize("name", ["metrics.jsonl", "evaluations/before.json", "evaluations/after.json"])
def test_what_a_line_is_made_of_and_is_gone_is_said(name, r1, two):
    folder = RunFolder(two / "a")
    folder.note_rows()
    (folder.path / name).unlink()
    found = {run["folder"]: run for run in json.loads(r1("runs", "--json").out)["runs"]}
    assert any(name in fault for fault in found["runs/a"]["faults"]) and not found["runs/b"]["faults"]


def test_two_runs_are_compared_on_the_same_tasks(r1, two):
    said = r1("runs", "compare", "runs/a", "runs/b")
    assert "  seed  1  2" in said.out
    assert "runs/b minus runs/a" in said.out and "+0.250" in said.out and "better on 1, worse on 0" in said.out
    assert json.loads(r1("runs", "compare", "runs/a", "runs/b", "--json").out)["settings"] == {"seed": [1, 2]}


def test_runs_without_a_common_task_are_not_compared(r1, two):
    make(two / "c", [])
    assert "they share no held-out task" in r1("runs", "compare", "runs/a", "runs/c").out


def test_a_run_is_removed_and_no_other_folder_is(r1, two):
    (two / "notes").mkdir()
    assert r1("runs", "rm", "--yes", two / "a").code == 0
    assert sorted(os.listdir(two)) == ["b", "notes"]
    said = r1("runs", "rm", "--yes", two / "notes")
    assert said.code == 1 and "no run folder" in said.err and (two / "notes").is_dir()


def test_no_runs_is_a_message(r1, tmp_path):
    said = r1("runs", "--root", tmp_path / "none")
    assert said.code == 1 and "no folder" in said.err


def test_the_shell_completes_names_and_run_folders(two):
    assert "accuracy" in complete.plugin_names("reward")("acc")
    assert "format,accuracy" in complete.plugin_names("reward", several=True)("format,acc")
    assert "countdown/tiny" in complete.recipes_and_files("countdown/t")
    assert complete.run_folders("runs/") == ["runs/a", "runs/b"]
    assert "runs/a" in complete.run_folders("")
    assert "tiny" in complete.models("ti")


def test_the_shell_completion_works_through_the_command(start_r1, tmp_path, monkeypatch):
    monkeypatch.setenv("_R1_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "r1 train --env countd")
    monkeypatch.setenv("COMP_CWORD", "3")
    monkeypatch.setenv("_TYPER_COMPLETE_ARGS", "r1 train --env countd")
    code = "import sys; sys.argv = ['r1']; from r1_cli import app; app(prog_name='r1')"
    import subprocess
    import sys

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert "countdown" in said.stdout.split()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_groups_and_no_line_is_cut(r1, flag, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERMINAL_WIDTH", "120")
    said = r1(flag)
    assert "Look at runs:" in said.out and "..." not in said.out.partition("Train and measure:")[2]
    train = r1("train", flag).out
    assert (
        "Processes and machines:" in train
        and "[default: grpo]" in train
        and train.index("--env") < train.index("--lora")
    )


def test_quick_and_report_to_are_recipe_keys(r1):
    said = r1("train", "--env", "countdown", "--quick", "--report-to", "tensorboard", "--dry-run")
    if said.code:  # the tracker is checked: it may not be installed here
        assert "tensorboard needs: pip install tensorboard" in said.err
    else:
        assert "report_to:\n  - tensorboard" in said.out
    assert "tasks: 16" in r1("train", "--env", "countdown", "--quick", "--dry-run").out


def test_a_folder_that_is_no_run_is_refused_before_anything_is_asked(r1, tmp_path):
    said = r1("runs", "rm", tmp_path / "nope")
    assert said.code == 1 and "is no run folder" in said.err and "delete" not in said.err
