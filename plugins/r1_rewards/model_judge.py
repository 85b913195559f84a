"""The reward `model_judge`: the points that another model gives an answer which no rule can check."""

from dataclasses import dataclass

import r1sdk
from r1_verifiers import JudgeVerifier


@dataclass(frozen=True)
class ModelJudge(JudgeVerifier):
    """0.0 to 1.0: the points that a model behind an OpenAI-compatible server gives the answer, over `points`.

    A task without a gold answer earns None where there is no rubric. All else is as in the verifier `judge`, whose options
    these are: use the verifier where the judge decides what is right, and this reward beside an environment that verifies.
    """

    async def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        if not self.rubric and rollout.task.answer is None:
            return None
        return await self.points_of(rollout)
