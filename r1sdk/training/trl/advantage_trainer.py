"""A GRPOTrainer whose advantages come from the recipe's estimator. Without one, TRL's own stay untouched."""

from typing import Any

import torch
from torch import Tensor

from .advantages import AdvantageEstimator, as_tensor
from .length_chunks import LengthChunkedTrainer
from .reward_columns import RewardTable

REWARDED = "rewarded"  # the column of a batch that holds what the estimator reads of each rollout


class AdvantageTrainer(LengthChunkedTrainer):
    """Compute the advantages of each batch with `estimator`, from the rollouts and scores that `scored` holds."""

    estimator: AdvantageEstimator | None = None
    scored: RewardTable | None = None

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if self.estimator is not None:
            assert self.scored is not None
            rank, count = self.accelerator.process_index, len(inputs)
            totals = weighted_totals(rewards[rank * count : (rank + 1) * count], self.reward_weights)
            records = self.estimator.rewarded(self.scored.rollouts, self.scored.own_scores, totals)
            for row, record in zip(inputs, records, strict=True):
                row[REWARDED] = record
        return rewards

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        if self.estimator is not None:
            mask = output["completion_mask"]
            mask = mask * output["tool_mask"] if "tool_mask" in output else mask
            output["advantages"] = as_tensor(self.estimator.of_batch([row[REWARDED] for row in inputs]), mask)
        return output


def weighted_totals(rewards: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted totals as TRL adds them up, NaN for a rollout without any reward. Shapes: [B, K], [K] -> [B]."""
    totals = (rewards * weights.to(rewards.device).unsqueeze(0)).nansum(dim=1)
    return torch.where(torch.isnan(rewards).all(dim=1), torch.nan, totals)
