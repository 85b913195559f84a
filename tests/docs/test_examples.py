"""The packages of docs/examples, as strangers have them: built as wheels, installed from those alone, trained with by name."""

import os
import subprocess
import sys
import sysconfig
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from programs_of_python import run_module

from r1sdk.storage.run_folder import RunFolder

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
NAMES = ("r1-tone", "r1-elements", "r1-rlimits")
QUIET = ("--no-index", "--disable-pip-version-check", "--quiet")
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


@pytest.mark.slow
def test_in_a_fresh_environment_the_wheels_alone_are_enough(service, tmp_path):
    """A new virtual environment, r1sdk and the examples installed into it by pip from wheels, nothing of this checkout in reach.

    The libraries that r1sdk needs are those of this environment: they are gigabytes, and no wheel of ours.
    """
    run_module("venv", "fresh", cwd=tmp_path)
    fresh = tmp_path / "fresh" / "bin"
    libraries = sysconfig.get_paths()["purelib"]
    (next((tmp_path / "fresh" / "lib").glob("python*")) / "site-packages" / "libraries.pth").write_text(libraries)
    sources = [ROOT, *(EXAMPLES / name for name in NAMES)]
    run_module("pip", "wheel", *QUIET, "--no-deps", "--no-build-isolation", "-w", "wheels", *sources, cwd=tmp_path)
    (ours,) = (tmp_path / "wheels").glob("r1sdk-*.whl")

    def run(program, *arguments):
        unset = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        clean = {name: value for name, value in os.environ.items() if name not in unset}
        done = subprocess.run(
            [fresh / program, *map(str, arguments)],
            cwd=tmp_path,
            env={**clean, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("pip", "install", *QUIET, "--no-deps", "--ignore-installed", ours)
    run("pip", "install", *QUIET, "--find-links", "wheels", *NAMES)
    where = run(
        "python", "-c", "import r1sdk, r1_cli, r1_tone; print(r1sdk.__file__, r1_cli.__file__, r1_tone.__file__)"
    )
    assert all(Path(path).is_relative_to(tmp_path / "fresh") for path in where.split())
    listed = run("r1", "plugins")
    assert all(f"[{name} 0.1.0 (" in listed for name in NAMES)
    run("r1", "check", "elements", "rlimits")
    code = ("--set", "env.options.sandbox=rlimits", "--set", "env.options.level=1")
    tone = f"rewards=[accuracy, {{name: tone, weight: 0.5, options: {{url: '{service}'}}}}]"
    for name, options in {"elements": ("--env", "elements"), "code": ("--env", "code", *code, "--set", tone)}.items():
        run("r1", "train", *options, "--model", "tiny_blank", *SHORT, "--out", name)
        folder = RunFolder.open(tmp_path / name)
        assert len(list(folder.rollouts())) == 16 and folder.status()["state"] == "finished"
