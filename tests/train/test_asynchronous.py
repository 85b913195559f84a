"""Asynchronous training: what is refused, judging in another process, and TRL's trainer against a server that stands in for vLLM."""

import json
import os
import pickle
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from r1_command import QUIET

from r1sdk import Completion, Rollout
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.scoring.score_rollouts import score
from r1sdk.storage.rollout_rows import saved_rollout
from r1sdk.storage.run_folder import RunFolder

TESTS = Path(__file__).parents[1] / "support"


def dry(r1, *flags):
    return r1("train", "--env", "countdown", "--experimental-async", *flags, "--dry-run")


def test_without_a_gpu_or_its_packages_it_is_refused_with_the_reason_before_a_model_is_loaded(
    r1, monkeypatch, tmp_path
):
    from r1sdk.planning import hardware

    monkeypatch.setattr(hardware, "gpus", lambda: ())
    said = dry(r1, "--out", tmp_path / "run")
    assert said.code == 1 and not (tmp_path / "run").exists()
    assert (
        "experimental_async: its attention kernel (flash-attn 3) and the way of its weights to the server (NCCL)"
        in said.err
    )
    assert "leave experimental_async out: the same recipe then trains in step with its generation" in said.err
    assert "experimental_async: kernels is not installed; pip install 'r1sdk[async]'" in said.err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--lora", "4"], "does not go with lora"),
        (["--lora", "4", "--quantize", "4bit"], "does not go with quantize"),
        (["--method", "sft"], "does not go with method sft"),
        (["--accelerate", "ddp", "--processes", "2"], "does not go with launch.accelerate"),
        (["--set", "attention=sdpa"], "does not go with attention sdpa: it brings its own kernel"),
        (["--set", "generation.backend=transformers"], "a vLLM server generates"),
        (["--set", "trainer.beta=0.1"], "recipe has no key 'trainer.beta'"),
        (["--set", "trainer.max_staleness=2"], "use experimental_async.max_staleness"),
        (["--set", "experimental_async.max_stalenes=2"], "did you mean 'max_staleness'?"),
    ],
)
def test_what_it_does_not_do_is_refused(r1, flags, words):
    said = dry(r1, *flags)
    assert said.code == 1 and words in said.err


def test_true_is_all_of_its_settings_by_default_and_false_is_without():
    def read(value):
        return Recipe.model_validate(
            {"model": "tiny", "env": "countdown", "experimental_async": value}
        ).experimental_async

    assert read(True) == read({}) and read(True).max_staleness == 4
    assert read(False) is None and read({"max_staleness": 0, "url": "http://node:8000"}).url == "http://node:8000"


UNSENDABLE = """
import r1sdk

kept = lambda rollout: 1.0


@r1sdk.hookimpl
def r1_register_rewards(register):
    register("kept", kept)
"""


def test_a_reward_that_cannot_be_sent_to_another_process_is_refused(run_r1, install, tmp_path):
    plugin = install(tmp_path, "r1-unsendable", UNSENDABLE)
    flags = ["--env", "countdown", "--rewards", "accuracy,kept", "--experimental-async", "--dry-run"]
    said = run_r1("train", *flags, path=[plugin])
    assert said.code == 1 and "reward 'kept' is judged in a process of its own under experimental_async" in said.err
    assert "reward 'accuracy'" not in said.err


JUDGE = """
import pickle, sys
table, batch = pickle.load(sys.stdin.buffer)
scores = table.scores(**batch)
sys.stdout.buffer.write(pickle.dumps([column(**batch) for column in table.columns()]))
"""


def test_the_same_table_gives_the_same_prices_in_another_process():
    from r1sdk.training.trl.reward_columns import RewardTable, task_row

    rewards = ["accuracy", {"name": "format", "weight": 0.5}, {"name": "length", "options": {}}]
    recipe = Recipe.model_validate({"model": "tiny", "env": "countdown", "rewards": rewards})
    run = plan_run(recipe, load_plugins())
    tasks = [task for task, _ in zip(run.environment.tasks("train"), range(2), strict=False)]
    texts = [f"<think>{'so ' * n}</think><answer>{n}</answer>" for n in range(8)]
    batch = {
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "completion_ids": [list(range(n + 1)) for n in range(8)],
        "task": [task_row(task)["task"] for task in tasks for _ in range(4)],
    }
    table = RewardTable(run.environment, run.rewards, 4)
    there = subprocess.run(
        [sys.executable, "-c", JUDGE], input=pickle.dumps((table, batch)), capture_output=True, check=False
    )
    assert there.returncode == 0, there.stderr.decode()
    here = [column(**batch) for column in table.columns()]
    assert pickle.loads(there.stdout) == here and len({*here[2]}) > 2


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Four steps, while a server on this machine generates: the run folder, and the state of the server at the end."""
    pytest.importorskip("aiohttp")
    pytest.importorskip("requests")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    recipe = Recipe.model_validate(
        {
            "model": "tiny",
            "env": {"name": "countdown", "options": {"train_size": 64}},
            "rewards": ["accuracy", {"name": "format", "weight": 0.5}, {"name": "length", "weight": 0.1}],
            "generation": {"samples": 4, "max_tokens": 48},
            "evaluation": {"tasks": 4},
            "experimental_async": {"max_staleness": 2, "url": url},
            "trainer": {
                "per_device_train_batch_size": 8,
                "max_steps": 4,
                "save_steps": 2,
                "learning_rate": 1e-4,
                "token_budget": 0,
            },
        }
    )
    folder = RunFolder.create(tmp_path_factory.mktemp("async") / "run", recipe, {})
    environment = {**os.environ, **QUIET}
    model = load_plugins().get("model", "tiny").target
    server = subprocess.Popen([sys.executable, TESTS / "async_server.py", str(model), str(port)], env=environment)
    try:
        wait_for(url, server)
        done = subprocess.run(
            [sys.executable, TESTS / "async_run.py", folder.path],
            env=environment,
            capture_output=True,
            text=True,
            timeout=900,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-6000:]
        yield folder, ask(f"{url}/state")
    finally:
        server.kill()
        server.wait()


def ask(url):
    from urllib.request import urlopen

    with urlopen(url, timeout=30) as answer:
        return json.loads(answer.read() or "{}")


def wait_for(url, server):
    deadline = time.monotonic() + 300
    while True:
        try:
            return ask(f"{url}/health")
        except OSError:
            assert time.monotonic() < deadline and server.poll() is None
            time.sleep(0.2)


@pytest.mark.slow
def test_the_trainer_steps_on_what_the_server_makes_and_no_sample_is_staler_than_allowed(trained):
    folder, _ = trained
    steps = folder.metrics()
    assert [line["step"] for line in steps] == [1, 2, 3, 4]
    # What is trained on first was made by the weights that it is scored with: token for token the same probabilities.
    assert steps[0]["ratio"] == pytest.approx(1.0, abs=1e-3) and abs(steps[0]["kl"]) < 1e-5
    assert all(line.get("sample/staleness_max", 0) <= 2 for line in steps)
    assert all(line["grad_norm"] > 0 for line in steps)
    for line in steps:
        assert 0.0 <= line["rewards/accuracy/mean"] <= 1.0 and line["verdict/ok"] == 1.0
        assert line["reward"] == pytest.approx(
            line["rewards/accuracy/mean"] + 0.5 * line["rewards/format/mean"] + 0.1 * line["rewards/length/mean"],
            abs=1e-5,
        )


@pytest.mark.slow
def test_the_server_has_the_trained_weights_at_the_end(trained):
    folder, state = trained
    sums = json.loads((folder.path / "sums.json").read_text())
    assert state["updates"] == 5  # before the first step, and after each
    assert state["sums"] == pytest.approx({name: sums[name] for name in state["sums"]})


@pytest.mark.slow
def test_what_was_trained_is_saved_as_any_other_model_and_evaluated(trained):
    from safetensors.torch import load_file

    folder, _ = trained
    sums = json.loads((folder.path / "sums.json").read_text())
    saved = load_file(folder.model / "model.safetensors")
    assert {name: float(weight.double().sum()) for name, weight in saved.items()} == pytest.approx(
        {name: sums[name] for name in saved}
    )
    assert folder.evaluation("after")["accuracy"]["n"] == 4


@pytest.mark.slow
def test_what_was_judged_in_the_other_process_is_kept_with_the_prices_that_this_one_gives(trained):
    folder, _ = trained
    run = plan_run(folder.recipe(), load_plugins())
    lines = list(folder.rollouts())
    assert len(lines) >= 32 and len(lines) % 4 == 0
    rollouts = [saved_rollout(line) for line in lines]
    for line, rollout in zip(lines, rollouts, strict=True):
        assert (
            line["verdict"]["status"] == "ok"
            and isinstance(rollout, Rollout)
            and isinstance(rollout.completion, Completion)
        )
    judged, scores = score(rollouts, run.environment, {name: run.rewards[name] for name in ("accuracy", "format")}, 4)
    for line, rollout, found in zip(lines, judged, scores, strict=True):
        assert line["verdict"]["value"] == rollout.verdict.value
        assert {name: line["rewards"][name] for name in found.rewards} == found.rewards
