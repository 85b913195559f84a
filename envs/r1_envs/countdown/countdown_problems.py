"""Random Countdown problems, each with a solution. A problem always belongs to the same split."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import r1sdk

from ..table.splits import hashed
from .arithmetic import Game, after, random_step

MAX_DRAWS = 10_000  # attempts at one problem
TEST_SHARE = 10  # one problem in this many belongs to the test split


@dataclass(frozen=True, slots=True)
class Problem:
    """Numbers, the target to make from them, and the allowed operators."""

    nums: tuple[int, ...]
    target: int
    operators: str

    @property
    def split(self) -> str:
        """The split, "test" or "train". It depends only on the numbers and the target, not on settings, order or seed."""
        key = f"{sorted(self.nums)} {self.target}"
        side = hashed(key)
        return "train" if side % TEST_SHARE else "test"


@dataclass(frozen=True, slots=True)
class Rules:
    """Bounds on the generated problems."""

    count: tuple[int, int]  # of numbers: least and most
    number: tuple[int, int]  # each number: least and most
    max_target: int
    operators: str

    @property
    def game(self) -> Game:
        """The largest intermediate result of a solution: somewhat above the largest target."""
        return Game(self.operators, 2 * self.max_target)


def draw(rules: Rules, rng: random.Random) -> Problem | None:
    """Make a problem whose target comes from random steps on its numbers; None if the steps lead nowhere."""
    nums = tuple(rng.randint(*rules.number) for _ in range(rng.randint(*rules.count)))
    hand = tuple(sorted(nums))
    while len(hand) > 1:
        step = random_step(rules.game, hand, rng)
        if step is None:
            return None
        hand = after(hand, step)
    return Problem(nums, hand[0], rules.operators) if hand[0] <= rules.max_target else None


def draw_many(rules: Rules, seed: int, split: str, size: int) -> Iterator[Problem]:
    """Yield `size` problems of `split`, the i-th from its own random stream. Test problems are all different.

    Raises: r1sdk.R1Error where the rules allow too few.
    """
    seen: set[tuple[tuple[int, ...], int]] = set()
    for index in range(size):
        rng = random.Random(f"countdown {seed} {split} {index}")
        for _ in range(MAX_DRAWS):
            problem = draw(rules, rng)
            if problem is None or problem.split != split:
                continue
            key = (tuple(sorted(problem.nums)), problem.target)
            if split != "test" or key not in seen:
                seen.add(key)
                yield problem
                break
        else:
            raise r1sdk.R1Error(
                f"these settings give only {index} different problems for the {split} split, not {size}"
            )
