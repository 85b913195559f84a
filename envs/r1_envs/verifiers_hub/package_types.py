"""The records of an environment package, the same for both generations of the library verifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import r1sdk

Scores = Mapping[str, tuple[float, float]]
"""Score and weight by reward function."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A package and its arguments, as JSON."""

    name: str
    args: str


@dataclass(frozen=True, slots=True)
class PackageRow:
    """One task of a package."""

    index: int
    prompt: list[r1sdk.Message]
    answer: str | None


class Loaded(Protocol):
    """A loaded package."""

    kind: str
    has_test: bool  # True if it has its own test rows

    def rows(self, test: bool) -> Iterator[PackageRow]:
        """Yield its rows in order; with `test`, those of the package's test split if it has one."""
        ...

    async def scores(self, index: int, test: bool, prompt: list[r1sdk.Message], reply: str, cut: bool) -> Scores:
        """Return the score of each reward function for the reply to row `index`. Raises: whatever they raise; R1Error for another prompt."""
        ...


def same_prompt(index: int, asked: list[r1sdk.Message], row: PackageRow) -> None:
    """Raises: R1Error if the package generates another prompt for the same index."""
    if asked != row.prompt:
        raise r1sdk.R1Error(
            f"task {index} is another one in this process: the package does not draw the same tasks twice"
        )


def plain(content: Any, where: str) -> str:
    """Return the text of a message. Raises: R1Error if it holds more than text."""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, Mapping) else part.model_dump() for part in content or []]
    if any(part.get("type") != "text" for part in parts):
        raise r1sdk.R1Error(f"{where} holds more than text, and models here read text")
    return "\n".join(str(part["text"]) for part in parts)
