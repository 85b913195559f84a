"""The environment of mathematical problems: its tasks, and their check in a worker process."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import r1sdk

from .problems import read_problems


@dataclass(frozen=True)
class Maths:
    """Problems with known answers, from a file of JSON lines, CSV or parquet, or a data set on the Hub.

    A problem belongs to one split for ever, whatever the order of the file: no test task is ever trained on. Answers are
    checked by `r1_rewards.maths`.
    """

    file: str = ""  # must be given
    prompt_column: str | None = None  # None: problem, question or prompt
    answer_column: str | None = None  # None: answer, final_answer or solution; of a GSM8K solution what follows `####`
    test_share: float = 0.1  # of the problems
    mode: Literal["r1", "trl"] = "r1"  # "trl": as TRL's accuracy_reward judges the whole reply
    timeout_s: float = 5.0  # to check one answer

    def __post_init__(self) -> None:
        if not self.file:
            raise ValueError("file: name a JSON lines, CSV or parquet file with a problem and its answer in each row")
        if not 0.0 <= self.test_share <= 1.0:
            raise ValueError(f"test_share is from 0 to 1, got {self.test_share}")
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.mode not in ("r1", "trl"):
            raise ValueError(f"mode is r1 or trl, got {self.mode!r}")
        if find_spec("math_verify") is None:
            raise r1sdk.R1Error("environment 'maths' needs: pip install 'r1sdk[maths]'")

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """The tasks of "train" or "test", in the order of the file. The id of each ends in its row."""
        if split not in ("train", "test"):
            raise r1sdk.R1Error(f"maths has the splits train and test, not {split!r}")
        for problem in read_problems(self.file, self.prompt_column, self.answer_column):
            if problem.is_test(self.test_share) != (split == "test"):
                continue
            messages = list(problem.messages)
            if messages[0]["role"] != "system":
                messages.insert(0, {"role": "system", "content": r1sdk.SYSTEM_PROMPT})
            yield r1sdk.Task(
                messages, answer=problem.answer, info={"row": problem.row}, id=f"{split}/row {problem.row}"
            )

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """1.0 if the reply's answer equals the gold one, else 0.0. What takes algebra is checked in a worker process."""
        from .judging import judged  # here, because its many patterns take long to compile

        gold = rollout.task.answer
        if gold is None:
            return r1sdk.Verdict(None, "unverifiable", reason="the task has no gold answer")
        return await judged(rollout.completion.text, gold, self.mode, self.timeout_s)

    def gold_reply(self, task: r1sdk.Task) -> str:
        """The reply that gives the gold answer: it must earn 1.0, or the task cannot be judged."""
        gold = task.answer or ""
        if self.mode == "trl" and r"\boxed" not in gold:
            gold = rf"\boxed{{{gold.strip().strip('$')}}}"  # elsewhere TRL does not look
        return f"<think>\nThe answer is known.\n</think>\n<answer>{gold}</answer>"

    def summary(self) -> str:
        """Which tasks these are, in one line."""
        judge = "" if self.mode == "r1" else ", judged as by TRL"
        return f"Mathematics from {self.file}{judge}"
