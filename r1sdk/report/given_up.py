"""Read what a run gave up: the rollbacks in its manifest, and the metrics of the steps behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..storage import jsonl
from ..storage.jsonl import Damage
from ..storage.rollbacks import Rollback, read_rollbacks
from ..storage.row_checks import metric_fault
from ..storage.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class GivenUp:
    """One rollback of a run, and the steps that it gave up."""

    rollback: Rollback
    steps: Sequence[Mapping[str, Any]] = field(default_factory=tuple)  # metrics


def read_given_up(folder: RunFolder, manifest: Mapping[str, Any], damage: Damage) -> Sequence[GivenUp]:
    """Return the rollbacks of a run, oldest first. `damage` counts damaged lines."""
    found = []
    for number, rollback in enumerate(read_rollbacks(manifest), 1):
        lines = jsonl.read(folder.path / f"rollback-{number}.jsonl", damage=damage, check=metric_fault)
        found.append(GivenUp(rollback, [line for line in lines if line["kind"] == "step"]))
    return found
