"""A recipe in, a run folder that is ready to be trained out; nothing is written unless everything checks."""

import sys
import time
from pathlib import Path

from ..doctor import Finding
from ..doctor.recipe_checks import before_training
from ..planning.build import Run, compose
from ..planning.parallel import accelerate_file, settled
from ..plugins.registry import Registry
from ..recipe.schema import Recipe
from ..storage.lock import claim_folder
from ..storage.manifest import manifest
from ..storage.run_folder import RunFolder

RUNS = Path("runs")


def prepare(recipe: Recipe, registry: Registry, overwrite: bool = False) -> tuple[Run, RunFolder, list[Finding]]:
    """The composed run, its folder, and what the quick checks of `r1 doctor` found.

    Raises: R1Error with every problem that can be known before a model is loaded.
    """
    recipe = settled(recipe)
    run = compose(recipe, registry)
    findings = before_training(run, registry, recipe.output_dir or RUNS)
    path = recipe.output_dir or claim_folder(RUNS / default_name(recipe))
    made_with = manifest(recipe, registry, sys.argv)
    folder = RunFolder.create(path, recipe, made_with, overwrite, accelerate_file(registry, recipe.launch))
    return run, folder, findings


def default_name(recipe: Recipe) -> str:
    """A folder name that says what it is and when it began: `countdown-tiny-20260301-140500`."""
    model = Path(recipe.model).name
    what = recipe.env.name or (Path(recipe.data.name).stem if recipe.data else recipe.method)
    return f"{what}-{model}-{time.strftime('%Y%m%d-%H%M%S')}"
