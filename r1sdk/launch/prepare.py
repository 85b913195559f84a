"""A recipe in, a run folder that is ready to be trained out; nothing is written unless everything checks."""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..doctor import Finding
from ..doctor.recipe_checks import before_training
from ..planning.resolve import plan_run
from ..planning.run_plan import RunPlan
from ..plugins.registry import Registry
from ..recipe.schema import Recipe
from ..storage.lock import claim_folder
from ..storage.manifest import manifest
from ..storage.run_folder import RunFolder

RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A run that is ready to start: its plan, its folder, and what the quick checks of `r1 doctor` found."""

    plan: RunPlan
    folder: RunFolder
    findings: tuple[Finding, ...]


def prepare(recipe: Recipe, registry: Registry, overwrite: bool = False) -> Prepared:
    """Plan the run and write its folder. Raises: R1Error with every problem that can be known before a model is loaded."""
    plan = plan_run(recipe, registry)
    findings = before_training(plan, recipe.output_dir or RUNS)
    path = recipe.output_dir or claim_folder(RUNS / default_name(recipe))
    config = None if plan.accelerate is None else plan.accelerate.file
    folder = RunFolder.create(path, plan.recipe, manifest(plan.recipe, registry, sys.argv), overwrite, config)
    return Prepared(plan, folder, tuple(findings))


def default_name(recipe: Recipe) -> str:
    """Return a folder name with the environment, the model and the time: `countdown-tiny-20260301-140500`."""
    model = Path(recipe.model).name
    what = recipe.env.name or (Path(recipe.data.name).stem if recipe.data else recipe.method)
    return f"{what}-{model}-{time.strftime('%Y%m%d-%H%M%S')}"
