"""Evaluation: pass@k, its uncertainty, and whose completion is whose."""

import itertools
import math
import statistics
from types import SimpleNamespace

import pytest

from r1sdk import Completion, Rollout, Score, Task, Verdict, group_reward
from r1sdk.evaluation.attempts import attempts, evaluate
from r1sdk.evaluation.evaluation_summary import summarize
from r1sdk.evaluation.statistics import Estimate, estimate, pass_at_k
from r1sdk.rollout.sampling import Sampling


class Numbered:
    """The far side of `Generator`: completion i of a prompt says the prompt and i, so that each can be told apart."""

    def __init__(self):
        self.asked = []

    def generate(self, prompts, sampling):
        self.asked.append((len(prompts), sampling.seed))
        return [[said(f"{prompt[0]['content']} {i}", i) for i in range(sampling.samples)] for prompt in prompts]


def said(text, tokens=1, finish="stop"):
    return Completion([{"role": "assistant", "content": text}], [0] * tokens, finish)


def tasks(n):
    return [Task([{"role": "user", "content": f"q{i}"}], str(i), id=str(i)) for i in range(n)]


FIRST_IS_RIGHT = SimpleNamespace(
    tasks=None,
    verify=lambda rollout: float(
        rollout.completion.text.startswith(f"q{rollout.task.id} ") and rollout.completion.text.endswith(" 0")
    ),
)


@group_reward
def together(group):
    """1.0 for completions of one task that come in order."""
    assert [rollout.completion.text for rollout in group] == [f"q{group[0].task.id} {i}" for i in range(len(group))]
    return [1.0] * len(group)


@pytest.mark.parametrize("n", range(1, 8))
def test_pass_at_k_is_the_share_of_draws_that_hold_a_correct_attempt(n):
    for correct in range(n + 1):
        right = [True] * correct + [False] * (n - correct)
        for k in range(1, n + 1):
            draws = [any(draw) for draw in itertools.combinations(right, k)]
            assert pass_at_k(n, correct, k) == pytest.approx(sum(draws) / len(draws))


def test_an_estimate_is_the_mean_of_the_tasks_means_with_the_standard_error_over_tasks():
    groups = [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    means = [0.5, 1.0, 0.0, 0.25]
    found = estimate(groups)
    assert found.mean == pytest.approx(statistics.mean(means))
    assert found.stderr == pytest.approx(statistics.stdev(means) / math.sqrt(4))
    assert found.n == 4


def test_what_could_not_be_judged_is_left_out_and_lowers_n():
    assert estimate([[1.0, None], [None, None], [0.0]]) == estimate([[1.0], [0.0]])
    assert estimate([[None], []]) == Estimate(None, None, 0)
    assert estimate([]) == Estimate(None, None, 0)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(0.4123, 0.0161, 1000), "0.412 ± 0.016 (n=1000)"),
        (estimate([[1.0]]), "1.000 (n=1)"),
        (estimate([]), "not measured (n=0)"),
    ],
)
def test_an_estimate_prints_with_its_uncertainty_and_its_n(found, text):
    assert str(found) == text


@pytest.mark.parametrize("samples", [1, 3, 200])
def test_the_completions_of_a_task_stay_together_and_in_order_over_the_chunks(samples):
    generator = Numbered()
    sampling = Sampling(samples=samples)
    result = evaluate(tasks(300 // samples + 1), FIRST_IS_RIGHT, {"together": (together, 1.0)}, generator, sampling)
    assert len(generator.asked) > 1
    assert result.accuracy.mean == pytest.approx(1 / samples)
    assert result.rewards["together"].mean == 1.0
    assert result.statuses == {"ok": samples * (300 // samples + 1)}


def test_each_chunk_has_its_own_seed_and_the_same_one_every_time():
    def seeds(seed):
        generator = Numbered()
        list(attempts(tasks(10), FIRST_IS_RIGHT, {}, generator, Sampling(seed=seed), chunk=4))
        return [seed for _, seed in generator.asked]

    assert seeds(1) == seeds(1)
    assert len({*seeds(0), *seeds(1), *seeds(2)}) == 9


def test_progress_is_told_in_tasks_and_everything_is_kept():
    told, kept = [], []
    evaluate(
        iter(tasks(200)),
        FIRST_IS_RIGHT,
        {},
        Numbered(),
        Sampling(samples=2),
        limit=130,
        progress=lambda done, total: told.append((done, total)),
        keep=lambda rollouts, scores: kept.extend(rollouts),
    )
    assert told == [(64, 130), (128, 130), (130, 130)]
    assert [rollout.task.id for rollout in kept] == [str(i) for i in range(130) for _ in range(2)]


def test_pass_at_k_is_given_for_powers_of_two_and_for_all_samples():
    result = evaluate(tasks(5), FIRST_IS_RIGHT, {}, Numbered(), Sampling(samples=6))
    assert {k: estimate.mean for k, estimate in result.pass_at.items()} == pytest.approx(
        {1: 1 / 6, 2: 2 / 6, 4: 4 / 6, 6: 1.0}
    )


def test_pass_at_k_leaves_out_tasks_with_fewer_than_k_judged_attempts():
    values = [1.0, 0.0, None, 1.0, None, None]
    rollouts = [Rollout(task, said(""), verdict(v)) for task, v in zip([t for t in tasks(3) for _ in range(2)], values)]
    result = summarize(rollouts, [Score({}, 0.0)] * 6, Sampling(samples=2))
    assert (result.pass_at[1].mean, result.pass_at[1].n) == (0.75, 2)
    assert (result.pass_at[2].mean, result.pass_at[2].n) == (1.0, 1)
    assert result.statuses == {"ok": 3, "unverifiable": 3}


def verdict(value):
    return Verdict(value, "unverifiable" if value is None else "ok")


def test_lengths_and_the_share_cut_by_the_limit_are_means_over_completions():
    made = [said("", 2), said("", 4, "length"), said("", 6), said("", 8)]
    result = summarize([Rollout(tasks(1)[0], c, verdict(1.0)) for c in made], [Score({"r": None}, 0.0)] * 4, Sampling())
    assert (result.tokens, result.clipped) == (5.0, 0.25)
    assert result.rewards == {"r": Estimate(None, None, 0)}


def test_an_evaluation_of_nothing_is_empty_and_no_crash():
    result = evaluate([], FIRST_IS_RIGHT, {"together": (together, 1.0)}, Numbered(), Sampling())
    assert result.accuracy == Estimate(None, None, 0)
    assert (result.tokens, result.statuses) == (0.0, {})
