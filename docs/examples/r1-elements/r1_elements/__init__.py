"""The environment `elements`: the chemical elements and their symbols, from a file in this package."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal
from zlib import crc32

import r1sdk


@dataclass(frozen=True)
class Elements:
    """The symbol of a chemical element, or the element of a symbol: 118 of them, each in one split for ever."""

    asked: Literal["symbol", "name"] = "symbol"
    test_share: float = 0.2

    def __post_init__(self) -> None:
        if not 0.0 < self.test_share < 1.0:
            raise ValueError(f"test_share is between 0 and 1, got {self.test_share}")

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """The tasks of "train" or "test", by atomic number."""
        if split not in ("train", "test"):
            raise r1sdk.R1Error(f"elements has the splits train and test, not {split!r}")
        for number, name, symbol in _elements():
            if (crc32(name.encode()) < self.test_share * 2**32) != (split == "test"):
                continue
            question = {
                "symbol": f"What is the chemical symbol of {name}?",
                "name": f"Which chemical element has the symbol {symbol}?",
            }[self.asked]
            yield r1sdk.Task(
                prompt=[
                    {"role": "system", "content": r1sdk.SYSTEM_PROMPT},
                    {"role": "user", "content": question},
                ],
                answer={"symbol": symbol, "name": name}[self.asked],
                info={"number": number},
                id=f"{split}/{name}",
            )

    def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """1.0 for the gold answer, else 0.0 with the reason."""
        answer = r1sdk.extract_answer(rollout.completion.text)
        if answer is None:
            return r1sdk.Verdict(0.0, reason="no answer")
        said = answer if self.asked == "symbol" else answer.casefold()
        if said != rollout.task.answer:
            return r1sdk.Verdict(0.0, extracted=answer[:80], reason="another answer")
        return r1sdk.Verdict(1.0, extracted=answer)

    def summary(self) -> str:
        """Which tasks these are, in one line."""
        return f"Chemical elements: the {self.asked} is asked for"


@cache
def _elements() -> list[tuple[int, str, str]]:
    """Number, name and symbol of each element."""
    import csv

    text = (files("r1_elements") / "elements.csv").read_text(encoding="utf-8")
    return [(int(row["number"]), row["name"], row["symbol"]) for row in csv.DictReader(text.splitlines())]


@r1sdk.hookimpl
def r1_register_environments(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("elements", Elements)
