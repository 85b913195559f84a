"""Compare estimators of turn credit with the exact policy gradient of a small game, by enumeration.

    python benchmarks/turn_credit.py            # the table, in Markdown
    python benchmarks/turn_credit.py --learn    # also: follow each estimator's expected gradient

The game: at each of at most three turns the policy digs left, digs right, or stops. A dig earns its turn a reward, 1/2 on the left
and 3/4 on the right, and costs 2/5 of the total, which is 1 for whoever stops at once. So every dig is worth making. The policy is
tabular: one softmax over the actions for each turn. It has 15
trajectories, so the gradient of the expected return is a sum over all of them, and the expectation of an estimator is a sum over all
groups. Both are exact: no sampling takes part. The estimators are those that r1sdk ships, called as a run calls them.

For each: the cosine of its expectation with the exact gradient; its bias, the norm of the difference relative to the gradient; and
its noise, the root of the summed variances of one group relative to the norm of its expectation.
"""

import argparse
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

from r1_advantages import TurnEpisode, TurnLeaveOneOut, TurnNormalized, TurnToGo
from r1sdk import ModelTurn, RewardedRollout, RewardGroup
from r1sdk.contracts import is_per_token

ACTIONS = ("stop", "left", "right")
TURNS = 3
GROUP = 4
DIGS = {"left": Fraction(1, 2), "right": Fraction(3, 4)}  # the reward of the turn
COST = Fraction(2, 5)  # of each dig, to the total
Policy = tuple[tuple[Any, ...], ...]  # [turn][action], probabilities
EVEN: Policy = tuple((Fraction(1, 2), Fraction(1, 4), Fraction(1, 4)) for _ in range(TURNS))
Gradient = list[Any]  # [turn * action], by the logits of the policy


@dataclass(frozen=True)
class Trajectory:
    """One way to play the game."""

    actions: tuple[str, ...]

    @property
    def rollout(self) -> RewardedRollout:
        """What an estimator sees of it: one token for each turn. A turn that stops has no reward."""
        turns = tuple(ModelTurn(at, at + 1, DIGS.get(action)) for at, action in enumerate(self.actions))  # type: ignore[arg-type]
        total: Any = 1 - COST * sum(action in DIGS for action in self.actions)
        return RewardedRollout(total, {"accuracy": total}, turns)

    @property
    def value(self) -> Any:
        """Its return: the total and the rewards of its turns."""
        return self.rollout.to_go(Fraction(1))[0]  # type: ignore[arg-type]

    def probability(self, policy: Policy) -> Any:
        found: Any = Fraction(1)
        for turn, action in enumerate(self.actions):
            found *= policy[turn][ACTIONS.index(action)]
        return found

    def score(self, policy: Policy, weights: Sequence[Any]) -> Gradient:
        """Return the sum over its turns of a weight times the gradient of the log-probability of the action."""
        found: Gradient = [Fraction(0)] * (TURNS * len(ACTIONS))
        for turn, (action, weight) in enumerate(zip(self.actions, weights, strict=True)):
            for at, name in enumerate(ACTIONS):
                found[turn * len(ACTIONS) + at] += weight * ((name == action) - policy[turn][at])
        return found


def trajectories() -> list[Trajectory]:
    """Return all of them."""
    found: list[Trajectory] = []

    def play(actions: tuple[str, ...]) -> None:
        if actions and (actions[-1] == "stop" or len(actions) == TURNS):
            found.append(Trajectory(actions))
            return
        for action in ACTIONS:
            play((*actions, action))

    play(())
    return found


ALL = trajectories()


def expected_return(policy: Policy) -> Any:
    """Return the exact expected return."""
    return sum(one.probability(policy) * one.value for one in ALL)


def exact_gradient(policy: Policy) -> Gradient:
    """Return the gradient of the expected return, as a sum over all trajectories."""
    return added((one.probability(policy), one.score(policy, [one.value] * len(one.actions))) for one in ALL)


def added(terms: Iterator[tuple[Any, Gradient]]) -> Gradient:
    """Return the weighted sum of gradients."""
    found: Gradient = [Fraction(0)] * (TURNS * len(ACTIONS))
    for weight, gradient in terms:
        found = [total + weight * value for total, value in zip(found, gradient, strict=True)]
    return found


Aggregate = Callable[[Sequence[int]], list[Any]]
"""How a loss weighs the rollouts of a group, from their numbers of tokens: [G] -> [G]."""


def constant(lengths: Sequence[int]) -> list[Any]:
    """`--loss dr_grpo`: a constant factor."""
    return [Fraction(1, len(lengths))] * len(lengths)


def by_length(lengths: Sequence[int]) -> list[Any]:
    """`--loss grpo`: divided by the length of the rollout."""
    return [Fraction(1, len(lengths) * length) for length in lengths]


def by_tokens(lengths: Sequence[int]) -> list[Any]:
    """`--loss dapo`: divided by the number of tokens, here of the group."""
    return [Fraction(1, sum(lengths))] * len(lengths)


def group_gradient(group: Sequence[Trajectory], policy: Policy, estimator: Any, aggregate: Aggregate) -> Gradient:
    """Return the gradient that one group gives."""
    advantages = estimator(RewardGroup(tuple(one.rollout for one in group), {"accuracy": 1.0}))
    if not is_per_token(estimator):
        advantages = [[value] * len(one.actions) for value, one in zip(advantages, group, strict=True)]
    weights = aggregate([len(one.actions) for one in group])
    return added((weight, one.score(policy, row)) for weight, one, row in zip(weights, group, advantages, strict=True))


def groups(policy: Policy, size: int) -> Iterator[tuple[Any, tuple[Trajectory, ...]]]:
    """Yield every group with its probability; the order within a group does not matter to an estimator."""
    for group in combinations_with_replacement(ALL, size):
        ways = math.factorial(size)
        chance: Any = Fraction(1)
        for one, count in Counter(group).items():
            ways //= math.factorial(count)
            chance *= one.probability(policy) ** count
        yield ways * chance, group


def expectation(
    policy: Policy, estimator: Any, aggregate: Aggregate = constant, size: int = GROUP
) -> tuple[Gradient, Any]:
    """Return an estimator's exact expectation, and the sum of the variances of its components."""
    mean: Gradient = [Fraction(0)] * (TURNS * len(ACTIONS))
    square: Any = Fraction(0)
    for chance, group in groups(policy, size):
        found = group_gradient(group, policy, estimator, aggregate)
        mean = [total + chance * value for total, value in zip(mean, found, strict=True)]
        square += chance * sum(value * value for value in found)
    return mean, square - sum(value * value for value in mean)


def hidden_reward_gradient(policy: Policy) -> Gradient:
    """Return the bias that `turn_normalized` has in a large group: the gradient of a reward that nobody gave.

    Its baseline subtracts, for every turn that a rollout makes, the mean reward of that turn among those who make it. Whoever
    goes on is charged that mean; whoever stops is not.
    """
    means = []
    for turn in range(TURNS):
        reached = [
            (one.probability(policy), one.rollout.turns[turn].reward or 0) for one in ALL if turn < len(one.actions)
        ]
        means.append(sum(p * r for p, r in reached) / sum(p for p, _ in reached))
    return added(
        (
            one.probability(policy),
            one.score(policy, [-sum(means[t : len(one.actions)]) for t in range(len(one.actions))]),
        )
        for one in ALL
    )


def norm(gradient: Gradient) -> float:
    return math.sqrt(sum(float(value) ** 2 for value in gradient))


def cosine(one: Gradient, other: Gradient) -> float:
    return sum(float(a) * float(b) for a, b in zip(one, other, strict=True)) / (norm(one) * norm(other))


WEIGHT: Any = Fraction(1)  # so that sums of an estimator without roots stay exact
ESTIMATORS: list[tuple[str, Any, Aggregate]] = [
    ("`turn_episode`", TurnEpisode(turn_weight=WEIGHT), constant),
    ("`turn_loo`", TurnLeaveOneOut(turn_weight=WEIGHT, discount=WEIGHT), constant),
    ("`turn_loo`, discount: 0", TurnLeaveOneOut(discount=0), constant),
    ("`turn_to_go`, scale: false", TurnToGo(scale=False), constant),
    ("`turn_to_go`", TurnToGo(), constant),
    ("`turn_normalized`, scale: false", TurnNormalized(scale=False), constant),
    ("`turn_normalized`", TurnNormalized(), constant),
    ("`turn_loo` with --loss dapo", TurnLeaveOneOut(), by_tokens),
    ("`turn_loo` with --loss grpo", TurnLeaveOneOut(), by_length),
]


def table(policy: Policy = EVEN) -> Iterator[str]:
    """Yield the table, in Markdown."""
    exact = exact_gradient(policy)
    yield "| estimator | cosine | bias | noise | pushes to stop at turn 1 |"
    yield "|---|---|---|---|---|"
    yield f"| exact gradient | 1.000 | 0 | | {float(exact[0]):+.3f} |"
    for name, estimator, aggregate in ESTIMATORS:
        mean, variance = expectation(policy, estimator, aggregate)
        bias = norm([a - b for a, b in zip(mean, exact, strict=True)]) / norm(exact)
        unbiased = all(a == b for a, b in zip(mean, exact, strict=True))
        yield (
            f"| {name} | {cosine(mean, exact):.3f} | {'0, exactly' if unbiased else f'{bias:.3f}'} | "
            f"{math.sqrt(float(variance)) / norm(mean):.2f} | {float(mean[0]):+.3f} |"
        )
    hidden = hidden_reward_gradient(policy)
    limit = [a + b for a, b in zip(exact, hidden, strict=True)]
    bias = norm(hidden) / norm(exact)
    yield (
        f"| `turn_normalized`, scale: false, as the group grows | {cosine(limit, exact):.3f} | {bias:.3f} | | "
        f"{float(limit[0]):+.3f} |"
    )


def softmax(logits: Sequence[float]) -> tuple[float, ...]:
    highest = max(logits)
    raised = [math.exp(value - highest) for value in logits]
    return tuple(value / sum(raised) for value in raised)


def learn(estimator: Any, aggregate: Aggregate, steps: int = 60, rate: float = 2.0, size: int = 3) -> float:
    """Follow an estimator's expected gradient, each step of one length, and return the expected return at the end."""
    logits = [[math.log(float(p)) for p in row] for row in EVEN]
    for _ in range(steps):
        policy = tuple(softmax(row) for row in logits)
        mean, _ = expectation(policy, estimator, aggregate, size)
        for turn in range(TURNS):
            for at in range(len(ACTIONS)):
                logits[turn][at] += rate * float(mean[turn * len(ACTIONS) + at])
    return float(expected_return(tuple(softmax(row) for row in logits)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--learn", action="store_true", help="also follow the expected gradients")
    given = parser.parse_args()
    print("\n".join(table()))
    if given.learn:
        print(
            f"\nexpected return before: {float(expected_return(EVEN)):.3f}; best: {float(max(one.value for one in ALL)):.3f}"
        )
        for name, estimator, aggregate in ESTIMATORS:
            print(f"{name}: {learn(estimator, aggregate):.3f}", flush=True)


if __name__ == "__main__":
    main()
