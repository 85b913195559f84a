"""Data sets of scientific questions with given options, judged by the verifier `choice`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import r1sdk

from ..table import Table
from ..table_io import Row
from .maths_sets import REPORTED

_COLUMNS = ("Correct Answer", "Incorrect Answer 1", "Incorrect Answer 2", "Incorrect Answer 3")


@dataclass(frozen=True)
class GPQADiamond(Table):
    """198 hard questions of physics, chemistry and biology, for evaluation: Idavidrein/gpqa; you must ask for access there.

    The right answer stands first in the data: the options are shuffled, in an order that `seed` in the verifier's options and
    the question decide.
    """

    source: str = "Idavidrein/gpqa"
    config: str | None = "gpqa_diamond"
    train_split: str | None = None
    test_split: str | None = "train"
    prompt_column: str | None = "Question"
    category_column: str | None = "High-level domain"
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option({"name": "choice", "options": {"shuffle": True, "seed": 0}})

    sampling: ClassVar[Mapping[str, Any]] = {**REPORTED, "samples": 8}

    def adapt(self, row: Row) -> Row | None:
        """The row with its four options, the right one first. Raises: R1Error where one is missing."""
        if missing := [name for name in _COLUMNS if not row.get(name)]:
            raise r1sdk.R1Error(f"no {missing[0]!r}; found {', '.join(map(str, row))}")
        return {**row, "choices": [str(row[name]).strip() for name in _COLUMNS], "answer": 0}
