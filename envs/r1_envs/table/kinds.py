"""The environments `file` and `hub`: a table that says where its rows must be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import r1sdk

from ..table_io import is_file
from .table_env import Table

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


@dataclass(frozen=True)
class File(Table):
    """Tasks from a JSON lines, CSV or parquet file, or a folder of them: a problem in each row, a verifier by name."""

    def _source_faults(self) -> Iterator[str]:
        for source in filter(None, (self.source, self.test_source)):
            path = Path(source).expanduser()
            if not path.is_dir() and not path.is_file():
                yield f"no file {source}" + (
                    "" if is_file(source) else " (a data set on the Hub is the environment hub)"
                )
            elif path.is_file() and not is_file(source):
                yield f"{source}: a file is {r1sdk.TABLE_FORMATS}"
        if not self.source:
            yield "source: name a JSON lines, CSV or parquet file, or a folder in the layout of a data set"


@dataclass(frozen=True)
class Hub(Table):
    """Tasks from a data set on the Hugging Face Hub, OWNER/NAME: a problem in each row, a verifier by name."""

    def _source_faults(self) -> Iterator[str]:
        if not _HUB_NAME.fullmatch(self.source):
            yield f"source is the name of a data set on the Hub, OWNER/NAME, got {self.source!r}"
