"""Start perturbed_weights.py: three steps of GRPO with vLLM on a CPU, the weights changed before each."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from r1_command import QUIET

from r1sdk.planning.parallel import accelerate_file
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.processes import arguments

PROGRAM = Path(__file__).with_name("perturbed_weights.py")
LIMIT_S = 1800


def perturbed(path, mode, accelerate=None, processes=1, *more, **limits):
    """Three steps: how the program ended, and its run folder."""
    recipe = Recipe.model_validate(
        {
            "model": "tiny",
            "env": {"name": "countdown", "options": {"train_size": 64}},
            "rewards": ["accuracy", "format"],
            "generation": {"samples": 4, "max_tokens": 24, "backend": "vllm", "vllm": {"mode": mode}},
            "trainer": {"per_device_train_batch_size": 8, "max_steps": 3, "save_strategy": "no", "learning_rate": 1e-3},
            "launch": {"accelerate": accelerate, "processes": processes},
            "limits": limits,
        }
    )
    folder = RunFolder.create(path, recipe, {})
    command = [sys.executable, PROGRAM]
    if accelerate is not None:
        shutil.copyfile(accelerate_file(load_plugins(), recipe.launch), folder.accelerate_file)
        command = [sys.executable, "-m", "accelerate.commands.launch", *arguments(folder)[:-4], PROGRAM]
    done = subprocess.run(
        [*command, path, *more],
        env={**os.environ, **QUIET},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    return done, folder
