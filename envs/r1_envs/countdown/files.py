"""Countdown problems from a JSONL, CSV or parquet file, or a data set on the Hub: columns `nums` and `target`."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import r1sdk

from .problems import Problem


def read_problems(source: str, operators: str) -> Iterator[Problem]:
    """The problems of `source` in its order. Raises: r1sdk.R1Error that names the row at fault."""
    for row, columns in enumerate(_rows(source), 1):
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


def _rows(source: str) -> Iterator[Mapping[str, Any]]:
    path = Path(source).expanduser()
    if path.suffix in (".jsonl", ".csv") and path.is_file():
        with path.open(encoding="utf-8", newline="") as lines:
            if path.suffix == ".csv":
                yield from csv.DictReader(lines)
            else:
                yield from (json.loads(line) for line in lines if line.strip())
        return
    if path.suffix and path.suffix in (".jsonl", ".csv", ".parquet") and not path.is_file():
        raise r1sdk.R1Error(f"no file {source}")
    try:
        from datasets import load_dataset
    except ImportError:
        raise r1sdk.R1Error(f"reading {source} needs datasets: pip install 'r1sdk[train]'") from None
    if path.is_file():
        yield from load_dataset("parquet", data_files=str(path), split="train")
    else:
        yield from load_dataset(source, split="train")
