"""Rollbacks of a run: which were made, recorded so that a kill at any moment resumes to the same run.

The manifest holds them under `rollbacks`. The record is written first, with `done: false`; then `RunFolder.rewind` takes the folder
back to the step `to`, and sets `done`. A kill before the record repeats the steps and comes to the same decision; a kill after it
rewinds again, which changes nothing that is done already.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import jsonl
from .atomic import replacing
from .checkpoints import MARK, checkpoint_step

KEY = "rollbacks"


@dataclass(frozen=True, slots=True)
class Rollback:
    """One rollback."""

    at: int  # the step at which the policy had collapsed
    to: int  # the step of the checkpoint to go back to; 0: the beginning
    reason: str
    learning_rate: float  # factor on the learning rate from here on; 1.0 where the run ends
    ends: bool = False  # True: the run ends with that checkpoint, because it collapsed too often
    done: bool = False  # True: the folder was taken back

    @property
    def text(self) -> str:
        """The sentence about it in the log, the metrics and the report."""
        place = f"the checkpoint of step {self.to}" if self.to else "the beginning"
        if self.ends:
            return f"the policy collapsed again at step {self.at} ({self.reason}): the run ends with {place}"
        return (
            f"the policy collapsed at step {self.at} ({self.reason}): rolled back to {place}; "
            f"the learning rate is multiplied by {self.learning_rate:g} from here on"
        )

    def to_json(self) -> dict[str, Any]:
        """The record as the manifest holds it."""
        return asdict(self)


def read_rollbacks(manifest: Mapping[str, Any]) -> list[Rollback]:
    """Return the rollbacks that a manifest holds, oldest first; those of another shape are left out."""
    found = manifest.get(KEY)
    rows = found if isinstance(found, list) else []
    return [Rollback(**row) for row in rows if rollback_fault(row) is None]


def rollback_fault(row: Any) -> str | None:
    """Check a rollback of a manifest."""
    types = {"at": int, "to": int, "reason": str, "learning_rate": float, "ends": bool, "done": bool}
    if not isinstance(row, Mapping) or row.keys() != types.keys():
        return f"each of {KEY!r} must be an object with {', '.join(types)}"
    wrong = [key for key, kind in types.items() if not isinstance(row[key], kind)]
    return f"{KEY!r} has a wrong {wrong[0]!r}" if wrong else None


def learning_rate_factor(rollbacks: Sequence[Rollback], step: int) -> float:
    """Return the factor between the learning rate that the checkpoint of `step` holds and the one to train with now.

    A rollback deletes the checkpoints behind its target, so one that is there was made after every rollback to an earlier step.
    """
    factor = 1.0
    for rollback in rollbacks:
        if step <= rollback.to:
            factor *= rollback.learning_rate
    return factor


def delete_checkpoint(path: Path) -> None:
    """Delete a checkpoint, its mark first: a kill leaves one that counts as half-written."""
    (path / MARK).unlink(missing_ok=True)
    shutil.rmtree(path)


def drop_checkpoints(checkpoints: Path, after: int) -> None:
    """Delete the checkpoints of steps above `after`."""
    for path in checkpoints.glob("checkpoint-*"):
        if checkpoint_step(path) > after:
            delete_checkpoint(path)


def set_aside_rows(metrics: Path, after: int, place: Path) -> None:
    """Copy the metrics of steps above `after` to `place`, unless that was done before."""
    if place.is_file():
        return
    with replacing(place) as file:
        for row in jsonl.read(metrics, damage=jsonl.Damage()):
            if isinstance(row.get("step"), int) and row["step"] > after:
                file.write(jsonl.dump(row))
