"""Read pass rates per task from a file that `r1 data difficulty` wrote."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..storage import jsonl
from .items import Item

RATE, SAMPLES = "pass_rate", "pass_samples"  # the columns that `RatedRow.line` adds


@dataclass(frozen=True, slots=True)
class PassRate:
    """The number of correct completions of a task."""

    right: float
    samples: int


def read_rates(file: Path, found: Iterable[Item]) -> dict[str, PassRate]:
    """Return the pass rates by task id, for the tasks of `found` that have a row in `file`. Raises: R1Error."""
    by_row: dict[str, PassRate] = {}
    if not file.is_file():
        raise R1Error(f"cannot read pass rates from {file}: no such file")
    for at, line in jsonl.read_numbered(file, torn=True):
        rate, samples = line.get(RATE), line.get(SAMPLES)
        if not isinstance(rate, int | float) or not isinstance(samples, int) or not 0 <= rate <= 1 or samples < 0:
            raise R1Error(
                f"{jsonl.line_name(file, at)}: needs {RATE} from 0 to 1 and {SAMPLES}, a count, as written by r1 data difficulty"
            )
        by_row[_key(line)] = PassRate(rate * samples, samples)
    known = {item.task.id: by_row[key] for item in found if item.task.id and (key := _key(item.row)) in by_row}
    if not known:
        raise R1Error(f"{file}: none of its {len(by_row)} rows is a training task: rate the data that you train on")
    return known


def _key(row: Mapping[str, Any]) -> str:
    """Return the row without its pass rate as text, the same before and after the row was written."""
    plain = {name: value for name, value in row.items() if name not in (RATE, SAMPLES)}
    return json.dumps(plain, sort_keys=True, ensure_ascii=False, default=str)
