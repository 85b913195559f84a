"""Rows of a table: a file, as `r1sdk.read_table` reads it, a folder that holds a data set, or a data set on the Hub."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import r1sdk

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Origin:
    """The source of rows. For a single file only `source` counts."""

    source: str  # a file, a folder in the layout of a data set, or the name of one on the Hub
    config: str | None = None
    split: str = "train"
    revision: str | None = None
    files: str | None = None  # a pattern: only these files of the data set, as they stand
    without: tuple[str, ...] = ()  # columns that are not read

    def __str__(self) -> str:
        if is_file(self.source):
            return self.source
        return " ".join(filter(None, [self.source, self.config, self.files or f"split {self.split}"]))


def is_file(source: str) -> bool:
    """True if `source` is the name of a single file."""
    return r1sdk.is_table(Path(source)) and not Path(source).expanduser().is_dir()


def read_rows(origin: Origin | str) -> Iterator[Row]:
    """The rows of `origin` in its order, as columns by name. Raises: r1sdk.R1Error that names the line at fault."""
    for row in read_each(origin):
        if isinstance(row, r1sdk.R1Error):
            raise row
        yield row


def read_each(origin: Origin | str) -> Iterator[Row | r1sdk.R1Error]:
    """As `read_rows`; in place of a row that cannot be read, the error that names it. Raises: r1sdk.R1Error where none can."""
    origin = Origin(origin) if isinstance(origin, str) else origin
    for row in _rows(origin):
        if isinstance(row, r1sdk.R1Error) or not origin.without:
            yield row
        else:
            yield {name: value for name, value in row.items() if name not in origin.without}


def _rows(origin: Origin) -> Iterator[Row | r1sdk.R1Error]:
    path = Path(origin.source).expanduser()
    if is_file(origin.source):
        yield from _file(path)
    elif origin.files is not None:
        folder = path if path.is_dir() else _downloaded(origin)
        found = sorted(file for file in folder.glob(origin.files) if r1sdk.is_table(file))
        if not found:
            raise r1sdk.R1Error(f"{origin.source} has no files {origin.files}")
        for file in found:
            yield from _file(file)
    elif origin.config is None and origin.split.isalpha() and _is_plain(path):
        yield from _folder(path, origin.split)
    else:
        yield from _data_set(origin, path)


def _file(path: Path) -> Iterator[Row | r1sdk.R1Error]:
    for row in r1sdk.read_table(path):
        yield row if isinstance(row, r1sdk.R1Error) else row[1]


def test_split_in(source: str) -> str | None:
    """Return the name of the split for tests in a local folder; None if it has training rows alone, or none."""
    folder = Path(source).expanduser()
    if (saved := folder / "dataset_dict.json").is_file():
        names = set(json.loads(saved.read_text(encoding="utf-8"))["splits"])
    elif _is_plain(folder):
        names = set(r1sdk.split_files(folder))
    else:
        return None
    return next((name for name in ("test", "validation") if {name, "train"} <= names), None)


def _is_plain(folder: Path) -> bool:
    """True for a folder of tables, False for a data set that says itself which files make which configuration and split."""
    if not folder.is_dir() or any((folder / name).is_file() for name in ("state.json", "dataset_dict.json")):
        return False
    readme = folder / "README.md"
    return not (readme.is_file() and "data_files" in readme.read_text(encoding="utf-8", errors="replace"))


def _folder(folder: Path, split: str) -> Iterator[Row | r1sdk.R1Error]:
    """The rows of one split of a folder of tables."""
    splits = r1sdk.split_files(folder)
    wanted = {"val": "validation", "dev": "validation", "valid": "validation"}.get(split, split)
    if wanted not in splits:
        raise r1sdk.R1Error(f"{folder} has no split {split!r}; found {', '.join(splits)}")
    for file in splits[wanted]:
        yield from _file(file)


def _data_set(origin: Origin, path: Path) -> Iterator[Row]:
    """By the library `datasets`, which reads a folder and the Hub in the same way."""
    try:
        from datasets import load_dataset, load_from_disk
    except ImportError:
        raise r1sdk.R1Error(f"reading {origin.source} needs datasets: pip install 'r1sdk[train]'") from None
    if (path / "state.json").is_file() or (path / "dataset_dict.json").is_file():  # written by `save_to_disk`
        saved = load_from_disk(str(path))
        if hasattr(saved, "keys"):
            if origin.split not in saved:
                raise r1sdk.R1Error(
                    f"{origin.source} has no split {origin.split!r}; found {', '.join(map(str, saved))}"
                )
            saved = saved[origin.split]
        yield from map(dict, saved)
        return
    away = None if path.is_dir() else r1sdk.reach_hub(origin.source, "dataset")
    # The library's cache takes two folders of one name for the same data set: a folder is read past it.
    with TemporaryDirectory(prefix="r1-") if path.is_dir() else nullcontext() as apart:
        try:
            if apart:
                rows = load_dataset(str(path), origin.config, split=origin.split, streaming=True, cache_dir=apart)
            else:
                rows = load_dataset(origin.source, origin.config, split=origin.split, revision=origin.revision)
                rows = rows.remove_columns([column for column in origin.without if column in rows.column_names])
        except Exception as error:  # noqa: BLE001 - the library lets through whatever its network, its readers and the Hub raise
            raise r1sdk.R1Error(f"cannot load {origin}: {away or _first_line(error)}{_advice(path)}") from None
        yield from map(dict, rows)


def _downloaded(origin: Origin) -> Path:
    """The folder in the local cache of the Hub that has the files of `origin`."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise r1sdk.R1Error(f"reading {origin.source} needs huggingface_hub: pip install 'r1sdk[train]'") from None
    away = r1sdk.reach_hub(origin.source, "dataset")
    try:
        return Path(
            snapshot_download(
                origin.source, repo_type="dataset", revision=origin.revision, allow_patterns=[origin.files or "*"]
            )
        )
    except Exception as error:  # noqa: BLE001 - as above
        reason = away or _first_line(error)
        raise r1sdk.R1Error(f"cannot load {origin}: {reason}{_advice(Path(origin.source))}") from None


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.200}"


def _advice(path: Path) -> str:
    if path.is_dir():
        return ""
    return "\n  without the Hub: name a local copy of the data set, --set env.options.source=FOLDER"
