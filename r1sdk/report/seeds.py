"""Group runs of one recipe that differ in their seed, and summarise a group: the mean with its error and the spread over seeds."""

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation.statistics import estimate
from ..storage.seed_folder import is_seed_folder, run_paths
from .collect_run import RunData

SEED_KEYS = frozenset(["seed", "output_dir"])
"""The recipe keys in which runs of one group may differ."""


@dataclass(frozen=True, slots=True)
class SeedGroup:
    """Runs of one recipe with different seeds; a run without others of its recipe is a group of one."""

    name: str
    runs: Sequence[int]  # places among the runs of the page, in order

    @property
    def is_several(self) -> bool:
        return len(self.runs) > 1


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over seeds."""

    mean: float
    std: float  # over seeds, with n - 1
    n: int  # seeds

    @property
    def stderr(self) -> float:
        """The standard error of the mean over seeds."""
        return self.std / math.sqrt(self.n)


def spread(values: Sequence[float]) -> Spread | None:
    """Return the mean and the spread of one figure over seeds; None for fewer than two."""
    found = estimate([[value] for value in values])
    if found.mean is None or found.stderr is None:
        return None
    return Spread(found.mean, found.stderr * math.sqrt(found.n), found.n)


def seed_groups(runs: Sequence[RunData]) -> Sequence[SeedGroup]:
    """Return the groups in the order of their first runs. Runs with the same seed are no group: they repeat each other."""
    groups: list[list[int]] = []
    for at, run in enumerate(runs):
        recipe = _without_seed(run.settings)
        for group in groups:
            seeds = {runs[other].settings.get("seed") for other in group}
            if _without_seed(runs[group[0]].settings) == recipe and run.settings.get("seed") not in seeds:
                group.append(at)
                break
        else:
            groups.append([at])
    names = [_name([runs[at] for at in group]) for group in groups]
    return [
        SeedGroup(name if names.count(name) == 1 else f"{name} ({at})", group)
        for at, (name, group) in enumerate(zip(names, groups, strict=True), 1)
    ]


def run_folders(path: Path) -> list[Path]:
    """Return `path` if it is a run folder, the runs of a folder of several seeds, or the run folders directly in any other.

    Raises: RunError for a folder of several seeds none of which has begun.
    """
    if is_seed_folder(path):
        return run_paths(path)
    if (path / "recipe.yaml").is_file() or not path.is_dir():
        return [path]
    inside = [one for one in path.iterdir() if (one / "recipe.yaml").is_file() and not one.name.startswith(".")]
    return sorted(inside, key=lambda one: (len(one.name), one.name)) or [path]


def _without_seed(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in settings.items() if key not in SEED_KEYS}


def _name(runs: Sequence[RunData]) -> str:
    """Return the folder that holds all runs of a group, the beginning that their names share, or model and environment."""
    if len(runs) == 1:
        return runs[0].name
    beginning = os.path.commonprefix([run.name for run in runs]).rstrip("0123456789")
    beginning = beginning.rstrip("-_/. ").removesuffix("seed").rstrip("-_/. ")
    if beginning:
        return beginning
    parents = {run.path.resolve().parent for run in runs}
    if len(parents) == 1:
        return parents.pop().name
    return f"{runs[0].settings.get('model')} on {runs[0].settings.get('env.name')}"
