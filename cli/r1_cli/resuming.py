"""`r1 train --resume`: the same run goes on, or is made longer."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from .ui.run_and_watch import follow

if TYPE_CHECKING:
    from r1sdk.plugins.registry import Registry
    from r1sdk.storage.run_folder import RunFolder


def resume_run(path: Path, registry: "Registry", beside: list[str], steps: int | None, sets: list[str]) -> None:
    """Go on with the run at `path`; `steps` and `sets` make it longer. `beside`: flags that no resumed run takes. Raises: R1Error."""
    from r1sdk.errors import RecipeError

    if beside:
        raise RecipeError(f"--resume continues the run as it was: leave out {', '.join(beside)}")
    folder = _to_resume(path, longer=steps is not None)
    if steps is not None or sets:
        _extend(folder, registry, steps, sets)
    follow(folder, registry, resumed=True)


def _to_resume(path: Path, longer: bool) -> "RunFolder":
    from r1sdk.errors import RunError
    from r1sdk.launch.prepare import RUNS
    from r1sdk.report import PAGE
    from r1sdk.storage.run_folder import RunFolder, latest_run

    folder = latest_run(RUNS) if str(path) == "last" and not path.exists() else RunFolder.open(path)
    if folder.status().get("state") == "finished" and not longer:
        page = "" if (folder.path / PAGE).is_file() else f"; it has no report: r1 report {folder.path}"
        raise RunError(
            f"{folder.path} is finished: nothing to resume; look at it with r1 eval {folder.path}, "
            f"or make it longer with --steps{page}"
        )
    folder.check()
    return folder


def _extend(folder: "RunFolder", registry: "Registry", steps: int | None, sets: list[str]) -> None:
    """Change how long the run goes on, and how. What it has been trained on stays. Raises: R1Error."""
    from r1sdk.errors import RecipeError, RunError
    from r1sdk.planning.build import compose
    from r1sdk.recipe.layers import dotted
    from r1sdk.recipe.schema import load_recipe

    layers = [*map(dotted, sets), {"trainer": {"max_steps": steps}} if steps else {}]
    recipe, before = load_recipe(folder.recipe_file, *layers), folder.recipe()
    changeable = {"trainer", "evaluation", "limits"}
    if other := [
        key
        for key in type(recipe).model_fields
        if key not in changeable and getattr(recipe, key) != getattr(before, key)
    ]:
        raise RecipeError(
            f"--resume continues the run as it was: {', '.join(other)} cannot change, {', '.join(sorted(changeable))} can"
        )
    done = folder.status().get("done") or 0
    if steps is not None and steps <= done:
        raise RunError(f"{folder.path} has come to step {done}: --steps must be more")
    compose(recipe, registry)
    folder.extend(recipe, sys.argv)
