"""The bridge to TRL: one pass over a batch for all rewards, and a stop where too much could not be judged."""

import pickle
from dataclasses import dataclass
from types import SimpleNamespace

import isolated_functions as f
import pytest

from r1sdk import Completion, RewardError, Rollout, Task, Verdict, from_trl, group_reward, isolated
from r1sdk.recipe.key_groups import Limits
from r1sdk.training.trl.reward_columns import RewardTable, task_row


@dataclass
class Counting:
    """An environment that counts what it judges."""

    verdicts: tuple = (Verdict(1.0),)
    judged: int = 0

    def tasks(self, split):
        return []

    def verify(self, rollout):
        self.judged += 1
        return self.verdicts[(self.judged - 1) % len(self.verdicts)]


def right(rollout):
    return rollout.verdict.value


def length(rollout):
    return len(rollout.completion.token_ids)


@group_reward
def size(group):
    return [len(group)] * len(group)


def shaky(text):
    """A reward of 1.0 that hangs on "hang" or has no service for "down", where `text` is that."""
    return {"hang": isolated(timeout_s=0.3)(f.hangs_on_hang), "down": f.no_service_for_down}[text]


REWARDS = {"right": (right, 1.0), "length": (length, 0.5), "size": (size, 0.1)}


def batch(texts=("a", "b", "c", "d"), ids=None, **more):
    """A batch as TRL hands it to a reward function."""
    rows = [
        task_row(Task([{"role": "user", "content": "1+1"}], "2", {"nums": [1]}, f"t/{i // 2}"))
        for i in range(len(texts))
    ]
    return {
        "prompts": [row["prompt"] for row in rows],
        "completions": [[{"role": "assistant", "content": text}] for text in texts],
        "completion_ids": ids or [[5] * (i + 1) for i in range(len(texts))],
        "task": [row["task"] for row in rows],
        "trainer_state": SimpleNamespace(global_step=6),
        "log_extra": None,
        **more,
    }


def test_all_the_columns_of_a_batch_come_from_one_pass_over_it():
    environment = Counting()
    columns = RewardTable(environment, REWARDS, 2).columns()
    given = batch()
    assert [column.__name__ for column in columns] == ["right", "length", "size"]
    assert [column(**given) for column in columns] == [[1.0] * 4, [1.0, 2.0, 3.0, 4.0], [2.0] * 4]
    assert environment.judged == 4


def test_the_next_batch_is_judged_anew_even_when_it_is_equal():
    environment = Counting()
    column = RewardTable(environment, REWARDS, 2).columns()[0]
    column(**batch())
    column(**batch())
    assert environment.judged == 8


def test_what_does_not_apply_stays_none_for_trl_to_leave_out():
    environment = Counting((Verdict(1.0), Verdict(None, "unverifiable")))
    column = RewardTable(environment, REWARDS, 2, Limits(unverifiable=1.0)).columns()[0]
    assert column(**batch()) == [1.0, None, 1.0, None]


def test_a_rollout_that_nobody_could_judge_teaches_nothing_instead_of_the_wrong_thing():
    environment = Counting((Verdict(1.0), Verdict(None, "error"), Verdict(0.0), Verdict(0.0, "timeout")))
    columns = RewardTable(environment, REWARDS, 2, Limits(error=1.0)).columns()
    given = batch()
    assert [column(**given) for column in columns[:2]] == [[1.0, None, 0.0, 0.0], [1.0, None, 3.0, 4.0]]


def test_the_task_comes_through_the_dataset_whole():
    kept = []
    table = RewardTable(
        Counting(), REWARDS, 2, keep=lambda step, rollouts, scores: kept.append((step, rollouts, scores))
    )
    table.columns()[0](**batch())
    ((step, rollouts, scores),) = kept
    assert step == 7  # TRL counts the steps that are done
    assert rollouts[2].task == Task([{"role": "user", "content": "1+1"}], "2", {"nums": [1]}, "t/1")
    assert [score.total for score in scores] == pytest.approx([1 + 0.5 * n + 0.2 for n in (1, 2, 3, 4)])


def test_a_completion_is_finished_if_its_last_token_ends_one_and_cut_otherwise():
    finished = []
    table = RewardTable(
        Counting(),
        REWARDS,
        2,
        end_tokens=frozenset({2, 3}),
        keep=lambda step, rollouts, scores: finished.extend(r.completion.finish for r in rollouts),
    )
    table.columns()[0](**batch(ids=[[5, 2], [2, 5], [5, 3], []]))
    assert finished == ["stop", "length", "stop", "length"]


def test_what_the_chat_template_opened_is_put_in_front_of_the_completion_and_nothing_else_is_changed():
    texts = []
    table = RewardTable(
        Counting(),
        REWARDS,
        2,
        opened_think="<think>\n",
        keep=lambda step, rollouts, scores: texts.extend(r.completion.text for r in rollouts),
    )
    given = batch(("a</think>b", ""))
    table.columns()[0](**given)
    assert texts == ["<think>\na</think>b", "<think>\n"]
    assert given["completions"][0] == [{"role": "assistant", "content": "a</think>b"}]


def test_the_shares_of_the_verdicts_are_logged():
    logged = {}
    environment = Counting((Verdict(1.0), Verdict(0.0, "timeout"), Verdict(None, "error"), Verdict(0.0)))
    table = RewardTable(environment, REWARDS, 2, Limits(error=0.5))
    table.columns()[0](**batch(log_metric=logged.__setitem__))
    shares = {f"verdict/{status}": logged[f"verdict/{status}"] for status in ("ok", "timeout", "unverifiable", "error")}
    assert shares == {"verdict/ok": 0.5, "verdict/timeout": 0.25, "verdict/unverifiable": 0.0, "verdict/error": 0.25}


def test_the_shares_of_what_a_reward_could_not_price_are_logged_and_kept():
    logged, kept = {}, []
    rewards = {"right": (right, 1.0), "shaky": (shaky("hang"), 1.0), "judge": (shaky("down"), 1.0)}
    table = RewardTable(Counting(), rewards, 2, Limits(error=0.25), keep=lambda step, *given: kept.append(given))
    columns = table.columns()
    given = batch(("hang", "a", "b", "down"), log_metric=logged.__setitem__)
    assert [column(**given) for column in columns] == [
        [1.0, 1.0, 1.0, None],  # a rollout that a service has failed to price has no price at all
        [None, 1.0, 1.0, None],
        [1.0, 1.0, 1.0, None],
    ]
    assert {
        key: value for key, value in logged.items() if key.endswith(("/timeout", "/error")) and "verdict" not in key
    } == {
        "rewards/right/timeout": 0.0,
        "rewards/right/error": 0.0,
        "rewards/shaky/timeout": 0.25,
        "rewards/shaky/error": 0.0,
        "rewards/judge/timeout": 0.0,
        "rewards/judge/error": 0.25,
    }
    ((_, scores),) = kept
    assert [score.rewards["right"] for score in scores] == [1.0] * 4
    assert [dict(score.statuses) for score in scores] == [{"shaky": "timeout"}, {}, {}, {"judge": "error"}]


def test_a_reward_that_is_not_there_for_more_than_the_limit_stops_the_run_with_its_name_and_reason():
    rewards = {"right": (right, 1.0), "judge": (shaky("down"), 1.0)}
    table = RewardTable(Counting(), rewards, 2, Limits(error=0.25))
    with pytest.raises(
        RewardError, match="(?s)'judge' .*'error' for 50% of this batch.*limits.error = 25%.*'t/0': no answer"
    ):
        table.columns()[0](**batch(("a", "down", "down", "b")))


def test_a_reward_that_times_out_is_no_reason_to_stop():
    table = RewardTable(Counting(), {"shaky": (shaky("hang"), 1.0)}, 2, Limits(error=0.0))
    assert table.columns()[0](**batch(("hang",) * 2)) == [None, None]


@pytest.mark.parametrize("status", ["error", "unverifiable"])
def test_more_verdicts_missing_than_the_limit_stop_the_run_with_the_first_reason(status):
    environment = Counting((Verdict(1.0), Verdict(None, status, reason="no sandbox answered")))
    table = RewardTable(environment, REWARDS, 2, Limits(**{status: 0.25}))
    with pytest.raises(
        RewardError, match=f"(?s)50% of this batch .*'{status}'.*limits.{status} = 25%.*'t/0': no sandbox answered"
    ):
        table.columns()[0](**batch())


def test_a_share_at_the_limit_is_still_allowed_and_the_default_limit_is_a_tenth():
    ten = tuple("abcdefghij")
    one_of_ten = (Verdict(None, "error"), *[Verdict(1.0)] * 9)
    assert RewardTable(Counting(one_of_ten), REWARDS, 2).columns()[0](**batch(ten))[0] is None
    with pytest.raises(RewardError, match="20%"):
        RewardTable(Counting(one_of_ten[:5]), REWARDS, 2).columns()[0](**batch(ten))


def test_a_batch_that_stopped_the_run_was_kept_to_be_looked_at():
    kept = []
    table = RewardTable(Counting((Verdict(None, "error"),)), REWARDS, 2, keep=lambda *given: kept.append(given))
    with pytest.raises(RewardError):
        table.columns()[0](**batch())
    assert len(kept) == 1


def test_a_reward_that_raises_stops_the_run_at_every_column():
    table = RewardTable(Counting(), {"right": (right, 1.0), "bad": (lambda rollout: 1 / 0, 1.0)}, 2)
    given = batch()
    for column in table.columns():
        with pytest.raises(RewardError, match="'bad' failed: ZeroDivisionError"):
            column(**given)


def test_columns_survive_pickling():
    column = RewardTable(Counting(), REWARDS, 2).columns()[1]
    again = pickle.loads(pickle.dumps(column))
    assert again.__name__ == "length"
    assert again(**batch()) == [1.0, 2.0, 3.0, 4.0]


def test_a_function_written_for_trl_gets_what_the_trainer_hands_out_and_only_while_it_trains():
    seen, logged = [], []

    def watched(completions, trainer_state, log_metric, log_extra, **columns):
        log_metric("seen", len(completions))
        log_extra("text", [c[0]["content"] for c in completions])
        seen.append(trainer_state)
        return [0.0] * len(completions)

    table = RewardTable(Counting(), {"watched": (from_trl(watched), 1.0)}, group_size=2)
    (column,) = table.columns()
    state = SimpleNamespace(global_step=4)
    hands = {"log_metric": lambda *what: logged.append(what), "log_extra": lambda *what: logged.append(what)}
    column(**{**batch(), "trainer_state": state, **hands})
    assert seen == [state, state]
    assert [what for what in logged if what[0] in ("seen", "text")] == [
        ("seen", 2), ("text", ["a", "b"]), ("seen", 2), ("text", ["c", "d"]),
    ]  # fmt: skip
    from_trl(watched)([Rollout(Task([]), Completion([{"role": "assistant", "content": "a"}]))])
    assert seen[-1] is None and len([what for what in logged if what[0] == "seen"]) == 2
