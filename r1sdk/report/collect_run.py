"""Collect the data of a run folder for its page. Rollouts are read one line at a time, so their number does not matter."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..errors import RunError
from ..evaluation.best_checkpoint import BestCheckpoint, best_checkpoint
from ..evaluation.statistics import Estimate, estimate
from ..recipe.layers import flattened
from ..storage import jsonl
from ..storage.jsonl import Damage
from ..storage.run_folder import RunFolder
from .failures import Failures, Shares
from .given_up import GivenUp, read_given_up
from .lengths import Lengths
from .samples import EXAMPLE_LONGEST, Attempt, FirstSteps, Flips, attempt_of, held_out
from .scan import report_scanner
from .turns import TurnRewards, TurnRow, turn_rewards

Json = Mapping[str, Any]
T = TypeVar("T")


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
    during: Mapping[int, Estimate] = field(
        default_factory=dict
    )  # by step: accuracy on the held-out tasks attempted there
    changed: Mapping[str, Sequence[tuple[Attempt, Attempt]]] = field(default_factory=dict)  # learned, lost
    failures: Mapping[str, Shares] = field(default_factory=dict)
    examples: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)  # by kind of failure
    lengths: Lengths | None = None
    turns: Sequence[TurnRow] = ()  # rewards of single turns
    given_up: Sequence[GivenUp] = ()  # rollbacks
    best: BestCheckpoint | None = None  # the checkpoint that was best during training
    checkpoints: Mapping[int, Estimate] = field(
        default_factory=dict
    )  # by step: the accuracy by which the best one is kept
    rollouts: int = 0
    faults: Sequence[str] = ()  # files and lines that are damaged and left out

    @property
    def seconds(self) -> float | None:
        """The time from the start of the first step to the end of the last."""
        times = [line["time"] for line in self.steps if "time" in line]
        return times[-1] - times[0] + (self.steps[0].get("step_seconds") or 0.0) if times else None


def collect_run(folder: RunFolder, name: str) -> RunData:
    """Return everything that a page shows of one run. Files and lines that are damaged are left out, with a warning that names them.

    Raises: RecipeError or RunError where its recipe cannot be read.
    """
    recipe = folder.recipe()
    damage = Damage()
    faults: list[str] = []

    def tolerant(read: Callable[[], T]) -> T | None:
        try:
            return read()
        except RunError as error:
            faults.append(str(error))
            return None

    lines = folder.metrics(None, damage)
    steps = [line for line in lines if line["kind"] == "step"]
    last = max((line["step"] for line in steps), default=0)
    kept = held_out(folder, damage)
    counted = _count_rollouts(folder, last, damage)
    manifest, gold = tolerant(folder.manifest), tolerant(folder.gold)
    before, after = (tolerant(partial(folder.evaluation, moment)) for moment in ("before", "after"))
    rollbacks = read_given_up(folder, manifest or {}, damage)
    checkpoints = _checkpoint_accuracies(folder, damage)
    faults += [fault for fault in [folder.status_fault()] if fault] + folder.lost()
    if damage.count:
        faults.append(f"{damage.count} damaged lines are left out: {damage}")
    warnings = [line for line in lines if line["kind"] == "warning"]
    if rollbacks:  # which have a table
        warnings = [line for line in warnings if not str(line.get("name")).startswith("rollback ")]
    warnings += [{"kind": "warning", "step": last, "name": "damaged", "text": text} for text in faults]
    return RunData(
        name=name,
        path=folder.path,
        recipe=recipe.to_yaml(),
        settings=dict(flattened(recipe.model_dump(mode="json"))),
        manifest=manifest or {},
        status=folder.status(),
        steps=steps,
        warnings=warnings,
        before=before,
        after=after,
        gold=gold,
        faults=faults,
        attempts=kept.attempts or counted.first_steps.found(),
        held_out=bool(kept.attempts),
        flips=kept.flips,
        during=kept.during,
        checkpoints=checkpoints,
        best=tolerant(partial(best_checkpoint, folder)),
        given_up=rollbacks,
        changed=kept.changed,
        failures=counted.failures.found(),
        examples=counted.failures.examples(),
        lengths=counted.lengths if counted.rollouts else None,
        turns=counted.turns.turn_rows(),
        rollouts=counted.rollouts,
    )


def _checkpoint_accuracies(folder: RunFolder, damage: Damage) -> Mapping[int, Estimate]:
    """Return the accuracies that were measured at checkpoints, if the run measured any."""
    rows = folder.checkpoint_accuracies(damage)
    return {row["step"]: estimate([[value] for value in row["values"].values()]) for row in rows}


@dataclass
class Counted:
    """The counts and samples that one pass over the rollouts of a run collects."""

    failures: Failures
    lengths: Lengths
    turns: TurnRewards
    first_steps: FirstSteps
    rollouts: int = 0


def _count_rollouts(folder: RunFolder, last: int, damage: Damage) -> Counted:
    """Read all rollouts once, one line at a time; `damage` counts the lines that are left out."""
    counted = Counted(Failures(last), Lengths(last), TurnRewards(last), FirstSteps(last))
    scanned = report_scanner()
    for line in jsonl.lines(folder.rollouts_file):
        if not line.data.strip():
            continue
        try:
            row = scanned(line.data)
        except jsonl.DamagedLine as error:
            damage.add(jsonl.line_name(folder.rollouts_file, line), str(error))
            continue
        step = row.get("step") or 0
        parsed = partial(jsonl.parse, line.data)
        counted.failures.add(row, lambda data=parsed, at=step: attempt_of(data(), f"step {at}", EXAMPLE_LONGEST))  # type: ignore[misc]
        counted.lengths.add(row)
        counted.turns.add(step, turn_rewards(row))
        counted.first_steps.add(step, parsed)
        counted.rollouts += 1
    return counted


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
