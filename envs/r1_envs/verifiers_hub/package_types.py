"""The records of an environment package, the same for both generations of the library verifiers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import r1sdk

Scores = Mapping[str, tuple[float, float]]
"""By reward function: its score and its weight."""


@dataclass(frozen=True, slots=True)
class PackageSource:
    """A package and the arguments that it is loaded with, as JSON."""

    name: str
    args: str


@dataclass(frozen=True, slots=True)
class PackageRow:
    """One task of a package."""

    index: int
    prompt: list[r1sdk.Message]
    answer: str | None


class Loaded(Protocol):
    """A package that is loaded."""

    kind: str
    has_test: bool  # whether it has test rows of its own

    def rows(self, test: bool) -> Iterator[PackageRow]:
        """Its rows in order; those of its own test split where it has one and `test`."""
        ...

    async def scores(self, index: int, test: bool, prompt: list[r1sdk.Message], reply: str, cut: bool) -> Scores:
        """What each reward function gives the reply to row `index`. Raises: whatever they raise; R1Error for another prompt."""
        ...


def same_prompt(index: int, asked: list[r1sdk.Message], row: PackageRow) -> None:
    """Raises: R1Error where the package does not ask the same twice."""
    if asked != row.prompt:
        raise r1sdk.R1Error(
            f"task {index} is another one in this process: the package does not draw the same tasks twice"
        )


def plain(content: Any, where: str) -> str:
    """The text of a message. Raises: R1Error where there is more than text."""
    if isinstance(content, str):
        return content
    parts = [part if isinstance(part, Mapping) else part.model_dump() for part in content or []]
    if any(part.get("type") != "text" for part in parts):
        raise r1sdk.R1Error(f"{where} holds more than text, and models here read text")
    return "\n".join(str(part["text"]) for part in parts)
