"""The environment `reasoning_gym`: every task of the library reasoning-gym, verified by the task's own scorer."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import r1sdk

from .table.splits import in_test

LEFT_OUT = {"composite": "it is made of others: use the environment mixture"}
SPAN = 1_000_000  # problems between two seeds


@dataclass(frozen=True)
class ReasoningGym:
    """Problems generated without limit by one task of reasoning-gym, by its `name`: arithmetic, algebra, logic, games.

    A problem belongs to one split for ever, by its words. Answers are scored in a worker process, since some scorers of the
    library evaluate what the model wrote: a worker is no sandbox, see docs/environments.md.
    """

    name: str = ""  # of a task, e.g. simple_equations
    settings: dict[str, Any] = field(default_factory=dict)  # of that task, under the library's names
    partial: bool = False  # the library's score unchanged; otherwise 1.0 for full marks and 0.0 below
    train_size: int = 2000
    test_size: int = 200
    test_share: float = 0.1
    seed: int = 0
    timeout_s: float = 10.0  # to score one answer
    system: str = r1sdk.SYSTEM_PROMPT

    def __post_init__(self) -> None:
        if find_spec("reasoning_gym") is None:
            raise r1sdk.R1Error("environment 'reasoning_gym' needs: pip install 'r1sdk[gym]'")
        if not self.name:
            raise ValueError(
                "name: one of the tasks of reasoning-gym, e.g. simple_equations, gcd, countdown, zebra_puzzles"
            )
        if not 0.0 < self.test_share < 1.0 or self.train_size < 1 or self.test_size < 1 or not self.timeout_s > 0:
            raise ValueError("test_share is between 0 and 1; train_size, test_size and timeout_s are above 0")
        if self.name in LEFT_OUT:
            raise ValueError(f"{self.name} is left out: {LEFT_OUT[self.name]}")
        names = task_names()
        if self.name not in names:
            from difflib import get_close_matches

            close = get_close_matches(self.name, names, n=3)
            hint = f"did you mean {', '.join(close)}?" if close else f"there are {', '.join(names)}"
            raise ValueError(f"reasoning-gym has no task {self.name!r}; {hint}")
        try:
            self._data()
        except Exception as error:  # noqa: BLE001 - a task's settings are checked by the library, in its own ways
            raise ValueError(
                f"reasoning-gym refuses the settings of {self.name!r}: {type(error).__name__}: {error}"
            ) from None

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test", each a problem of the library by its index."""
        size = {"train": self.train_size, "test": self.test_size}.get(split)
        if size is None:
            raise r1sdk.R1Error(f"reasoning_gym has the splits train and test, not {split!r}")
        data, drawn = self._data(), 0
        for index in range(self._size()):
            entry = _entry(data, index)
            if in_test(entry["question"], self.test_share) != (split == "test"):
                continue
            messages = [{"role": "user", "content": entry["question"].strip()}]
            if self.system:
                messages.insert(0, {"role": "system", "content": self.system})
            answer = entry["answer"]
            info = {"index": index, "category": self.name}
            yield r1sdk.Task(messages, None if answer is None else str(answer), info, f"{split}/{index}")
            drawn += 1
            if drawn == size:
                return
        raise r1sdk.R1Error(
            f"{self.name} has too few different problems: {drawn} for split {split!r}, and {size} were asked for"
        )

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Return the score of the library's own scorer for the answer in the answer tag."""
        answer = r1sdk.extract_answer(rollout.completion.text)
        if answer is None:
            return r1sdk.Verdict(0.0, reason="no answer")
        if len(answer) > 10_000:
            return r1sdk.Verdict(0.0, extracted=answer[:200], reason="longer than 10000 characters")
        problem = (int(rollout.task.info["index"]), str(rollout.task.prompt[-1]["content"]))
        scorer = GymScorer(self.name, self.seed, self._size(), self._settings())
        outcome = await r1sdk.call_isolated(scorer, *problem, answer, timeout_s=self.timeout_s)
        if outcome.status == "ok" and outcome.value is None:
            raise r1sdk.R1Error(
                f"reasoning-gym's {self.name} does not generate the same problems twice: it cannot be verified here"
            )
        if outcome.status == "ok":
            value = min(1.0, max(0.0, float(outcome.value)))
            if not self.partial:
                value = float(value > 1.0 - 1e-9)
            return r1sdk.Verdict(value, extracted=answer[:2048], seconds=outcome.seconds)
        if outcome.status == "raised":
            # The library's scorer could not read the model's answer.
            reason = f"the scorer raised {type(outcome.value).__name__}: {outcome.value}"[:200]
            return r1sdk.Verdict(0.0, extracted=answer[:2048], seconds=outcome.seconds, reason=reason)
        reason = f"scoring it ended with {outcome.status}"
        return r1sdk.Verdict(0.0, "timeout", extracted=answer[:2048], seconds=outcome.seconds, reason=reason)

    def summary(self) -> str:
        """Return one line: the task and its settings."""
        settings = ", ".join(f"{name}={value}" for name, value in self.settings.items())
        return f"reasoning-gym: {self.name}" + (f" with {settings}" if settings else "")

    def _data(self) -> Any:
        return _data_set(self.name, self.seed, self._size(), self._settings())

    def _size(self) -> int:
        """The size of the library's dataset, enough for both splits. Problems do not depend on it."""
        return 100 + 2 * math.ceil(max(self.train_size / (1 - self.test_share), self.test_size / self.test_share))

    def _settings(self) -> str:
        return json.dumps(self.settings, sort_keys=True)


def task_names() -> list[str]:
    """Return the names of the library's tasks that are available here."""
    from reasoning_gym.factory import DATASETS

    return sorted(name for name in DATASETS if name not in LEFT_OUT)


@dataclass(frozen=True)
class GymScorer:
    """A scorer of one answer. Unpickling it loads the library, so a worker's time limit does not include that."""

    name: str
    seed: int
    size: int
    settings: str  # JSON

    def __reduce__(self) -> tuple[Callable[..., GymScorer], tuple[str, int, int, str]]:
        return _loaded_scorer, (self.name, self.seed, self.size, self.settings)

    def __call__(self, index: int, question: str, answer: str) -> float | None:
        """Return the library's score of `answer` to one problem; None if the library generates another question here."""
        data = _data_set(self.name, self.seed, self.size, self.settings)
        entry = _entry(data, index)
        return float(data.score_answer(answer=answer, entry=entry)) if entry["question"].strip() == question else None


def _loaded_scorer(name: str, seed: int, size: int, settings: str) -> GymScorer:
    _data_set(name, seed, size, settings)
    return GymScorer(name, seed, size, settings)


def _entry(data: Any, index: int) -> Any:
    """Return problem `index`. One function of `list_functions` uses the global random numbers, so they are seeded here."""
    state = random.getstate()
    random.seed(index)
    try:
        return data[index]
    finally:
        random.setstate(state)


@lru_cache(maxsize=16)
def _data_set(name: str, seed: int, size: int, settings: str) -> Any:
    """Return a task of the library; `settings` is JSON. Problem i has its own random stream."""
    import reasoning_gym

    data = reasoning_gym.create_dataset(name, seed=seed * SPAN, size=size, **json.loads(settings))
    for attribute, held in vars(data).items():
        if type(held) is set:
            setattr(data, attribute, _Ordered(held))
    if (
        monomials := getattr(data, "_get_monomials", None)
    ) is not None:  # of polynomial_multiplication, out of a set too
        data._get_monomials = lambda rng: sorted(monomials(rng), key=str)
    return data


class _Ordered(set[Any]):
    """A set with the same order in every process: some tasks choose letters in the order of a set."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(super().__iter__()))

    def __sub__(self, others: Any) -> _Ordered:
        return _Ordered(super().__sub__(others))
