"""The pass rate of a model on each task, from a saved evaluation."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import R1Error
from .items import Item


@dataclass(frozen=True, slots=True)
class RatedRow:
    """One row with the share of correct samples; None if no sample could be verified."""

    row: Mapping[str, Any]
    pass_rate: float | None
    samples: int

    @property
    def line(self) -> dict[str, Any]:
        """The row with the additional columns `pass_rate` and `pass_samples`."""
        return {**self.row, "pass_rate": self.pass_rate, "pass_samples": self.samples}


def rate(found: Iterable[Item], lines: Iterable[Mapping[str, Any]]) -> Iterator[RatedRow]:
    """Return the row of each attempted task with its pass rate, in row order. `lines`: saved rollouts. Raises: R1Error.

    Only a verdict of 1.0 counts as correct: a program that passes some of its tests has not passed.
    """
    values: dict[str, list[float | None]] = {}
    for line in lines:
        values.setdefault(line["task"]["id"], []).append((line["verdict"] or {}).get("value"))
    for item in found:
        if not values:
            return
        attempts = values.pop(item.task.id, None)
        if attempts is None:
            continue
        known = [value for value in attempts if value is not None]
        yield RatedRow(item.row, sum(v == 1.0 for v in known) / len(known) if known else None, len(known))
    if values:
        raise R1Error(f"{len(values)} tasks of the evaluation are not in the data, the first: {next(iter(values))!r}")
