"""Read what a run gave up: the rollbacks in its manifest, and the metrics of the steps behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..storage import jsonl
from ..storage.jsonl import Damage
from ..storage.row_checks import metric_fault
from ..storage.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class GivenUp:
    """One rollback of a run, and the steps that it gave up."""

    at: int  # the step that the run had reached
    to: int  # the step of the checkpoint that it went back to; 0: the beginning
    reason: str
    factor: float  # on the learning rate from there on
    ends: bool  # True: the run ended with that checkpoint
    steps: Sequence[Mapping[str, Any]] = field(default_factory=tuple)  # metrics


def read_given_up(folder: RunFolder, manifest: Mapping[str, Any], damage: Damage) -> Sequence[GivenUp]:
    """Return the rollbacks of a run, oldest first; records of another shape are left out."""
    rows = manifest.get("rollbacks")
    found = []
    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
        if not isinstance(row, Mapping) or not isinstance(row.get("at"), int) or not isinstance(row.get("to"), int):
            damage.add(f"{folder.manifest_file}, rollback {number}", "has no steps 'at' and 'to'")
            continue
        factor = row.get("learning_rate")
        lines = jsonl.read(folder.path / f"rollback-{number}.jsonl", damage=damage, check=metric_fault)
        steps = [line for line in lines if line["kind"] == "step"]
        reason = str(row.get("reason") or "")
        is_number = isinstance(factor, int | float)
        found.append(
            GivenUp(row["at"], row["to"], reason, float(factor) if is_number else 1.0, row.get("ends") is True, steps)
        )
    return found
