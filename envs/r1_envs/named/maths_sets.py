"""Data sets of mathematical problems, judged by the verifier `maths`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..table import Table
from ..table_io import Row

# What DeepSeek-R1 (arXiv 2501.12948) and Open-R1 report with; the samples are Open-R1's.
REPORTED = {"temperature": 0.6, "top_p": 0.95}


@dataclass(frozen=True)
class GSM8K(Table):
    """Grade-school word problems: openai/gsm8k, 7,473 to train on and 1,319 to test."""

    source: str = "openai/gsm8k"
    config: str | None = "main"
    test_split: str | None = "test"


@dataclass(frozen=True)
class MATH500(Table):
    """500 problems of MATH in seven subjects, for evaluation: HuggingFaceH4/MATH-500."""

    source: str = "HuggingFaceH4/MATH-500"
    train_split: str | None = None
    test_split: str | None = "test"
    category_column: str | None = "subject"

    sampling: ClassVar[Mapping[str, Any]] = {**REPORTED, "samples": 4}


@dataclass(frozen=True)
class AIME24(Table):
    """The 30 problems of AIME 2024, for evaluation: HuggingFaceH4/aime_2024."""

    source: str = "HuggingFaceH4/aime_2024"
    train_split: str | None = None
    test_split: str | None = "train"  # as the data set calls it

    sampling: ClassVar[Mapping[str, Any]] = {**REPORTED, "samples": 64}


@dataclass(frozen=True)
class AIME25(Table):
    """The 30 problems of AIME 2025, for evaluation: yentinglin/aime_2025."""

    source: str = "yentinglin/aime_2025"
    train_split: str | None = None
    test_split: str | None = "train"

    sampling: ClassVar[Mapping[str, Any]] = {**REPORTED, "samples": 64}


@dataclass(frozen=True)
class NuminaMath(Table):
    """Competition problems that have an answer: AI-MO/NuminaMath-1.5, without proofs and without incomplete rows."""

    source: str = "AI-MO/NuminaMath-1.5"
    answer_column: str | None = "answer"
    category_column: str | None = "source"

    heavy: ClassVar[tuple[str, ...]] = ("solution",)

    def adapt(self, row: Row) -> Row | None:
        """The row, unless it asks for a proof, has no answer, or is marked as not valid."""
        valid = (row.get("problem_is_valid"), row.get("solution_is_valid"))
        if any(mark not in (None, "Yes") for mark in valid):
            return None
        answer = row.get("answer", "?")
        is_answer = answer is not None and answer.strip().casefold() not in ("", "proof", "notfound")
        return row if is_answer and row.get("question_type") != "proof" else None


@dataclass(frozen=True)
class OpenR1Math(Table):
    """Problems that DeepSeek-R1 was shown to solve: open-r1/OpenR1-Math-220k."""

    source: str = "open-r1/OpenR1-Math-220k"
    config: str | None = "default"
    answer_column: str | None = "answer"
    category_column: str | None = "problem_type"

    heavy: ClassVar[tuple[str, ...]] = ("generations", "messages", "solution")


@dataclass(frozen=True)
class DeepMath(Table):
    """Hard problems, decontaminated: zwhe99/DeepMath-103K; `difficulty` is a column for `where`."""

    source: str = "zwhe99/DeepMath-103K"
    prompt_column: str | None = "question"
    answer_column: str | None = "final_answer"
    category_column: str | None = "topic"

    heavy: ClassVar[tuple[str, ...]] = ("r1_solution_1", "r1_solution_2", "r1_solution_3")


@dataclass(frozen=True)
class BigMath(Table):
    """251,122 problems with closed answers: SynthLabsAI/Big-Math-RL-Verified; `llama8b_solve_rate` is a column for `where`."""

    source: str = "SynthLabsAI/Big-Math-RL-Verified"
    prompt_column: str | None = "problem"
    answer_column: str | None = "answer"
    category_column: str | None = "source"
