"""Trackers: off unless asked, a mistake told before a model is loaded, and what arrives in each that is installed."""

import json
import re
import sqlite3
from collections import Counter
from importlib.util import find_spec

import pytest

from r1sdk.recipe.schema import load_recipe
from r1sdk.recipe.tracker_names import TRACKERS, tracker_errors
from r1sdk.storage.run_folder import RunFolder


@pytest.mark.parametrize("report_to", [None, [], "none", "all", ["none"]])
def test_nothing_is_reported_unless_asked(report_to):
    assert list(tracker_errors(report_to)) == []


def test_a_tracker_that_is_unknown_or_not_installed_is_an_error_before_a_model_is_loaded(r1):
    missing = next(name for name, package in TRACKERS.items() if find_spec(package) is None)
    said = r1("train", "--env", "countdown", "--set", f"trainer.report_to=[wandbb, {missing}]", "--dry-run")
    assert said.code == 1
    assert "unknown tracker 'wandbb'; did you mean 'wandb'" in said.err
    assert f"{missing} needs: pip install {TRACKERS[missing]}" in said.err
    assert "takes a tracker's name or a list" in str(tracker_errors({"a": 1})[0])


def test_transformers_knows_the_trackers_that_are_listed_here():
    from transformers.integrations.integration_utils import INTEGRATION_TO_CALLBACK

    assert set(TRACKERS) == set(INTEGRATION_TO_CALLBACK)


def test_a_saved_evaluation_and_a_hostile_rollout_become_plain_figures_and_cells():
    from r1sdk.training.monitor.trackers import LONGEST, figures, row

    one = {"mean": 0.5, "stderr": 0.1, "n": 4}
    none = {"mean": None, "stderr": None, "n": 0}
    found = figures({"accuracy": one, "rewards": {"format": none}, "tokens": 20.0, "clipped": 0.0})
    assert found == {"eval/accuracy": 0.5, "eval/accuracy_stderr": 0.1, "eval/tokens": 20.0, "eval/clipped": 0.0}
    cells = row(
        {"completion": {"messages": [{"role": "assistant", "content": "\ud800" + "x" * 9999}]}, "rewards": {"a": 1.0}}
    )
    assert len(cells["completion"]) == LONGEST and cells["completion"].encode() and cells["reward a"] == 1.0
    json.dumps(cells)


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["tensorboard", "trackio", "wandb", "mlflow"])
def test_metrics_evaluations_and_rollouts_arrive_in_a_tracker(tracker, tmp_path, monkeypatch, run_r1, small):
    """`pip install tensorboard trackio wandb mlflow && pytest -m slow tests/train/test_trackers.py`"""
    pytest.importorskip(tracker)
    for name, value in {
        "TRACKIO_DIR": str(tmp_path / "trackio"),
        "WANDB_MODE": "offline",
        "WANDB_DIR": str(tmp_path),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
    }.items():
        monkeypatch.setenv(name, value)
    options = [
        "--set",
        "evaluation.tasks=4",
        "--set",
        f"trainer.report_to={tracker}",
        "--steps",
        "2",
        "--out",
        tmp_path / "run",
    ]
    said = run_r1("train", "--env", "countdown", *small, *options, cwd=tmp_path)
    assert said.code == 0, said.err + (tmp_path / "run" / "worker.log").read_text()
    names, tables = {"tensorboard": _tensorboard, "trackio": _trackio, "wandb": _wandb, "mlflow": _mlflow}[tracker](
        tmp_path
    )
    assert {"rewards/accuracy/none", "verdict/mean", "groups/distinct"} <= {n.removeprefix("train/") for n in names}
    assert {"eval/accuracy", "eval/tokens"} <= set(names)
    assert tables >= 2
    assert names["eval/accuracy"] >= 2  # before and after, in one run


def _tensorboard(path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(path / "run" / "tensorboard"))
    found.Reload()
    tags = found.Tags()
    names = {tag: len(found.Scalars(tag)) for tag in tags["scalars"]}
    return names, len(found.Tensors("rollouts/00/text_summary"))


def _trackio(path):
    [file] = [file for file in (path / "trackio").glob("*.db")]
    with sqlite3.connect(file) as database:
        rows = [json.loads(text) for (text,) in database.execute("select metrics from metrics")]
        runs = {run for (run,) in database.execute("select distinct run_name from metrics")}
    assert runs == {"run"}
    names = {key: sum(key in row for row in rows) for row in rows for key in row}
    return names, names.get("rollouts", 0)


def _wandb(path):
    """What the offline run would send, found in its log as bytes: the library has no reader of it."""
    [file] = (path / "wandb").glob("offline-run-*/*.wandb")
    names = Counter(name.decode() for name in re.findall(rb"(?:eval|train)/[a-z_/]+", file.read_bytes()))
    return names, len(list((path / "wandb").glob("offline-run-*/files/media/table/*.json")))


def _mlflow(path):
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{path}/mlflow.db")
    [run] = mlflow.search_runs(search_all_experiments=True, output_format="list")
    client = mlflow.MlflowClient()
    names = {name: len(client.get_metric_history(run.info.run_id, name)) for name in run.data.metrics}
    return names, len(client.list_artifacts(run.info.run_id, "rollouts"))


def test_the_name_of_a_run_in_a_tracker_is_that_of_its_folder(tmp_path):
    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.training.trl.grpo import grpo_arguments

    recipe = load_recipe(None, {"model": "tiny", "env": "countdown", "trainer": {"project": "mine"}})
    folder = RunFolder(tmp_path / "my-run")
    given = grpo_arguments(plan_run(recipe, load_plugins()), folder.checkpoints)
    assert (given["run_name"], given["project"], given["report_to"]) == ("my-run", "mine", [])
