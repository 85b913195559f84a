"""Rows to learn from: an environment's demonstrations, a file, or a data set on the hub, with some rows held out.

For SFT a row holds demonstrations, for DPO a preference; `RowColumns.learns` decides.
"""

import json
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from ..errors import R1Error
from ..plugins.environment_calls import iterate_method
from .preference_formats import Preference, describe_preference, preferences_in
from .row_formats import Pair, RowColumns, demonstrations_in, describe
from .table_files import Row, read_table

SHOWN = 5  # bad rows in an error

Example = Pair | Preference


class Demonstrations(Protocol):
    """Tasks with a worked reply, or with two. Each method returns the same ones on every call, and none is in both."""

    def train(self) -> Iterator[Any]: ...

    def held_out(self) -> Iterator[Any]: ...


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """Demonstrations of an environment's tasks; held-out ones come from another split."""

    environment: Any  # an Environment that is a Demonstrator
    held_out_split: str = "test"
    held_out_rows: int = 0

    def train(self) -> Iterator[Pair]:
        return iterate_method(self.environment, "demonstrations", "train")

    def held_out(self) -> Iterator[Pair]:
        if not self.held_out_rows:
            return iter(())
        return islice(iterate_method(self.environment, "demonstrations", self.held_out_split), self.held_out_rows)


@dataclass(frozen=True, slots=True)
class FromFile:
    """The rows of a file or a folder of files. `held_out_rows` of them, chosen with `seed`, are not trained on."""

    path: Path
    held_out_rows: int = 0
    seed: int = 0
    columns: RowColumns = field(default_factory=RowColumns)
    skip_bad: int = 0  # rows without a demonstration that are skipped; one more is an error

    def train(self) -> Iterator[Any]:
        return examples(self._some(held_out=False), self.columns, self.skip_bad)

    def held_out(self) -> Iterator[Any]:
        return examples(self._some(held_out=True), self.columns, self.skip_bad)

    def check(self, look_at_s: float = 10.0) -> None:
        """Read rows for `look_at_s` seconds. Raises: R1Error, naming the first bad rows, or if no row is left to train on."""
        bad: list[str] = []
        count = 0
        until = time.monotonic() + look_at_s
        for row in read_table(self.path):
            count += 1
            try:
                examples_of_row(row, self.columns)
            except R1Error as error:
                bad.append(str(error))
            if len(bad) > self.skip_bad + SHOWN or (not count % 256 and time.monotonic() > until):
                break
        if not count:
            raise R1Error(f"data {self.path} has no rows")
        if len(bad) > self.skip_bad:
            raise R1Error(too_many_bad(bad, self.skip_bad, self.columns))
        if self.held_out_rows and self.held_out_rows >= (rows := self._count()):
            raise R1Error(
                f"data {self.path} has {rows} rows, and data.held_out keeps {self.held_out_rows} from training"
            )

    def describe(self) -> str:
        """Describe the columns that the first good row is read from."""
        for row in islice(read_table(self.path), self.skip_bad + 1):
            if not isinstance(row, R1Error):
                try:
                    said = (describe_preference if self.columns.learns == "pairs" else describe)(row[1], self.columns)
                    return f"data {self.path}: {said}"
                except R1Error:
                    continue
        return f"data {self.path}"

    def _some(self, held_out: bool) -> Iterator[Row | R1Error]:
        if not self.held_out_rows:
            return iter(()) if held_out else read_table(self.path)
        kept = set(random.Random(self.seed).sample(range(self._count()), self.held_out_rows))
        return (row for at, row in enumerate(read_table(self.path)) if (at in kept) is held_out)

    def _count(self) -> int:
        return sum(1 for _ in read_table(self.path))


@dataclass(frozen=True, slots=True)
class FromHub:
    """A data set on the hub. The training process reads it."""

    name: str
    config: str | None
    split: str
    held_out_rows: int
    seed: int
    columns: RowColumns = field(default_factory=RowColumns)
    skip_bad: int = 0


def examples(rows: Iterable[Row | R1Error], columns: RowColumns, skip_bad: int = 0) -> Iterator[Example]:
    """Yield the examples in each row, skipping up to `skip_bad` rows without one. Raises: R1Error, naming the rows."""
    bad: list[str] = []
    for row in rows:
        try:
            found = examples_of_row(row, columns)
        except R1Error as error:
            bad.append(str(error))
            if len(bad) > skip_bad:
                raise R1Error(too_many_bad(bad, skip_bad, columns)) from None
            continue
        yield from found


def examples_of_row(row: Row | R1Error, columns: RowColumns) -> Sequence[Example]:
    """Return the demonstrations in a row, or its preference; the id of a task that has none is its row. Raises: R1Error."""
    if isinstance(row, R1Error):
        raise row
    where, cells = row
    try:
        if columns.learns == "pairs":
            return [
                one if one.task.id else one._replace(task=replace(one.task, id=where))
                for one in preferences_in(cells, columns)
            ]
        return [
            (task if task.id else replace(task, id=where), completion)
            for task, completion in demonstrations_in(cells, columns)
        ]
    except R1Error as error:
        raise R1Error(f"{where}: {error}") from None


@dataclass(frozen=True, slots=True)
class FileReport:
    """A check of every row of a file for SFT or DPO: their number, the columns they are read from, and the bad rows."""

    path: Path
    rows: int
    demonstrations: int
    columns: str
    bad: tuple[str, ...]  # the fault of each bad row, and its place
    differs: tuple[str, ...] = ()  # replies that the model's chat template changes, and control tokens in the data

    def to_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "demonstrations": self.demonstrations,
            "columns": self.columns,
            "bad": list(self.bad),
            "differs": list(self.differs),
        }


def check_file(source: FromFile) -> FileReport:
    """Read every row of the file and report on them. Raises: R1Error if the file has no rows."""
    bad: list[str] = []
    control: dict[str, list[str]] = {}
    rows = found = 0
    for row in read_table(source.path):
        rows += 1
        try:
            examples = examples_of_row(row, source.columns)
        except R1Error as error:
            bad.append(str(error))
            continue
        found += len(examples)
        assert not isinstance(row, R1Error)
        for token in dict.fromkeys(_CONTROL.findall(json.dumps(row[1], ensure_ascii=False, default=str))):
            control.setdefault(token, []).append(row[0])
    if not rows:
        raise R1Error(f"data {source.path} has no rows")
    columns = replace(source, skip_bad=len(bad)).describe()
    differs = [
        f"{rows_have(places)} {token!r}, with which chat templates open or end a turn: {first_of(places)} "
        "(with --model: what is learnt instead)"
        for token, places in control.items()
    ]
    return FileReport(source.path, rows, found, columns, tuple(bad), tuple(differs))


# The tokens of the usual chat templates; which of them a model has, only its tokenizer says.
_CONTROL = re.compile(
    r"<\|(?:im_start|im_end|im_sep|endoftext|eot_id|eom_id|start_header_id|end_header_id|begin_of_text|end_of_text|user|assistant"
    r"|system|start|end|message|channel|return|call)\|>|<(?:start|end)_of_turn>|</s>|\[/?INST\]"
    r"|<｜(?:User|Assistant|begin▁of▁sentence|end▁of▁sentence)｜>"
)


def rows_have(rows: Sequence[str]) -> str:
    """Return the number of rows with a verb: `1 row has`."""
    return f"{len(rows)} {'row has' if len(rows) == 1 else 'rows have'}"


def first_of(rows: Sequence[str]) -> str:
    """Return the first rows in a line."""
    return ", ".join([*rows[:SHOWN], *(["..."] if len(rows) > SHOWN else [])])


def once_each(texts: Sequence[str]) -> list[str]:
    """Return the first line of each text, and the lines below it once for all texts that have the same."""
    below: dict[str, None] = {}
    heads = []
    for text in texts:
        head, _, advice = text.partition("\n")
        heads.append(head)
        below |= dict.fromkeys(filter(None, [advice]))
    return [*heads, *(advice.strip() for advice in below)]


def too_many_bad(bad: Sequence[str], skip_bad: int, columns: RowColumns) -> str:
    """Return the error message for rows without an example."""
    if len(bad) == 1 and not skip_bad:
        return bad[0]
    listed = "".join(f"\n  {text}" for text in once_each(bad[:SHOWN]))
    what, method = ("preference", "dpo") if columns.learns == "pairs" else ("demonstration", "sft")
    return (
        f"at least {len(bad)} rows make no {what}, and data.skip_bad allows {skip_bad}:{listed}\n  "
        f"r1 data check --method {method} --data FILE names them all"
    )
