"""Resume a run as it was, or make it longer."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..doctor.recipe_checks import before_training
from ..errors import RecipeError, RunError
from ..planning.resolve import plan_run
from ..plugins.registry import Registry
from ..recipe.layers import dotted
from ..recipe.schema import load_recipe
from ..report import PAGE
from ..storage.manifest import differences
from ..storage.run_folder import RunFolder, latest_run
from .leftovers import drop_live_files
from .prepare import RUNS, Prepared

CHANGEABLE = frozenset({"trainer", "evaluation", "limits"})


def resume_run(path: Path, registry: Registry, steps: int | None = None, sets: Sequence[str] = ()) -> Prepared:
    """Return the run at `path`, ready to continue; `steps` and `sets` make it longer. Raises: R1Error."""
    folder = _to_resume(path, longer=steps is not None)
    if steps is not None or sets:
        _extend(folder, registry, steps, sets)
    return prepared_again(folder, registry)


def prepared_again(folder: RunFolder, registry: Registry) -> Prepared:
    """Plan the run of an existing folder anew: plugins may have changed since, and the machine. Raises: R1Error."""
    folder.check()
    for text in differences(folder.manifest(), folder.recipe(), registry):
        print(f"warning: {text}", file=sys.stderr, flush=True)
    plan = plan_run(folder.recipe(), registry)
    return Prepared(plan, folder, tuple(before_training(plan, folder.path)))


def _to_resume(path: Path, longer: bool) -> RunFolder:
    folder = latest_run(RUNS) if str(path) == "last" and not path.exists() else RunFolder.open(path)
    if folder.status().get("state") == "finished" and not longer:
        drop_live_files(folder)
        page = "" if (folder.path / PAGE).is_file() else f"; it has no report: r1 report {folder.path}"
        raise RunError(
            f"{folder.path} is finished: nothing to resume; look at it with r1 eval {folder.path}, "
            f"or make it longer with --steps{page}"
        )
    folder.check()
    return folder


def _extend(folder: RunFolder, registry: Registry, steps: int | None, sets: Sequence[str]) -> None:
    """Change how long the run continues, and how. The steps made so far stay. Raises: R1Error."""
    layers: list[Mapping[str, Any]] = [*map(dotted, sets), {"trainer": {"max_steps": steps}} if steps else {}]
    recipe, before = load_recipe(folder.recipe_file, *layers), folder.recipe()
    if other := [
        key
        for key in type(recipe).model_fields
        if key not in CHANGEABLE and getattr(recipe, key) != getattr(before, key)
    ]:
        raise RecipeError(
            f"--resume continues the run as it was: {', '.join(other)} cannot change, {', '.join(sorted(CHANGEABLE))} can"
        )
    done = folder.status().get("done") or 0
    if steps is not None and steps <= done:
        raise RunError(f"{folder.path} has come to step {done}: --steps must be more")
    plan_run(recipe, registry)
    folder.extend(recipe, sys.argv)
