"""Real runs with rewards that hang, die or raise: what they cost, what is written, and what stops."""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from r1sdk.storage.run_folder import RunFolder

FAULTY = '''
import os
import signal
import time
import zlib
from pathlib import Path

import r1sdk


def one_in(n, rollout):
    return zlib.crc32(rollout.completion.text.encode()) % n == 0


@r1sdk.isolated(timeout_s=0.5)
def hangs(rollout):
    """1.0, or nothing in any time."""
    while one_in(4, rollout):
        pass
    return 1.0


@r1sdk.isolated(timeout_s=120.0)
def is_killed(rollout):
    """1.0, or waiting to be killed."""
    if one_in(4, rollout):
        Path(os.environ["R1_KILL"], str(os.getpid())).touch()
        signal.pause()
    return 1.0


@r1sdk.isolated()
def raises(rollout):
    """1.0, or a bug."""
    if one_in(4, rollout):
        raise KeyError("solution")
    return 1.0


def not_isolated(rollout):
    """1.0, or nothing for a while."""
    if one_in(4, rollout):
        time.sleep(3.0)
    return 1.0


@r1sdk.hookimpl
def r1_register_rewards(register):
    for reward in (hangs, is_killed, raises, not_isolated):
        register(reward.__name__, reward)
'''


@pytest.fixture(scope="module")
def faulty(tmp_path_factory, install):
    return install(tmp_path_factory.mktemp("faulty"), "r1-faulty", FAULTY)


@pytest.fixture
def train(run_r1, faulty, small, tmp_path):
    """Three steps of GRPO with accuracy and one faulty reward; what the command said, and the run's folder."""

    def run(reward, *settings):
        file = tmp_path / "faulty.yaml"
        file.write_text(f"rewards:\n- accuracy\n- {reward}\n")
        arguments = [argument for setting in settings for argument in ("--set", setting)]
        said = run_r1(
            *("train", file, "--env", "countdown", "--model", "tiny", "--steps", "3", *small, *arguments),
            *("--out", tmp_path / "run"),
            path=[faulty],
        )
        return said, RunFolder.open(tmp_path / "run")

    return run


def amiss(folder, reward):
    """The lines of the rollouts that a reward could not score, by their status; the others have a score."""
    lines = list(folder.rollouts())
    assert len(lines) == 24
    found = {}
    for line in lines:
        status = line.get("statuses", {}).get(reward)
        assert (line["rewards"][reward] is None) == (status is not None)
        assert status is None or line["reasons"][reward]
        found.setdefault(status, []).append(line)
    assert found[None]
    return found


def shares(folder, key):
    return [line[key] for line in folder.metrics()]


def test_a_run_goes_on_past_a_reward_that_hangs(train):
    said, folder = train("hangs")
    assert said.code == 0, said.err
    found = amiss(folder, "hangs")
    assert {*found} == {None, "timeout"}
    for line in found["timeout"]:
        assert line["reasons"] == {"hangs": "no result within 0.5 s"} and line["rewards"]["accuracy"] is not None
    timeouts = shares(folder, "rewards/hangs/timeout")
    assert len(timeouts) == 3 and sum(timeouts) == pytest.approx(len(found["timeout"]) / 8)
    assert shares(folder, "rewards/hangs/error") == shares(folder, "rewards/accuracy/timeout") == [0.0] * 3
    assert folder.status()["state"] == "finished"


def test_a_recipe_bounds_a_reward_that_its_plugin_did_not(train):
    said, folder = train("{name: not_isolated, timeout_s: 0.5}")
    assert said.code == 0, said.err
    assert {*amiss(folder, "not_isolated")} == {None, "timeout"}


@pytest.fixture
def killer(tmp_path, monkeypatch):
    """Kills every process that writes its number into a folder."""
    folder = tmp_path / "kill"
    folder.mkdir()
    monkeypatch.setenv("R1_KILL", str(folder))
    done = threading.Event()
    killed = []

    def watch():
        while not done.wait(0.02):
            for file in folder.iterdir():
                file.unlink()
                time.sleep(0.05)  # it goes to sleep
                os.kill(int(file.name), signal.SIGKILL)
                killed.append(file.name)

    thread = threading.Thread(target=watch)
    thread.start()
    yield killed
    done.set()
    thread.join()


def test_a_run_goes_on_past_a_reward_whose_worker_is_killed_from_outside(train, killer):
    said, folder = train("is_killed", "limits.error=1.0")
    assert said.code == 0, said.err
    found = amiss(folder, "is_killed")
    assert {*found} == {None, "error"} and len(found["error"]) == len(killer)
    for line in found["error"]:
        assert line["reasons"] == {"is_killed": "the worker was killed by SIGKILL"}
    assert sum(shares(folder, "rewards/is_killed/error")) == pytest.approx(len(killer) / 8)


def test_a_run_whose_reward_fails_more_than_the_limit_allows_stops_and_says_why(train, killer):
    said, folder = train("is_killed", "limits.error=0.0")
    assert said.code == 1
    assert "reward 'is_killed' has the status 'error' for" in said.err and "limits.error = 0%" in said.err
    assert "the worker was killed by SIGKILL" in said.err
    assert len(list(folder.rollouts())) in (8, 16, 24)  # what stopped the run can be looked at


def test_a_reward_that_raises_stops_the_run_with_the_task_in_the_message(train):
    said, folder = train("raises")
    assert said.code == 1
    assert "error: reward 'raises' failed: KeyError: 'solution'\n  task 'train/" in said.err
    assert "Traceback" not in said.err
    assert folder.status()["state"] == "failed" and "task 'train/" in folder.status()["message"]


def test_no_worker_is_left_after_a_run(train, tmp_path, monkeypatch):
    monkeypatch.setenv("R1_MARK", str(tmp_path))  # in the environment of every process of the run
    said, _ = train("hangs")
    assert said.code == 0, said.err
    marked = []
    for file in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            marked += [file] if str(tmp_path).encode() in file.read_bytes() else []
    assert not marked
