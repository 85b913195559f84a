"""Two real processes on this machine's CPU, by accelerate and gloo: `pytest -m distributed`.

Each run is `r1 train` as a user starts it. What one process does and what two do is compared where it must be the same.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from r1_command import QUIET

from r1sdk.planning.parallel import accelerate_file
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.processes import arguments

pytestmark = pytest.mark.distributed

# Slow for one process only; dies or fails in one process only. SPREAD gives each group something to learn from.
PLUGIN = '''
import os
import signal
import time
from pathlib import Path

import r1sdk

RANK = int(os.environ.get("RANK", "0"))
counted = []


def spread(rollout):
    """From 0.0 to 1.0 by the sum of the token ids."""
    return sum(rollout.completion.token_ids) % 11 / 10


def slow_in_one(rollout):
    """1.0, after a while in the second process."""
    if RANK == 1:
        time.sleep(1.0)
    return 1.0


def raises_in_one(rollout):
    """1.0, or a bug in the second process."""
    if RANK == 1:
        raise KeyError("solution")
    return 1.0


def is_killed_in_one(rollout):
    """1.0, or the end of the second process."""
    if RANK == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


def is_killed_later(rollout):
    """1.0, or in the third step, once, the end of the process that R1_KILLED names."""
    counted.append(rollout)
    told = Path(os.environ["R1_TOLD"])
    if RANK == int(os.environ["R1_KILLED"]) and len(counted) > 16 and not told.exists():
        told.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return 1.0


def slow(rollout):
    """1.0, in time to be stopped."""
    time.sleep(0.1)
    return 1.0


def sometimes(rollout):
    """1.0 for every other task, whatever is said; for the rest from 0.0 to 1.0 by the sum of the token ids."""
    return 1.0 if int(rollout.task.id.rpartition("/")[2]) % 2 else spread(rollout)


@r1sdk.group_reward
def shortest(rollouts):
    """1.0 for the shortest completions of a group, 0.0 for the others."""
    lengths = [len(rollout.completion.token_ids) for rollout in rollouts]
    return [float(length == min(lengths)) for length in lengths]


@r1sdk.hookimpl
def r1_register_rewards(register):
    for reward in (spread, sometimes, slow_in_one, raises_in_one, is_killed_in_one, is_killed_later, slow, shortest):
        register(reward.__name__, reward)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory, install):
    return install(tmp_path_factory.mktemp("plugin"), "r1-ranked", PLUGIN)


@pytest.fixture(scope="module")
def train(run_r1, small, plugin, tmp_path_factory):
    """`r1 train` on two processes (or as the flags say), to its end: what it said, and its run folder."""
    root = tmp_path_factory.mktemp("runs")

    def run(name, rewards, *more, steps=3):
        said = run_r1(
            *("train", "--env", "countdown", "--model", "tiny", "--rewards", rewards, "--steps", steps, *small),
            *("--set", "trainer.learning_rate=1e-3", "--out", root / name, *more),
            path=[plugin],
        )
        return said, RunFolder(root / name)

    return run


TWO = ("--accelerate", "ddp", "--processes", "2")


@pytest.fixture(scope="module")
def whole(train):
    """Four steps of GRPO in two processes, with an evaluation before and after."""
    return train("whole", "spread,shortest", *TWO, "--set", "evaluation.tasks=6", steps=4)


def test_two_processes_train(whole):
    said, folder = whole
    assert said.code == 0, said.err
    assert folder.status()["state"] == "finished"
    steps = folder.metrics()
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    assert all(line["grad_norm"] > 0 for line in steps)


def test_the_rollouts_of_both_are_in_the_folder_and_none_is_there_twice(whole):
    _, folder = whole
    lines = list(folder.rollouts())
    assert [line["step"] for line in lines] == [step for step in (1, 2, 3, 4) for _ in range(16)]  # 8 in each process
    for start in range(0, len(lines), 4):
        assert len({line["task"]["id"] for line in lines[start : start + 4]}) == 1
    first = [line["task"]["id"] for line in lines[:16:4]]
    assert len(set(first)) == 4  # no prompt is given to both


def test_what_is_logged_is_of_the_whole_batch(whole):
    _, folder = whole
    for line in folder.metrics():
        batch = [r for r in folder.rollouts() if r["step"] == line["step"]]
        rewards = [r["rewards"]["spread"] for r in batch]
        assert line["rewards/spread/mean"] == pytest.approx(sum(rewards) / 16, abs=1e-5)
        texts = [r["completion"]["messages"][0]["content"] for r in batch]
        groups = [texts[i : i + 4] for i in range(0, 16, 4)]
        assert line["groups/distinct"] == pytest.approx(sum(len(set(g)) / 4 for g in groups) / 4, abs=1e-5)


def test_a_group_reward_sees_whole_groups(whole):
    _, folder = whole
    lines = list(folder.rollouts())
    for start in range(0, len(lines), 4):
        group = lines[start : start + 4]
        lengths = [line["completion"]["tokens"] for line in group]
        assert [line["rewards"]["shortest"] for line in group] == [float(n == min(lengths)) for n in lengths]


def test_the_evaluation_is_shared_out_and_counts_each_task_once(whole):
    _, folder = whole
    for name in ("before", "after"):
        found = folder.evaluation(name)
        assert (found["accuracy"]["n"], found["samples"]) == (6, 1)


def test_one_live_display(whole):
    said, _ = whole
    steps = [line for line in said.err.splitlines() if line.startswith("step ")]
    assert [line.split()[1] for line in steps] == ["1/4", "2/4", "3/4", "4/4"]


DYNAMIC = (*TWO, "--dynamic-sampling", "--set", "curriculum=true", "--set", "trainer.lr_scheduler_type=constant")


@pytest.fixture(scope="module")
def dynamic(train):
    """Four steps in two processes, in which about half of the groups that are generated have no spread."""
    return train("dynamic", "sometimes", *DYNAMIC, steps=4)


def test_groups_without_spread_are_replaced_in_two_processes_alike(dynamic):
    said, folder = dynamic
    assert said.code == 0, said.err
    lines = list(folder.rollouts())
    for line in folder.metrics():
        made = [one for one in lines if one["step"] == line["step"]]
        groups = [made[start : start + 4] for start in range(0, len(made), 4)]
        batch = [group for group in groups if "dropped" not in group[0]]
        assert len(batch) == 4  # two in each process
        assert all(len({one["task"]["id"] for one in group}) == 1 for group in groups)
        assert len({group[0]["task"]["id"] for group in groups}) == len(groups)
        flat = [group for group in groups if len({one["total"] for one in group}) == 1]
        assert all("dropped" in group[0] or line["drawn/rounds"] == 4 for group in flat)
        assert line["drawn/zero_variance"] == len(flat)
        assert line["drawn/groups"] == len(groups)
        rewards = [one["total"] for group in batch for one in group]
        assert line["reward"] == pytest.approx(sum(rewards) / 16, abs=1e-5)  # TRL's, over both processes
    assert sum(line["drawn/replaced"] for line in folder.metrics()) >= 3


def test_two_processes_draw_on_where_the_checkpoint_left_them(dynamic, train, run_r1, plugin):
    _, whole = dynamic
    said, folder = train("dynamic-cut", "sometimes", *DYNAMIC, steps=2)
    assert said.code == 0, said.err
    said = run_r1("train", "--resume", folder.path, "--steps", 4, path=[plugin])
    assert said.code == 0, said.err

    def told(one):
        return [(line["step"], line["task"]["id"], line.get("dropped"), line["total"]) for line in one.rollouts()]

    assert told(folder) == told(whole)


def test_groups_that_would_lie_in_two_processes_are_refused(r1):
    said = r1(
        *("train", "--env", "countdown", *TWO, "--set", "generation.samples=8"),
        *("--set", "trainer.per_device_train_batch_size=4", "--dry-run"),
    )
    assert said.code == 1
    assert "a generation batch of 4 completions in each of 2 processes does not divide by the group size 8" in said.err


def test_a_slow_verifier_in_one_process_only_makes_the_other_wait(train):
    said, folder = train("slow", "slow_in_one,spread", *TWO, steps=2)
    assert said.code == 0, said.err
    assert folder.status()["state"] == "finished"
    assert all(line["step_seconds"] > 8 for line in folder.metrics())  # 8 completions, a second each


def test_a_bug_in_one_process_stops_both_and_says_what_it_was(train):
    started = time.monotonic()
    said, folder = train("raises", "raises_in_one,spread", *TWO)
    assert said.code == 1
    assert "error: reward 'raises_in_one' failed: KeyError: 'solution'\n  task 'train/" in said.err
    assert "Traceback" not in said.err
    assert folder.status()["state"] == "failed"
    assert time.monotonic() - started < 90


def test_a_process_that_is_killed_ends_the_run_soon_and_the_message_says_which(train):
    started = time.monotonic()
    said, folder = train("dies", "is_killed_in_one,spread", *TWO)
    assert said.code == 1
    assert "process 1 ended by signal SIGKILL" in said.err
    assert f"--resume {folder.path}" in said.err
    assert time.monotonic() - started < 90


@pytest.fixture(scope="module")
def never_killed(train, tmp_path_factory):
    """Five steps of the run that is killed below, when it is not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("R1_KILLED", "-1")
        patch.setenv("R1_TOLD", str(tmp_path_factory.mktemp("never") / "told"))
        return train("never", "is_killed_later,spread", *TWO, steps=5)


@pytest.mark.parametrize("rank", [0, 1])  # the one that writes the run folder, and the other
def test_a_run_whose_process_was_killed_goes_on_as_if_it_had_not_been(
    train, never_killed, run_r1, plugin, tmp_path, monkeypatch, rank
):
    monkeypatch.setenv("R1_KILLED", str(rank))
    monkeypatch.setenv("R1_TOLD", str(tmp_path / "told"))
    said, folder = train(f"killed-{rank}", "is_killed_later,spread", *TWO, steps=5)
    assert said.code == 1 and (tmp_path / "told").exists()
    assert f"process {rank} ended by signal SIGKILL" in said.err and f"--resume {folder.path}" in said.err
    assert folder.status()["state"] == "failed" and not processes_of(folder.path)
    assert [path.name for path in folder.complete_checkpoints()] == ["checkpoint-1", "checkpoint-2"]

    again = run_r1("train", "--resume", folder.path, path=[plugin])
    assert again.code == 0, again.err
    whole, expected = never_killed
    assert whole.code == 0, whole.err
    assert [line["step"] for line in folder.metrics()] == [1, 2, 3, 4, 5]
    for key in ("loss", "reward", "grad_norm"):
        numbers = [line[key] for line in folder.metrics()]
        assert numbers == pytest.approx([line[key] for line in expected.metrics()], rel=1e-4, abs=1e-7)
    assert rollouts(folder) == rollouts(expected)


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(start_r1, run_r1, small, plugin, tmp_path, train):
    whole, expected = train("unbroken", "slow,spread", *TWO, steps=5)
    assert whole.code == 0, whole.err
    out = tmp_path / "stopped"
    process = start_r1(
        *("train", "--env", "countdown", "--model", "tiny", "--rewards", "slow,spread", "--steps", "5", *small, *TWO),
        *("--set", "trainer.learning_rate=1e-3", "--out", out),
        path=[plugin],
    )
    folder = RunFolder(out)
    deadline = time.monotonic() + 120
    while len(folder.metrics()) < 2:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "continue with" in err
    done = folder.status()["done"]
    assert folder.complete_checkpoints()[-1].name == f"checkpoint-{done}" and done < 5

    said = run_r1("train", "--resume", out, path=[plugin])
    assert said.code == 0, said.err
    assert folder.status()["state"] == "finished"
    for key in ("loss", "reward", "grad_norm"):
        numbers = [line[key] for line in folder.metrics()]
        assert numbers == pytest.approx([line[key] for line in expected.metrics()], rel=1e-4, abs=1e-7)
    assert rollouts(folder) == rollouts(expected)


def rollouts(folder):
    return [(r["step"], r["task"]["id"], r["completion"]["messages"][0]["content"]) for r in folder.rollouts()]


def test_no_process_outlives_the_command(start_r1, small, plugin, tmp_path):
    process = start_r1(
        *("train", "--env", "countdown", "--model", "tiny", "--rewards", "slow,spread", "--steps", "50", *small, *TWO),
        *("--out", tmp_path / "orphaned"),
        path=[plugin],
    )
    folder = RunFolder(tmp_path / "orphaned")
    deadline = time.monotonic() + 120
    while len(folder.metrics()) < 1:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    process.kill()
    while mine := processes_of(folder.path):
        assert time.monotonic() < deadline, mine
        time.sleep(0.2)
    assert folder.status()["state"] == "interrupted"
    assert folder.complete_checkpoints()


def processes_of(path: Path) -> list[str]:
    """The command lines that name the run folder."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(path) in line and str(os.getpid()) not in file.parts:
            found.append(line)
    return found


def sft(run_r1, out, batch, *more):
    said = run_r1(
        *("train", "--method", "sft", "--env", "countdown", "--model", "tiny_blank", "--steps", "4"),
        *("--set", f"trainer.per_device_train_batch_size={batch}", "--set", "env.options.train_size=256"),
        *("--set", "evaluation.tasks=0", "--set", "trainer.learning_rate=1e-3", "--set", "trainer.save_steps=2"),
        *("--out", out, *more),
    )
    assert said.code == 0, said.err
    return RunFolder(out)


@pytest.fixture(scope="module")
def sft_alone(run_r1, tmp_path_factory):
    return sft(run_r1, tmp_path_factory.mktemp("sft") / "alone", 8)


def same_training(one, other, keys=("loss", "grad_norm")):
    for key in keys:
        numbers = [line[key] for line in other.metrics()]
        assert numbers == pytest.approx([line[key] for line in one.metrics()], rel=1e-3), key


def test_sft_in_two_processes_has_the_losses_of_one(run_r1, sft_alone, tmp_path):
    two = sft(run_r1, tmp_path / "two", 4, *TWO)
    same_training(sft_alone, two)
    same_model(sft_alone, two)


def same_model(one, other):
    from safetensors.torch import load_file

    left, right = (load_file(folder.model / "model.safetensors") for folder in (one, other))
    assert right.keys() - left.keys() <= {"lm_head.weight"}  # DeepSpeed writes a tied one out
    for name, weights in left.items():
        assert (weights - right[name]).abs().max() < 1e-4, name


def test_the_recipe_of_a_run_says_by_how_many_it_was_trained(whole):
    _, folder = whole
    assert folder.recipe().launch.processes == 2
    assert "MULTI_GPU" in folder.accelerate_file.read_text()
    assert json.loads(folder.manifest_file.read_text())["seed"] == 0


@pytest.fixture(scope="module")
def given(tmp_path_factory, plugin):
    """GRPO with given completions, by one process or by two: the run folder."""
    root = tmp_path_factory.mktemp("given")
    ways = {}

    def run(accelerate, processes, advantage=None):
        name = f"{accelerate}-{processes}-{advantage}"
        if name not in ways:
            ways[name] = train_given(root / name, plugin, accelerate, processes, advantage)
        return ways[name]

    return run


def train_given(path, plugin, accelerate, processes, advantage=None):
    sizes = {"per_device_train_batch_size": 32 // processes, "max_steps": 3, "save_strategy": "no"}
    # SGD: where a gradient is nothing but its last bit, Adam's first steps make a whole step of it.
    sizes |= {"optim": "sgd", "learning_rate": 0.05, "lr_scheduler_type": "constant"}
    recipe = Recipe.model_validate(
        {
            "model": "tiny",
            "env": {"name": "countdown", "options": {"train_size": 64}},
            "rewards": ["accuracy", "spread"],
            "generation": {"samples": 4, "max_tokens": 64},
            "advantage": advantage,
            "trainer": sizes,
            "launch": {"accelerate": accelerate, "processes": processes},
        }
    )
    folder = RunFolder.create(path, recipe, {})
    shutil.copyfile(accelerate_file(load_plugins(), recipe.launch), folder.accelerate_file)
    program = Path(__file__).parents[1] / "support" / "given_completions.py"
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", *arguments(folder)[:-4], program, path],
        env={**os.environ, **QUIET, "PYTHONPATH": os.pathsep.join([str(plugin), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return folder


def test_grpo_in_two_processes_computes_what_one_does(given):
    same_training(given("ddp", 1), given("ddp", 2), ("loss", "grad_norm", "reward", "entropy"))
    same_model(given("ddp", 1), given("ddp", 2))


@pytest.mark.parametrize("advantage", ["rloo", "gdpo"], ids=["of a group", "of a batch"])
def test_named_advantages_in_two_processes_are_those_of_one(given, advantage):
    one, two = given("ddp", 1, advantage), given("ddp", 2, advantage)
    same_training(one, two, ("loss", "grad_norm", "reward", "entropy"))
    same_model(one, two)


@pytest.mark.parametrize("stage", ["zero2", "zero3"])
def test_grpo_under_deepspeed_computes_what_one_process_does(given, stage):
    pytest.importorskip("deepspeed")
    same_training(given("ddp", 1), given(stage, 2), ("loss", "grad_norm", "reward", "entropy"))
    same_model(given("ddp", 1), given(stage, 2))


@pytest.mark.parametrize("method", ["grpo", "sft"])
@pytest.mark.parametrize("stage", ["zero2", "zero3"])
def test_a_checkpoint_of_deepspeed_resumes_and_the_model_is_exported_whole(run_r1, plugin, tmp_path, stage, method):
    pytest.importorskip("deepspeed")
    model = {"grpo": "tiny", "sft": "tiny_blank"}[method]
    flags = ["--set", "trainer.save_steps=2", "--set", "trainer.save_total_limit=3", "--set", "evaluation.tasks=4"]
    flags += [
        "--set",
        "generation.samples=4",
        "--set",
        "generation.max_tokens=16",
        "--set",
        "env.options.train_size=64",
    ]
    flags += ["--set", "trainer.per_device_train_batch_size=4", "--set", "trainer.learning_rate=1e-3"]
    said = run_r1(
        *("train", "--method", method, "--env", "countdown", "--model", model, "--rewards", "spread", "--steps", "4"),
        *("--accelerate", stage, "--processes", "2", *flags, "--out", tmp_path / "whole"),
        path=[plugin],
    )
    assert said.code == 0, said.err
    whole, again = RunFolder(tmp_path / "whole"), RunFolder(tmp_path / "again")
    shutil.copytree(whole.path, again.path)
    shutil.rmtree(again.checkpoints / "checkpoint-4")
    shutil.rmtree(again.model)
    again.set_status("interrupted")
    said = run_r1("train", "--resume", again.path, path=[plugin])
    assert said.code == 0, said.err
    assert "resuming at step 2" in again.log_file.read_text()
    same_training(whole, again)
    same_model(whole, again)
    assert rollouts(whole) == rollouts(again)
    assert again.evaluation("after")["accuracy"]["n"] == 4
