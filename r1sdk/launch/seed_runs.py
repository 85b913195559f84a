"""Run one recipe with several seeds, one after another, each in its own run folder; a finished seed is not repeated."""

import shutil
import sys
from collections.abc import Callable, Sequence

from ..doctor.recipe_checks import before_training
from ..errors import Interrupted, RecipeError, RunError
from ..planning.resolve import plan_run
from ..planning.run_plan import RunPlan
from ..plugins.registry import Registry
from ..recipe.schema import Recipe
from ..storage.lock import FolderLock, claim_folder
from ..storage.run_folder import RunFolder
from ..storage.seed_folder import SeedFolder, is_seed_folder
from .leftovers import drop_live_files
from .prepare import RUNS, Prepared, default_name, prepare
from .resuming import prepared_again
from .supervise import supervise, warn


def read_seeds(given: str | int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds of `0,1,2` or of a list. Raises: RecipeError where one is no whole number of 0 or more, or stands twice."""
    parts: list[object] = (
        list(given.split(",")) if isinstance(given, str) else [given] if isinstance(given, int) else [*given]
    )
    seeds = []
    for part in parts:
        text = str(part).strip()
        if isinstance(part, bool) or not text.isascii() or not text.isdigit():
            raise RecipeError(f"--seeds takes whole numbers with commas, e.g. --seeds 0,1,2; got {given!r}")
        seeds.append(int(text))
    if not seeds or len(set(seeds)) < len(seeds):
        raise RecipeError(f"--seeds takes each seed once, e.g. --seeds 0,1,2; got {given!r}")
    return tuple(seeds)


def check_seed_recipe(recipe: Recipe, registry: Registry) -> RunPlan:
    """Check everything that can be known before a model is loaded. Returns the plan of the first seed. Raises: R1Error."""
    if recipe.launch.launcher != "local":
        raise RecipeError(
            f"--seeds runs the seeds here, one after another: with launcher {recipe.launch.launcher} start each one with --seed"
        )
    plan = plan_run(recipe, registry)
    before_training(plan, recipe.output_dir or RUNS)
    return plan


def start_seeds(recipe: Recipe, seeds: Sequence[int], overwrite: bool) -> SeedFolder:
    """Make the folder for the runs of `seeds`. Raises: RunError where other runs are there."""
    root = recipe.output_dir or claim_folder(RUNS / default_name(recipe))
    if overwrite and is_seed_folder(root):
        shutil.rmtree(root)
    return SeedFolder.create(root, seeds, recipe)


def extend_seeds(folder: SeedFolder, seeds: Sequence[int], steps: int | None) -> SeedFolder:
    """Add seeds to a folder, or make every run longer. Returns the folder as it is then. Raises: RunError, RecipeError."""
    recipe = folder.recipe
    if steps is not None:
        done = {seed: run.status().get("done") or 0 for seed, run in folder.runs()}
        if beyond := [seed for seed, at in done.items() if at > steps]:
            raise RunError(
                f"seed {beyond[0]} of {folder.path} has come to step {done[beyond[0]]}: --steps must be more"
            )
        recipe = recipe.model_copy(update={"trainer": {**recipe.trainer, "max_steps": steps}})
    wanted = SeedFolder(folder.path, tuple(dict.fromkeys([*folder.seeds, *seeds])), recipe)
    if wanted != folder:
        wanted.write()
    return wanted


def run_seeds(
    folder: SeedFolder, registry: Registry, show: bool, tell: Callable[[str], None], objects: bool = False
) -> list[tuple[int, RunFolder]]:
    """Run the seeds that are not finished. Returns each seed with its run folder. `objects`: this process trains.

    Raises: Interrupted, R1Error.
    """
    lock = FolderLock(folder.path)
    lock.acquire()
    try:
        for number, seed in enumerate(folder.seeds, 1):
            title = f"seed {seed} ({number} of {len(folder.seeds)})"
            ready = _prepare(folder, seed, registry, title, tell)
            if ready is None:
                continue
            try:
                supervise(ready.folder, ready.plan, show, registry if objects else None, resume=folder.path)
            except (Interrupted, RunError) as error:
                again = "" if "--resume" in str(error) else f"\ncontinue with: r1 train --resume {folder.path}"
                raise type(error)(f"{title}: {error}{again}") from error
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; continue with: r1 train --resume {folder.path}") from None
    finally:
        lock.release()
    return list(folder.runs())


def _prepare(
    folder: SeedFolder, seed: int, registry: Registry, title: str, tell: Callable[[str], None]
) -> Prepared | None:
    """Return the run of `seed`, ready to start or to resume; None where it is finished."""
    run = folder.run(seed)
    if not run.recipe_file.is_file():
        tell(f"{title}: {run.path}")
        shutil.rmtree(run.path, ignore_errors=True)  # left by a kill while the folder was made
        return prepare(folder.recipe_of(seed), registry)
    steps = folder.recipe.trainer.get("max_steps")
    if run.recipe().trainer.get("max_steps") != steps:
        longer = run.recipe()
        run.extend(longer.model_copy(update={"trainer": {**longer.trainer, "max_steps": steps}}), sys.argv)
    elif run.status().get("state") == "finished":
        drop_live_files(run)
        tell(f"{title}: finished before")
        return None
    tell(f"{title}: resumed; {run.path}")
    ready = prepared_again(run, registry)
    warn(ready.findings, tell)
    return ready
