"""Worked Countdown solutions: a bounded search, written out attempt by attempt."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from .arithmetic import ArithmeticStep, Game, after, expression, random_step, reachable, steps


@dataclass(frozen=True)
class Search:
    """Settings of a demonstrated search.

    A search always ends: by reaching the target, by giving up, after `max_attempts`, or with nothing new to try.
    """

    max_attempts: int = 8
    guided: float = 0.15  # share of attempts in which every step keeps the target reachable
    sees_last_step: bool = True  # take the target with the last step whenever that is possible
    give_up: float = 0.5  # probability to stop after a failed attempt
    persistent: float = 0.2  # share of searches that never give up and begin with several failed attempts


def write_trace(numbers: tuple[int, ...], target: int, game: Game, search: Search, rng: random.Random) -> str | None:
    """Return a search for `target` as `<think>` … `</think>` and its final expression as `<answer>`.

    None where no attempt is possible under the rules of `game`.
    """
    numbers = tuple(sorted(numbers))
    give_up, misses = search.give_up, 0
    if rng.random() < search.persistent:
        # Long searches are rare by chance, but without them the model does not learn to end one.
        give_up, misses = 0.0, rng.randint(0, search.max_attempts)
    lines: list[str] = []
    tried: set[str] = set()
    answer = ""
    for _ in range(search.max_attempts):
        path = _new_attempt(numbers, target, game, search, tried, len(lines) < misses, rng)
        path = path or _new_attempt(numbers, target, game, search, tried, False, rng)  # no failing attempt is left
        if path is None:
            break
        answer = expression(numbers, path)
        tried.add(answer)
        hit = path[-1].result == target
        work = ", ".join(_with_the_rest(numbers, path))
        lines.append(f"{len(lines) + 1}. {work}; target {target}? {'yes' if hit else 'no'}\n")
        if hit or rng.random() < give_up:
            break
    if not lines:
        return None
    return f"<think>\n{''.join(lines)}</think>\n<answer>{answer}</answer>"


def _with_the_rest(numbers: tuple[int, ...], path: list[ArithmeticStep]) -> Iterator[str]:
    """Yield each step of `path`, and after it the other numbers that are still available."""
    hand = numbers
    for step in path:
        rest = list(hand)
        rest.remove(step.left)
        rest.remove(step.right)
        yield f"{step} with {' '.join(map(str, rest))}" if rest else str(step)
        hand = after(hand, step)


def _new_attempt(
    numbers: tuple[int, ...], target: int, game: Game, search: Search, tried: set[str], miss: bool, rng: random.Random
) -> list[ArithmeticStep] | None:
    """Return an attempt that was not tried yet; None if none was found."""
    for _ in range(20):
        guided = not miss and rng.random() < search.guided
        path = _attempt(numbers, target, game, guided, search.sees_last_step, rng)
        if path is None or (miss and path[-1].result == target):
            continue
        if expression(numbers, path) not in tried:
            return path
    return None


def _attempt(
    numbers: tuple[int, ...], target: int, game: Game, guided: bool, sees_last_step: bool, rng: random.Random
) -> list[ArithmeticStep] | None:
    """Return steps until one number is left; None for a dead end."""
    path: list[ArithmeticStep] = []
    hand = numbers
    while len(hand) > 1:
        step = None
        if guided or (sees_last_step and len(hand) == 2):
            good = [s for s in steps(game, hand) if reachable(game, after(hand, s), target)]
            step = rng.choice(good) if good else None
        step = step or random_step(game, hand, rng)
        if step is None:
            return None
        path.append(step)
        hand = after(hand, step)
    return path
