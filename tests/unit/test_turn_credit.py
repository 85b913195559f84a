"""Estimators of turn credit against the exact gradient of a small game: unbiased ones exactly, biased ones by how much."""

import math
import runpy
from fractions import Fraction
from itertools import product
from pathlib import Path

import pytest

import r1sdk
from r1_advantages import TurnEpisode, TurnLeaveOneOut, TurnNormalized, TurnToGo

GAME = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "turn_credit.py"))
EVEN, expectation, exact_gradient = GAME["EVEN"], GAME["expectation"], GAME["exact_gradient"]
UNEVEN = tuple(
    tuple(Fraction(number, 12) for number in row) for row in ((2, 3, 7), (8, 3, 1), (5, 6, 1))
)  # another policy, that stops rarely at first
ONE = Fraction(1)


def difference(one, other):
    return [a - b for a, b in zip(one, other, strict=True)]


def test_there_are_15_trajectories_and_their_probabilities_add_up_to_1():
    assert len(GAME["ALL"]) == 15
    for policy in (EVEN, UNEVEN):
        assert sum(one.probability(policy) for one in GAME["ALL"]) == 1


def test_the_exact_gradient_is_the_slope_of_the_expected_return():
    """By finite differences of the logits."""
    logits = [[math.log(float(p)) for p in row] for row in UNEVEN]
    exact = exact_gradient(UNEVEN)
    for turn in range(3):
        for at in range(3):
            values = []
            for step in (1e-5, -1e-5):
                moved = [list(row) for row in logits]
                moved[turn][at] += step
                values.append(float(GAME["expected_return"](tuple(GAME["softmax"](row) for row in moved))))
            assert (values[0] - values[1]) / 2e-5 == pytest.approx(float(exact[turn * 3 + at]), abs=1e-8)


@pytest.mark.parametrize("policy", [EVEN, UNEVEN], ids=["even", "uneven"])
@pytest.mark.parametrize("size", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [
        TurnEpisode(turn_weight=ONE),
        TurnLeaveOneOut(turn_weight=ONE, discount=ONE),
    ],
    ids=["turn_episode", "turn_loo"],
)
@pytest.mark.heavy
def test_an_unbiased_estimator_has_the_exact_gradient_as_its_expectation(policy, size, estimator):
    """In rational numbers, so that equal means equal."""
    mean, _ = expectation(policy, estimator, size=size)
    assert mean == exact_gradient(policy)


@pytest.mark.heavy
def test_the_baseline_for_each_turn_is_less_noisy_than_that_for_the_episode():
    for size in (2, 3):
        _, whole = expectation(EVEN, TurnEpisode(turn_weight=ONE), size=size)
        _, by_turn = expectation(EVEN, TurnLeaveOneOut(turn_weight=ONE, discount=ONE), size=size)
        assert by_turn < whole


@pytest.mark.parametrize(
    ("estimator", "at_least"),
    [
        (TurnLeaveOneOut(discount=0), 0.1),
        (TurnNormalized(scale=False), 0.9),
        (TurnNormalized(), 0.5),
        (TurnToGo(scale=False), 0.2),
        (TurnToGo(), 0.2),
    ],
)
@pytest.mark.heavy
def test_a_biased_estimator_is_off_by_at_least_so_much(estimator, at_least):
    exact = exact_gradient(EVEN)
    mean, _ = expectation(EVEN, estimator, size=3)
    assert GAME["norm"](difference(mean, exact)) > at_least * GAME["norm"](exact)


def test_turn_normalized_pushes_to_stop_where_going_on_earns_more():
    exact = exact_gradient(EVEN)
    mean, _ = expectation(EVEN, TurnNormalized(scale=False), size=3)
    assert exact[0] < 0 < mean[0]  # the logit of stopping at the first turn


@pytest.mark.heavy
def test_the_bias_of_turn_normalized_approaches_that_of_a_hidden_reward_as_the_group_grows():
    exact, hidden = exact_gradient(EVEN), GAME["hidden_reward_gradient"](EVEN)
    gaps = []
    for size in (2, 3, 4):
        mean, _ = expectation(EVEN, TurnNormalized(scale=False), size=size)
        gaps.append(GAME["norm"](difference(difference(mean, exact), hidden)))
    assert gaps[0] > gaps[1] > gaps[2]


@pytest.mark.parametrize("aggregate", ["by_length", "by_tokens"])
def test_a_loss_that_divides_by_lengths_biases_even_the_unbiased_estimator(aggregate):
    exact = exact_gradient(EVEN)
    mean, _ = expectation(EVEN, TurnLeaveOneOut(), GAME[aggregate], size=3)
    scale = sum(a * b for a, b in zip(mean, exact, strict=True)) / sum(a * a for a in mean)
    assert GAME["norm"](difference([scale * a for a in mean], exact)) > 0.02 * GAME["norm"](exact)


def independent(estimator, chances=(Fraction(1, 3), Fraction(3, 4), Fraction(1, 2))):
    """Return an estimator's expectation and the variance of each component, where no turn depends on another.

    In each turn the policy is right with a chance, which earns 1. By the logit of being right, the gradient is p (1 - p). Groups of
    two.
    """
    plays = []
    for right in product((0, 1), repeat=len(chances)):
        chance = math.prod(p if hit else 1 - p for hit, p in zip(right, chances, strict=True))
        turns = tuple(r1sdk.ModelTurn(at, at + 1, Fraction(hit)) for at, hit in enumerate(right))
        plays.append((chance, right, r1sdk.RewardedRollout(Fraction(0), {}, turns)))
    mean, square = [Fraction(0)] * len(chances), [Fraction(0)] * len(chances)
    for group in product(plays, repeat=2):
        chance = math.prod(one[0] for one in group)
        rows = estimator(r1sdk.RewardGroup(tuple(one[2] for one in group), {}))
        for turn, p in enumerate(chances):
            found = sum(
                (row if isinstance(row, Fraction) else row[turn]) * (one[1][turn] - p)
                for row, one in zip(rows, group, strict=True)
            )
            mean[turn] += chance * found / 2
            square[turn] += chance * (found / 2) ** 2
    return mean, [one - value**2 for one, value in zip(square, mean, strict=True)]


def test_discount_0_is_unbiased_where_turns_are_independent_and_the_noise_does_not_grow_with_other_turns():
    """In rational numbers, so that equal means equal."""
    exact = [Fraction(1, 3) * Fraction(2, 3), Fraction(3, 4) * Fraction(1, 4), Fraction(1, 4)]
    own, own_noise = independent(TurnLeaveOneOut(turn_weight=ONE, discount=Fraction(0)))
    later, later_noise = independent(TurnLeaveOneOut(turn_weight=ONE, discount=ONE))
    whole, whole_noise = independent(TurnEpisode(turn_weight=ONE))
    assert own == later == whole == exact
    assert own_noise[0] < later_noise[0] == whole_noise[0]
    assert own_noise[2] == later_noise[2] < whole_noise[2]
    alone = [independent(TurnLeaveOneOut(turn_weight=ONE, discount=Fraction(0)), (p,))[1][0] for p in (Fraction(1, 3),)]
    assert own_noise[:1] == alone
