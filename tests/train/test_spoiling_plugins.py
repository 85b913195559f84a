"""Plugins that change what torch and the trainer rely on: a real run has the numbers of a run without them."""

import json

import numpy
import pytest
import spoiling_plugins as plugins
import torch
from spoiling_plugins import CALLS, WITH_TORCH

from r1sdk.plugins import guard
from r1sdk.plugins.process_state import ALL, capture, differences

ALL_CALLS = {**CALLS, **WITH_TORCH}
KEPT = []


def enter(context):
    """Enter a context and keep it: torch leaves some when the object goes."""
    KEPT.append(context)
    context.__enter__()


FAULTS = {
    "grad": lambda: torch.set_grad_enabled(False),
    "inference": lambda: enter(torch.inference_mode()),
    "autocast": lambda: enter(torch.autocast("cpu")),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "dtype": lambda: torch.set_default_dtype(torch.float64),
    "device": lambda: torch.set_default_device("meta"),
    "precision": lambda: torch.set_float32_matmul_precision("medium"),
    "deterministic": lambda: torch.use_deterministic_algorithms(True),
    "anomaly": lambda: torch.autograd.set_detect_anomaly(True),
    "numpy errors": lambda: numpy.seterr(all="raise"),
    "torch seed": lambda: torch.manual_seed(0),
    "torch draw": lambda: torch.rand(3),
    "numpy seed": lambda: numpy.random.seed(0),
    "numpy draw": lambda: numpy.random.randn(3),
}
SILENT = {"torch seed", "torch draw", "numpy seed", "numpy draw"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", ALL_CALLS)
def test_torch_and_numpy_are_as_before_whatever_a_plugin_leaves(call, fault):
    reports = []
    before, of_torch, of_numpy = capture(), torch.get_rng_state(), numpy.random.get_state()
    with guard.reporting(reports.append):
        ALL_CALLS[call](FAULTS[fault])
    assert differences(before, ALL) == []
    assert torch.equal(torch.get_rng_state(), of_torch)
    assert all(numpy.array_equal(a, b) for a, b in zip(numpy.random.get_state(), of_numpy, strict=True))
    if (call, fault) == ("session: tool", "threads"):
        return  # torch has a number for each thread that uses it
    if fault != "numpy errors":  # NumPy keeps them in the context of the task, which ends with the call
        assert bool(reports) == (fault not in SILENT)


def test_a_coroutine_keeps_its_grad_mode_while_it_waits_and_nobody_else_has_it():
    import asyncio

    from r1sdk.scoring.score_rollouts import score

    seen = set()

    async def without(rollout):
        with torch.no_grad():
            for _ in range(4):
                assert not torch.is_grad_enabled()
                await asyncio.sleep(0)
        return 1.0

    async def other(rollout):
        for _ in range(4):
            seen.add(torch.is_grad_enabled())
            await asyncio.sleep(0)
        return 1.0

    score([plugins.rollout()] * 2, plugins.Plain(), {"without": (without, 1.0), "other": (other, 1.0)})
    assert seen == {True}


SPOILS = """
import os, random, signal, sys, time

import numpy
import r1sdk
import torch


def clean(rollout):
    \"\"\"0.5.\"\"\"
    return 0.5


def spoils(rollout):
    \"\"\"0.5, and all that it can reach is changed.\"\"\"
    torch.manual_seed(0), random.seed(0), numpy.random.seed(0)
    torch.set_grad_enabled(False)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(2)
    os.chdir("/")
    os.environ["R1_SPOILED"] = "1"
    os.environ.pop("HOME", None)
    sys.stdout = sys.stderr = None
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return 0.5


def exits(rollout):
    \"\"\"Nothing.\"\"\"
    sys.exit(0)


def ends(rollout):
    \"\"\"Nothing.\"\"\"
    os._exit(0)


def forks(rollout):
    \"\"\"0.5 in two processes; forks at most once.\"\"\"
    try:
        os.close(os.open(os.environ["R1_FORKED"], os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return 0.5
    os.fork()
    return 0.5


def holds(rollout):
    \"\"\"Nothing, without giving the interpreter away.\"\"\"
    return float(len(str(7 ** (10 ** 9))))


@r1sdk.hookimpl
def r1_register_rewards(register):
    for reward in (clean, spoils, exits, ends, forks, holds):
        register(reward.__name__, reward)
"""


@pytest.fixture(scope="module")
def spoiling(tmp_path_factory, install):
    return install(tmp_path_factory.mktemp("spoiling"), "r1-spoiling", SPOILS)


@pytest.fixture
def train(run_r1, spoiling, small, tmp_path):
    """Two steps of GRPO with accuracy and one more reward; what the command said, and the folder of the run."""

    def run(reward, *settings):
        file = tmp_path / f"{reward}.yaml"
        file.write_text(f"rewards:\n- accuracy\n- {reward}\n")
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        out = tmp_path / reward
        said = run_r1(
            "train", file, "--model", "tiny_blank", "--env", "countdown", "--steps", "2", "--out", out,
            *small, "--set", "evaluation.tasks=0", *arguments, path=[spoiling],
        )  # fmt: skip
        return said, out

    return run


def rows(folder):
    return [
        (row["completion"]["messages"], row["total"])
        for row in map(json.loads, (folder / "rollouts.jsonl").read_text().split("\n")[:-1])
    ]


@pytest.mark.slow
def test_a_run_with_a_reward_that_changes_all_it_can_reach_is_the_run_without(train):
    said, folder = train("spoils")
    assert said.code == 0, said.err
    plain, other = train("clean")
    assert plain.code == 0
    assert rows(folder) == rows(other)
    losses = [
        [json.loads(line)["loss"] for line in (one / "metrics.jsonl").read_text().split("\n")[:-1] if "loss" in line]
        for one in (folder, other)
    ]
    assert losses[0] == losses[1]
    text = (folder / "worker.log").read_text()
    assert text.count("reward 'spoils' changed the current folder") == 1
    assert text.count("reward 'spoils' changed torch's grad mode") == 1


def test_a_reward_that_exits_fails_the_run_with_its_name(train):
    said, folder = train("exits")
    assert said.code == 1
    assert "reward 'exits' raised SystemExit: 0" in said.err
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"


@pytest.mark.slow
def test_a_reward_that_ends_its_process_is_named_by_the_command(train):
    said, _ = train("ends")
    assert said.code == 1
    assert "ended with status 0 inside reward 'ends'" in said.err


@pytest.mark.slow
def test_a_reward_that_forks_stops_the_run_and_no_copy_trains(train, tmp_path, monkeypatch):
    monkeypatch.setenv("R1_FORKED", str(tmp_path / "forked"))
    said, folder = train("forks")
    assert said.code == 1
    assert "reward 'forks' forked the process that trains" in said.err
    assert (tmp_path / "forked").exists()
    assert (
        len((folder / "rollouts.jsonl").read_text().split("\n")) <= 9 if (folder / "rollouts.jsonl").exists() else True
    )


@pytest.mark.slow
def test_a_reward_that_holds_the_interpreter_is_ended_at_the_limit(train):
    said, folder = train("holds", "limits.plugin_timeout_s=1")
    assert said.code == 1
    assert "reward 'holds' did not return within 1 s (limits.plugin_timeout_s)" in said.err
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"
