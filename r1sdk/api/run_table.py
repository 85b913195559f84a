"""The run folders under a root: list them, compare two, remove one. Runs of one recipe with several seeds are one entry."""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ..errors import R1Error, RunError
from ..evaluation.run_verdicts import run_verdicts
from ..evaluation.seed_spread import SeedDifference, SeedSpread, seed_accuracy, seed_difference
from ..evaluation.statistics import Difference, Estimate, difference
from ..launch.prepare import RUNS
from ..recipe.layers import flattened
from ..storage.jsonl import Damage
from ..storage.lock import FolderLock
from ..storage.run_folder import RunFolder
from ..storage.seed_folder import SeedFolder, is_seed_folder

# The files that a line is made of.
_LISTED = frozenset({"metrics.jsonl", "evaluations/before.json", "evaluations/after.json"})


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a line: its state, what it trains, how far it is, and the held-out accuracy before and after.

    For several seeds `before` and `after` are over seeds, and `seeds` holds the line of each.
    """

    folder: Path
    state: str  # prepared, running, finished, failed, interrupted; killed: it says running and no process holds it; unreadable
    method: str = ""
    model: str = ""
    env: str = ""
    done: int | None = None  # steps
    steps: int | None = None  # steps that were asked for
    before: Estimate | SeedSpread | None = None  # held-out accuracy; None: not evaluated
    after: Estimate | SeedSpread | None = None
    updated: float = 0.0  # seconds since the epoch
    seeds: Mapping[int, "RunSummary"] = field(default_factory=dict)
    faults: tuple[str, ...] = ()  # what cannot be read of it, with the file

    def to_json(self) -> dict[str, Any]:
        """All fields, the folder as text."""
        return {
            **{key: getattr(self, key) for key in ("state", "method", "model", "env", "done", "steps", "updated")},
            "folder": str(self.folder),
            **{key: _figures(getattr(self, key)) for key in ("before", "after")},
            "seeds": {str(seed): run.to_json() for seed, run in self.seeds.items()},
            "faults": list(self.faults),
        }


def _figures(found: Estimate | SeedSpread | None) -> dict[str, Any] | None:
    return found.to_json() if isinstance(found, SeedSpread) else None if found is None else asdict(found)


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs: the recipe keys that differ, and the paired difference of the accuracy after training."""

    first: RunSummary
    second: RunSummary
    settings: Mapping[str, tuple[Any, Any]]  # keys that differ -> the values of both; a key that one lacks is None
    after: (
        Difference | SeedDifference | None
    )  # second minus first: on the tasks that both attempted, or over seeds; None: unknown

    def to_json(self) -> dict[str, Any]:
        """All figures in one object."""
        return {
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "settings": {key: list(values) for key, values in self.settings.items()},
            "after": None if self.after is None else self.after.to_json(),
        }


def list_runs(root: str | Path = RUNS) -> list[RunSummary]:
    """Return the runs under `root`, the newest first, with those of pipelines; several seeds are one entry. Raises: RunError."""
    root = Path(root)
    if not root.is_dir():
        raise RunError(f"no folder {root}: name the folder that holds your runs, or train first")
    found = [summarize_folder(path) for path in _folders(root, 3)]
    return sorted(found, key=lambda run: run.updated, reverse=True)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    if (root / "recipe.yaml").is_file() or is_seed_folder(root) or RunFolder(root).is_without_recipe:
        yield root
    elif depth:
        for path in sorted(root.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield from _folders(path, depth - 1)


def summarize_folder(path: Path) -> RunSummary:
    """Return the run at `path` in a line, or the runs of several seeds in one."""
    return _seed_summary(path) if is_seed_folder(path) else summary(RunFolder(path))


def _seed_summary(path: Path) -> RunSummary:
    """Return the runs of several seeds in a line; what is done and asked counts the steps of all."""
    try:
        folder = SeedFolder.open(path)
        runs = {seed: summary(run) for seed, run in folder.runs()}
        before, after = seed_accuracy(folder, "before"), seed_accuracy(folder, "after")
    except (R1Error, OSError, ValueError, TypeError, KeyError):
        return RunSummary(path, "unreadable", updated=path.stat().st_mtime)
    states = [run.state for run in runs.values()]
    others = [state for state in states if state != "finished"]
    waiting = len(states) < len(folder.seeds)
    steps = folder.recipe.trainer.get("max_steps")
    recipe = folder.recipe
    return RunSummary(
        path,
        others[-1] if others else "finished" if states and not waiting else _state_between(path),
        recipe.method,
        recipe.model,
        recipe.env.name or (recipe.data.name if recipe.data else ""),
        sum(run.done or 0 for run in runs.values()),
        steps * len(folder.seeds) if isinstance(steps, int) and steps > 0 else None,
        before,
        after,
        max((run.updated for run in runs.values()), default=path.stat().st_mtime),
        runs,
    )


def _state_between(path: Path) -> str:
    """Return the state of a folder in which some seeds have finished and the others have not begun."""
    lock = FolderLock(path)
    try:
        lock.acquire()
    except (RunError, OSError):
        return "running"
    lock.release()
    return "interrupted"


def summary(folder: RunFolder) -> RunSummary:
    """Return one run in a line. A folder that cannot be read is a line, too."""
    status, faults, damage = folder.status(), [], Damage()
    updated = float(status.get("updated") or folder.path.stat().st_mtime)
    try:
        RunFolder.open(folder.path)
        recipe = folder.recipe()
        lines = folder.metrics("step", damage)
    except (R1Error, OSError) as error:
        return RunSummary(folder.path, "unreadable", updated=updated, faults=(str(error),))
    found: dict[str, Estimate | None] = {}
    for name in ("before", "after"):
        try:
            found[name] = _accuracy(folder, name)
        except R1Error as error:
            faults.append(str(error))
    if fault := folder.status_fault():
        faults.append(fault)
    if damage.count:
        faults.append(f"{damage.count} damaged lines: {damage}")
    faults += folder.lost(_LISTED)
    steps = recipe.trainer.get("max_steps")
    done = max((line.get("step", 0) for line in lines), default=None)
    return RunSummary(
        folder.path,
        _state(folder, str(status.get("state", "unknown"))),
        recipe.method,
        recipe.model,
        recipe.env.name or (recipe.data.name if recipe.data else ""),
        done if isinstance(done, int) else None,
        steps if isinstance(steps, int) and steps > 0 else None,
        found.get("before"),
        found.get("after"),
        updated,
        faults=tuple(faults),
    )


def _state(folder: RunFolder, state: str) -> str:
    if state != "running":
        return state
    try:
        folder.lock()
    except (RunError, OSError):  # a process holds it, or the folder is read-only
        return state
    folder.unlock()
    return "killed"


def _accuracy(folder: RunFolder, name: str) -> Estimate | None:
    found = folder.evaluation(name)
    return Estimate(**found["accuracy"]) if found and isinstance(found.get("accuracy"), dict) else None


def compare_runs(first: str | Path, second: str | Path) -> RunComparison:
    """Compare two runs: what was set otherwise, and what they reached on the same held-out tasks. Raises: R1Error.

    Where both are folders of several seeds, the accuracies are compared over seeds, the rest is the same.
    """
    paths = [Path(path) for path in (first, second)]
    several = [is_seed_folder(path) for path in paths]
    if any(several) and not all(several):
        many, one = paths if several[0] else paths[::-1]
        raise RunError(f"{many} holds several seeds and {one} is one run: name one of its runs, {many}/seed-N")
    if all(several):
        seeds = [SeedFolder.open(path) for path in paths]
        recipes = [folder.recipe for folder in seeds]
    else:
        folders = [RunFolder.open(path) for path in paths]
        recipes = [folder.recipe() for folder in folders]
    settings = [dict(flattened(recipe.model_dump(mode="json"))) for recipe in recipes]
    keys = list(dict.fromkeys([*settings[0], *settings[1]]))
    differ = {
        key: (settings[0].get(key), settings[1].get(key))
        for key in keys
        if key != "output_dir" and settings[0].get(key) != settings[1].get(key)
    }
    if all(several):
        reached = [seed_accuracy(folder) for folder in seeds]
        over = seed_difference(reached[0], reached[1]) if reached[0] and reached[1] else None
        return RunComparison(summarize_folder(paths[0]), summarize_folder(paths[1]), differ, over)
    verdicts = [run_verdicts(folder, "after") for folder in folders]
    both = verdicts[0].keys() & verdicts[1].keys()
    before, after = ({task: found[task] for task in both} for found in verdicts)
    gap = difference(before, after) if both else None
    return RunComparison(summary(folders[0]), summary(folders[1]), differ, gap)


def check_run(path: str | Path) -> None:
    """Raises: RunError if `path` is no run folder, nor one of several seeds."""
    if not is_seed_folder(Path(path)):
        RunFolder.open(Path(path))


def remove_run(path: str | Path) -> None:
    """Delete a run folder, or one of several seeds. Raises: RunError if it is none, or a process holds it."""
    path = Path(path)
    check_run(path)
    locks = [FolderLock(each) for each in (path, *(found.parent for found in path.glob("seed-*/recipe.yaml")))]
    try:
        for lock in locks:
            lock.acquire()
        trash = path.with_name(f".{path.name}.{time.time_ns()}.removed")
        path.rename(trash)  # at once, so that a kill leaves no half of a run
    finally:
        for lock in locks:
            lock.release()
    shutil.rmtree(trash)
