"""The packages of docs/examples, as strangers have them: built as wheels, installed from those alone, trained with by name."""

import sys
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from programs_of_python import run_module

from r1sdk.runs import RunFolder

EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"
NAMES = ("r1-tone", "r1-elements", "r1-rlimits")
SHORT = (
    *("--steps", "2", "--set", "trainer.per_device_train_batch_size=8", "--set", "generation.samples=4"),
    *("--set", "generation.max_tokens=16", "--set", "evaluation.tasks=0"),
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder that the three were installed into, from wheels."""
    folder = tmp_path_factory.mktemp("examples")
    quiet = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    sources = [EXAMPLES / name for name in NAMES]
    run_module("pip", "wheel", *quiet, "--no-build-isolation", "--wheel-dir", "wheels", *sources, cwd=folder)
    run_module("pip", "install", *quiet, "--find-links", "wheels", "--target", "site", *NAMES, cwd=folder)
    return folder / "site"


@pytest.fixture(scope="module")
def service(site):
    """The stand-in service of r1-tone, on a port of this machine; its address."""
    sys.path.insert(0, str(site))
    try:
        from r1_tone.service import Handler
    finally:
        sys.path.remove(str(site))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_the_tests_of_the_examples_pass_and_with_them_the_check(site):
    said = run_module(
        "pytest", "-q", "-p", "r1sdk.testing", "-p", "no:cacheprovider", *NAMES, cwd=EXAMPLES, path=[site]
    )
    assert "passed" in said and "failed" not in said


def test_the_examples_are_listed_with_what_they_do(run_r1, site):
    said = run_r1("plugins", path=[site])
    assert said.err == ""
    for name, source in (("tone", "r1-tone"), ("elements", "r1-elements"), ("rlimits", "r1-rlimits")):
        (line,) = (line for line in said.out.splitlines() if line.split()[:1] == [name])
        assert line.endswith(f"[{source} 0.1.0 ({name})]")


def test_an_environment_with_a_data_file_is_trained_on(run_r1, site, tmp_path):
    said = run_r1(
        *("train", "--env", "elements", "--model", "tiny_blank", *SHORT, "--out", tmp_path / "run"), path=[site]
    )
    assert said.code == 0, said.err
    folder = RunFolder.open(tmp_path / "run")
    assert folder.manifest()["plugins"]["environment elements"] == "r1-elements 0.1.0 (elements)"
    rollouts = list(folder.rollouts())
    assert len(rollouts) == 16
    assert all("chemical symbol of" in rollout["task"]["prompt"][-1]["content"] for rollout in rollouts)


def test_a_reward_that_asks_a_service_and_a_sandbox_are_trained_with(run_r1, site, service, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"""
env: {{name: code, options: {{sandbox: rlimits, level: 1}}}}
rewards: [accuracy, {{name: tone, weight: 0.5, options: {{url: "{service}"}}}}]
""")
    said = run_r1(*("train", recipe, "--model", "tiny_blank", *SHORT, "--out", tmp_path / "run"), path=[site])
    assert said.code == 0, said.err
    folder = RunFolder.open(tmp_path / "run")
    plugins = folder.manifest()["plugins"]
    assert plugins["reward tone"] == "r1-tone 0.1.0 (tone)"
    assert folder.recipe().env.options["sandbox"] == "rlimits"
    first, second = folder.metrics()
    assert 0.0 <= first["rewards/accuracy/mean"] <= 1.0 and "rewards/tone/mean" in second
