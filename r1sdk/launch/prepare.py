"""A recipe in, a run folder that is ready to be trained out; nothing is written unless everything checks."""

import sys
import time
from pathlib import Path

from ..compose import Run, compose
from ..manifest import manifest
from ..plugins import Registry
from ..recipe import Recipe
from ..runs import RunFolder

RUNS = Path("runs")


def prepare(recipe: Recipe, registry: Registry, overwrite: bool = False) -> tuple[Run, RunFolder]:
    """The composed run and its folder. Raises: R1Error with every problem that can be known before a model is loaded."""
    run = compose(recipe, registry)
    path = recipe.output_dir or RUNS / default_name(recipe)
    return run, RunFolder.create(path, recipe, manifest(recipe, registry, sys.argv), overwrite)


def default_name(recipe: Recipe) -> str:
    """A folder name that says what it is and when it began: `countdown-tiny-20260301-140500`."""
    model = Path(recipe.model).name
    what = recipe.env.name or (Path(recipe.data.name).stem if recipe.data else recipe.method)
    return f"{what}-{model}-{time.strftime('%Y%m%d-%H%M%S')}"
