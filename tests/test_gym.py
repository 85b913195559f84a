"""The environment `reasoning_gym`, on the library itself."""

import asyncio
from dataclasses import replace

import pytest

import r1sdk
from r1_envs.gym import ReasoningGym, task_names
from r1sdk.goldcheck import check_gold


def value(environment, task, answer):
    text = f"<think>so</think><answer>{answer}</answer>"
    rollout = r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}]))
    return asyncio.run(environment.verify(rollout))


@pytest.mark.parametrize("name", ["simple_equations", "gcd", "countdown"])
def test_the_librarys_own_answers_earn_one_and_others_do_not(name):
    gym = ReasoningGym(name, train_size=20, test_size=8)
    tasks = list(gym.tasks("train"))
    assert len(tasks) == 20 and not check_gold(tasks[:6], gym).faults
    wrong = value(gym, tasks[0], "-123456789")
    assert (wrong.value, wrong.status, wrong.extracted) == (0.0, "ok", "-123456789")
    assert value(gym, tasks[0], "").value == 0.0 and value(gym, tasks[0], "x" * 20_000).reason.startswith("longer")


def test_a_task_has_the_same_problems_on_every_call_and_each_in_one_split():
    gym = ReasoningGym("gcd", train_size=40, test_size=10)
    train, test = list(gym.tasks("train")), list(gym.tasks("test"))
    assert train == list(gym.tasks("train")) and train[:10] == list(
        ReasoningGym("gcd", train_size=10, test_size=10).tasks("train")
    )
    assert not {t.prompt[-1]["content"] for t in train} & {t.prompt[-1]["content"] for t in test}
    assert {t.prompt[-1]["content"] for t in ReasoningGym("gcd", seed=1, train_size=40).tasks("train")} != {
        t.prompt[-1]["content"] for t in train
    }


def test_settings_reach_the_library_and_what_it_refuses_is_said():
    easy = ReasoningGym(
        "chain_sum", {"min_terms": 2, "max_terms": 2, "min_digits": 1, "max_digits": 1}, train_size=5, test_size=2
    )
    assert all(len(task.prompt[-1]["content"]) < 120 for task in easy.tasks("train"))
    with pytest.raises(ValueError, match="did you mean gcd"):
        ReasoningGym("gdc")
    with pytest.raises(ValueError, match="refuses the settings of 'gcd'"):
        ReasoningGym("gcd", {"min_numbers": -1})
    with pytest.raises(ValueError, match="refuses the settings of 'gcd'"):
        ReasoningGym("gcd", {"nosuch": 1})
    assert len(task_names()) > 90
    with pytest.raises(ValueError, match="list_functions is left out"):
        ReasoningGym("list_functions")


def test_a_problem_that_the_library_draws_another_time_otherwise_is_never_judged():
    gym = ReasoningGym("gcd", train_size=3, test_size=2)
    task = next(gym.tasks("train"))
    other = replace(task, prompt=[{"role": "user", "content": "What is the greatest common divisor of 1 and 1?"}])
    with pytest.raises(r1sdk.R1Error, match="does not draw the same problems twice"):
        value(gym, other, task.answer)
