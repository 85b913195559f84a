"""Rows of a table: JSON lines, CSV, parquet, or a data set on the Hub."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import r1sdk


def read_rows(source: str) -> Iterator[Mapping[str, Any]]:
    """The rows of `source` in its order, as columns by name. Raises: r1sdk.R1Error that names the line at fault."""
    path = Path(source).expanduser()
    if path.suffix in (".jsonl", ".csv") and path.is_file():
        with path.open(encoding="utf-8-sig", newline="") as lines:
            yield from csv.DictReader(lines) if path.suffix == ".csv" else _json_lines(lines, source)
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


def _json_lines(lines: Iterator[str], source: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise r1sdk.R1Error(f"{source}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise r1sdk.R1Error(f"{source}, line {number}: a row must be a JSON object, got {line.strip():.40}")
        yield row
