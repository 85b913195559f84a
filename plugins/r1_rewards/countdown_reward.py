"""The reward `countdown`: the equation check by itself, where the environment's verdict is something else."""

from dataclasses import dataclass
from typing import Literal

import r1sdk
from r1_verifiers.equation import check


@dataclass(frozen=True)
class Countdown:
    """1.0 if the answer makes the task's target from its numbers, else 0.0; None for a task without them.

    Reads `nums`, `target` and, where the task limits them, `operators` of its `info`. `scoring="tinyzero"`: 0.1 for an
    answer that is wrong, as TinyZero's `countdown.compute_score` pays; 0.0 is then left for a reply without an answer.
    """

    use_all: bool = True  # every number exactly once; False: at most once
    scoring: Literal["binary", "tinyzero"] = "binary"

    def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        info = rollout.task.info
        if "nums" not in info or "target" not in info:
            return None
        answer = r1sdk.extract_answer(rollout.completion.text)
        operators = info.get("operators", "+-*/")
        value = check(answer, info["nums"], info["target"], use_all=self.use_all, operators=operators).value
        if self.scoring == "tinyzero" and answer is not None and not value:
            return 0.1
        return value
