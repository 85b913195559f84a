"""The environment `reasoning_gym`, on the library itself."""

import asyncio
import random
from dataclasses import replace

import pytest

import r1sdk
from r1_envs.gym import ReasoningGym, task_names
from r1sdk.scoring.gold_check import check_gold

pytestmark = pytest.mark.heavy


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
    with pytest.raises(ValueError, match="composite is left out: .* mixture"):
        ReasoningGym("composite")


def test_a_task_that_draws_from_shared_random_numbers_has_the_same_problems_too():
    gym = ReasoningGym("list_functions", train_size=80, test_size=2)
    before = random.getstate()
    first = list(gym.tasks("train"))
    random.seed(1)
    assert first == list(gym.tasks("train"))
    random.setstate(before)
    assert not check_gold(first[:40], gym).faults


def test_a_task_whose_library_chooses_in_the_order_of_a_set_has_the_same_problems_in_every_process():
    for name in ("isomorphic_strings", "polynomial_multiplication", "ransom_note"):
        gym = ReasoningGym(name, train_size=4, test_size=1)
        assert not check_gold(gym.tasks("train"), gym).faults  # judged in workers, whose sets have another order


# Several answers are right, and the library shows none
WITHOUT_A_GOLD_ANSWER = {"boxnet", "graph_color", "propositional_logic", "rubiks_cube", "rush_hour"}


@pytest.mark.slow
def test_every_task_of_the_library_is_drawn_twice_alike_and_gives_its_own_answer_full_marks():
    from reasoning_gym.factory import DATASETS

    assert {*task_names()} == {*DATASETS} - {"composite"}
    unchecked = set()
    for name in task_names():
        gym = ReasoningGym(name, train_size=3, test_size=1, test_share=0.5, timeout_s=60.0)
        tasks = list(gym.tasks("train"))
        assert tasks == list(gym.tasks("train")) and len(tasks) == 3, name
        found = check_gold(tasks, gym)
        assert not found.faults, f"{name}: {found.describe()}"
        if found.checked < 3:
            unchecked.add(name)
    assert unchecked <= WITHOUT_A_GOLD_ANSWER


def test_a_problem_that_the_library_draws_another_time_otherwise_is_never_judged():
    gym = ReasoningGym("gcd", train_size=3, test_size=2)
    task = next(gym.tasks("train"))
    other = replace(task, prompt=[{"role": "user", "content": "What is the greatest common divisor of 1 and 1?"}])
    with pytest.raises(r1sdk.R1Error, match="does not generate the same problems twice"):
        value(gym, other, task.answer)
