"""What `elements` asks and how it judges, in both directions."""

import pytest

import r1sdk
from r1_elements import Elements
from r1sdk.testing import CheckPlugin, VerifyReply, in_format


def task(environment: Elements, element: str) -> r1sdk.Task:
    every = [task for split in ("train", "test") for task in environment.tasks(split)]
    return next(task for task in every if task.id.endswith(f"/{element}"))


def test_there_are_118_elements_in_two_splits() -> None:
    train, test = (list(Elements().tasks(split)) for split in ("train", "test"))
    assert len(train) + len(test) == 118 and len(test) > 10
    assert sorted(int(task.info["number"]) for task in train + test) == list(range(1, 119))


def test_an_element_is_in_one_split_whatever_is_asked() -> None:
    for split in ("train", "test"):
        numbers = [task.info["number"] for task in Elements().tasks(split)]
        assert numbers == [task.info["number"] for task in Elements(asked="name").tasks(split)]


@pytest.mark.parametrize(
    ("answer", "value"), [("Co", 1.0), ("CO", 0.0), ("co", 0.0), ("cobalt", 0.0), ("Co or Ni", 0.0)]
)
def test_a_symbol_is_compared_as_it_is_written(judge: VerifyReply, answer: str, value: float) -> None:
    assert judge(Elements(), task(Elements(), "cobalt"), in_format(answer)).value == value


@pytest.mark.parametrize(("answer", "value"), [("cobalt", 1.0), ("Cobalt", 1.0), ("Co", 0.0), ("not cobalt", 0.0)])
def test_a_name_is_compared_without_regard_to_case(judge: VerifyReply, answer: str, value: float) -> None:
    environment = Elements(asked="name")
    assert judge(environment, task(environment, "cobalt"), in_format(answer)).value == value


@pytest.mark.parametrize("asked", ["symbol", "name"])
def test_it_keeps_the_contract(check_plugin: CheckPlugin, asked: str) -> None:
    check_plugin("environment", "elements", asked=asked)
