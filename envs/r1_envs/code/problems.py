"""Programming problems of a table: what is asked, the tests, and the split that each belongs to for ever."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import r1sdk
from r1_rewards.code.cases import Tests, read_tests

from ..rows import read_rows

OWN = str(Path(__file__).parent / "problems.jsonl")
PROMPTS = ("prompt", "problem", "question", "description", "text")  # columns, in the order in which they are looked for
TESTS = ("tests", "test_list", "verification_info", "test_cases")
_KEPT = ("language", "timeout_s", "memory_bytes", "tolerance")  # columns that belong to the tests


@dataclass(frozen=True, slots=True)
class Problem:
    """One row: its number in the file (the first is 1), what is asked, and what a task's info holds of its tests."""

    row: int
    prompt: str
    info: Mapping[str, Any]
    tests: Tests
    level: int | None = None
    solution: str | None = field(default=None)  # a program that passes

    def is_test(self, share: float) -> bool:
        """Whether it belongs to the test split. Depends on the words of the problem alone, not on case or spaces."""
        key = " ".join(self.prompt.casefold().split())
        return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big") < share * 2**64


def read_problems(source: str) -> Iterator[Problem]:
    """The problems of `source` in its order. Raises: r1sdk.R1Error that names the row at fault."""
    for row, columns in enumerate(read_rows(source), 1):
        where = f"row {row}" if source == OWN else f"{source}, row {row}"
        prompt = _column(columns, PROMPTS, where)
        if not isinstance(prompt, str) or not prompt.strip():
            raise r1sdk.R1Error(f"{where}: a problem is a text, got {prompt!r:.60}")
        tests = _column(columns, TESTS, where)
        info: dict[str, Any] = {name: columns[name] for name in _KEPT if columns.get(name) is not None}
        info |= tests if isinstance(tests := _parsed(tests, where), dict) else {"tests": tests}
        try:
            read = read_tests(info)
        except (r1sdk.R1Error, ValueError) as error:
            raise r1sdk.R1Error(f"{where}: {error}") from None
        solution = next((columns[name] for name in ("solution", "code") if isinstance(columns.get(name), str)), None)
        yield Problem(row, prompt.strip(), info, read, columns.get("level"), solution)


def _column(columns: Mapping[str, Any], usual: tuple[str, ...], where: str) -> Any:
    for name in usual:
        if columns.get(name) is not None:
            return columns[name]
    raise r1sdk.R1Error(f"{where}: no column {' or '.join(map(repr, usual))}; found {', '.join(map(str, columns))}")


def _parsed(tests: Any, where: str) -> Any:
    """CSV and some data sets hold JSON in a string."""
    if not isinstance(tests, str):
        return list(tests) if isinstance(tests, tuple) else tests
    try:
        return json.loads(tests)
    except ValueError as error:
        raise r1sdk.R1Error(f"{where}: its tests are not JSON: {error}") from None
