"""Worked Countdown solutions that search backwards: each step takes one number off the target, until two numbers are left."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from .arithmetic import Game, results


@dataclass(frozen=True)
class BackwardSearch:
    """Settings of a demonstrated backward search: it tries steps blindly, but none twice.

    It ends by reaching the target, by giving up, after `max_tries`, or with nothing left to try.
    """

    max_tries: int = 20  # of two last numbers
    give_up: float = 0.5  # probability to stop after a failed try
    persistent: float = 0.2  # share of searches that never give up
    leave: float = 0.1  # probability to leave a branch after a failed try in it


class BackwardStep(NamedTuple):
    """Number `taken` is the last operand of the equation; the other numbers must then make `need`."""

    text: str  # the step as an equation, with `need` as its result
    need: int
    rest: tuple[int, ...]
    before: str  # what stands around the expression of the rest
    after: str


def steps_back(game: Game, hand: tuple[int, ...], target: int) -> list[BackwardStep]:
    """Return every step that takes one number of `hand` off `target` and leaves a positive integer to make."""
    found = []
    for at, taken in enumerate(hand):
        if taken in hand[:at]:
            continue
        rest = hand[:at] + hand[at + 1 :]
        for text, need, before, after in _inverses(game, target, taken):
            if 0 < need <= game.max_result:
                found.append(BackwardStep(f"{text}={need}", need, rest, before, after))
    return found


def write_backward(
    numbers: tuple[int, ...], target: int, game: Game, search: BackwardSearch, rng: random.Random
) -> str | None:
    """Return a search for `target` as `<think>` … `</think>` and its final expression as `<answer>`.

    None where no try is possible under the rules of `game`.
    """
    give_up = 0.0 if rng.random() < search.persistent else search.give_up
    lines: list[str] = []
    tries = 0
    answer = ""
    for path, line in _walk(game, numbers, target, (), search, rng):
        if line is not None:
            lines.append(line)
            continue
        tries += 1
        need, pair = (path[-1].need, path[-1].rest) if path else (target, numbers)
        hit, check, made = _check(game, pair, need)
        lines.append(f"{path[-1].text}, {check}" if path else check)
        answer = _around(path, made)
        if hit or tries == search.max_tries or rng.random() < give_up:
            break
    if not answer:
        return None
    think = "\n".join(lines)
    return f"<think>\n{think}\n</think>\n<answer>{answer}</answer>"


def _walk(
    game: Game,
    hand: tuple[int, ...],
    target: int,
    path: tuple[BackwardStep, ...],
    search: BackwardSearch,
    rng: random.Random,
) -> Iterator[tuple[tuple[BackwardStep, ...], str | None]]:
    """Yield the steps of each branch, depth first: with its line where numbers remain to be taken, with None at a try."""
    if len(hand) == 2:
        yield path, None
        return
    options = steps_back(game, hand, target)
    rng.shuffle(options)
    for step in options:
        deeper = (*path, step)
        if len(step.rest) > 2:
            yield deeper, f"{step.text} with {' '.join(map(str, step.rest))}"
        yield from _walk(game, step.rest, step.need, deeper, search, rng)
        if path and rng.random() < search.leave:
            return


def _check(game: Game, pair: tuple[int, ...], need: int) -> tuple[bool, str, str]:
    """Return if two numbers make `need`, the operation that is tried with its result, and it as an expression.

    Where none makes it, the one that is tried is a sum for a need above both numbers, else a difference.
    """
    left, right = max(pair), min(pair)
    possible = dict(results(game, left, right))
    nearest = "+" if need > left else "-"
    operator = next((sign for sign, value in possible.items() if value == need), None)
    tried = operator or next((sign for sign in (nearest, *possible) if sign in possible), game.operators[0])
    expression = f"{left}{tried}{right}"
    shown = f"{expression}={possible[tried]}" if tried in possible else expression
    return operator is not None, f"{shown} {'yes' if operator else 'no'}", expression


def _around(path: tuple[BackwardStep, ...], expression: str) -> str:
    """Return the expression of the whole equation: what each step took off, put back on, the last step first."""
    for step in reversed(path):
        expression = f"{step.before}({expression}){step.after}"
    return expression


def _inverses(game: Game, target: int, taken: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield each way in which `taken` can be the last operand: step, needed number, and the text around the rest.

    As in the task's usual steps, nothing is multiplied or divided by 1.
    """
    operators = game.operators
    if "+" in operators:
        yield f"{target}-{taken}", target - taken, "", f"+{taken}"
    if "-" in operators:
        yield f"{target}+{taken}", target + taken, "", f"-{taken}"
        yield f"{taken}-{target}", taken - target, f"{taken}-", ""
    if "*" in operators and taken > 1 and target % taken == 0:
        yield f"{target}/{taken}", target // taken, "", f"*{taken}"
    if "/" in operators and taken > 1:
        yield f"{target}*{taken}", target * taken, "", f"/{taken}"
    if "/" in operators and target > 1 and taken % target == 0 and taken > target:
        yield f"{taken}/{target}", taken // target, f"{taken}/", ""
