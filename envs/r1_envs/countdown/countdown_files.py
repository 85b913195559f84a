"""Countdown problems from a JSONL, CSV or parquet file, or a data set on the Hub: columns `nums` and `target`."""

from __future__ import annotations

import json
from collections.abc import Iterator

import r1sdk

from ..table_io import read_rows
from .countdown_problems import Problem


def read_problems(source: str, operators: str) -> Iterator[Problem]:
    """Yield the problems of `source` in order. Raises: r1sdk.R1Error that names the faulty row."""
    for row, columns in enumerate(read_rows(source), 1):
        try:
            nums = columns["nums"]
            nums = json.loads(nums) if isinstance(nums, str) else nums
            yield Problem(tuple(int(n) for n in nums), int(columns["target"]), operators)
        except KeyError as missing:
            raise r1sdk.R1Error(
                f"{source}, row {row}: no column {missing}; Countdown reads 'nums' and 'target', found {', '.join(columns)}"
            ) from None
        except (TypeError, ValueError):
            raise r1sdk.R1Error(
                f"{source}, row {row}: 'nums' must be a list of integers and 'target' an integer, "
                f"got {columns['nums']!r:.60} and {columns['target']!r:.20}"
            ) from None
