"""What a verifier of a table is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import r1sdk

from ...table_io import Row
from ..columns import Columns


@dataclass(frozen=True, slots=True)
class Posed:
    """What a row asks beyond its problem, and what a judge needs to know."""

    added: str = ""  # stands below the problem in the prompt
    answer: str | None = None  # the gold answer
    info: Mapping[str, Any] = field(default_factory=dict)


class Verifier(Protocol):
    """A frozen dataclass whose fields are its options."""

    def pose(self, problem: str, row: Row, columns: Columns) -> Posed:
        """How `row` is asked. Raises: R1Error where it cannot be."""
        ...

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """The judgement of one reply."""
        ...

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """The reply that must earn 1.0; None where there is nothing to check."""
        ...


def gold_answer(value: Any) -> str:
    """A cell as the text of an answer."""
    import json

    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def in_format(answer: str) -> str:
    """The reply in the asked format that gives `answer`."""
    return f"<think>\nThe answer is known.\n</think>\n<answer>{answer}</answer>"
