"""A GRPOTrainer whose advantages come from the recipe's estimator. Without one, TRL's own stay untouched.

TRL still computes its own, logs its metrics, and hands over the batch; then its advantages are replaced. Each process holds whole
groups, so that it computes its own; an estimator over a batch gets the groups of all processes.
"""

from statistics import fmean
from typing import Any

import torch
from torch import Tensor

from ...errors import R1Error
from ...scoring.estimate_advantages import AdvantageEstimator, Values
from ..process_group import SINGLE_PROCESS, ProcessGroup
from .length_chunks import LengthChunkedTrainer
from .reward_columns import RewardTable

REWARDED = "rewarded"  # the column of a batch that holds what the estimator reads of each rollout


class AdvantageTrainer(LengthChunkedTrainer):
    """Compute the advantages of each batch with `estimator`, from the rollouts and scores that `scored` holds."""

    estimator: AdvantageEstimator | None = None
    scored: RewardTable | None = None
    together: ProcessGroup = SINGLE_PROCESS  # the processes that train

    def _calculate_rewards(self, inputs: Any, prompts: Any, completions: Any, completion_ids_list: Any) -> Any:
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids_list)
        if self.estimator is not None:
            assert self.scored is not None
            rank, count = self.accelerator.process_index, len(inputs)
            totals = weighted_totals(rewards[rank * count : (rank + 1) * count], self.reward_weights)
            records = self.estimator.rewarded(self.scored.rollouts, self.scored.own_scores, totals.tolist())
            for row, record in zip(inputs, records, strict=True):
                row[REWARDED] = record
        return rewards

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        if self.estimator is not None:
            mask = output["completion_mask"]
            mask = mask * output["tool_mask"] if "tool_mask" in output else mask
            records = [row[REWARDED] for row in inputs]
            found = self.estimator.of_batch(records, self.together.all_gather, self.together.rank)
            output["advantages"] = as_tensor(found, mask)
            self._log_advantages([fmean(one or [0.0]) if isinstance(one, list) else one for one in found])
        return output

    def _log_advantages(self, own: list[float]) -> None:
        """Replace TRL's advantages in its table of completions, one for each rollout of all processes."""
        logged = self._logs["advantages"]
        everyone = [value for some in self.together.all_gather(own) for value in some]
        for _ in range(min(len(everyone), len(logged))):
            logged.pop()
        logged.extend(everyone)


def weighted_totals(rewards: Tensor, weights: Tensor) -> Tensor:
    """Return the weighted totals as TRL adds them up, NaN for a rollout without any reward. Shapes: [B, K], [K] -> [B]."""
    totals = (rewards * weights.to(rewards.device).unsqueeze(0)).nansum(dim=1)
    return torch.where(torch.isnan(rewards).all(dim=1), torch.nan, totals)


def as_tensor(values: Values, mask: Tensor) -> Tensor:
    """Return advantages as TRL's loss takes them: [B] as they are; [B][T] at the places of the model's tokens in `mask`, [B, T'].

    A row without any place, because truncated completions are masked, stays 0. Raises: R1Error.
    """
    if not values or not isinstance(values[0], list):
        return torch.tensor(values, dtype=torch.float32, device=mask.device)
    placed = torch.zeros(mask.shape, dtype=torch.float32, device=mask.device)
    for row, (numbers, places) in enumerate(zip(values, mask.bool(), strict=True)):
        assert isinstance(numbers, list)
        count = int(places.sum())
        if count not in (0, len(numbers)):
            raise R1Error(f"a rollout has {count} tokens of the model in the trainer, and {len(numbers)} advantages")
        if count:
            placed[row, places] = torch.tensor(numbers, dtype=torch.float32, device=mask.device)
    return placed
