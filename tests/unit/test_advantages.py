"""The advantage estimators: hand-computed examples, TRL's numbers, and that an unscored rollout has no part."""

import random

import pytest

import r1sdk
from r1_advantages import (
    DrGrpo,
    Gdpo,
    Grpo,
    MaxRl,
    PassAtK,
    ReinforcePlusPlus,
    Rloo,
    TurnEpisode,
    TurnLeaveOneOut,
    TurnNormalized,
    TurnToGo,
)
from r1sdk.plugins.loading import load_plugins


def group(*totals, **columns):
    """A group of rollouts of one token; `columns`: rewards by name, with the weights 1, 10, ..."""
    names = list(columns) or ["accuracy"]
    columns = columns or {"accuracy": totals}
    weights = {name: 10.0**at for at, name in enumerate(names)}
    rows = [dict(zip(names, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    if not totals:
        totals = [sum(weights[name] * value for name, value in row.items() if value is not None) for row in rows]
    turn = (r1sdk.ModelTurn(0, 1),)
    return r1sdk.RewardGroup(
        tuple(r1sdk.RewardedRollout(total, row, turn) for total, row in zip(totals, rows, strict=True)), weights
    )


def dialogues(*rollouts):
    """A group of rollouts of several turns, each `(total, [reward of each turn])`; turn t has t + 1 tokens."""
    made = []
    for total, rewards in rollouts:
        turns, start = [], 0
        for at, reward in enumerate(rewards):
            turns.append(r1sdk.ModelTurn(start, start + at + 1, reward))
            start += at + 1
        made.append(r1sdk.RewardedRollout(total, {"accuracy": total}, tuple(turns)))
    return r1sdk.RewardGroup(tuple(made), {"accuracy": 1.0})


def close(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-6)


def test_grpo_by_hand():
    close(Grpo()(group(1.0, 0.0, 0.0, 0.0)), [0.75 / 0.5001, *[-0.25 / 0.5001] * 3])


def test_dr_grpo_by_hand():
    close(DrGrpo()(group(1.0, 0.0, 0.0, 0.0)), [0.75, -0.25, -0.25, -0.25])


def test_rloo_by_hand():
    close(Rloo()(group(1.0, 0.0, 0.5)), [1.0 - 0.25, 0.0 - 0.75, 0.5 - 0.5])


def test_reinforce_pp_by_hand():
    groups = [group(1.0, 0.0), group(1.0, 1.0)]  # mean 0.75, std sqrt(3)/4
    a, b = 0.25 / (3**0.5 / 4), -0.75 / (3**0.5 / 4)
    for found, expected in zip(ReinforcePlusPlus()(groups), [[a, b], [a, a]], strict=True):
        close(found, expected)
    baseline = ReinforcePlusPlus(group_mean=True)(groups)  # 0.5, -0.5, 0, 0: std sqrt(1/8)
    close(baseline[0], [0.5 * 8**0.5, -0.5 * 8**0.5])
    close(baseline[1], [0.0, 0.0])


def test_maxrl_by_hand_and_that_it_refuses_negative_totals():
    close(MaxRl()(group(1.0, 0.0, 0.0, 0.0)), [3.0, -1.0, -1.0, -1.0])
    close(MaxRl()(group(0.0, 0.0)), [0.0, 0.0])
    with pytest.raises(r1sdk.PluginError, match=r"0\.0 or more"):
        MaxRl()(group(1.0, -1.0))


def test_gdpo_tells_apart_rollouts_whose_totals_are_equal():
    """Rewards a, b with weights 1 and 10: (10, 0) and (0, 1) both total 10, and so does nobody else."""
    found = Gdpo()([group(a=[10.0, 0.0, 0.0], b=[0.0, 1.0, 0.0])])[0]
    # Each reward is normalized to (2, -1, -1) / sqrt(3), up to the 1e-4: sums 1*z_a + 10*z_b.
    z = [2 / 3**0.5, -1 / 3**0.5, -1 / 3**0.5]
    sums = [z[0] + 10 * z[1], z[1] + 10 * z[0], z[1] + 10 * z[1]]
    mean, std = sum(sums) / 3, (sum((s - sum(sums) / 3) ** 2 for s in sums) / 2) ** 0.5
    for one, s in zip(found, sums, strict=True):
        assert one == pytest.approx((s - mean) / std, abs=2e-3)
    assert found[0] != pytest.approx(found[1], abs=0.1)


def test_gdpo_leaves_out_a_reward_that_does_not_apply():
    found = Gdpo()([group(a=[1.0, 0.0, None], b=[1.0, 1.0, 1.0])])[0]
    assert found[0] > found[2] > found[1] and found[2] == pytest.approx(0.0)


def test_pass_at_k_by_hand():
    """G = 4, k = 2, one right: m = 1 - C(3,2)/C(4,2) = 1/2, s = 1/2; wrong: (1/2 - C(2,1)/C(3,1)) / s = -1/3."""
    close(PassAtK(k=2)(group(1.0, 0.0, 0.0, 0.0)), [1.0, -1 / 3, -1 / 3, -1 / 3])
    close(PassAtK(k=2)(group(1.0, 1.0, 1.0, 0.0)), [0.0] * 4)  # fewer than k are wrong
    close(PassAtK(k=2)(group(0.0, 0.0, 0.0)), [0.0] * 3)


def test_pass_at_k_equals_the_average_over_all_groups_of_k():
    """The analytical form against its definition: each rollout's mean reward over all C(G, k) groups it is in."""
    from itertools import combinations

    right = [True, False, False, True, False, False]
    k, size = 3, 6
    groups = list(combinations(range(size), k))
    rewards = [float(any(right[i] for i in chosen)) for chosen in groups]
    mean = sum(rewards) / len(rewards)
    std = (sum((r - mean) ** 2 for r in rewards) / len(rewards)) ** 0.5
    expected = []
    for i in range(size):
        own = [(r - mean) / std for r, chosen in zip(rewards, groups, strict=True) if i in chosen]
        expected.append(sum(own) / len(own))
    close(PassAtK(k=k)(group(*map(float, right))), expected)


def test_pass_at_k_refuses_more_than_the_rollouts_of_a_prompt():
    with pytest.raises(ValueError, match="k is from 1 to the 8"):
        PassAtK(k=9, samples=8)
    with pytest.raises(r1sdk.PluginError, match="k is from 1"):
        load_plugins().build("advantage", "pass_at_k", {"k": 9, "samples": 8})


THREE = dialogues((1.0, [0.5, 1.0]), (0.0, [0.5]), (0.0, [None, 0.25]))


def test_the_reward_to_go_of_a_turn_has_the_total_and_all_later_turn_rewards():
    assert [rollout.to_go() for rollout in THREE.rollouts] == [[2.5, 2.0], [0.5], [0.25, 0.25]]
    assert THREE.rollouts[0].to_go(2.0) == [4.0, 3.0]


def test_a_discount_counts_later_rewards_less_and_leaves_the_total():
    (rollout,) = dialogues((1.0, [0.5, None, 2.0])).rollouts
    assert rollout.to_go(1.0, 0.5) == [1.0 + 0.5 + 0.25 * 2.0, 1.0 + 0.5 * 2.0, 1.0 + 2.0]
    assert rollout.to_go(1.0, 0.0) == [1.5, 1.0, 3.0]


def test_turn_loo_with_discount_0_credits_a_turn_with_its_own_reward():
    group = dialogues((0.0, [1.0, 0.0]), (0.0, [0.0, 0.5]), (0.0, [0.5, 0.25]))
    found = TurnLeaveOneOut(discount=0.0)(group)
    close(found[0], [1.0 - 0.25, 0.0 - 0.375, 0.0 - 0.375])
    close(found[1], [0.0 - 0.75, 0.5 - 0.125, 0.5 - 0.125])


def test_turn_episode_by_hand():
    close(TurnEpisode()(THREE), [2.5 - 0.375, 0.5 - 1.375, 0.25 - 1.5])


def test_turn_loo_by_hand():
    found = TurnLeaveOneOut()(THREE)
    close(found[0], [2.5 - 0.375, 2.0 - 0.25, 2.0 - 0.25])  # turn 2: only the third made it, too
    close(found[1], [0.5 - 1.375])
    close(found[2], [0.25 - 1.5, 0.25 - 2.0, 0.25 - 2.0])


def test_turn_loo_of_a_turn_that_nobody_else_reached_takes_their_last_turns():
    found = TurnLeaveOneOut()(dialogues((1.0, [0.0, 0.5]), (0.0, [0.25])))
    close(found[0], [1.5 - 0.25, 1.5 - 0.25, 1.5 - 0.25])
    close(found[1], [0.25 - 1.5])


def test_turn_to_go_by_hand():
    found = TurnToGo(scale=False)(THREE)
    mean = (2.5 + 0.5 + 0.25) / 3
    close(found[0], [2.5 - mean, 2.0 - 1.125, 2.0 - 1.125])
    close(found[1], [0.5 - mean])


def test_turn_normalized_by_hand():
    found = TurnNormalized(scale=False)(THREE)
    first, second, total = 1 / 3, 0.625, 1 / 3
    close(found[0], [0.5 - first + 1.0 - second + 1 - total, *[1.0 - second + 1 - total] * 2])
    close(found[1], [0.5 - first - total])


def test_turn_weight_0_leaves_the_total_alone():
    for made in (TurnEpisode(turn_weight=0.0), TurnLeaveOneOut(turn_weight=0.0)):
        first = made(THREE)[0]
        assert (first if isinstance(first, float) else first[0]) == pytest.approx(1.0)


ALL = [(name, load_plugins().build("advantage", name)) for name in load_plugins().names("advantage")]


@pytest.mark.parametrize(("name", "estimator"), ALL, ids=[name for name, _ in ALL])
def test_each_estimator_takes_any_group_and_returns_finite_numbers_of_its_shape(name, estimator):
    from r1sdk.contracts import is_over_batch, is_per_token

    rng = random.Random(0)
    groups = []
    for size in (1, 2, 5, 8):
        turns = [rng.randint(1, 4) for _ in range(size)]
        groups.append(
            dialogues(*[(rng.choice([0.0, 1.0]), [rng.choice([None, 0.5, -1.0]) for _ in range(n)]) for n in turns])
        )
    found = estimator(groups) if is_over_batch(estimator) else [estimator(one) for one in groups]
    for one, values in zip(groups, found, strict=True):
        assert len(values) == len(one.rollouts)
        for rollout, value in zip(one.rollouts, values, strict=True):
            row = value if is_per_token(estimator) else [value]
            assert len(row) == (rollout.tokens if is_per_token(estimator) else 1)
            assert all(abs(number) < 1e6 for number in row)


@pytest.mark.parametrize(("name", "estimator"), ALL, ids=[name for name, _ in ALL])
def test_equal_rollouts_have_no_advantage(name, estimator):
    from r1sdk.contracts import is_over_batch

    same = dialogues(*[(1.0, [0.5, 0.5])] * 4)
    values = estimator([same])[0] if is_over_batch(estimator) else estimator(same)
    for value in values:
        assert value == pytest.approx([0.0] * 3 if isinstance(value, list) else 0.0, abs=1e-6)
