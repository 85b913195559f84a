"""Collect the data of a run folder for its page. Rollouts are read one line at a time, so their number does not matter."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..storage.run_folder import RunFolder
from .failures import Failures, Shares
from .lengths import Lengths
from .samples import Attempt, Flips, held_out, training_attempts

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunData:
    """The data of one run, finished or not."""

    name: str  # short, and unique among the runs of the page
    path: Path
    recipe: str  # as YAML
    settings: Mapping[str, Any]  # the recipe with dotted keys
    manifest: Json
    status: Json
    steps: Sequence[Json]
    warnings: Sequence[Json]
    before: Json | None
    after: Json | None
    gold: Json | None
    attempts: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)  # by task, in the order of training
    held_out: bool = True  # True: the attempts are at tasks that were never trained on
    flips: Flips | None = None
    failures: Mapping[str, Shares] = field(default_factory=dict)
    lengths: Lengths | None = None
    rollouts: int = 0

    @property
    def seconds(self) -> float | None:
        """The time from the start of the first step to the end of the last."""
        times = [line["time"] for line in self.steps if "time" in line]
        return times[-1] - times[0] + (self.steps[0].get("step_seconds") or 0.0) if times else None


def collect_run(folder: RunFolder, name: str) -> RunData:
    """Collect the data of one run. Raises: RecipeError if its recipe cannot be read."""
    recipe = folder.recipe()
    steps = folder.metrics("step")
    last = max((line.get("step", 0) for line in steps), default=0)
    failures, lengths, count = Failures(last), Lengths(last), 0
    for line in folder.rollouts():
        failures.add(line)
        lengths.add(line)
        count += 1
    kept = held_out(folder)
    return RunData(
        name=name,
        path=folder.path,
        recipe=recipe.to_yaml(),
        settings=dict(flattened(recipe.model_dump(mode="json"))),
        manifest=folder.manifest(),
        status=folder.status(),
        steps=steps,
        warnings=folder.metrics("warning"),
        before=folder.evaluation("before"),
        after=folder.evaluation("after"),
        gold=folder.gold(),
        attempts=kept.attempts or training_attempts(folder, last),
        held_out=bool(kept.attempts),
        flips=kept.flips,
        failures=failures.found(),
        lengths=lengths if count else None,
        rollouts=count,
    )


def short_names(paths: Sequence[Path]) -> list[str]:
    """Return a short name for each path: its last part, with as many parts before it as are needed to be unique."""
    resolved = [path.resolve() for path in paths]
    for depth in range(1, max((len(path.parts) for path in resolved), default=1) + 1):
        short = ["/".join(path.parts[-depth:]) for path in resolved]
        if len(set(short)) == len(set(resolved)):
            return short
    return [str(path) for path in resolved]


def age(updated: float) -> str:
    """Return a time as text, in the local time of the machine that makes the page."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(updated))


def flattened(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Flatten `{"env": {"name": "x"}}` to the key `env.name`; items of a list are keyed by their `name`."""
    if isinstance(value, Mapping) and value:
        return [
            pair for key, inner in value.items() for pair in flattened(inner, f"{prefix}.{key}" if prefix else str(key))
        ]
    if isinstance(value, list) and value and all(isinstance(item, Mapping) and "name" in item for item in value):
        return [
            pair
            for item in value
            for pair in flattened(item, f"{prefix}.{item['name']}")
            if not pair[0].endswith(".name")
        ]
    return [(prefix, value)]
