"""The environment `mixture`, and metrics by its parts."""

import asyncio
from dataclasses import dataclass

import pytest

import r1sdk
from r1_envs.mixture import Mixture
from r1sdk.plugins.loading import load_plugins
from r1sdk.scoring.gold_check import check_gold
from r1sdk.scoring.score_rollouts import verify


@dataclass(frozen=True)
class Words:
    """`size` tasks whose answer is `word`."""

    word: str
    size: int = 100

    def tasks(self, split):
        for index in range(self.size):
            yield r1sdk.Task(
                [{"role": "user", "content": f"{self.word} {index}"}], self.word, {"n": index}, f"{split}/{index}"
            )

    def verify(self, rollout):
        return float(r1sdk.extract_answer(rollout.completion.text) == self.word)


@r1sdk.isolated(timeout_s=20.0)
@dataclass(frozen=True)
class Isolated(Words):
    """The same, called in a worker."""


def parts(*of):
    return tuple(r1sdk.Part(name, weight, environment) for name, weight, environment in of)


def test_any_prefix_has_the_shares_of_the_weights():
    mixture = Mixture(parts(("a", 3.0, Words("a")), ("b", 1.0, Words("b")), ("c", 0.5, Words("c"))))
    names = [task.info["env"] for task in mixture.tasks("train")]
    for length in range(1, len(names)):
        for name, share in (("a", 3 / 4.5), ("b", 1 / 4.5), ("c", 0.5 / 4.5)):
            assert abs(names[:length].count(name) - share * length) <= 1.0
    assert names == [task.info["env"] for task in mixture.tasks("train")]


def test_a_mixture_stops_with_the_first_part_that_is_exhausted_or_goes_on():
    some = parts(("a", 1.0, Words("a", 3)), ("b", 1.0, Words("b", 10)))
    assert len(list(Mixture(some).tasks("train"))) in (6, 7)
    assert len(list(Mixture(some, exhausted="go_on").tasks("train"))) == 13
    assert len(list(Mixture(some, train_size=4).tasks("train"))) == 4
    assert len(list(Mixture(some, train_size=4).tasks("test"))) in (6, 7)


def test_each_task_is_judged_by_its_own_environment_isolated_as_that_asks():
    mixture = Mixture(parts(("a", 1.0, Words("a")), ("b", 1.0, Isolated("b"))))
    tasks = list(mixture.tasks("train"))[:4]
    assert {task.id.partition("/")[0] for task in tasks} == {"a", "b"} and all("n" in task.info for task in tasks)
    rollouts = [
        r1sdk.Rollout(
            task, r1sdk.Completion([{"role": "assistant", "content": f"<think>x</think><answer>{text}</answer>"}])
        )
        for task in tasks
        for text in ("a", "b")
    ]
    judged = asyncio.run(verify(rollouts, mixture))
    assert [r.verdict.value for r in judged] == [
        float(r.task.answer in r.completion.text.partition("<answer>")[2][0]) for r in judged
    ]
    assert not check_gold(tasks, mixture).faults


def test_a_task_of_no_part_is_an_error():
    mixture = Mixture(parts(("a", 1.0, Words("a"))))
    with pytest.raises(r1sdk.R1Error, match="is of no part of this mixture"):
        mixture.part_of(r1sdk.Task([], info={"env": "x"}))


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ((), "list the environments"),
        ((("a", 1.0, Words("a")), ("a", 1.0, Words("b"))), "a is there twice"),
        ((("m", 1.0, Mixture(parts(("a", 1.0, Words("a"))))),), "m is a mixture"),
    ],
)
def test_parts_that_cannot_be_are_refused(of, said):
    with pytest.raises(ValueError, match=said):
        Mixture(parts(*of))


def test_a_recipe_lists_parts_by_name_with_options_and_every_fault_is_named():
    registry = load_plugins()
    built = registry.build(
        "environment",
        "mixture",
        {
            "parts": [
                "countdown",
                {"name": "maths", "weight": 2, "options": {"level": 1}},
                {"name": "maths", "as": "hard"},
            ]
        },
    )
    assert [(part.name, part.weight) for part in built.parts] == [("countdown", 1.0), ("maths", 2.0), ("hard", 1.0)]
    assert "countdown (25%): Countdown" in built.summary() and "maths (50%): Mathematics, level 1" in built.summary()
    with pytest.raises(r1sdk.R1Error) as refused:
        registry.build(
            "environment",
            "mixture",
            {"parts": ["cuntdown", {"name": "maths", "weight": 0}, {"name": "maths", "options": {"levle": 1}}, 3]},
        )
    said = str(refused.value)
    assert all(
        s in said for s in ("did you mean 'countdown'", "weight of 'maths' is above 0", "no option 'levle'", "got 3")
    )


@dataclass(frozen=True)
class Shown(Words):
    """The same, with demonstrations."""

    def demonstrations(self, split):
        for task in self.tasks(split):
            yield task, r1sdk.Completion([{"role": "assistant", "content": self.word}])


def test_demonstrations_of_the_parts_are_mixed_by_weight_and_marked():
    mixture = Mixture(parts(("one", 3, Shown("one")), ("two", 1, Shown("two"))), train_size=40)
    shown = list(mixture.demonstrations("train"))
    assert [completion.text for _, completion in shown].count("one") == 30 and len(shown) == 40
    assert all(task.info["env"] == task.answer == completion.text for task, completion in shown)


def test_a_part_without_demonstrations_is_named():
    mixture = Mixture(parts(("one", 1, Shown("one")), ("two", 1, Words("two"))))
    with pytest.raises(r1sdk.R1Error, match="two has no demonstrations"):
        next(mixture.demonstrations("train"))
