"""Call an advantage estimator on scored rollouts, and check what it returns."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..contracts import is_over_batch, is_per_token
from ..errors import PluginError, R1Error
from ..plugins.frozen import frozen
from ..plugins.guard import call, plugin_calls
from ..records import ModelTurn, RewardedRollout, RewardGroup, Rollout, Score

Values = list[float] | list[list[float]]
"""Advantages of rollouts: one for each, [B], or one for each token, [B][T]."""

Gather = Callable[[list[RewardGroup]], list[list[RewardGroup]]]


def alone(own: list[RewardGroup]) -> list[list[RewardGroup]]:
    """Return the groups of a single process."""
    return [own]


@dataclass(frozen=True)
class AdvantageEstimator:
    """The estimator that a recipe names, called and checked."""

    name: str
    function: Any
    weights: Mapping[str, float]  # of the rewards, by name
    group_size: int

    def rewarded(
        self, rollouts: Sequence[Rollout], scores: Sequence[Score], totals: Sequence[float]
    ) -> list[RewardedRollout]:
        """Return the records that the estimator gets. `totals`: weighted, NaN for an unscored rollout, [B]."""
        return [
            RewardedRollout(total, frozen(dict(score.rewards)), turns_of(rollout), frozen(dict(score.statuses)))
            for rollout, score, total in zip(rollouts, scores, totals, strict=True)
        ]

    def of_batch(self, rollouts: Sequence[RewardedRollout], gather: Gather = alone, rank: int = 0) -> Values:
        """Return the advantages of this process's rollouts, which are whole groups: [B], or [B][T]. Raises: PluginError.

        `gather` returns the groups of all processes by `rank`, for an estimator over a batch.
        """
        groups = self._groups(rollouts)
        own = [self._scored(group) for group in groups]
        if is_over_batch(self.function):
            shares = gather(own)
            known = [group for share in shares for group in share]
            first = sum(len(share) for share in shares[:rank])
            found = self._over_batch(known)[first : first + len(own)]
        else:
            with plugin_calls():
                found = [self.of_group(group) for group in own]
        return [value for group, values in zip(groups, found, strict=True) for value in self._placed(group, values)]

    def has_signal(self, rollouts: Sequence[RewardedRollout]) -> list[bool] | None:
        """Return for each group of this process if any advantage differs from 0; None for an estimator over a batch."""
        if is_over_batch(self.function):
            return None
        groups = map(self._scored, self._groups(rollouts))
        return [any(abs(value) > 1e-8 for value in flat(self.of_group(group))) for group in groups]

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

    def _groups(self, rollouts: Sequence[RewardedRollout]) -> list[Sequence[RewardedRollout]]:
        size = self.group_size
        return [rollouts[start : start + size] for start in range(0, len(rollouts), size)]

    def _call(self, given: Any) -> Any:
        try:
            return call(f"advantage {self.name!r}", self.function, given)
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


def flat(values: Values) -> list[float]:
    """Return the numbers of advantages one after another, whether they are by rollout or by token."""
    return [number for value in values for number in (value if isinstance(value, list) else [value])]
