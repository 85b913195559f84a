"""`r1 train` on a recipe with stages: one after another, each a run folder; what is done is not done again."""

import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from .ui.stage_table import other_tasks, stage_table

if TYPE_CHECKING:
    from r1sdk.planning.stages import Stage
    from r1sdk.plugins.registry import Registry
    from r1sdk.storage.run_folder import RunFolder

FILE = "pipeline.yaml"


def is_pipeline_folder(path: Path) -> bool:
    return (path / FILE).is_file()


def resumed_pipeline(path: Path) -> Path | None:
    """The pipeline that `--resume PATH` means, if it means one; `last` is whatever was written to last, a run or a pipeline."""
    from r1sdk.launch.prepare import RUNS

    if str(path) == "last" and not path.exists():
        written = [
            (status.stat().st_mtime, folder)
            for folder in RUNS.glob("*")
            for status in (*folder.glob("status.json"), *folder.glob("*/status.json"))
        ]
        path = max(written)[1] if written else path
    return path if is_pipeline_folder(path) else None


def pipeline_file(name: str, registry: "Registry") -> Path | None:
    """The recipe of that name, where it has stages. Raises: R1Error."""
    from r1sdk.planning.build import find_recipe
    from r1sdk.planning.stages import is_pipeline

    path, _ = find_recipe(registry, name, None, None)
    return path if is_pipeline(path) else None


def start_pipeline(
    path: Path,
    registry: "Registry",
    sets: list[str] | None,
    said: list[str],
    out: Path | None,
    overwrite: bool,
    dry_run: bool,
) -> None:
    """Check every stage, then run them. Raises: R1Error with every problem."""
    from r1sdk.errors import RecipeError, RunError
    from r1sdk.launch.prepare import RUNS
    from r1sdk.planning.build import find_recipe
    from r1sdk.planning.stages import check_stages, load_stages, to_yaml
    from r1sdk.recipe.layers import dotted
    from r1sdk.storage.atomic import replace_file, sealed
    from r1sdk.storage.lock import LOCK_FILE, FolderLock, claim_folder

    if said:
        raise RecipeError(
            f"{path.name} has stages: {', '.join(said)} would be for one; use --set stages.NAME.KEY=..., or --set KEY=... for all"
        )
    stages = load_stages(path, [*map(dotted, sets or [])], lambda name: find_recipe(registry, name, None, None)[0])
    check_stages(stages, registry)
    if dry_run:
        typer.echo(to_yaml(stages), nl=False)
        return
    root = out or claim_folder(RUNS / f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    if root.exists() and (not root.is_dir() or (any(root.iterdir()) and not is_pipeline_folder(root))):
        raise RunError(f"{root} exists and is no pipeline: choose another --out")
    root.mkdir(parents=True, exist_ok=True)
    lock = FolderLock(root)
    lock.acquire()
    try:
        if is_pipeline_folder(root):
            if not overwrite:
                raise RunError(
                    f"{root} already holds a pipeline: continue it with --resume {root}, or replace it with --overwrite"
                )
            for old in root.iterdir():
                if old.name != LOCK_FILE:
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
        replace_file(root / FILE, sealed(to_yaml(stages)))
        _run_stages(stages, root, registry)
    finally:
        lock.release()


def resume_pipeline(root: Path, registry: "Registry", extra: list[str]) -> None:
    """Go on with the pipeline in `root`. Raises: R1Error."""
    from r1sdk.errors import RecipeError
    from r1sdk.planning.stages import check_stages, load_stages
    from r1sdk.storage.atomic import check_seal
    from r1sdk.storage.lock import FolderLock

    if extra:
        raise RecipeError(f"--resume continues the pipeline as it was: leave out {', '.join(extra)}")
    lock = FolderLock(root)
    lock.acquire()
    try:
        check_seal(root / FILE)
        stages = load_stages(root / FILE, [], Path)
        check_stages(stages, registry)  # plugins may have changed since
        _run_stages(stages, root, registry)
    finally:
        lock.release()


def _run_stages(stages: "list[Stage]", root: Path, registry: "Registry") -> None:
    from r1sdk.storage.atomic import replace_file
    from r1sdk.storage.run_folder import RunFolder

    from .ui.run_and_watch import follow

    outputs: dict[str, Path] = {}
    done: list[tuple[str, RunFolder]] = []
    for number, stage in enumerate(stages, 1):
        folder = RunFolder(root.resolve() / f"{number:02}-{stage.name}")
        title = f"stage {number} of {len(stages)}, {stage.name}"
        state = folder.status().get("state") if folder.recipe_file.is_file() else None
        if state == "finished":
            typer.echo(f"{title}: done before", err=True)
        else:
            typer.echo(f"{title}: {'going on' if state else stage.recipe.method}; {folder.path}", err=True)
            if state is None:
                shutil.rmtree(folder.path, ignore_errors=True)  # what a kill left of a folder that was being made
                folder = _prepared(stage, outputs, folder.path, registry)
                _reuse_evaluation(folder, [earlier for _, earlier in done])
            try:
                follow(folder, registry, resumed=state is not None, quiet=True)
            except typer.Exit:
                typer.echo(f"continue the pipeline with: r1 train --resume {root}", err=True)
                raise
        outputs[stage.name] = folder.data if stage.recipe.method == "generate" else folder.path
        done.append((stage.name, folder))
    table = stage_table(done)
    replace_file(root / "stages.txt", table + "\n")
    typer.echo(table)
    if others := other_tasks(done):
        typer.echo(
            f"note: held-out tasks of their own, so not to be compared with the rows above them: {', '.join(others)}",
            err=True,
        )
    models = [folder.path for _, folder in done if folder.recipe().method != "generate"]
    typer.echo(f"written to {root / 'stages.txt'}", err=True)
    typer.echo(f"next: r1 eval {models[-1] if models else root} --samples 8", err=True)


def _prepared(stage: "Stage", outputs: dict[str, Path], path: Path, registry: "Registry") -> "RunFolder":
    from r1sdk.launch.prepare import prepare

    return prepare(stage.ready(outputs, path), registry)[1]


def _reuse_evaluation(folder: "RunFolder", earlier: "list[RunFolder]") -> None:
    """Where the model was evaluated on the same tasks when an earlier stage ended, that is the evaluation before this one."""
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
