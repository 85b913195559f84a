"""Countdown's worked examples: honest arithmetic, in the reply format, and always with an end."""

import re
from itertools import islice

import pytest

import r1sdk
from r1_envs.countdown import Countdown

ATTEMPT = re.compile(r"(\d+)\. (.+); target (\d+)\? (yes|no)")
STEP = re.compile(r"(\d+)([-+*/])(\d+)=(\d+)")


def examples(level, count=400):
    return list(islice(Countdown(level=level).demonstrations("train"), count))


def attempts(completion):
    reply = r1sdk.parse_reply(completion.text)
    assert reply is not None
    found = [ATTEMPT.fullmatch(line) for line in reply.think.splitlines()]
    assert all(found)
    return [match.groups() for match in found]


@pytest.fixture(scope="module", params=["easy", "full"])
def shown(request):
    return examples(request.param)


def test_same_demonstrations_on_every_call(shown):
    level = "easy" if shown[0][0].info["operators"] == "+-" else "full"
    assert shown[:50] == examples(level, 50)


def test_demonstrations_are_of_the_splits_own_tasks(shown):
    level = "easy" if shown[0][0].info["operators"] == "+-" else "full"
    assert [task for task, _ in shown] == list(islice(Countdown(level=level).tasks("train"), len(shown)))


def test_every_step_is_right_uses_the_numbers_at_hand_and_names_those_that_wait(shown):
    operations = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__, "/": int.__floordiv__}
    for task, completion in shown:
        for _, work, _, _ in attempts(completion):
            hand = list(task.info["nums"])
            for step in work.split(", "):
                (left, operator, right, result), rest = STEP.match(step).groups(), step.partition(" with ")[2]
                left, right, result = int(left), int(right), int(result)
                assert operator in task.info["operators"] and operations[operator](left, right) == result
                assert operator != "/" or left % right == 0
                hand.remove(left)
                hand.remove(right)
                assert sorted(hand) == [int(number) for number in rest.split()]
                hand.append(result)
            assert len(hand) == 1


def test_the_check_names_the_target_and_says_whether_it_was_reached(shown):
    for task, completion in shown:
        for _, work, target, verdict in attempts(completion):
            assert int(target) == task.info["target"]
            assert (STEP.findall(work)[-1][3] == target) == (verdict == "yes")


def test_the_answer_is_the_last_attempt(shown):
    env = Countdown()
    for task, completion in shown:
        reached = attempts(completion)[-1][3] == "yes"
        assert env.verify(r1sdk.Rollout(task, completion)).value == float(reached)


def test_attempts_are_numbered_bounded_and_never_repeated(shown):
    lengths = set()
    for _, completion in shown:
        tried = attempts(completion)
        assert [int(number) for number, *_ in tried] == list(range(1, len(tried) + 1))
        assert len({work for _, work, _, _ in tried}) == len(tried) <= 8
        assert all(verdict == "no" for *_, verdict in tried[:-1])
        lengths.add((len(tried), tried[-1][3]))
    assert {(1, "yes"), (1, "no")} <= lengths
    if shown[0][0].info["operators"] != "+-":  # the easy level has fewer than eight ways to go wrong
        assert (8, "no") in lengths


def test_neither_level_is_shown_as_always_solved(shown):
    solved = sum(attempts(completion)[-1][3] == "yes" for _, completion in shown) / len(shown)
    assert 0.3 < solved < 0.8
