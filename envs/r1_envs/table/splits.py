"""The split of rows into training tasks and test tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b

import r1sdk

from ..table_io import Origin, is_file


@dataclass(frozen=True, slots=True)
class Splits:
    """The rule by which the rows of a table are parted. `origin` makes one of a source and the name of a split in it."""

    source: str
    test_source: str | None
    train_split: str | None
    test_split: str | None
    test_share: float
    origin: Callable[[str, str | None], Origin]

    def of(self, split: str) -> tuple[Origin, Callable[[str], bool]]:
        """Return the source of `split` and a test of the problems that belong to it. Raises: R1Error."""
        if split not in ("train", "test"):
            raise r1sdk.R1Error(f"there are the splits train and test, not {split!r}")
        is_test = split == "test"
        if self.train_split is None and not is_test:
            raise r1sdk.R1Error(f"{self.source} is for evaluation only: it has the split test")
        if is_test and self.test_source is not None:
            return self.origin(self.test_source, self.test_split or "test"), _all
        if self.train_split is None:
            return self.origin(self.source, self.test_split), _all
        if self.test_source is not None:
            return self.origin(self.source, self.train_split), _all
        if self.test_split is not None:
            if is_file(self.source):
                raise r1sdk.R1Error(
                    f"{self.source} is one file, and this data set has a test split of its own: name it with test_source, "
                    "or part the file by test_share with test_split=null"
                )
            return self.origin(self.source, self.test_split if is_test else self.train_split), _all
        share = self.test_share
        return self.origin(self.source, self.train_split), lambda problem: in_test(problem, share) == is_test

    def first(self) -> Origin:
        """Return the sources that always have rows."""
        return self.of("test" if self.train_split is None else "train")[0]

    def origins(self) -> Iterator[Origin]:
        """Every place that rows come from, once."""
        splits = ("test",) if self.train_split is None else ("train", "test")
        yield from dict.fromkeys(self.of(split)[0] for split in splits)


def in_test(problem: str, share: float) -> bool:
    """True if a problem belongs to the test split, by its words only, not by case, spaces or position."""
    return hashed(" ".join(problem.casefold().split())) < share * 2**64


def hashed(text: str) -> int:
    """Return 64 bits that a text alone decides, the same on every machine, by which it belongs to one split for ever."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big")


def _all(problem: str) -> bool:
    return True
