"""What a scored batch says of the health of its rewards."""

import pytest

from r1sdk import Completion, Rollout, Score, Task, Verdict
from r1sdk.training.monitor.batch_metrics import correlation, measure


def rollout(value, text="a", status="ok", seconds=0.002):
    verdict = Verdict(value, status, seconds=seconds)
    return Rollout(Task([], id="t"), Completion([{"role": "assistant", "content": text}]), verdict)


def score(status=None, seconds=0.001, **rewards):
    statuses = {} if status is None else {"mine": status}
    return Score(rewards, 0.0, statuses=statuses, seconds=dict.fromkeys(rewards, seconds))


REWARDS = {"mine": (None, 1.0)}


def test_verdicts_are_counted_by_status_and_averaged_where_they_have_a_value():
    batch = [
        rollout(1.0),
        rollout(0.0, status="timeout"),
        rollout(None, status="unverifiable"),
        rollout(None, status="error"),
    ]
    metrics = measure(batch, [score(mine=1.0)] * 4, REWARDS, 4)
    assert [metrics[f"verdict/{status}"] for status in ("ok", "timeout", "unverifiable", "error")] == [0.25] * 4
    assert metrics["verdict/mean"] == 0.5
    assert metrics["verdict/ms_median"] == pytest.approx(2.0)


def test_prices_that_are_none_are_told_apart_by_their_cause():
    batch = [rollout(1.0), rollout(1.0), rollout(1.0), rollout(None, status="unverifiable")]
    scores = [score(mine=1.0), score("timeout", mine=None), score("error", mine=None), score(mine=None)]
    metrics = measure(batch, scores, REWARDS, 4)
    assert metrics["rewards/mine/none"] == 0.75
    assert [metrics[f"rewards/mine/{cause}"] for cause in ("timeout", "error", "unverifiable")] == [0.25] * 3


def test_milliseconds_are_given_by_their_median_and_the_slowest_hundredth():
    scores = [score(mine=0.0, seconds=0.001)] * 98 + [score(mine=0.0, seconds=0.5)] * 2
    metrics = measure([rollout(0.0)] * 100, scores, REWARDS, 10)
    assert metrics["rewards/mine/ms_median"] == pytest.approx(1.0)
    assert metrics["rewards/mine/ms_p99"] == pytest.approx(500.0)


def test_a_reward_that_is_the_verdict_correlates_fully_and_one_that_opposes_it_fully_the_other_way():
    verdicts = [1.0, 0.0, 1.0, 0.0]
    for sign in (1.0, -1.0):
        scores = [score(mine=sign * value) for value in verdicts]
        metrics = measure([rollout(value) for value in verdicts], scores, REWARDS, 4)
        assert metrics["rewards/mine/verdict_correlation"] == pytest.approx(sign)


def test_a_correlation_that_is_not_defined_is_left_out_and_not_zero():
    metrics = measure([rollout(1.0), rollout(0.0)], [score(mine=0.5)] * 2, REWARDS, 2)
    assert "rewards/mine/verdict_correlation" not in metrics
    assert "rewards/mine/spread_share" not in metrics
    assert correlation([1.0], [1.0]) is None
    assert correlation([1.0, None, 0.0], [1.0, 0.0, None]) is None


def test_a_reward_has_its_part_of_the_spread_inside_groups_by_weight():
    rewards = {"loud": (None, 3.0), "quiet": (None, 1.0), "between": (None, 9.0)}
    scores = [
        score(loud=v, quiet=v, between=g) for g in (0.0, 1.0) for v in (0.0, 1.0)
    ]  # `between` differs by group only
    metrics = measure([rollout(1.0)] * 4, scores, rewards, 2)
    assert [metrics[f"rewards/{name}/spread_share"] for name in rewards] == pytest.approx([0.75, 0.25, 0.0])


def test_completions_that_repeat_inside_a_group_are_counted_once():
    batch = [rollout(0.0, text) for text in ("a", "a", "a", "b", "c", "d", "e", "f")]
    assert measure(batch, [score(mine=0.0)] * 8, REWARDS, 4)["groups/distinct"] == pytest.approx((0.5 + 1.0) / 2)


def test_the_parts_of_a_mixture_have_figures_of_their_own():
    def of(part, value):
        return Rollout(
            Task([], info={"env": part}, id=part),
            Completion([]),
            Verdict(value, "unverifiable" if value is None else "ok"),
        )

    batch = [of("a", 1.0), of("a", 0.0), of("a", None), of("b", 1.0)]
    metrics = measure(batch, [score(mine=p) for p in (2.0, 0.0, None, None)], REWARDS, 1)
    assert (metrics["env/a/share"], metrics["env/a/accuracy"], metrics["env/a/rewards/mine"]) == (0.75, 0.5, 1.0)
    assert (metrics["env/b/share"], metrics["env/b/accuracy"]) == (0.25, 1.0) and "env/b/rewards/mine" not in metrics
    assert not any(name.startswith("env/") for name in measure([rollout(1.0)], [score(mine=1.0)], REWARDS, 1))
