"""Data sets of programming problems, judged by the verifier `code`: every test must pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import r1sdk

from ..table import Table
from ..table_io import Row
from .maths_sets import REPORTED


def _every_test(**options: Any) -> dict[str, Any]:
    return {"name": "code", "options": {"scoring": "all", **options}}


@dataclass(frozen=True)
class MBPP(Table):
    """974 small functions to write: google-research-datasets/mbpp; the test split has 500."""

    source: str = "google-research-datasets/mbpp"
    config: str | None = "full"
    test_split: str | None = "test"
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option(
        _every_test(shown=3), shares=("sandbox",)
    )  # as is usual, the prompt shows all of them

    is_python: ClassVar[bool] = True
    leaves_out_unreadable: ClassVar[bool] = True


@dataclass(frozen=True)
class HumanEval(Table):
    """164 functions to complete, for evaluation: openai/openai_humaneval; those whose tests cannot be taken apart are left out."""

    source: str = "openai/openai_humaneval"
    train_split: str | None = None
    test_split: str | None = "test"
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option(_every_test(shown=0), shares=("sandbox",))
    template: str = "Complete this function:\n\n```python\n{prompt}\n```"

    is_python: ClassVar[bool] = True
    leaves_out_unreadable: ClassVar[bool] = True

    def adapt(self, row: Row) -> Row | None:
        """Return the row; the verifier reads its check. Raises: R1Error where a column is missing."""
        for name in ("prompt", "test", "entry_point"):
            if not isinstance(row.get(name), str):
                raise r1sdk.R1Error(f"no {name!r}; found {', '.join(map(str, row))}")
        return row


@dataclass(frozen=True)
class LiveCodeBench(Table):
    """Contest problems with hidden tests, for evaluation: livecodebench/code_generation_lite; `contest_date` is for `where`."""

    source: str = "livecodebench/code_generation_lite"
    files: str | None = "test*.jsonl"  # every release; test6.jsonl: only the rows of the sixth release
    train_split: str | None = None
    test_split: str | None = "test"
    prompt_column: str | None = "question_content"
    category_column: str | None = "difficulty"
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option(_every_test(shown=0, timeout_s=6.0), shares=("sandbox",))

    is_python: ClassVar[bool] = True
    sampling: ClassVar[Mapping[str, Any]] = {**REPORTED, "samples": 16}

    def adapt(self, row: Row) -> Row | None:
        """Return the row with its starter code in the problem; the verifier reads its tests. Raises: R1Error."""
        for name in ("public_test_cases", "private_test_cases"):
            if name not in row:
                raise r1sdk.R1Error(f"its tests cannot be read: no {name!r}")
        starter = row.get("starter_code") or ""
        asked = f"{row['question_content']}\n\nComplete this:\n```python\n{starter}\n```" if starter.strip() else None
        return {**row, "question_content": asked} if asked else row


@dataclass(frozen=True)
class Codeforces(Table):
    """Contest problems with official tests: open-r1/codeforces, but for those that need a checker, a file or a dialogue."""

    source: str = "open-r1/codeforces"
    config: str | None = "verifiable"
    test_split: str | None = "test"
    prompt_column: str | None = "description"
    tests_column: str | None = "official_tests"
    category_column: str | None = "rating"
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option(_every_test(shown=0), shares=("sandbox",))

    is_python: ClassVar[bool] = True
    heavy: ClassVar[tuple[str, ...]] = ("editorial",)

    def adapt(self, row: Row) -> Row | None:
        """The row with the whole problem in words, and its limits; None where its outputs alone cannot be judged."""
        complete = row.get("official_tests_complete", True)
        if (
            row.get("generated_checker")
            or row.get("interaction_format")
            or not complete
            or not row.get("official_tests")
        ):
            return None
        if row.get("input_mode") not in (None, "stdio"):
            return None
        limits: dict[str, Any] = {}
        if row.get("time_limit"):
            limits["timeout_s"] = float(row["time_limit"])
        if row.get("memory_limit"):
            limits["memory_bytes"] = int(float(row["memory_limit"])) << 20
        return {**row, **limits, "description": _statement(row)}


def _statement(row: Row) -> str:
    parts = [str(row.get("title") or ""), str(row["description"])]
    for name, heading in (("input_format", "Input"), ("output_format", "Output"), ("note", "Note")):
        if row.get(name):
            parts.append(f"{heading}\n{row[name]}")
    for example in row.get("examples") or ():
        parts.append(f"Example input\n{example['input'].rstrip()}\nExample output\n{example['output'].rstrip()}")
    if row.get("time_limit"):
        parts.append(f"Limits: {row['time_limit']:g} s, {row.get('memory_limit') or 256:g} MB.")
    return "\n\n".join(filter(None, parts))
