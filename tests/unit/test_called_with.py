"""A plugin that cannot be called as its kind is called is refused when it is built, with what to write instead."""

from dataclasses import dataclass

import pytest

import r1sdk
from r1sdk import PluginError
from r1sdk.plugins.called_with import check_called


def of_trl(prompts, completions, **kwargs):
    return [1.0 for _ in completions]


def of_trl_short(completions, **kwargs):
    return [1.0 for _ in completions]


def of_trl_ids(completion_ids, **kwargs):
    return [1.0 for _ in completion_ids]


def of_verl(data_source, solution_str, ground_truth, extra_info=None):
    return 1.0


def of_older_verl(solution_str, ground_truth=None):
    return 1.0


def no_arguments():
    return 1.0


def two_arguments(rollout, scale):
    return 1.0


def by_keyword(*, rollout):
    return 1.0


@dataclass(frozen=True)
class NoCall:
    budget: int = 3


@dataclass(frozen=True)
class TakesNothing:
    def __call__(self):
        return 1.0


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        (of_trl, "register r1sdk.from_trl(of_trl)"),
        (of_trl_short, "register r1sdk.from_trl(of_trl_short)"),
        (of_trl_ids, "register r1sdk.from_trl(of_trl_ids)"),
        (of_verl, "verl's signature: write def of_verl(rollout)"),
        (of_older_verl, "verl's signature"),
        (no_arguments, "must take (rollout): it takes ()"),
        (two_arguments, "it takes (rollout, scale), missing a required argument: 'scale'"),
        (by_keyword, "must take (rollout)"),
        (NoCall(), "give NoCall a method __call__(self, rollout)"),
        (TakesNothing(), "must take (rollout)"),
        (r1sdk.group_reward(lambda first, second: [1.0]), "must take (rollouts)"),
    ],
)
def test_a_reward_that_cannot_take_a_rollout_is_refused_with_the_remedy(reward, said):
    with pytest.raises(PluginError) as caught:
        check_called("reward", "mine", reward)
    assert said in str(caught.value)


def with_a_default(rollout, scale=2.0):
    return scale


def with_any(*args, **kwargs):
    return 1.0


@r1sdk.group_reward
def of_a_group(completions):
    return [1.0 for _ in completions]


@pytest.mark.parametrize("reward", [with_a_default, with_any, of_a_group, r1sdk.from_trl(of_trl), lambda r: 1.0, float])
def test_a_reward_that_can_take_a_rollout_is_taken(reward):
    check_called("reward", "mine", reward)


class Environment:
    def tasks(self):
        return []

    def verify(self, rollout):
        return 1.0


class Verifier:
    def read_gold(self, task):
        return task.answer

    def verify(self, reply):
        return 1.0


@pytest.mark.parametrize(
    ("kind", "plugin", "said"),
    [
        ("environment", Environment(), "must take tasks(split): it takes ()"),
        ("verifier", Verifier(), "must take verify(gold, reply): it takes (reply)"),
        ("advantage", no_arguments, "must take (group)"),
        ("advantage", r1sdk.advantage(over_batch=True)(lambda: [0.0]), "must take (groups)"),
    ],
)
def test_other_kinds_are_checked_by_the_methods_that_they_are_called_by(kind, plugin, said):
    with pytest.raises(PluginError) as caught:
        check_called(kind, "mine", plugin)
    assert said in str(caught.value)
