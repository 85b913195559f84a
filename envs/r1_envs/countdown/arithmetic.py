"""Steps of the Countdown game: the legal ones, and a test whether the target is still reachable."""

from __future__ import annotations

import random
from functools import lru_cache
from typing import NamedTuple

OPERATORS = "+-*/"

# Sums and differences first, as in the task's usual data, because products mostly overshoot.
_WEIGHTS = {"+": 3, "-": 3, "*": 1, "/": 1}


class ArithmeticStep(NamedTuple):
    """One operation on two of the available numbers, the larger one on the left."""

    left: int
    operator: str
    right: int
    result: int

    def __str__(self) -> str:
        return f"{self.left}{self.operator}{self.right}={self.result}"


class Game(NamedTuple):
    """The rules for a step: the allowed operators and the largest intermediate result."""

    operators: str
    max_result: int


def results(game: Game, left: int, right: int) -> list[tuple[str, int]]:
    """Yield each legal operator for `left >= right` with its positive integer result."""
    found = []
    for operator in game.operators:
        if operator == "+":
            value = left + right
        elif operator == "-":
            value = left - right
        elif right == 1:  # x*1 and x/1 change nothing
            continue
        elif operator == "*":
            value = left * right
        elif left % right:
            continue
        else:
            value = left // right
        if 0 < value <= game.max_result:
            found.append((operator, value))
    return found


@lru_cache(maxsize=1 << 16)
def steps(game: Game, numbers: tuple[int, ...]) -> tuple[ArithmeticStep, ...]:
    """Yield every legal step from `numbers`, which are sorted."""
    pairs = {(numbers[j], numbers[i]) for j in range(len(numbers)) for i in range(j)}
    return tuple(
        ArithmeticStep(left, operator, right, value)
        for left, right in sorted(pairs)
        for operator, value in results(game, left, right)
    )


def after(numbers: tuple[int, ...], step: ArithmeticStep) -> tuple[int, ...]:
    """Return the available numbers after `step`, sorted."""
    rest = list(numbers)
    rest.remove(step.left)
    rest.remove(step.right)
    rest.append(step.result)
    return tuple(sorted(rest))


@lru_cache(maxsize=1 << 18)
def reachable(game: Game, numbers: tuple[int, ...], target: int) -> bool:
    """True if legal steps that use every number can end in `target`."""
    if len(numbers) == 1:
        return numbers[0] == target
    if len(numbers) == 2:
        return any(value == target for _, value in results(game, numbers[1], numbers[0]))
    return any(reachable(game, after(numbers, step), target) for step in steps(game, numbers))


def random_step(game: Game, numbers: tuple[int, ...], rng: random.Random) -> ArithmeticStep | None:
    """Return a random legal step; None if there is none."""
    legal = steps(game, numbers)
    if not legal:
        return None
    return rng.choices(legal, [_WEIGHTS[step.operator] for step in legal])[0]


def expression(numbers: tuple[int, ...], path: list[ArithmeticStep]) -> str:
    """Return the steps of `path` as one expression over `numbers`, with a parenthesis for each inner step."""
    hand: list[tuple[int, str]] = [(number, str(number)) for number in numbers]

    def take(value: int) -> str:
        # Of equal values take the newest, so that a step's result is used as such.
        at = max(i for i, (held, _) in enumerate(hand) if held == value)
        return hand.pop(at)[1]

    for step in path:
        left, right = take(step.left), take(step.right)
        hand.append((step.result, f"({left}{step.operator}{right})"))
    text = hand[-1][1]
    return text[1:-1] if text.startswith("(") else text
