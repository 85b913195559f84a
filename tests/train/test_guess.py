"""The game of guessing a number: its tasks, its sessions, its judge, and what is shown of it."""

import asyncio
import math
import random
from itertools import islice

import pytest

import r1sdk
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import SessionLimits
from r1sdk.rollout.episode import Episode
from r1sdk.scoring.score_rollouts import score


def env(**options):
    return load_plugins().build("environment", "guess", options)


def reply(guess):
    return f"<think>\nso\n</think>\n<answer>{guess}</answer>"


def game(environment, task, guesses):
    """The attempt that guesses so, and what was said to each guess."""
    episode = Episode(task, environment.session(task), SessionLimits())
    said = []
    for guess in guesses:
        if episode.ended is None:
            messages = asyncio.run(episode.step(guess if isinstance(guess, str) else reply(guess)))
            episode.observe(messages)
            said += [message["content"] for message in messages]
    return episode.rollout(), said


def judged(environment, rollout):
    ((one,), _) = score([rollout], environment, {})
    return one.verdict


def halving(task):
    low, high, secret = task.info["low"], task.info["high"], int(task.answer)
    while True:
        guess = (low + high) // 2
        yield guess
        if guess == secret:
            return
        low, high = (guess, high) if secret > guess else (low, guess)


def test_whoever_halves_what_is_left_always_wins():
    environment = env()
    for task in islice(environment.tasks("train"), 200):
        rollout, said = game(environment, task, halving(task))
        verdict = judged(environment, rollout)
        assert verdict.value == 1.0 and verdict.extracted == task.answer
        assert set(said) <= {"higher", "lower"} and rollout.session.turns == len(said) + 1 <= 5
        assert rollout.session.outcome == {"guesses_left": 4 - len(said), "possible": 1, "of": 31}


def test_a_number_that_is_not_found_in_time_is_wrong_and_the_reason_says_what_was_guessed():
    environment = env(guesses=2)
    task = next(iter(environment.tasks("train")))
    other = int(task.answer) + 1
    rollout, said = game(environment, task, [other, other, int(task.answer)])
    verdict = judged(environment, rollout)
    assert verdict.value == 0.0 and said == ["lower"] and rollout.session.ended == "done"
    assert f"it was {task.answer}; guessed {other}, {other}" in verdict.reason
    late = [{"role": "assistant", "content": reply(guess)} for guess in (other, other, task.answer)]
    assert judged(environment, r1sdk.Rollout(task, r1sdk.Completion(late))).value == 0.0


@pytest.mark.parametrize(
    "text", ["", "17", "<answer>17", reply("17 or 18"), reply("-17"), reply("1" * 10_000), reply("１７"), reply("1e9")]
)
def test_what_is_no_guess_is_told_and_counts_as_one(text):
    environment = env(guesses=2, lowest=(16, 30), numbers=3)
    task = next(task for task in environment.tasks("train") if task.info["low"] == 16)
    rollout, said = game(environment, task, [text, text])
    assert said == ["Give one whole number inside <answer> and </answer>."] and rollout.session.turns == 2
    assert judged(environment, rollout).value == 0.0


def test_no_range_of_the_test_split_is_trained_on():
    environment = env()
    prompts = {
        split: {t.prompt[1]["content"] for t in islice(environment.tasks(split), 500)} for split in ("train", "test")
    }
    assert len(prompts["train"]) == 37 and len(prompts["test"]) == 4 and not prompts["train"] & prompts["test"]


def test_demonstrations_keep_the_rules_and_have_a_poor_plan():
    environment = env()
    shown = list(islice(environment.demonstrations("train"), 1000))
    wins = [judged(environment, r1sdk.Rollout(*pair)).value for pair in shown]
    assert 0.5 < sum(wins) / len(wins) < 0.6
    for task, completion in shown[:100]:
        guesses = [m["content"] for m in completion.messages if m["role"] == "assistant"]
        _, said = game(environment, task, guesses)
        assert said == [m["content"] for m in completion.messages if m["role"] == "user"]
    again = list(islice(env().demonstrations("train"), 5))
    assert again == shown[:5]


def test_options_that_leave_nothing_to_play_are_refused():
    for options, said in [
        ({"numbers": 1}, "at least 2 numbers"),
        ({"lowest": (3, 1)}, "rise"),
        ({"lowest": (1, 1)}, "no range"),
    ]:
        with pytest.raises(r1sdk.R1Error, match=said):
            env(**options)
    with pytest.raises(r1sdk.R1Error, match="splits train and test"):
        next(iter(env().tasks("dev")))


def test_a_random_player_wins_about_half_of_the_games():
    """What training starts from, and what the recipe's header says of it."""
    environment, rng = env(), random.Random(0)
    wins = 0
    for task in islice(environment.tasks("test"), 500):
        low, high, left = task.info["low"], task.info["high"], 5
        secret = int(task.answer)
        while left:
            guess, left = rng.randint(low + 1, high - 1), left - 1
            if guess == secret:
                wins += 1
                break
            low, high = (guess, high) if secret > guess else (low, guess)
    assert 240 < wins < 300


def narrowed(environment, task, guesses):
    """What the reward `narrowing` pays for a game, and what was left of it."""
    rollout, _ = game(environment, task, guesses)
    reward = load_plugins().build("reward", "narrowing", {})
    _, (paid,) = score([rollout], environment, {"narrowing": (reward, 1.0)})
    return paid.rewards["narrowing"], rollout.session.outcome["possible"]


def test_narrowing_pays_for_what_was_ruled_out():
    environment = env(lowest=(16, 30))
    task = next(task for task in environment.tasks("train") if task.answer == "20" and task.info["low"] == 16)
    assert narrowed(environment, task, [20]) == (1.0, 1)
    assert narrowed(environment, task, [48, 16, 99, "what?", 48]) == (0.0, 31)
    halved, left = narrowed(environment, task, [32, 32, 32, 32, 32])
    assert left == 15 and halved == pytest.approx(1 - math.log(15) / math.log(31))
    better, left = narrowed(environment, task, [32, 24, 18, 22, 19])
    assert left == 2 and halved < better < 1.0
    assert narrowed(environment, task, [19, 21, 19, 21, 19]) == (1.0, 1), "it is known, if not said"


def test_narrowing_does_not_apply_where_nothing_was_left_by_a_session():
    reward = load_plugins().build("reward", "narrowing", {})
    task = r1sdk.Task([{"role": "user", "content": "?"}])
    completion = r1sdk.Completion([{"role": "assistant", "content": "so"}])
    for outcome in (
        None,
        {},
        {"possible": 3},
        {"possible": "3", "of": 31},
        {"possible": 0, "of": 31},
        {"possible": 40, "of": 31},
    ):
        log = None if outcome is None else r1sdk.SessionLog(turns=1, outcome=outcome)
        assert reward(r1sdk.Rollout(task, completion, r1sdk.Verdict(1.0), log)) is None
