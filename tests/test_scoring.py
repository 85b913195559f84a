"""Judging and pricing: what counts, what does not apply, and that no bug becomes a price of 0.0."""

import asyncio
import math

import pytest

from r1sdk import Completion, RewardError, Rollout, Task, Verdict, group_reward
from r1sdk.scoring import price, score


class Judge:
    """Gives the verdict that it was made with; a function is called with the rollout."""

    def __init__(self, verdict=1.0):
        self.verdict = verdict

    def tasks(self, split):
        return []

    def verify(self, rollout):
        return self.verdict(rollout) if callable(self.verdict) else self.verdict


def rollouts(*texts):
    return [Rollout(Task([{"role": "user", "content": "?"}], id=f"t/{i}"), said(text)) for i, text in enumerate(texts)]


def said(text):
    return Completion([{"role": "assistant", "content": text}], [*range(len(text))])


def length(rollout):
    return len(rollout.completion.token_ids)


async def later(rollout):
    await asyncio.sleep(0)
    return length(rollout) * 10


def not_for_b(rollout):
    return None if rollout.completion.text.startswith("b") else 1.0


@group_reward
def rank(group):
    """Each one's place by length inside its group."""
    ordered = sorted(length(rollout) for rollout in group)
    return [ordered.index(length(rollout)) for rollout in group]


def fails(rollout):
    raise KeyError("solution")


async def fails_later(rollout):
    await asyncio.sleep(0)
    raise KeyError("solution")


def test_each_rollout_is_judged_then_priced_and_the_total_is_weighted():
    judged, scores = score(rollouts("a", "bbb"), Judge(0.5), {"length": (length, 2.0), "later": (later, -0.5)})
    assert [rollout.verdict.value for rollout in judged] == [0.5, 0.5]
    assert [dict(s.rewards) for s in scores] == [{"length": 1.0, "later": 10.0}, {"length": 3.0, "later": 30.0}]
    assert [s.total for s in scores] == [2 - 5, 6 - 15]


def test_what_does_not_apply_is_left_out_of_the_total():
    _, scores = score(rollouts("a", "b"), Judge(), {"some": (not_for_b, 3.0), "length": (length, 1.0)})
    assert [s.rewards["some"] for s in scores] == [1.0, None]
    assert [s.total for s in scores] == [4.0, 1.0]


def test_without_rewards_the_totals_are_zero():
    _, scores = score(rollouts("a", "b"), Judge(), {})
    assert [(dict(s.rewards), s.total) for s in scores] == [({}, 0), ({}, 0)]


def test_an_empty_batch_has_no_scores():
    assert score([], Judge(), {"length": (length, 1.0), "rank": (rank, 1.0)}) == ([], [])


def test_a_reward_sees_the_verdict():
    judge = Judge(lambda rollout: float(rollout.completion.text == "a"))
    _, scores = score(rollouts("a", "b"), judge, {"seen": (lambda rollout: rollout.verdict.value, 1.0)})
    assert [s.total for s in scores] == [1.0, 0.0]


def test_a_group_reward_is_given_the_completions_of_one_prompt_together():
    _, scores = score(rollouts("a", "bbb", "cccc", "dd"), Judge(), {"rank": (rank, 1.0)}, group_size=2)
    assert [s.total for s in scores] == [0, 1, 1, 0]
    _, scores = score(rollouts("a", "bbb", "cccc", "dd"), Judge(), {"rank": (rank, 1.0)}, group_size=4)
    assert [s.total for s in scores] == [0, 2, 3, 1]


def test_a_group_reward_refuses_a_batch_that_is_no_whole_groups():
    with pytest.raises(RewardError, match="'rank' compares whole groups: 3 rollouts are not groups of 2"):
        score(rollouts("a", "b", "c"), Judge(), {"rank": (rank, 1.0)}, group_size=2)


@pytest.mark.parametrize("prices", [[1.0], [1.0, 2.0, 3.0], 1.0, None])
def test_a_group_reward_returns_a_price_for_each(prices):
    wrong = group_reward(lambda group: prices)
    with pytest.raises(RewardError, match="'wrong' must return 2 prices for a group"):
        score(rollouts("a", "b"), Judge(), {"wrong": (wrong, 1.0)}, group_size=2)


@pytest.mark.parametrize("reward", [fails, fails_later, group_reward(fails), group_reward(fails_later)])
def test_a_reward_that_raises_stops_the_run_and_is_named_with_the_task_and_the_completion(reward):
    with pytest.raises(RewardError) as caught:
        score(rollouts("hello"), Judge(), {"length": (length, 1.0), "cosine": (reward, 1.0)})
    message = str(caught.value)
    assert "reward 'cosine' failed: KeyError: 'solution'" in message
    assert "t/0" in message and "'hello'" in message
    assert isinstance(caught.value.__cause__, KeyError)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "much", [1.0], object()])
def test_a_price_that_is_no_finite_number_stops_the_run(value):
    with pytest.raises(RewardError, match="reward 'odd' returned"):
        score(rollouts("a"), Judge(), {"odd": (lambda rollout: value, 1.0)})


@pytest.mark.parametrize(("value", "number"), [(True, 1.0), (False, 0.0), (2, 2.0), (-0.5, -0.5)])
def test_a_price_of_any_number_type_is_a_float(value, number):
    _, (priced,) = score(rollouts("a"), Judge(), {"any": (lambda rollout: value, 1.0)})
    assert priced.rewards["any"] == number and type(priced.rewards["any"]) is float


@pytest.mark.parametrize("verdict", [fails, fails_later])
def test_a_verifier_that_raises_stops_the_run_and_is_named(verdict):
    with pytest.raises(RewardError, match="(?s)Judge.verify failed: KeyError.*t/0.*'hello'"):
        score(rollouts("hello"), Judge(verdict), {})


@pytest.mark.parametrize("value", [1.5, -0.1, math.nan, "right"])
def test_a_verifier_that_returns_no_number_in_its_range_stops_the_run(value):
    with pytest.raises(RewardError, match="Judge.verify returned"):
        score(rollouts("a"), Judge(value), {})


def test_a_verifier_that_returns_none_could_not_judge_and_that_is_not_zero():
    (judged,), _ = score(rollouts("a"), Judge(None), {})
    assert (judged.verdict.value, judged.verdict.status) == (None, "unverifiable")


def test_a_whole_verdict_is_kept_and_timed():
    async def verify(rollout):
        await asyncio.sleep(0.01)
        return Verdict(0.0, "timeout", extracted="9**9**9", reason="too dear")

    (judged,), _ = score(rollouts("a"), Judge(verify), {})
    assert (judged.verdict.status, judged.verdict.extracted, judged.verdict.reason) == (
        "timeout",
        "9**9**9",
        "too dear",
    )
    assert judged.verdict.seconds >= 0.01
    (judged,), _ = score(rollouts("a"), Judge(Verdict(1.0, seconds=7.0)), {})
    assert judged.verdict.seconds == 7.0


def test_the_rewards_and_rollouts_of_a_batch_run_at_the_same_time():
    waiting = 0
    everyone = asyncio.Event()

    async def meet(rollout):
        nonlocal waiting
        waiting += 1
        if waiting == 4:
            everyone.set()
        await asyncio.wait_for(everyone.wait(), timeout=5)
        return 1.0

    asyncio.run(price(rollouts("a", "b"), {"one": (meet, 1.0), "two": (meet, 1.0)}))
    assert waiting == 4


def test_scoring_changes_no_record():
    before = rollouts("a")
    score(before, Judge(), {"length": (length, 1.0)})
    assert before[0].verdict is None
