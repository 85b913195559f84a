"""The steps for an advantage estimator: its numbers on made-up groups, that they repeat, and unscored or lone rollouts."""

import random
from collections.abc import Sequence
from typing import Any

from ..contracts import is_over_batch, is_per_token
from ..records import ModelTurn, RewardedRollout
from ..scoring.estimate_advantages import AdvantageEstimator, Values, flat
from .findings import ContractFinding, failed, passed
from .steps import TrialCandidate, TrialStep, build_step, pickle_step

SIZE = 8  # rollouts of a made-up prompt
NAMES = ("accuracy", "format")


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """Return all steps for one estimator."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        pickle_step(candidate),
        TrialStep("advantages", trial.returns_numbers, timeout_s, observes=True),
        TrialStep("repeats", trial.repeats, timeout_s),
        TrialStep("lone", trial.takes_lone_rollouts, timeout_s),
        TrialStep("order", trial.ignores_order, timeout_s),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate

    @property
    def names(self) -> tuple[str, ...]:
        """The rewards of the made-up rollouts, those that the estimator reads among them."""
        return tuple(dict.fromkeys([*getattr(self.candidate.built, "reads", ()), *NAMES]))

    def _of_batch(self, rollouts: Sequence[RewardedRollout], size: int = SIZE, built: Any = None) -> Values:
        weights = {name: 1.0 if at == 0 else 0.2 for at, name in enumerate(self.names)}
        built = self.candidate.built if built is None else built
        return AdvantageEstimator(self.candidate.subject.name, built, weights, size).of_batch(rollouts)

    def _rollouts(self, groups: int, size: int = SIZE, seed: int = 0) -> list[RewardedRollout]:
        """Return made-up rollouts: rewards of 0 and 1, one to four turns, some of them with a reward."""
        rng = random.Random(seed)
        found = []
        for _ in range(groups * size):
            rewards = {name: float(rng.random() < 0.4) for name in self.names}
            turns, start = [], 0
            for _ in range(rng.randint(1, 4)):
                length = rng.randint(1, 5)
                turns.append(ModelTurn(start, start + length, rng.choice([None, 0.0, 0.5, 1.0])))
                start += length
            total = sum(value if at == 0 else 0.2 * value for at, value in enumerate(rewards.values()))
            found.append(RewardedRollout(total, rewards, tuple(turns)))
        return found

    def returns_numbers(self) -> tuple[ContractFinding, Any]:
        """Check that it returns a finite number for each rollout, or for each token if it is marked so."""
        numbers = flat(self._of_batch(self._rollouts(4)))
        what = f"{len(numbers)} tokens" if is_per_token(self.candidate.built) else f"{len(numbers)} rollouts"
        over = " of a batch" if is_over_batch(self.candidate.built) else ""
        return passed("advantages", f"{what}{over}: {min(numbers):.3g} to {max(numbers):.3g}"), [
            repr(one) for one in numbers
        ]

    def repeats(self) -> ContractFinding:
        """Check that the same object and a second one return the same again."""
        rollouts = self._rollouts(4, seed=1)
        first, again = self._of_batch(rollouts), self._of_batch(rollouts)
        other = self._of_batch(rollouts, built=self.candidate.fresh())
        if first != again or first != other:
            return failed("repeats", "different numbers for the same rewards: an estimator keeps no state")
        return passed("repeats", "the same numbers again, and from a second object")

    def takes_lone_rollouts(self) -> ContractFinding:
        """Check groups of which one rollout, or none, could be scored, and rewards that do not apply."""
        one = self._rollouts(1, 1)[0]
        nothing = RewardedRollout(float("nan"), dict.fromkeys(self.names), one.turns)
        partly = RewardedRollout(one.total, {**one.rewards, self.names[-1]: None}, one.turns)
        self._of_batch([one, nothing, nothing, nothing, partly, one], 2)
        return passed("lone", "groups of one rollout, of none, and rewards that do not apply")

    def ignores_order(self) -> ContractFinding:
        """Check that the order of the rollouts in a group does not matter."""
        rollouts = self._rollouts(1, seed=2)
        forward, backward = self._of_batch(rollouts), self._of_batch(rollouts[::-1])[::-1]
        far = max(abs(a - b) for a, b in zip(flat(forward), flat(backward), strict=True))
        if far > 1e-4:
            return failed("order", f"numbers differ by {far:.3g} when the rollouts of a group are turned round")
        return passed("order", "the order of a group's rollouts does not matter")
