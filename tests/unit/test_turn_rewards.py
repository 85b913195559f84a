"""Rewards of single turns: from sessions, tools and verdicts, through the rollout, into a row and back."""

import asyncio
import json
import math

import pytest

import r1sdk
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import SessionLimits
from r1sdk.rollout.episode import Episode
from r1sdk.scoring.estimate_advantages import turns_of
from r1sdk.scoring.score_rollouts import score
from r1sdk.storage.rollout_rows import saved_rollout
from r1sdk.storage.row_checks import rollout_fault
from r1sdk.storage.run_folder import rollout_line

TASK = r1sdk.Task([{"role": "user", "content": "?"}], id="one")


def find(word: str) -> r1sdk.TurnReward | str:
    """Look a word up."""
    return r1sdk.TurnReward(0.25, f"{word} is found") if word == "right" else "nothing"


class Words:
    """A session whose answers are given, with a tool."""

    tools = (find,)

    def __init__(self, *answers):
        self.answers = list(answers)

    def answer(self, reply):
        return self.answers.pop(0)


def call(word):
    return f"<tool_call>\n{json.dumps({'name': 'find', 'arguments': {'word': word}})}\n</tool_call>"


def attempt(session, *replies):
    episode = Episode(TASK, session, SessionLimits())
    said = []
    for reply in replies:
        episode.trace.append_model([1] * len(reply))
        messages = asyncio.run(episode.step(reply))
        episode.observe(messages)
        said += [message["content"] for message in messages]
    return episode.rollout(), said


def test_an_answer_with_a_reward_is_told_without_it_and_rewards_the_turn():
    rollout, said = attempt(Words(r1sdk.TurnReward(0.5, "warmer"), "colder", r1sdk.TurnReward(-1.0)), "a", "bb", "ccc")
    assert said == ["warmer", "colder"] and rollout.session.ended == "done"
    assert rollout.session.turn_rewards == [0.5, None, -1.0] == rollout.turn_rewards
    assert rollout.session.turn_tokens == [1, 2, 3]
    assert turns_of(rollout) == (
        r1sdk.ModelTurn(0, 1, 0.5),
        r1sdk.ModelTurn(1, 3, None),
        r1sdk.ModelTurn(3, 6, -1.0),
    )


def test_the_rewards_of_the_tool_calls_of_a_turn_are_added_up():
    rollout, said = attempt(Words(None), call("right") + call("wrong") + call("right"), "done")
    assert said == ["right is found", "nothing", "right is found"]
    assert rollout.session.turn_rewards == [0.5, None]


def test_without_any_reward_the_log_and_the_row_have_none():
    rollout, _ = attempt(Words("on", None), "a", "b")
    assert rollout.session.turn_rewards == () and rollout.turn_rewards == [None, None]
    assert "turn_rewards" not in rollout_line(rollout)["session"]


def test_a_verdict_without_turn_rewards_has_the_row_that_it_had_before():
    rollout = r1sdk.Rollout(TASK, r1sdk.Completion([{"role": "assistant", "content": "x"}]), r1sdk.Verdict(1.0))
    assert set(rollout_line(rollout)["verdict"]) == {"value", "status", "extracted", "seconds", "reason", "marks"}


def test_rows_keep_the_rewards_of_turns():
    rollout, _ = attempt(Words(r1sdk.TurnReward(0.5, "on"), None), "a", "b")
    verdict = r1sdk.Verdict(1.0, turn_rewards=[None, 0.125])
    rollout = r1sdk.Rollout(rollout.task, rollout.completion, verdict, rollout.session)
    line = json.loads(json.dumps(rollout_line(rollout)))
    assert rollout_fault(line) is None
    assert line["session"]["turn_rewards"] == [0.5, None] and line["verdict"]["turn_rewards"] == [None, 0.125]
    assert saved_rollout(line).turn_rewards == [0.5, 0.125] == rollout.turn_rewards


@pytest.mark.parametrize("where", ["session", "verdict"])
@pytest.mark.parametrize("damaged", ["0.5", [0.5, "x"], {"0": 1.0}])
def test_a_row_with_other_rewards_of_turns_is_damaged(where, damaged):
    rollout, _ = attempt(Words(None), "a")
    line = json.loads(
        json.dumps(rollout_line(r1sdk.Rollout(TASK, rollout.completion, r1sdk.Verdict(0.0), rollout.session)))
    )
    line[where]["turn_rewards"] = damaged
    assert "turn_rewards" in (rollout_fault(line) or "")


@pytest.mark.parametrize("value", [math.nan, math.inf, "1", None, True])
def test_a_reward_of_a_turn_is_a_finite_number(value):
    with pytest.raises(ValueError, match="finite number"):
        r1sdk.TurnReward(value)
    if value is not None:
        with pytest.raises(ValueError, match="finite number"):
            r1sdk.Verdict(1.0, turn_rewards=[value])


class Judges:
    """An environment whose verdicts judge turns."""

    def __init__(self, rewards):
        self.rewards = rewards

    def tasks(self, split):
        return [TASK]

    def verify(self, rollout):
        return r1sdk.Verdict(1.0, turn_rewards=self.rewards)


def test_a_verdict_judges_each_turn_or_none():
    rollout, _ = attempt(Words("on", None), "a", "b")
    ((judged,), _) = score([rollout], Judges([0.0, 1.0]), {})
    assert judged.turn_rewards == [0.0, 1.0]
    with pytest.raises(r1sdk.RewardError, match="returned 1 turn_rewards for 2 turns"):
        score([rollout], Judges([1.0]), {})


def test_a_reply_without_a_session_is_one_turn():
    completion = r1sdk.Completion([{"role": "assistant", "content": "x"}], [1, 2, 3])
    ((judged,), _) = score([r1sdk.Rollout(TASK, completion)], Judges([0.5]), {})
    assert turns_of(judged) == (r1sdk.ModelTurn(0, 3, 0.5),)


def test_an_answer_that_is_neither_text_nor_none_is_refused_inside_a_reward_too():
    with pytest.raises(r1sdk.RewardError, match="must return a text or None, got 3; a TurnReward"):
        attempt(Words(r1sdk.TurnReward(1.0, 3)), "a")


def test_the_bits_of_a_game_that_is_won_add_up_to_1():
    environment = load_plugins().build("environment", "guess", {"bits": True, "numbers": 7, "guesses": 3})
    task = next(iter(environment.tasks("train")))
    low, high, secret = task.info["low"], task.info["high"], int(task.answer)
    session = environment.session(task)
    found = []
    while not found or found[-1].answer is not None:
        guess = (low + high) // 2
        found.append(session.answer(f"<think>\nso\n</think>\n<answer>{guess}</answer>"))
        low, high = (guess, high) if secret > guess else (low, guess)
    assert sum(one.value for one in found) == pytest.approx(1.0) and min(one.value for one in found) >= 0
    outside = environment.session(task).answer("<think>\nso\n</think>\n<answer>999</answer>")
    assert outside.value == 0.0 and outside.answer == "lower"
