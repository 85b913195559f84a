"""Signs of a collapse: they are noticed, healthy courses show none, and the last healthy checkpoint is found."""

import random

import pytest

from r1sdk.storage.rollbacks import Rollback, learning_rate_factor, read_rollbacks
from r1sdk.training.monitor.collapse import collapse, last_healthy

HEALTHY = {
    "loss": 0.1,
    "grad_norm": 1.0,
    "reward": 0.5,
    "verdict/mean": 0.4,
    "entropy": 0.3,
    "groups/distinct": 0.9,
    "completions/clipped_ratio": 0.05,
    "completions/mean_length": 40.0,
}


def course(*parts):
    """Lines of metrics: each part is a number of steps and what they have in place of the healthy values."""
    lines = []
    for count, values in parts:
        lines += [{"step": len(lines) + at + 1, **HEALTHY, **values} for at in range(count)]
    return lines


FELL = {"verdict/mean": 0.1, "reward": 0.1}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"verdict/mean": 0.0}, "accuracy 0.000"),
        ({**FELL, "entropy": 0.01, "verdict/mean": 0.18}, "entropy 0.0100"),
        ({**FELL, "groups/distinct": 0.25, "verdict/mean": 0.18}, "25%"),
        ({**FELL, "completions/clipped_ratio": 1.0, "verdict/mean": 0.18}, "token limit"),
        ({**FELL, "completions/mean_length": 3.0, "verdict/mean": 0.18}, "3 tokens"),
    ],
)
def test_a_policy_that_has_lost_what_it_could_is_noticed_by_the_sign(values, said):
    lines = course((10, {}), (5, values))
    assert said in (collapse(lines, [], 16) or "")
    assert collapse(lines[:10], [], 16) is None


@pytest.mark.parametrize("key", ["loss", "grad_norm"])
def test_a_loss_or_gradient_that_is_no_number_is_noticed_at_once(key):
    lines = course((2, {}))
    del lines[-1][key]
    assert key in (collapse(lines, [], 16) or "")
    assert collapse([{"step": 1, "loss": 0.1}, {"step": 2, "loss": 0.1}], [], 16) is None  # never reported


def test_what_a_converged_policy_shows_is_no_collapse():
    sure = {
        "verdict/mean": 0.95,
        "entropy": 0.01,
        "groups/distinct": 0.25,
        "completions/mean_length": 8.0,
        "reward": 0.95,
    }
    assert collapse(course((10, {"verdict/mean": 0.9}), (20, sure)), [], 16) is None


def test_a_policy_that_was_never_right_collapses_only_where_the_reward_does_not_rise():
    blank = {"verdict/mean": 0.0, "reward": 0.2}
    gone = {"verdict/mean": 0.0, "entropy": 0.001}
    assert collapse(course((10, blank), (8, {**gone, "reward": 0.1})), [], 16) is not None
    assert collapse(course((10, blank), (8, {**gone, "reward": 0.6})), [], 16) is None


@pytest.mark.heavy
def test_chance_alone_is_never_certain():
    """200 courses of 100 steps without any change: eight prompts with four completions each."""
    for seed in range(200):
        chance = random.Random(seed)
        rate = chance.uniform(0.02, 0.6)
        lines = course((100, {}))
        for line in lines:
            tasks = [chance.betavariate(2 * rate, 2 * (1 - rate)) for _ in range(8)]
            right = [sum(chance.random() < p for _ in range(4)) for p in tasks]
            line["verdict/mean"] = sum(right) / 32
        told = [at for at in range(1, 101) if collapse(lines[:at], [], 8)]
        assert not told, (seed, rate, told[0])


def test_tasks_lost_on_the_same_held_out_tasks_are_certain_only_when_they_are_many():
    def row(step, right, n=32):
        return {"step": step, "accuracy": right / n, "n": n, "values": {str(at): float(at < right) for at in range(n)}}

    lines = course((3, {}))
    assert "held-out accuracy 0.000" in (collapse(lines, [row(5, 16), row(10, 0)], 4) or "")
    assert collapse(lines, [row(5, 6), row(10, 0)], 4) is None  # 6 of 32 can be chance
    assert collapse(lines, [row(5, 16), row(10, 10)], 4) is None


def test_a_curriculum_that_draws_harder_tasks_is_no_collapse():
    lines = course((10, {"verdict/mean": 0.9}), (8, {"verdict/mean": 0.1, "curriculum/expected_pass_rate": 0.5}))
    assert collapse(lines, [], 16) is None


def test_the_last_healthy_checkpoint_is_the_last_before_the_signs():
    lines = course((12, {}), (8, {"entropy": 0.01, "verdict/mean": 0.05}))
    assert last_healthy([5, 10, 15, 20], lines, [], 16) == 10
    assert last_healthy([15, 20], lines, [], 16) == 0
    accuracies = [{"step": 5, "accuracy": 0.5}, {"step": 10, "accuracy": 0.1}]
    assert last_healthy([5, 10, 15, 20], lines, accuracies, 16) == 5


def test_a_window_of_steps_is_made_after_a_rollback_before_the_next_sign():
    lines = course((10, {}), (5, {"verdict/mean": 0.0}))
    assert collapse(lines, [], 16, since=10) is not None
    assert collapse(lines, [], 16, since=11) is None


def test_the_learning_rate_is_lowered_once_for_each_rollback_that_came_after_the_checkpoint():
    def back(at, to):
        return Rollback(at=at, to=to, reason="", learning_rate=0.25, done=True)

    assert learning_rate_factor([], 10) == 1.0
    assert learning_rate_factor([back(15, 10)], 10) == 0.25
    assert learning_rate_factor([back(15, 10)], 20) == 1.0  # made with the lower rate already
    assert learning_rate_factor([back(15, 10), back(25, 10)], 10) == 0.25**2
    assert learning_rate_factor([back(15, 5), back(25, 10)], 10) == 0.25
    assert learning_rate_factor([back(15, 0)], 0) == 0.25


def test_rollbacks_read_back_and_those_of_another_shape_are_left_out():
    one = Rollback(at=15, to=10, reason="entropy", learning_rate=0.25)
    assert read_rollbacks({"rollbacks": [one.to_json(), {"at": 1}, 3]}) == [one]
    assert read_rollbacks({"rollbacks": "x"}) == read_rollbacks({}) == []
