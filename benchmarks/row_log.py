"""The log of a long benchmark: one row of JSON for each thing that is done, so that a call that was stopped can be continued."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_rows(*files: Path | None) -> list[dict[str, Any]]:
    """Return the rows of the logs that are there. None: no log was asked for."""
    there = [file for file in files if file is not None and file.is_file()]
    return [json.loads(line) for file in there for line in file.read_text(encoding="utf-8").split("\n") if line]


def add_row(file: Path | None, row: Mapping[str, Any]) -> None:
    """Append a row to the log, if one was asked for."""
    if file is not None:
        with file.open("a", encoding="utf-8") as log:
            log.write(json.dumps(row) + "\n")
