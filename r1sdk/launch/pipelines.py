"""Run the stages of a pipeline one after another, each in its own run folder; a finished stage is not repeated."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..errors import Interrupted, R1Error, RecipeError, RunError, raise_all
from ..planning.named_recipe import find_recipe
from ..planning.stages import Stage, check_stages, is_pipeline, load_stages, to_yaml
from ..plugins.registry import Registry
from ..recipe.layers import dotted
from ..report import PAGE
from ..storage.atomic import check_seal, replace_file, sealed
from ..storage.lock import LOCK_FILE, FolderLock, claim_folder, is_leftover
from ..storage.run_folder import RunFolder
from .leftovers import drop_live_files
from .prepare import RUNS, prepare
from .resuming import prepared_again
from .stage_table import other_tasks, stage_table
from .supervise import supervise, warn

FILE = "pipeline.yaml"
TABLE = "stages.txt"


def is_pipeline_folder(path: Path) -> bool:
    """True if a pipeline was started in `path`."""
    return (path / FILE).is_file()


def resumed_folder(path: Path) -> Path:
    """Return the folder that `--resume PATH` means: `last` is the newest run, pipeline or folder of seeds in runs/.

    Raises: RunError where a pipeline lacks the file that makes it one.
    """
    if str(path) == "last" and not path.exists():
        written = [
            (status.stat().st_mtime, folder)
            for folder in RUNS.glob("*")
            for status in (*folder.glob("status.json"), *folder.glob("*/status.json"))
        ]
        path = max(written)[1] if written else path
    if not is_pipeline_folder(path) and any(path.glob("[0-9][0-9]-*/recipe.yaml")):
        raise RunError(f"{path / FILE} is missing: put it back from a copy; the stages beside it are runs of their own")
    return path


def pipeline_file(name: str | Path, registry: Registry) -> Path | None:
    """Return the recipe of that name if it has stages. Raises: R1Error."""
    path, _ = find_recipe(registry, str(name), None, None)
    return path if is_pipeline(path) else None


def read_stages(path: Path, registry: Registry, sets: Sequence[str]) -> list[Stage]:
    """Read the pipeline at `path` and check every stage. Raises: R1Error with every problem."""
    try:
        stages = load_stages(path, [*map(dotted, sets)], lambda name: find_recipe(registry, name, None, None)[0])
    except RecipeError as error:
        try:
            check_stages(error.rest or [], registry)
        except R1Error as more:
            raise_all([error, more], RecipeError)
        raise
    check_stages(stages, registry)
    return stages


def start_pipeline(path: Path, stages: Sequence[Stage], out: Path | None, overwrite: bool) -> Path:
    """Make the folder of the pipeline at `path`. Returns the folder. Raises: RunError where another run is there.

    Of several processes that ask for one `out` at the same moment one gets it.
    """
    root = out or claim_folder(RUNS / f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    _check_replaceable(root)  # before a lock file is made there
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot make {root}: {error.strerror or error}") from None
    lock = FolderLock(root)
    lock.acquire()
    try:
        if _check_replaceable(root) and not overwrite:
            raise RunError(
                f"{root} already holds a pipeline: continue it with --resume {root}, or replace it with --overwrite"
            )
        for old in root.iterdir():
            if old.name != LOCK_FILE:
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        replace_file(root / FILE, sealed(to_yaml(stages)))
    finally:
        lock.release()
    return root


def _check_replaceable(root: Path) -> bool:
    """Return True where `root` holds a pipeline. Raises: RunError where it holds something else."""
    if is_pipeline_folder(root):
        return True
    if root.exists() and not (root.is_dir() and all(is_leftover(found, FILE) for found in root.iterdir())):
        raise RunError(f"{root} exists and is no pipeline: choose another --out")
    return False


def stages_again(root: Path, registry: Registry) -> list[Stage]:
    """Read the stages of the pipeline in `root`, and check them: plugins may have changed since. Raises: R1Error."""
    check_seal(root / FILE)
    stages = load_stages(root / FILE, [], Path)
    check_stages(stages, registry)
    return stages


def run_stages(
    stages: Sequence[Stage], root: Path, registry: Registry, show: bool, tell: Callable[[str], None]
) -> list[tuple[str, RunFolder]]:
    """Run the stages that are not finished. Returns each stage's name and folder. Raises: Interrupted, R1Error."""
    lock = FolderLock(root)
    lock.acquire()
    try:
        return _run_stages(stages, root, registry, show, tell)
    finally:
        lock.release()


def _run_stages(
    stages: Sequence[Stage], root: Path, registry: Registry, show: bool, tell: Callable[[str], None]
) -> list[tuple[str, RunFolder]]:
    outputs: dict[str, Path] = {}
    done: list[tuple[str, RunFolder]] = []
    for number, stage in enumerate(stages, 1):
        folder = RunFolder(root.resolve() / f"{number:02}-{stage.name}")
        title = f"stage {number} of {len(stages)}, {stage.name}"
        state = folder.status().get("state", "of unknown state") if folder.recipe_file.is_file() else None
        if state == "finished":
            drop_live_files(folder)
            tell(f"{title}: done before")
            try:
                folder.check_folder(folder.model)
            except RunError as error:  # a later stage that has begun has a copy of its own
                tell(f"warning: {error}")
            if not (folder.path / PAGE).is_file():
                tell(f"{folder.path} has no report: r1 report {folder.path}")
        else:
            tell(f"{title}: {'going on' if state else stage.recipe.method}; {folder.path}")
            if state is None:
                _check_unmade(folder)
                ready = prepare(stage.ready(outputs, folder.path), registry)
                _reuse_evaluation(ready.folder, [earlier for _, earlier in done])
            else:
                ready = prepared_again(folder, registry)
                warn(ready.findings, tell)
            try:
                supervise(ready.folder, ready.plan, show)
            except (Interrupted, RunError) as error:
                raise type(error)(f"{error}\ncontinue the pipeline with: r1 train --resume {root}") from error
        outputs[stage.name] = folder.data if stage.recipe.method == "generate" else folder.path
        done.append((stage.name, folder))
    replace_file(root / TABLE, stage_table(done) + "\n")
    if others := other_tasks(done):
        tell(f"note: held-out tasks of their own, so not to be compared with the rows above them: {', '.join(others)}")
    return done


def _check_unmade(folder: RunFolder) -> None:
    """Raises: RunError where a stage without a recipe has results. A kill while the folder was made leaves none."""
    results = (folder.metrics_file, folder.rollouts_file, folder.model, folder.log_file)
    if any(path.exists() for path in results) or any(folder.checkpoints.glob("*")):
        raise RunError(
            f"{folder.recipe_file} is missing: put it back from a copy, or delete {folder.path} to make that stage again"
        )


def _reuse_evaluation(folder: RunFolder, earlier: Sequence[RunFolder]) -> None:
    """Copy the evaluation at the end of an earlier stage, if it evaluated this model on the same tasks."""
    recipe = folder.recipe()
    for other in earlier:
        before = other.recipe()
        same = all(getattr(recipe, key) == getattr(before, key) for key in ("env", "rewards", "evaluation", "seed"))
        same = same and recipe.generation.max_tokens == before.generation.max_tokens
        measures_loss = recipe.data is not None and recipe.data.held_out > 0
        found = other.evaluation("after")
        if recipe.model == str(other.path) and same and not measures_loss and found is not None:
            if other.evaluation_file("after").is_file():
                shutil.copyfile(other.evaluation_file("after"), folder.evaluation_file("before"))
            folder.write_evaluation("before", {key: value for key, value in found.items() if key != "loss"})
