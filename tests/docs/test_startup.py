"""What starting costs: nothing heavy is imported before it is used."""

import json
import subprocess
import sys

import pytest

TRAINING = ["torch", "transformers", "trl", "accelerate", "datasets", "vllm", "numpy"]
MATHS = ["sympy", "math_verify"]
LOOKING = ["textual", "jinja2", "msgspec"]
RECIPES = ["pydantic", "yaml"]

COMMAND = """
import sys
sys.argv = ["r1", *{arguments}]
from r1_cli import main
try:
    main()
except SystemExit as stop:
    assert not stop.code, stop.code
"""


def loaded(program: str, modules: list[str]) -> list[str]:
    """Which of `modules` a fresh interpreter has imported after `program`."""
    report = f"\nimport json, sys; print(json.dumps([m for m in {modules} if m in sys.modules]), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program + report], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stderr.splitlines()[-1])


def test_loading_our_rewards_and_environments_loads_nothing_that_only_judging_needs():
    judging = ["asyncio", "subprocess", "concurrent.futures", "r1_verifiers.maths", "openai", "pydantic", "datasets"]
    assert loaded("import r1_rewards, r1_envs", [*TRAINING, *MATHS, *judging]) == []


@pytest.mark.parametrize("program", ["import r1sdk", "import r1_cli", COMMAND.format(arguments=["--help"])])
def test_importing_and_asking_for_help_load_no_heavy_library(program):
    assert loaded(program, [*TRAINING, *MATHS, *RECIPES, *LOOKING]) == []


@pytest.mark.parametrize("command", ["train", "eval", "generate", "score", "plugins", "report", "view"])
def test_the_help_of_a_command_loads_nothing_of_the_trainer(command):
    assert loaded(COMMAND.format(arguments=[command, "--help"]), [*TRAINING, *MATHS, *LOOKING]) == []


def test_asking_a_server_loads_nothing_of_the_trainer():
    assert loaded("import r1sdk.training.generation_source, r1sdk.servers.session", [*TRAINING, *MATHS]) == []


@pytest.mark.parametrize(
    "arguments",
    [["plugins"], ["train", "--env", "countdown", "--dry-run"]],
    ids=["r1 plugins", "r1 train --dry-run"],
)
def test_listing_plugins_and_checking_a_recipe_load_nothing_of_the_trainer(arguments):
    assert loaded(COMMAND.format(arguments=arguments), [*TRAINING, *MATHS]) == []
