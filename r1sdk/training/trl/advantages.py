"""Put a recipe's advantage estimator in the place of TRL's: its numbers weigh the rollouts of a batch in the loss.

TRL still computes its own, logs its metrics, and hands over the batch; then its advantages are replaced. Each process holds whole
groups, so that it computes its own; an estimator over a batch gets the groups of all processes.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...contracts import is_over_batch, is_per_token
from ...errors import PluginError, R1Error
from ...records import ModelTurn, RewardedRollout, RewardGroup, Rollout, Score
from ..process_group import SINGLE_PROCESS, ProcessGroup

Values = list[float] | list[list[float]]
"""The advantages of one group: [G], or [G][T] for each token."""


@dataclass(frozen=True)
class AdvantageEstimator:
    """The estimator that a recipe names, called and checked."""

    name: str
    function: Any
    weights: Mapping[str, float]  # of the rewards, by name
    group_size: int
    processes: ProcessGroup = SINGLE_PROCESS

    def rewarded(self, rollouts: Sequence[Rollout], scores: Sequence[Score], totals: Tensor) -> list[RewardedRollout]:
        """Return the records that the estimator gets. `totals`: as TRL adds the rewards up, NaN for an unscored rollout, [B]."""
        return [
            RewardedRollout(total, score.rewards, turns_of(rollout), score.statuses)
            for rollout, score, total in zip(rollouts, scores, totals.tolist(), strict=True)
        ]

    def of_batch(self, rollouts: Sequence[RewardedRollout]) -> list[float] | list[list[float]]:
        """Return the advantages of this process's rollouts: [B], or [B][T]. Raises: PluginError."""
        size = self.group_size
        groups = [rollouts[start : start + size] for start in range(0, len(rollouts), size)]
        own = [self._scored(group) for group in groups]
        if is_over_batch(self.function):
            shares = self.processes.all_gather(own)
            known = [group for share in shares for group in share]
            first = sum(len(share) for share in shares[: self.processes.rank])
            found = self._over_batch(known)[first : first + len(own)]
        else:
            found = [self.of_group(group) for group in own]
        return [value for group, values in zip(groups, found, strict=True) for value in self._placed(group, values)]

    def has_signal(self, rollouts: Sequence[RewardedRollout]) -> list[bool] | None:
        """Return for each group of this process if any advantage differs from 0; None for an estimator over a batch."""
        if is_over_batch(self.function):
            return None
        size = self.group_size
        groups = [self._scored(rollouts[start : start + size]) for start in range(0, len(rollouts), size)]
        return [any(abs(value) > 1e-8 for value in _flat(self.of_group(group))) for group in groups]

    def of_group(self, group: RewardGroup) -> Values:
        """Return the advantages of the scored rollouts of a group. Raises: PluginError."""
        if not group.rollouts:
            return []
        return self._checked(group, self._call(group))

    def _over_batch(self, groups: list[RewardGroup]) -> list[Values]:
        scored = [group for group in groups if group.rollouts]
        found = self._call(scored) if scored else []
        if not isinstance(found, Sequence) or len(found) != len(scored):
            raise PluginError(f"advantage {self.name!r} must return one list for each of {len(scored)} groups")
        values = iter(self._checked(group, one) for group, one in zip(scored, found, strict=True))
        return [next(values) if group.rollouts else [] for group in groups]

    def _call(self, given: Any) -> Any:
        try:
            return self.function(given)
        except R1Error:
            raise
        except Exception as error:
            raise PluginError(f"advantage {self.name!r} failed: {type(error).__name__}: {error}") from error

    def _checked(self, group: RewardGroup, values: Any) -> Values:
        expected = len(group.rollouts)
        if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != expected:
            raise PluginError(f"advantage {self.name!r} must return {expected} values for a group, got {values!r:.100}")
        if not is_per_token(self.function):
            return [self._number(value) for value in values]
        for rollout, row in zip(group.rollouts, values, strict=True):
            if not isinstance(row, Sequence) or len(row) != rollout.tokens:
                raise PluginError(
                    f"advantage {self.name!r} is per token, and must return {rollout.tokens} values for a rollout of as "
                    f"many tokens, got {row!r:.100}"
                )
        return [[self._number(value) for value in row] for row in values]

    def _number(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise PluginError(f"advantage {self.name!r} must return finite numbers, got {value!r:.80}")
        return float(value)

    def _scored(self, rollouts: Sequence[RewardedRollout]) -> RewardGroup:
        return RewardGroup(tuple(one for one in rollouts if not math.isnan(one.total)), self.weights)

    def _placed(self, rollouts: Sequence[RewardedRollout], values: Values) -> list[Any]:
        """Return the values of all rollouts of a group, 0 for those that could not be scored."""
        scored = iter(values)
        nothing = is_per_token(self.function)
        return [
            next(scored) if not math.isnan(one.total) else ([0.0] * one.tokens if nothing else 0.0) for one in rollouts
        ]


def turns_of(rollout: Rollout) -> tuple[ModelTurn, ...]:
    """Return the turns of a rollout, with the places of their tokens."""
    total, session = len(rollout.completion.token_ids), rollout.session
    lengths = list(session.turn_tokens) if session is not None and session.turn_tokens else [total]
    if sum(lengths) != total:
        raise R1Error(f"the turns of a rollout have {sum(lengths)} tokens, and its completion has {total}")
    rewards = rollout.turn_rewards
    found, start = [], 0
    for length, reward in zip(lengths, rewards, strict=True):
        found.append(ModelTurn(start, start + length, reward))
        start += length
    return tuple(found)


def as_tensor(values: list[float] | list[list[float]], mask: Tensor) -> Tensor:
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


def _flat(values: Values) -> list[float]:
    return [number for value in values for number in (value if isinstance(value, list) else [value])]
