"""The pass rate of a model on each task, from an evaluation that was kept."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import R1Error
from .items import Item


@dataclass(frozen=True, slots=True)
class Rated:
    """One row with the share of samples that were right; None where none could be judged."""

    row: Mapping[str, Any]
    pass_rate: float | None
    samples: int

    @property
    def line(self) -> dict[str, Any]:
        """The row with the columns `pass_rate` and `pass_samples`."""
        return {**self.row, "pass_rate": self.pass_rate, "pass_samples": self.samples}


def rate(found: Iterable[Item], lines: Iterable[Mapping[str, Any]]) -> Iterator[Rated]:
    """The row of each task that `lines`, saved rollouts, have attempts at, in the order of the rows. Raises: R1Error.

    Right is a verdict of 1.0: the share of tests that a program passes is no pass.
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
        yield Rated(item.row, sum(v == 1.0 for v in known) / len(known) if known else None, len(known))
    if values:
        raise R1Error(f"{len(values)} tasks of the evaluation are not in the data, the first: {next(iter(values))!r}")
