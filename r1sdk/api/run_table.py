"""The run folders under a root: list them, compare two, remove one."""

import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import R1Error, RunError
from ..evaluation.run_verdicts import run_verdicts
from ..evaluation.statistics import Difference, Estimate, difference
from ..launch.prepare import RUNS
from ..storage.jsonl import Damage
from ..storage.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a line: its state, what it trains, how far it is, and the held-out accuracy before and after."""

    folder: Path
    state: str  # prepared, running, finished, failed, interrupted; killed: it says running and no process holds it; unreadable
    method: str = ""
    model: str = ""
    env: str = ""
    done: int | None = None  # steps
    steps: int | None = None  # steps that were asked for
    before: Estimate | None = None  # held-out accuracy; None: not evaluated
    after: Estimate | None = None
    updated: float = 0.0  # seconds since the epoch
    faults: tuple[str, ...] = ()  # what cannot be read of it, with the file

    def to_json(self) -> dict[str, Any]:
        """All fields, the folder as text."""
        return {**asdict(self), "folder": str(self.folder)}


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Two runs: the recipe keys that differ, and the paired difference of the accuracy after training."""

    first: RunSummary
    second: RunSummary
    settings: Mapping[str, tuple[Any, Any]]  # keys that differ -> the values of both; a key that one lacks is None
    after: Difference | None  # second minus first on the tasks that both attempted; None: there are none

    def to_json(self) -> dict[str, Any]:
        """All figures in one object."""
        return {
            "first": self.first.to_json(),
            "second": self.second.to_json(),
            "settings": {key: list(values) for key, values in self.settings.items()},
            "after": None if self.after is None else self.after.to_json(),
        }


def list_runs(root: str | Path = RUNS) -> list[RunSummary]:
    """Return the runs under `root`, the newest first; those in folders of folders (pipelines) too. Raises: RunError."""
    root = Path(root)
    if not root.is_dir():
        raise RunError(f"no folder {root}: name the folder that holds your runs, or train first")
    found = [summary(RunFolder(path)) for path in _folders(root, 3)]
    return sorted(found, key=lambda run: run.updated, reverse=True)


def _folders(root: Path, depth: int) -> Iterator[Path]:
    if (root / "recipe.yaml").is_file():
        yield root
    elif depth:
        for path in sorted(root.iterdir()):
            if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
                yield from _folders(path, depth - 1)


def summary(folder: RunFolder) -> RunSummary:
    """Return one run in a line. A folder that cannot be read is a line, too."""
    status, faults, damage = folder.status(), [], Damage()
    updated = float(status.get("updated") or folder.recipe_file.stat().st_mtime)
    try:
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
        tuple(faults),
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
    """Compare two runs: what was set otherwise, and what they reached on the same held-out tasks. Raises: R1Error."""
    from ..report.collect_run import flattened

    folders = [RunFolder.open(Path(path)) for path in (first, second)]
    settings = [dict(flattened(folder.recipe().model_dump(mode="json"))) for folder in folders]
    keys = list(dict.fromkeys([*settings[0], *settings[1]]))
    differ = {
        key: (settings[0].get(key), settings[1].get(key))
        for key in keys
        if key != "output_dir" and settings[0].get(key) != settings[1].get(key)
    }
    verdicts = [run_verdicts(folder, "after") for folder in folders]
    both = verdicts[0].keys() & verdicts[1].keys()
    before, after = ({task: found[task] for task in both} for found in verdicts)
    gap = difference(before, after) if both else None
    return RunComparison(summary(folders[0]), summary(folders[1]), differ, gap)


def remove_run(path: str | Path) -> None:
    """Delete a run folder. Raises: RunError if it is none, or a process holds it."""
    folder = RunFolder.open(Path(path))
    folder.lock()
    try:
        trash = folder.path.with_name(f".{folder.path.name}.{time.time_ns()}.removed")
        folder.path.rename(trash)  # at once, so that a kill leaves no half of a run
    finally:
        folder.unlock()
    shutil.rmtree(trash)
