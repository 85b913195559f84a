"""The environment `maths`: its problems are right, each by an independent way, and belong to one split."""

import asyncio
import math
import re
from fractions import Fraction

import pytest

import r1sdk
from r1_envs.maths import Maths
from r1_envs.maths.maths_problems import KINDS
from r1_rewards.format import Format
from r1sdk.scoring.gold_check import check_gold

pytestmark = pytest.mark.heavy


def drawn(kind, level, count=150):
    for task in Maths(kinds=(kind,), level=level, train_size=count).tasks("train"):
        yield task.prompt[-1]["content"], task.answer


def side(text, **values):
    """The value of one side of an equation: `3x^2 - 4x + 1` with x given."""
    text = re.sub(r"(?<=\d)(?=[xy])", "*", text.replace("^", "**"))
    return eval(text, {name: Fraction(value) for name, value in values.items()})


@pytest.mark.parametrize("level", [1, 2, 3])
def test_arithmetic_and_fractions_are_what_python_makes_of_them(level):
    for question, answer in drawn("arithmetic", level):
        assert eval(question.removeprefix("What is ").removesuffix("?")) == int(answer), question
    for question, answer in drawn("fractions", level):
        parts = re.sub(r"(\d+)/(\d+)", r"Fraction(\1, \2)", question.removeprefix("What is ").partition("?")[0])
        assert eval(parts) == Fraction(answer) and (Fraction(answer).denominator == 1) == ("/" not in answer), question


@pytest.mark.parametrize("level", [1, 2, 3])
def test_solutions_of_equations_solve_them(level):
    for question, answer in drawn("linear", level):
        left, right = question.removeprefix("Solve for x: ").split(" = ")
        assert side(left, x=answer) == side(right, x=answer), question
        assert side(left, x=Fraction(answer) + 1) != side(right, x=Fraction(answer) + 1)
    for question, answer in drawn("quadratic", level):
        left = question.removeprefix("What is the larger solution of ").removesuffix(" = 0?")
        roots = [x for x in range(-40, 41) if side(left, x=x) == 0]
        assert max(roots) == int(answer) and len(roots) == 2, question
    for question, answer in drawn("system", level, 40):
        sides = [part.split(" = ") for part in question.partition(". What")[0].split(" and ")]
        found = [
            x + y
            for x in range(-21, 22)
            for y in range(-21, 22)
            if all(side(left, x=x, y=y) == int(right) for left, right in sides[:1])
            and all(side(left, x=x, y=y) == int(right) for left, right in sides)
        ]
        assert found == [int(answer)], question


@pytest.mark.parametrize("level", [1, 2, 3])
def test_number_theory_is_what_counting_says(level):
    for question, answer in drawn("divisors", level):
        numbers = [int(n) for n in re.findall(r"\d+", question)]
        if "greatest" in question:
            expected = max(d for d in range(1, min(numbers) + 1) if all(n % d == 0 for n in numbers))
        elif "least" in question:
            expected = next(
                m for m in range(max(numbers), math.prod(numbers) + 1, max(numbers)) if m % min(numbers) == 0
            )
        else:
            expected = sum(numbers[0] % d == 0 for d in range(1, numbers[0] + 1))
        assert expected == int(answer), question
    for question, answer in drawn("remainders", level):
        of = question.removeprefix("What is the remainder of ").partition(" divided")[0].replace("^", "**")
        assert eval(of) % int(re.search(r"by (\d+)", question)[1]) == int(answer), question
    for question, answer in drawn("primes", level):
        n = int(re.search(r"\d+", question)[0])
        factors = [p for p in range(2, 30) if n % p == 0 and all(p % q for q in range(2, p))]
        assert (max(factors) if "largest" in question else sum(factors)) == int(answer), question


def test_tasks_are_the_same_on_every_call_in_one_split_only_and_do_not_change_with_the_size():
    train, test = list(Maths(train_size=400).tasks("train")), list(Maths(test_size=200).tasks("test"))
    assert train == list(Maths(train_size=400).tasks("train")) and train[:50] == list(
        Maths(train_size=50).tasks("train")
    )
    assert not {t.prompt[-1]["content"] for t in train} & {t.prompt[-1]["content"] for t in test}
    assert {t.info["category"] for t in test} == set(KINDS)
    assert test == list(Maths(seed=1, test_size=200).tasks("test"))
    assert [t.prompt for t in Maths(seed=1, train_size=400).tasks("train")] != [t.prompt for t in train]


def test_every_gold_answer_earns_one_and_near_misses_do_not():
    maths = Maths(train_size=80)
    tasks = list(maths.tasks("train"))
    assert not check_gold(tasks, maths).faults

    def value(task, answer):
        text = f"<think>so</think><answer>{answer}</answer>"
        return asyncio.run(
            maths.verify(r1sdk.Rollout(task, r1sdk.Completion([{"role": "assistant", "content": text}])))
        ).value

    for task in tasks[:16]:
        wrong = str(Fraction(task.answer) + 1)
        assert [value(task, text) for text in (wrong, "", f"{task.answer} or {wrong}", "9" * 5000)] == [0.0] * 4


@pytest.mark.parametrize("options", [{"kinds": ("sums",)}, {"kinds": ()}, {"test_share": 0.0}, {"train_size": 0}])
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        Maths(**options)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_demonstrations_of_arithmetic_are_right_line_by_line_and_earn_everything(level):
    env = Maths(kinds=("arithmetic",), level=level, train_size=150)
    for task, completion in env.demonstrations("train"):
        text = completion.text
        lines = text.removeprefix("<think>\n").partition("\n</think>")[0].split("\n")
        assert all(eval(left) == int(right) for left, right in (line.split("=") for line in lines)), text
        assert lines[-1].endswith(f"={task.answer}") and len(lines) == level
        verdict = asyncio.run(env.verify(r1sdk.Rollout(task, completion)))
        assert verdict.value == 1.0 and Format()(r1sdk.Rollout(task, completion)) == 1.0


def test_other_kinds_have_no_demonstrations():
    with pytest.raises(r1sdk.R1Error, match="demonstrates arithmetic, not linear"):
        list(Maths(kinds=("arithmetic", "linear")).demonstrations("train"))
