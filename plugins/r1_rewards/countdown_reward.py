"""The reward `countdown`: the verifier `countdown` by itself, where the environment's verdict is something else."""

from dataclasses import dataclass
from typing import Literal

import r1sdk
from r1_verifiers import CountdownVerifier


@dataclass(frozen=True)
class CountdownReward:
    """1.0 if the answer makes the task's target from its numbers, else 0.0; None for a task without them.

    Reads `nums`, `target` and, where the task limits them, `operators` of its `info`. `scoring="tinyzero"`: 0.1 for an
    answer that is wrong, as TinyZero's `countdown.compute_score` pays; 0.0 is then left for a reply without an answer.
    """

    use_all: bool = True  # every number exactly once; False: at most once
    scoring: Literal["binary", "tinyzero"] = "binary"

    def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        reply = r1sdk.Submission(rollout)
        verifier = CountdownVerifier(self.use_all)
        try:
            value = verifier.verify(verifier.read_gold(rollout.task), reply).value
        except r1sdk.Unverifiable:
            return None
        if self.scoring == "tinyzero" and reply.answer is not None and not value:
            return 0.1
        return value
