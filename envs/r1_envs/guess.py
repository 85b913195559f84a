"""The environment `guess`: find a number; each wrong guess is answered with "higher" or "lower"."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

import r1sdk

from .table.splits import hashed

TEST_SHARE = 8  # one lowest number in this many belongs to the test split
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


@dataclass(frozen=True)
class Guess:
    """Find a number in a range, one guess per turn; a wrong guess is answered with "higher" or "lower". 1.0 if it is found in time.

    With `numbers` 31 and `guesses` 5, whoever halves what is left always wins. A range belongs to one split for ever, by its
    first number: no test range is ever trained on.

    With `bits` a guess that leaves m of the n numbers that were possible earns log2(n / m) / log2(`numbers`) for its turn:
    the turns of a game that is won earn 1.0 together, and halving earns the most on average. An advantage that credits
    turns reads these rewards; accuracy does not change.
    """

    numbers: int = 31  # in a range
    guesses: int = 5
    lowest: tuple[int, int] = (0, 40)  # the lower bound of a range: least and most
    train_size: int = 20_000
    test_size: int = 500
    seed: int = 0
    bits: bool = False  # give each turn a reward: the share of what there is to find out that its guess has found out

    def __post_init__(self) -> None:
        if self.numbers < 2 or self.guesses < 1:
            raise ValueError(f"there are at least 2 numbers and 1 guess, got {self.numbers} and {self.guesses}")
        if not 0 <= self.lowest[0] <= self.lowest[1]:
            raise ValueError(f"lowest is two numbers that rise from 0, got {self.lowest}")
        for split in ("train", "test"):
            if not self._starts(split):
                raise ValueError(f"lowest {self.lowest} leaves no range for the {split} split: allow more")
        if self.train_size < 1 or self.test_size < 1:
            raise ValueError("train_size and test_size are at least 1")

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test", each from its own random stream."""
        size = {"train": self.train_size, "test": self.test_size}.get(split)
        if size is None:
            raise r1sdk.R1Error(f"guess has the splits train and test, not {split!r}")
        starts = self._starts(split)
        for index in range(size):
            rng = random.Random(f"guess {self.seed} {split} {index}")
            low = rng.choice(starts)
            high = low + self.numbers + 1
            question = f"Guess my number in {self.guesses} turns. It is above {low} and below {high}."
            yield r1sdk.Task(
                prompt=[{"role": "system", "content": r1sdk.SYSTEM_PROMPT}, {"role": "user", "content": question}],
                answer=str(rng.randint(low + 1, high - 1)),
                info={"low": low, "high": high, "guesses": self.guesses},
                id=f"{split}/{index}",
            )

    def repeats(self, split: str) -> str:
        """Return why a game may come twice: there are few ranges and numbers, and games are drawn independently."""
        return "each is drawn from its own random stream"

    def session(self, task: r1sdk.Task) -> GuessSession:
        """Return the session of one game."""
        return GuessSession(task, self.bits)

    def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Return 1.0 if one of the allowed guesses is the number, else 0.0."""
        secret, allowed = _secret(rollout.task), rollout.task.info["guesses"]
        guesses = [read_guess(m["content"] or "") for m in rollout.completion.messages if m["role"] == "assistant"]
        said = ", ".join("none" if guess is None else str(guess) for guess in guesses[:allowed])
        if secret in guesses[:allowed]:
            return r1sdk.Verdict(1.0, extracted=str(secret), reason=f"found by {said}")
        return r1sdk.Verdict(0.0, extracted=said, reason=f"it was {secret}; guessed {said}"[:200])

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield games that follow the rules with a poor strategy: guess any number that is still possible."""
        for task in self.tasks(split):
            rng = random.Random(f"guess {self.seed} demonstration {task.id}")
            yield task, r1sdk.Completion(play(task, rng))

    def summary(self) -> str:
        """Return one line that describes the games."""
        return f"Guess one of {self.numbers} numbers in {self.guesses} turns"

    def _starts(self, split: str) -> list[int]:
        first, last = self.lowest
        return [low for low in range(first, last + 1) if _in_test(low) == (split == "test")]


class GuessSession:
    """The session of one game: it knows the number and answers guesses."""

    def __init__(self, task: r1sdk.Task, bits: bool = False) -> None:
        self.bits = bits
        self.secret = _secret(task)
        self.left: int = task.info["guesses"]
        self.low: int = task.info["low"]  # the number is above `low` and below `high`, from the answers so far
        self.high: int = task.info["high"]
        self.numbers = self.high - self.low - 1

    def answer(self, reply: str) -> r1sdk.TurnReward | str | None:
        """Return "higher" or "lower"; None once the number is found or the last guess is made. With `bits`, also a reward."""
        before = self._possible
        said = self._said(reply)
        if not self.bits:
            return said
        return r1sdk.TurnReward(log2(before / self._possible) / log2(self.numbers), said)

    @property
    def _possible(self) -> int:
        return self.high - self.low - 1

    def _said(self, reply: str) -> str | None:
        guess = read_guess(reply)
        self.left -= 1
        if guess == self.secret:
            self.low, self.high = self.secret - 1, self.secret + 1
            return None
        if guess is not None and guess < self.secret:
            self.low = max(self.low, guess)
        elif guess is not None:
            self.high = min(self.high, guess)
        if self.left <= 0:
            return None
        if guess is None:
            return "Give one whole number inside <answer> and </answer>."
        return "higher" if self.secret > guess else "lower"

    def outcome(self) -> Mapping[str, Any]:
        """Return counts: guesses left, numbers still possible, numbers in the range."""
        return {"guesses_left": max(0, self.left), "possible": self._possible, "of": self.numbers}


def read_guess(reply: str) -> int | None:
    """Return the number inside the answer tags; None for anything else."""
    answer = r1sdk.extract_answer(reply)
    return int(answer) if answer is not None and _NUMBER.fullmatch(answer) else None


def play(task: r1sdk.Task, rng: random.Random) -> list[r1sdk.Message]:
    """Play a game in which each guess is a random number that is still possible."""
    low, high = task.info["low"], task.info["high"]
    session = GuessSession(task)
    messages: list[r1sdk.Message] = []
    while True:
        guess = rng.randint(low + 1, high - 1)
        reply = f"<think>\n{low}-{high}\n</think>\n<answer>{guess}</answer>"
        messages.append({"role": "assistant", "content": reply})
        said = session.answer(reply)
        if not isinstance(said, str):
            return messages
        messages.append({"role": "user", "content": said})
        low, high = (guess, high) if said == "higher" else (low, guess)


def _secret(task: r1sdk.Task) -> int:
    return int(task.answer or 0)


def _in_test(low: int) -> bool:
    return hashed(f"guess {low}") % TEST_SHARE == 0
