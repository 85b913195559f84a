"""Runs that are cut short: what is on disk goes on as if nothing had happened.

One small GRPO run to its end, and three like it that are stopped: killed, interrupted by Ctrl-C, and left without the
command that started it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from r1sdk.storage.run_folder import RunFolder

STEPS = 8

# A reward with a spread in every group, or there would be no gradient and any two runs would look alike. It takes a
# moment, so that a test has time to stop the run between two steps.
SPREAD = """
import asyncio
import r1sdk

async def spread(rollout):
    "From 0.0 to 1.0 by the sum of the token ids."
    await asyncio.sleep(0.25)
    return sum(rollout.completion.token_ids) % 11 / 10

@r1sdk.hookimpl
def r1_register_rewards(register):
    register("spread", spread)
"""


@dataclass
class Stopped:
    """A run that was stopped: its folder, and what the command said when it ended and when it was resumed."""

    folder: RunFolder
    code: int
    err: str
    steps: list[int]  # in the metrics when it had stopped
    resumed: int | None = None
    resumed_err: str = ""


def wait(condition, seconds=180.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether the process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def made(folder: RunFolder) -> list[int]:
    return [line["step"] for line in folder.metrics()]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory, install):
    return install(tmp_path_factory.mktemp("plugin"), "r1-spread", SPREAD)


@pytest.fixture(scope="module")
def runs(tmp_path_factory, plugin, start_r1, small):
    """`whole`, `killed`, `interrupted`, `orphaned`: started together, three stopped in the middle, two of them resumed."""
    root = tmp_path_factory.mktemp("runs")
    flags = ["--env", "countdown", "--model", "tiny_blank", "--rewards", "spread,format", "--steps", STEPS, *small]
    flags += ["--set", "trainer.learning_rate=1e-3", "--set", "trainer.save_total_limit=3"]

    def begin(name):
        process = start_r1("train", *flags, "--out", root / name, path=[plugin])
        return RunFolder(root / name), process

    def end(folder, process):
        _, err = process.communicate(timeout=180)
        return Stopped(folder, process.returncode, err, made(folder))

    def resume(*stopped):
        processes = [start_r1("train", "--resume", run.folder.path, path=[plugin]) for run in stopped]
        for run, process in zip(stopped, processes, strict=True):
            _, run.resumed_err = process.communicate(timeout=180)
            run.resumed = process.returncode

    whole, killed, interrupted, orphaned = map(begin, ("whole", "killed", "interrupted", "orphaned"))
    workers = {}

    def worker_of(folder):
        workers[folder.path.name] = folder.status()["pid"]
        return workers[folder.path.name]

    stops = [  # whichever comes first
        (killed[0], 3, lambda: os.kill(worker_of(killed[0]), signal.SIGKILL)),
        (interrupted[0], 2, lambda: interrupted[1].send_signal(signal.SIGINT)),
        (orphaned[0], 2, lambda: (worker_of(orphaned[0]), orphaned[1].kill())),
    ]

    def all_stopped():
        for stop in [stop for stop in stops if len(made(stop[0])) >= stop[1]]:
            stop[2]()
            stops.remove(stop)
        return not stops

    wait(all_stopped)
    killed, interrupted = end(*killed), end(*interrupted)

    half = killed.folder.checkpoints / "checkpoint-99"  # as a kill in the middle of saving leaves it
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    with killed.folder.metrics_file.open("a") as file:
        file.write('{"kind": "step", "st')
    resume(killed, interrupted)

    wait(lambda: not alive(workers["orphaned"]))
    whole, orphaned = end(*whole), end(*orphaned)
    return {"whole": whole, "killed": killed, "interrupted": interrupted, "orphaned": orphaned}


def rollouts(folder):
    """Step, task, completion and reward of every rollout, in order."""
    return [
        (line["step"], line["task"]["id"], line["completion"]["messages"][0]["content"], line["rewards"]["spread"])
        for line in folder.rollouts()
    ]


def test_the_run_that_nobody_stops_finishes_and_learns_from_a_spread_of_rewards(runs):
    whole = runs["whole"]
    assert whole.code == 0, whole.err
    assert whole.folder.status()["state"] == "finished"
    assert made(whole.folder) == [*range(1, STEPS + 1)]
    assert all(line["reward_std"] > 0 and line["grad_norm"] > 0 for line in whole.folder.metrics())
    saved = json.loads((whole.folder.model / "config.json").read_text())
    assert saved["use_cache"]  # off while training; left off, whoever loads the model would generate without a cache


def test_a_killed_worker_is_reported_with_the_way_to_go_on(runs):
    killed = runs["killed"]
    assert killed.code == 1
    assert 3 <= len(killed.steps) < STEPS
    assert f"--resume {killed.folder.path}" in killed.err
    assert "Traceback" not in killed.err


def test_ctrl_c_saves_a_checkpoint_says_how_to_go_on_and_exits_130(runs):
    interrupted = runs["interrupted"]
    assert interrupted.code == 130
    assert 2 <= len(interrupted.steps) < STEPS
    assert f"stopped after step {interrupted.steps[-1]}" in interrupted.err
    assert f"r1 train --resume {interrupted.folder.path}" in interrupted.err
    assert "Traceback" not in interrupted.err


@pytest.mark.parametrize("name", ["killed", "interrupted"])
def test_a_resumed_run_finishes_from_where_it_was(runs, name):
    run = runs[name]
    assert run.resumed == 0, run.resumed_err
    assert run.folder.status()["state"] == "finished"
    assert (run.folder.model / "model.safetensors").is_file()
    log = run.folder.log_file.read_text()
    assert "resuming at step" in log
    assert "resuming at step 99" not in log


@pytest.mark.parametrize("name", ["killed", "interrupted"])
def test_the_metrics_of_a_resumed_run_join_without_a_gap_or_a_duplicate(runs, name):
    assert made(runs[name].folder) == [*range(1, STEPS + 1)]


@pytest.mark.parametrize("name", ["killed", "interrupted"])
def test_a_resumed_run_draws_the_same_tasks_and_completions_as_one_that_was_never_stopped(runs, name):
    assert rollouts(runs[name].folder) == rollouts(runs["whole"].folder)


@pytest.mark.parametrize("name", ["killed", "interrupted"])
@pytest.mark.parametrize(
    "metric", ["loss", "reward", "reward_std", "grad_norm", "learning_rate", "entropy", "num_tokens"]
)
def test_a_resumed_run_has_the_numbers_of_one_that_was_never_stopped(runs, name, metric):
    numbers = [line[metric] for line in runs[name].folder.metrics()]
    assert numbers == pytest.approx([line[metric] for line in runs["whole"].folder.metrics()], rel=1e-4, abs=1e-7)


def test_a_checkpoint_that_was_cut_short_is_not_resumed_from_and_is_removed(runs):
    assert not (runs["killed"].folder.checkpoints / "checkpoint-99").exists()


def test_no_worker_outlives_the_command_that_started_it_and_it_saves_first(runs):
    orphaned = runs["orphaned"]
    assert orphaned.code == -signal.SIGKILL
    assert orphaned.folder.status()["state"] == "interrupted"
    assert orphaned.folder.complete_checkpoints()[-1].name == f"checkpoint-{orphaned.steps[-1]}"


def test_a_finished_run_is_neither_resumed_nor_overwritten_unless_asked(runs, run_r1, small):
    folder = runs["whole"].folder
    before = folder.metrics_file.read_bytes()
    again = run_r1("train", "--env", "countdown", "--model", "tiny_blank", *small, "--out", folder.path)
    assert again.code == 1
    assert "already holds a run (finished)" in again.err and "--overwrite" in again.err
    resumed = run_r1("train", "--resume", folder.path)
    assert resumed.code == 1
    assert "is finished: nothing to resume" in resumed.err
    assert folder.metrics_file.read_bytes() == before


def test_what_a_training_process_left_that_was_killed_after_its_last_step_is_removed(runs, run_r1, tmp_path):
    folder = RunFolder(tmp_path / "run")
    shutil.copytree(runs["whole"].folder.path, folder.path)
    live = [folder.room_file, folder.path / "plugin_calls"]
    for path in live:
        path.write_bytes(bytes(9))
    folder.lock()
    assert run_r1("train", "--resume", folder.path).code == 1
    assert all(path.exists() for path in live)  # whoever holds the folder has them
    folder.unlock()
    assert "is finished: nothing to resume" in run_r1("train", "--resume", folder.path).err
    assert not any(path.exists() for path in live)


def test_a_finished_run_is_evaluated_on_its_own_environment_with_its_own_rewards(runs, run_r1, plugin, tmp_path):
    run = runs["whole"].folder.path
    said = run_r1("eval", run, "--tasks", "3", "--samples", "2", "--json", "--out", tmp_path / "eval", path=[plugin])
    assert said.code == 0, said.err
    found = json.loads(said.out)["results"][str(run)]["countdown"]
    assert {*found["rewards"]} == {"spread", "format"}
    assert (found["accuracy"]["n"], found["samples"], found["settings"]["max_tokens"]) == (3, 2, 16)
    assert 0.0 <= found["rewards"]["spread"]["mean"] <= 1.0


def test_a_second_worker_does_not_enter_a_folder_that_is_in_use(runs):
    folder = runs["whole"].folder
    folder.lock()
    try:
        other = subprocess.run(
            [
                sys.executable,
                "-c",
                f"from r1sdk.storage.run_folder import *; RunFolder.open(Path({str(folder.path)!r})).lock()",
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        folder.unlock()
    assert "is in use by another process" in other.stderr
    assert json.loads(folder.status_file.read_text())["state"] == "finished"


def test_a_run_goes_back_past_a_checkpoint_that_was_damaged_and_ends_as_it_would_have(runs, tmp_path, plugin, run_r1):
    shutil.copytree(runs["whole"].folder.path, tmp_path / "damaged")
    folder = RunFolder(tmp_path / "damaged")
    shutil.rmtree(folder.model)
    folder.set_status("interrupted")
    optimizer = folder.checkpoints / f"checkpoint-{STEPS}" / "optimizer.pt"
    with optimizer.open("r+b") as file:
        file.truncate(optimizer.stat().st_size // 2)
    said = run_r1("train", "--resume", folder.path, path=[plugin])
    assert said.code == 0, said.err
    assert f"warning: checkpoint-{STEPS} is damaged (optimizer.pt: " in said.err
    assert f"going on from step {STEPS - 1}" in said.err
    assert f"resuming at step {STEPS - 1}" in folder.log_file.read_text()
    assert made(folder) == [*range(1, STEPS + 1)]
    assert rollouts(folder) == rollouts(runs["whole"].folder)
    assert (folder.checkpoints / f"damaged-checkpoint-{STEPS}" / "optimizer.pt").is_file()
    assert folder.complete_checkpoints()[-1].name == f"checkpoint-{STEPS}"


def test_a_run_that_was_stopped_after_its_last_step_trains_no_further_one(runs, tmp_path, plugin, run_r1):
    whole = runs["whole"].folder
    shutil.copytree(whole.path, tmp_path / "stopped")
    folder = RunFolder(tmp_path / "stopped")
    shutil.rmtree(folder.model)
    folder.set_status("interrupted", done=STEPS, total=STEPS)
    said = run_r1("train", "--resume", folder.path, path=[plugin])
    assert said.code == 0, said.err
    assert f"step {STEPS + 1}" not in said.err
    assert (folder.status()["state"], folder.status()["done"], folder.status()["total"]) == ("finished", STEPS, STEPS)
    assert folder.metrics(None) == whole.metrics(None)
    assert rollouts(folder) == rollouts(whole)
    assert [path.name for path in folder.complete_checkpoints()] == [path.name for path in whole.complete_checkpoints()]
    assert (folder.model / "model.safetensors").read_bytes() == (whole.model / "model.safetensors").read_bytes()


def test_lines_that_a_run_lost_are_said_when_it_is_resumed(runs, tmp_path, plugin, run_r1):
    shutil.copytree(runs["whole"].folder.path, tmp_path / "damaged")
    folder = RunFolder(tmp_path / "damaged")
    shutil.rmtree(folder.model)
    folder.set_status("interrupted")
    lines = folder.metrics_file.read_bytes().split(b"\n")
    lines[2] = b'{"kind": "step", "step": "three"}'
    folder.metrics_file.write_bytes(b"\n".join(lines))
    folder.rollouts_file.write_bytes(b"")
    said = run_r1("train", "--resume", folder.path, path=[plugin])
    assert said.code == 0 and "Traceback" not in said.err, said.err
    assert "metrics.jsonl has 1 damaged lines, which are left out" in said.err and "line 3" in said.err
    assert f"rollouts.jsonl has 0 of the {8 * STEPS} lines that were written" in said.err
    assert made(folder) == [step for step in range(1, STEPS + 1) if step != 3]


def test_a_run_does_not_go_on_under_another_recipe(runs, tmp_path, plugin, run_r1):
    shutil.copytree(runs["whole"].folder.path, tmp_path / "cut")
    folder = RunFolder(tmp_path / "cut")
    folder.set_status("interrupted")
    text = folder.recipe_file.read_text()
    folder.recipe_file.write_text(text[: text.index("trainer:")])  # still a valid recipe, with other settings
    for arguments in (("train", "--resume", folder.path), ("eval", folder.path), ("report", folder.path)):
        said = run_r1(*arguments, path=[plugin])
        assert said.code == 1 and "recipe.yaml is not the recipe that this run was made with" in said.err, said.err
    assert folder.status()["state"] == "interrupted"


def test_a_run_whose_model_was_damaged_is_not_evaluated_as_if_it_were_whole(runs, tmp_path, plugin, run_r1):
    shutil.copytree(runs["whole"].folder.path, tmp_path / "damaged")
    weights = tmp_path / "damaged" / "model" / "model.safetensors"
    weights.write_bytes(bytes(weights.stat().st_size))
    said = run_r1("eval", tmp_path / "damaged", "--tasks", "2", path=[plugin])
    assert said.code == 1 and "model.safetensors: not what was written" in said.err, said.err


def test_a_run_that_was_moved_goes_on_where_it_is(runs, tmp_path, plugin, run_r1):
    shutil.copytree(runs["whole"].folder.path, tmp_path / "first" / "run")
    folder = RunFolder(tmp_path / "first" / "run")
    folder.set_status("interrupted")
    shutil.rmtree(folder.checkpoints / f"checkpoint-{STEPS}")
    moved = RunFolder(folder.path.rename(tmp_path / "moved"))
    said = run_r1("train", "--resume", moved.path, path=[plugin])
    assert said.code == 0, said.err
    assert made(moved) == [*range(1, STEPS + 1)] and rollouts(moved) == rollouts(runs["whole"].folder)
    assert not list((tmp_path / "first").iterdir())


def test_a_worker_that_waited_while_another_finished_the_run_trains_nothing(runs):
    folder = runs["whole"].folder
    before = folder.metrics_file.read_bytes()
    said = subprocess.run(
        [sys.executable, "-m", "r1sdk.training.run", folder.path], capture_output=True, text=True, check=False
    )
    assert said.returncode == 1 and "was finished by another process in the meantime" in said.stderr
    assert folder.metrics_file.read_bytes() == before and folder.status()["state"] == "finished"


def test_a_finished_run_can_be_made_longer(runs, tmp_path, plugin, start_r1):
    shutil.copytree(runs["whole"].folder.path, tmp_path / "longer")
    folder = RunFolder(tmp_path / "longer")
    process = start_r1("train", "--resume", folder.path, "--steps", STEPS + 2, path=[plugin])
    _, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert made(folder) == [*range(1, STEPS + 3)]
    assert folder.recipe().trainer["max_steps"] == STEPS + 2
    assert folder.manifest()["continued"][0]["from"] == STEPS
