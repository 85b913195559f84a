"""The real vLLM on this machine's CPU: training, evaluation and generation as a user starts them. `pytest -m vllm`.

It needs an environment of its own, which docs/vllm.md makes.
"""

import json
import math
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from r1_command import QUIET, Said

from r1sdk.storage.run_folder import RunFolder

pytestmark = pytest.mark.vllm

LIMIT_S = 1800  # of one command; two idle cores take one or two minutes
STEPS = 3

PLUGIN = '''
import os
import signal
from pathlib import Path

import r1sdk


def spread(rollout):
    """From 0.0 to 1.0 by the sum of the token ids."""
    return sum(rollout.completion.token_ids) % 11 / 10


def kills_the_server(rollout):
    """1.0, and at the second batch the end of the vLLM server, once."""
    import psutil

    calls, done = Path(os.environ["R1_CALLS"]), Path(os.environ["R1_CALLS"] + ".done")
    with calls.open("a") as file:
        file.write(".")
    if calls.stat().st_size > 8 and not done.exists():
        done.touch()
        for child in psutil.Process().children(recursive=True):
            if "api_server" in " ".join(child.cmdline()):
                child.send_signal(signal.SIGKILL)
    return 1.0


@r1sdk.hookimpl
def r1_register_rewards(register):
    register("spread", spread)
    register("kills_the_server", kills_the_server)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory, install):
    return install(tmp_path_factory.mktemp("plugin"), "r1-sampled", PLUGIN)


@pytest.fixture(scope="module")
def run(start_r1, plugin):
    def to_its_end(*arguments):
        process = start_r1(*arguments, path=[plugin])
        out, err = process.communicate(timeout=LIMIT_S)
        return Said(process.returncode, out, err)

    return to_its_end


@pytest.fixture(scope="module")
def train(run, small, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")

    def trained(name, *more, rewards="accuracy,spread"):
        said = run(
            *("train", "--env", "countdown", "--model", "tiny", "--rewards", rewards, "--steps", STEPS, *small),
            *("--set", "trainer.learning_rate=1e-3", "--backend", "vllm", "--out", root / name, *more),
        )
        return said, RunFolder(root / name)

    return trained


def has_learnt(said, folder):
    assert said.code == 0, said.err + folder.log_file.read_text()[-4000:]
    assert folder.status()["state"] == "finished"
    steps = folder.metrics()
    assert [line["step"] for line in steps] == list(range(1, STEPS + 1))
    assert all(line["grad_norm"] > 0 for line in steps)
    assert all(line["sampler_difference"] < 1e-4 for line in steps)  # the weights change by 1e-3 a step
    assert len(list(folder.rollouts())) == 8 * STEPS
    assert (folder.model / "config.json").is_file()


@pytest.fixture(scope="module")
def colocated(train):
    return train("colocate", "--set", "evaluation.tasks=4", "--set", "generation.max_tokens=96")


@pytest.fixture(scope="module")
def served(train):
    return train("server", "--vllm-mode", "server")


def test_a_model_is_trained_on_what_vllm_generates_in_the_same_process(colocated):
    has_learnt(*colocated)


def test_a_model_is_trained_on_what_a_server_generates_that_the_run_starts_and_ends(served):
    _, folder = served
    has_learnt(*served)
    assert "Application startup complete" in (folder.path / "vllm.log").read_text()
    assert not processes("api_server")


def test_groups_without_spread_give_way_to_others_that_vllm_generates(train):
    options = ("--dynamic-sampling", "--set", "curriculum=true", "--set", "generation.max_tokens=128")
    said, folder = train("dynamic", *options, rewards="accuracy")
    assert said.code == 0, said.err + folder.log_file.read_text()[-4000:]
    lines = list(folder.rollouts())
    assert len([line for line in lines if "dropped" not in line]) == 8 * STEPS
    replaced = sum(line["drawn/replaced"] for line in folder.metrics())
    assert 0 < 4 * replaced <= len(lines) - 8 * STEPS
    assert all(line["sampler_difference"] < 1e-4 for line in folder.metrics())  # its log-probabilities went along


def processes(word):
    """The command lines of processes of this user that hold `word`."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return [line for line in found if word in line]


def test_the_run_says_what_generates_and_why(colocated):
    said, folder = colocated
    assert "generation   vllm (asked for)" in said.err
    assert "generation by vllm (asked for)" in folder.log_file.read_text()
    assert folder.manifest()["generation"] == {"backend": "vllm", "why": "asked for"}
    assert "vllm (asked for)" in (folder.path / "report.html").read_text()


def test_a_completion_ends_where_the_model_ends_it(colocated):
    _, folder = colocated
    completions = [line["completion"] for line in folder.rollouts()]
    assert {completion["finish"] for completion in completions} == {"stop", "length"}
    assert all(completion["tokens"] == 96 for completion in completions if completion["finish"] == "length")
    assert not any("<|im_end|>" in completion["messages"][0]["content"] for completion in completions)


def test_adapters_are_part_of_what_vllm_generates_with(train):
    has_learnt(*train("lora", "--lora", "8", "--set", "trainer.learning_rate=1e-2"))


def test_a_server_that_dies_ends_the_run_with_its_name_and_the_run_goes_on(run, train, tmp_path, monkeypatch):
    monkeypatch.setenv("R1_CALLS", str(tmp_path / "calls"))
    more = ("--vllm-mode", "server")
    started = time.monotonic()
    said, folder = train("dies", *more, rewards="accuracy,spread,kills_the_server")
    assert said.code == 1
    assert "the vLLM server at http://127.0.0.1:" in said.err
    assert "SIGKILL" in said.err or "failed: " in said.err
    assert "--resume" in said.err
    assert folder.status()["state"] == "failed"
    assert time.monotonic() - started < LIMIT_S
    said = run("train", "--resume", folder.path)
    assert said.code == 0, said.err
    assert folder.status()["state"] == "finished"
    assert "resuming at step" in folder.log_file.read_text()


def test_a_server_that_cannot_start_ends_the_run_with_what_it_said(train):
    said, folder = train("unfit", "--vllm-mode", "server", "--set", "generation.vllm.serve={no-such-option: 1}")
    assert said.code == 1
    assert "the vLLM server ended with status" in said.err
    assert "no-such-option" in said.err
    assert folder.status()["state"] == "failed"


def test_a_server_that_is_there_already_is_used_and_left_running(train, served):
    _, first = served
    with socket.socket() as there:
        there.bind(("127.0.0.1", 0))
        port = there.getsockname()[1]
    command = [sys.executable, "-m", "r1sdk.training.vllm.serve_node", first.path, "--port", str(port)]
    with subprocess.Popen(
        command, env={**os.environ, **QUIET}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            has_learnt(*train("url", "--vllm-url", f"http://127.0.0.1:{port}"))
            assert server.poll() is None
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


def figures(run, tmp_path, backend, *more):
    out = tmp_path / backend
    said = run("eval", "tiny", "--env", "countdown", "--backend", backend, "--json", "--out", out, *more)
    assert said.code == 0, said.err
    assert f"generation by {backend} (asked for)" in said.err
    return json.loads(said.out)["results"]["tiny"]["countdown"], out


def test_vllm_and_transformers_measure_the_same_accuracy(run, tmp_path):
    sizes = ("--tasks", "150", "--samples", "2")
    (one, _), (other, _) = (figures(run, tmp_path, name, *sizes) for name in ("vllm", "transformers"))
    gap = abs(one["accuracy"]["mean"] - other["accuracy"]["mean"])
    assert gap < 3 * math.hypot(one["accuracy"]["stderr"], other["accuracy"]["stderr"])
    assert abs(one["tokens"] - other["tokens"]) < 0.1 * other["tokens"]


def test_without_chance_they_write_the_same(run, tmp_path):
    sizes = ("--tasks", "40", "--temperature", "0")
    texts = []
    for name in ("vllm", "transformers"):
        _, out = figures(run, tmp_path, name, *sizes)
        lines = [json.loads(line) for file in out.rglob("*.jsonl") for line in file.read_text().splitlines()]
        texts.append({line["task"]["id"]: line["completion"] for line in lines})  # with its tokens, and how it ended
    assert len(texts[0]) == 40
    same = sum(texts[1][task] == text for task, text in texts[0].items())
    assert same >= 38  # the last bit of a sum may turn a choice between equals


def test_generate_answers_as_often_as_asked_and_each_answer_is_its_own(run, tmp_path):
    out = tmp_path / "rows.jsonl"
    sizes = ("--tasks", "20", "--samples", "4", "--keep", "all", "--duplicates")
    said = run("generate", "tiny", "--env", "countdown", "--backend", "vllm", *sizes, "--out", out)
    assert said.code == 0, said.err
    assert "generation by vllm (asked for)" in said.err
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 80
    assert len({json.dumps(row) for row in rows}) > 40
    accuracy = float(re.search(r"accuracy ([\d.]+)", said.err)[1])
    assert 0.15 < accuracy < 0.6  # 0.37 on 500 tasks, by transformers


def test_doctor_has_vllm_generate_one_token(run):
    found = {line["name"]: line for line in json.loads(run("doctor", "--json").out)["findings"]}
    assert found["vllm import"]["status"] == "ok"
    assert found["vllm generation"]["status"] == "ok", found["vllm generation"]
