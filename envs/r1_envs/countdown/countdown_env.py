"""The Countdown environment: prompts, verification, and worked examples."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import r1sdk

from .arithmetic import OPERATORS, Game
from .countdown_files import read_problems
from .countdown_problems import Problem, Rules, draw_many
from .traces import Search, write_trace

LEVELS = {
    "easy": Rules(count=(3, 3), number=(1, 20), max_target=60, operators="+-"),
    "full": Rules(count=(3, 4), number=(1, 99), max_target=100, operators=OPERATORS),
}
EASY_SHARE = 0.25  # in the level "mixed"

# Demonstrations of the easy level make blind attempts and those of the full level better ones, so that neither starts out solved.
SEARCHES = {
    "+-": Search(guided=0.0, sees_last_step=False),
    OPERATORS: Search(),
}


@dataclass(frozen=True)
class Countdown:
    """Make a target from a few numbers, each used exactly once, with the given operators.

    Tasks are drawn without end, each from its own random stream, and each can be solved. A problem (its numbers in any
    order and its target) belongs to one split for ever, whatever the level and seed: no test task is ever trained on.
    """

    level: Literal["easy", "full", "mixed"] = "full"  # easy: 3 numbers of 1..20, + -; full: 3 or 4 of 1..99, + - * /
    numbers: tuple[int, int] | None = None  # least and most; None: as the level says
    min_number: int | None = None
    max_number: int | None = None
    max_target: int | None = None
    operators: str | None = None  # some of "+-*/"
    use_all: bool = True  # False: an equation may omit numbers
    train_size: int = 20_000
    test_size: int = 500
    seed: int = 0  # of the training tasks; the test tasks do not depend on it
    file: str | None = None  # JSONL, CSV, parquet, or a data set on the Hub, with columns nums and target
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option("countdown", shares=("use_all",))
    _verifier: r1sdk.Verifier = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.operators is not None and (not self.operators or not set(self.operators) <= set(OPERATORS)):
            raise ValueError(f"operators are some of {OPERATORS!r}, got {self.operators!r}")
        for level in ("easy", "full"):
            rules = self._rules(level)
            if not 2 <= rules.count[0] <= rules.count[1] <= 6:
                raise ValueError(f"numbers are from 2 to 6, least first, got {rules.count}")
            if not 1 <= rules.number[0] <= rules.number[1]:
                raise ValueError(f"min_number {rules.number[0]} and max_number {rules.number[1]} must rise from 1")
            if rules.max_target < 1:
                raise ValueError(f"max_target must be at least 1, got {rules.max_target}")
        object.__setattr__(self, "_verifier", r1sdk.verifier_of(self))

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test"."""
        size = {"train": self.train_size, "test": self.test_size}.get(split)
        if size is None:
            raise r1sdk.R1Error(f"countdown has the splits train and test, not {split!r}")
        for index, problem in enumerate(islice(self._problems(split, size), size)):
            yield self._task(problem, f"{split}/{index}")

    def repeats(self, split: str) -> str:
        """Return why a training task may come twice: tasks are drawn independently. Test tasks are all different."""
        return "each is drawn from its own random stream" if split == "train" and self.file is None else ""

    def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict | Awaitable[r1sdk.Verdict]:
        """Return 1.0 if the answer is an equation over the task's numbers that makes its target, else 0.0."""
        return r1sdk.verify_with(self._verifier, rollout)

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """Return the verifier's gold reply, if it has one: a task has many solutions, and none is stored."""
        return r1sdk.gold_reply_of(self._verifier, task)

    def wrong_replies(self, task: r1sdk.Task) -> Iterator[str]:
        """Replies close to the right one, which must earn less than 1.0."""
        return r1sdk.wrong_replies_of(self._verifier, task)

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield the tasks of `split`, each with a search for its solution that may give up early or fail."""
        for task in self.tasks(split):
            problem = Problem(tuple(task.info["nums"]), task.info["target"], task.info["operators"])
            rng = random.Random(f"countdown {self.seed} demonstration {task.id}")
            text = self._demonstration(problem, rng)
            if text is not None:
                yield task, r1sdk.Completion([{"role": "assistant", "content": text}])

    def summary(self) -> str:
        """Return one line that describes the tasks."""
        if self.file:
            return f"Countdown from {self.file}"
        shown = ["easy", "full"] if self.level == "mixed" else [self.level]
        return "Countdown: " + "; ".join(_describe(self._rules(level)) for level in shown)

    def _demonstration(self, problem: Problem, rng: random.Random) -> str | None:
        search = SEARCHES.get(problem.operators, SEARCHES[OPERATORS])
        return write_trace(problem.nums, problem.target, self._game(problem), search, rng)

    def _rules(self, level: str) -> Rules:
        preset = LEVELS[level]
        low, high = preset.number
        return Rules(
            preset.count if self.numbers is None else self.numbers,
            (low if self.min_number is None else self.min_number, high if self.max_number is None else self.max_number),
            preset.max_target if self.max_target is None else self.max_target,
            preset.operators if self.operators is None else self.operators,
        )

    def _problems(self, split: str, size: int) -> Iterator[Problem]:
        if self.file:
            operators = self.operators or OPERATORS
            return (problem for problem in read_problems(self.file, operators) if problem.split == split)
        if self.level == "mixed":
            return self._mixed(split, size)
        return draw_many(self._rules(self.level), self._seed(split), split, size)

    def _mixed(self, split: str, size: int) -> Iterator[Problem]:
        """Yield both levels, shuffled. A problem may occur in both, with different operators."""
        seed = self._seed(split)
        easy = draw_many(self._rules("easy"), seed, split, size)
        full = draw_many(self._rules("full"), seed, split, size)
        rng = random.Random(f"countdown {seed} {split} mixed")
        while True:
            yield next(easy if rng.random() < EASY_SHARE else full)

    def _seed(self, split: str) -> int:
        return self.seed if split == "train" else 0

    def _task(self, problem: Problem, name: str) -> r1sdk.Task:
        return r1sdk.Task(
            prompt=[
                {"role": "system", "content": r1sdk.SYSTEM_PROMPT},
                {"role": "user", "content": _question(problem, self.use_all)},
            ],
            info={"nums": list(problem.nums), "target": problem.target, "operators": problem.operators},
            id=name,
        )

    def _game(self, problem: Problem) -> Game:
        return Game(problem.operators, 2 * max(self.max_target or 100, problem.target))


def _question(problem: Problem, use_all: bool) -> str:
    numbers = ", ".join(map(str, problem.nums[:-1])) + f" and {problem.nums[-1]}"
    often = "exactly once" if use_all else "at most once"
    operators = " ".join(problem.operators)
    return f"Use the numbers {numbers}, each {often}, with {operators} and parentheses, to make {problem.target}."


def _describe(rules: Rules) -> str:
    count = "-".join(map(str, sorted(set(rules.count))))
    low, high = rules.number
    return f"{count} numbers of {low}..{high}, {' '.join(rules.operators)}, targets to {rules.max_target}"
