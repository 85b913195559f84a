"""Judging and pricing: what counts, what does not apply, and that no bug becomes a price of 0.0."""

import asyncio
import math
import os

import isolated_functions as f
import pytest

from r1sdk import Completion, RewardError, Rollout, SessionLog, Task, Unavailable, Verdict, group_reward, isolated
from r1sdk.scoring.isolation import with_timeout
from r1sdk.scoring.score_rollouts import score, score_rewards


class Judge:
    """Gives the verdict that it was made with; a function is called with the rollout."""

    def __init__(self, verdict=1.0):
        self.verdict = verdict

    def tasks(self, split):
        return []

    def verify(self, rollout):
        return self.verdict(rollout) if callable(self.verdict) else self.verdict


def rollouts(*texts, group_size=1):
    tasks = [Task([{"role": "user", "content": "?"}], id=f"t/{i // group_size}") for i in range(len(texts))]
    return [Rollout(task, said(text)) for task, text in zip(tasks, texts)]


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
    _, scores = score(rollouts("a", "bbb", "cccc", "dd", group_size=2), Judge(), {"rank": (rank, 1.0)}, group_size=2)
    assert [s.total for s in scores] == [0, 1, 1, 0]
    _, scores = score(rollouts("a", "bbb", "cccc", "dd", group_size=4), Judge(), {"rank": (rank, 1.0)}, group_size=4)
    assert [s.total for s in scores] == [0, 2, 3, 1]


def test_a_group_reward_refuses_a_batch_that_is_no_whole_groups():
    with pytest.raises(RewardError, match="'rank' compares complete groups: 3 rollouts are not groups of 2"):
        score(rollouts("a", "b", "c"), Judge(), {"rank": (rank, 1.0)}, group_size=2)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Task([{"role": "user", "content": "?"}], id="t/0"), Task([{"role": "user", "content": "?"}], id="t/1")),
        (Task([{"role": "user", "content": "1+1"}]), Task([{"role": "user", "content": "1+2"}])),
        (Task([{"role": "user", "content": "1"}], id="t/0"), Task([{"role": "user", "content": "2"}], id="t/0")),
    ],
)
def test_a_group_reward_refuses_a_group_with_completions_of_several_prompts(first, second):
    batch = [Rollout(task, said(text)) for task, text in [(first, "a"), (first, "b"), (first, "c"), (second, "d")]]
    with pytest.raises(RewardError, match="(?s)'rank' compares the completions of one prompt.*multiple of generation"):
        score(batch, Judge(), {"rank": (rank, 1.0)}, group_size=2)
    _, scores = score(batch, Judge(), {"length": (length, 1.0)}, group_size=2)  # nobody compares
    assert len(scores) == 4


@pytest.mark.parametrize("prices", [[1.0], [1.0, 2.0, 3.0], 1.0, None])
def test_a_group_reward_returns_a_price_for_each(prices):
    wrong = group_reward(lambda group: prices)
    with pytest.raises(RewardError, match="'wrong' must return 2 rewards for a group"):
        score(rollouts("a", "b", group_size=2), Judge(), {"wrong": (wrong, 1.0)}, group_size=2)


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

    asyncio.run(score_rewards(rollouts("a", "b"), {"one": (meet, 1.0), "two": (meet, 1.0)}))
    assert waiting == 4


def test_scoring_changes_no_record():
    before = rollouts("a")
    score(before, Judge(), {"length": (length, 1.0)})
    assert before[0].verdict is None


# What could not be judged or priced


def unavailable(rollout):
    raise Unavailable("no answer from the service")


async def unavailable_later(rollout):
    await asyncio.sleep(0)
    raise Unavailable("no answer from the service")


@pytest.mark.parametrize("reward", [unavailable, unavailable_later, f.service_for_s])
def test_a_service_that_does_not_answer_is_a_status_with_its_reason_and_the_run_goes_on(reward):
    _, (priced,) = score(rollouts("s"), Judge(), {"judge": (reward, 1.0), "length": (length, 1.0)})
    assert priced.rewards == {"judge": None, "length": 1.0} and priced.total == 1.0
    assert priced.statuses == {"judge": "error"} and priced.reasons == {"judge": "no answer from the service"}


@pytest.mark.parametrize("verify", [unavailable, unavailable_later])
def test_a_verifier_whose_service_does_not_answer_has_judged_nothing(verify):
    (judged,), _ = score(rollouts("a"), Judge(verify), {})
    assert (judged.verdict.value, judged.verdict.status) == (None, "error")
    assert judged.verdict.reason == "no answer from the service"


def test_a_group_whose_reward_has_no_service_has_no_prices():
    batch = rollouts("a", "b", group_size=2)
    _, scores = score(batch, Judge(), {"rank": (group_reward(lambda group: unavailable(None)), 1.0)}, group_size=2)
    assert [s.rewards["rank"] for s in scores] == [None, None]
    assert [s.statuses for s in scores] == [{"rank": "error"}] * 2


def test_a_reward_that_does_not_apply_is_no_fault_of_anyone():
    _, scores = score(rollouts("a", "b"), Judge(), {"some": (not_for_b, 1.0)})
    assert [dict(s.statuses) for s in scores] == [{}, {}]


def test_each_price_has_its_time_and_a_group_shares_it():
    async def slow(rollout):
        await asyncio.sleep(0.02)
        return 1.0

    @group_reward
    async def slow_for_all(group):
        await asyncio.sleep(0.04)
        return [1.0] * len(group)

    rewards = {"slow": (slow, 1.0), "group": (slow_for_all, 1.0), "length": (length, 1.0)}
    _, scores = score(rollouts("a", "b", group_size=2), Judge(), rewards, group_size=2)
    for priced in scores:
        assert priced.seconds["slow"] >= 0.02 and priced.seconds["group"] >= 0.02
        assert 0.0 < priced.seconds["length"] < priced.seconds["slow"]
    assert scores[0].seconds["group"] == scores[1].seconds["group"]


# Isolated rewards and verifiers


def test_an_isolated_reward_is_priced_in_another_process():
    _, scores = score(rollouts("a", "bb"), Judge(), {"later": (f.prices_later, 1.0), "pid": (f.WorkerPid(), 1.0)})
    assert [s.rewards["later"] for s in scores] == [1.0, 2.0]
    assert os.getpid() not in [s.rewards["pid"] for s in scores]
    assert all(s.seconds["pid"] > 0 and not s.statuses for s in scores)


@pytest.mark.heavy
def test_an_isolated_reward_that_hangs_dies_or_grows_loses_that_price_alone():
    texts = ["a", "b...", "cc", "d...", "m...", "s...", "n", "eee"]
    _, scores = score(rollouts(*texts), Judge(), {"isolated": (f.hangs_on_b, 1.0), "length": (length, 0.0)})
    assert [s.rewards["isolated"] for s in scores] == [1.0, None, 2.0, None, None, None, None, 3.0]
    assert [s.statuses.get("isolated", "ok") for s in scores] == [
        *("ok", "timeout", "ok", "error", "timeout", "error", "ok", "ok")
    ]
    reasons = [s.reasons.get("isolated", "") for s in scores]
    assert "no result within 1 s" in reasons[1] and "SIGKILL" in reasons[3] and "memory" in reasons[4]
    assert [s.total for s in scores] == [1.0, 0, 2.0, 0, 0, 0, 0, 3.0]
    assert scores[1].seconds["isolated"] >= 1.0


def test_an_isolated_reward_that_raises_stops_the_run_with_the_task():
    with pytest.raises(RewardError, match="(?s)reward 'isolated' failed: KeyError: 'solution'.*t/1.*'f'") as caught:
        score(rollouts("a", "f"), Judge(), {"isolated": (f.hangs_on_b, 1.0)})
    assert "isolated_functions.py" in "".join(caught.value.__cause__.__notes__)


@pytest.mark.heavy
def test_an_isolated_group_reward_has_its_whole_group_in_one_call():
    batch = rollouts("a", "cc", "eee", "b", group_size=2)
    rewards = {"isolated": (f.hangs_on_a_group_with_b, 1.0), "pids": (isolated()(f.pids_of_a_group), 1.0)}
    _, scores = score(batch, Judge(), rewards, group_size=2)
    assert [s.rewards["isolated"] for s in scores] == [1.0, 2.0, None, None]
    assert [s.statuses.get("isolated", "ok") for s in scores] == ["ok", "ok", "timeout", "timeout"]
    assert scores[0].rewards["pids"] == scores[1].rewards["pids"] != os.getpid()
    assert scores[2].seconds["isolated"] == scores[3].seconds["isolated"] >= 0.5


@pytest.mark.heavy
def test_an_isolated_verifier_that_hangs_judges_wrong_and_one_that_dies_nothing():
    judged, _ = score(rollouts("a", "b", "d", "m", "n", "s", "v"), f.IsolatedJudge(), {})
    found = [(rollout.verdict.value, rollout.verdict.status) for rollout in judged]
    assert found[:3] == [(1.0, "ok"), (0.0, "timeout"), (None, "error")]
    assert found[3:] == [(0.0, "timeout"), (None, "unverifiable"), (None, "error"), (1.0, "ok")]
    assert "no result within 1 s" in judged[1].verdict.reason and "SIGKILL" in judged[2].verdict.reason
    assert int(judged[6].verdict.extracted) != os.getpid() and judged[1].verdict.seconds >= 1.0


def test_an_isolated_verifier_that_raises_stops_the_run_with_the_task():
    with pytest.raises(RewardError, match="(?s)IsolatedJudge.verify failed: KeyError: 'solution'.*t/0"):
        score(rollouts("f"), f.IsolatedJudge(), {})


def test_a_time_limit_isolates_what_was_not_marked_and_replaces_the_mark_of_what_was():
    rewards = {"open": (with_timeout(f.open_reward, 5.0), 1.0), "marked": (with_timeout(f.hangs_on_b, 0.3), 1.0)}
    (judged, _), scores = score(rollouts("a", "b"), with_timeout(f.OpenJudge(), 5.0), rewards)
    assert os.getpid() not in (int(judged.verdict.extracted), scores[0].rewards["open"])
    assert "no result within 0.3 s" in scores[1].reasons["marked"]


def test_without_a_time_limit_a_reward_is_as_it_was():
    assert with_timeout(length, None) is length


def test_the_log_of_a_session_goes_along_to_the_worker_that_prices():
    (first,) = rollouts("a")
    played = Rollout(first.task, first.completion, session=SessionLog(turns=3))
    (judged,), (priced,) = score([played], f.IsolatedJudge(), {"turns": (f.turns, 1.0)})
    assert priced.total == 3.0 and judged.session == SessionLog(turns=3)


def test_an_isolated_reward_that_cannot_be_sent_stops_the_run_and_is_named():
    with pytest.raises(RewardError, match="(?s)reward 'mine': .* cannot be sent to a worker process.*t/0"):
        score(rollouts("a"), Judge(), {"mine": (f.HoldsAFunction(), 1.0)})


def test_no_result_that_is_no_number_comes_from_a_worker_either():
    with pytest.raises(RewardError, match="reward 'text' returned 'a', which is not a number"):
        score(rollouts("a"), Judge(), {"text": (with_timeout(f.text, 5.0), 1.0)})
