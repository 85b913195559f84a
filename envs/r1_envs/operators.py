"""The environment `operators`: equations with a missing operator, one in each turn, each answer rewarded in its turn."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import r1sdk

from .table.splits import hashed

OPERATORS = "+-*/"
_EQUATION = re.compile(r"(\d+)\?(\d+)=(\d+)", re.ASCII)
TEST_SHARE = 8  # one equation in this many belongs to the test split
_QUESTION = "Fill in the operator: + - * or /. Answer inside <answer> and </answer>.\n"


@dataclass(frozen=True)
class Operators:
    """Fill in the missing operator of several equations, one in each turn; each answer is judged in its turn. The share of right ones.

    The smallest example of rewards for turns: the turn of a right answer earns 1.0, another 0.0, and the next equation does
    not depend on it. Each equation has exactly one right operator, and all four are equally frequent, so whoever answers at
    random is right in a quarter of the turns. An equation belongs to one split for ever: no test equation is ever trained on.
    """

    equations: int = 8  # in a dialogue, one in each turn
    largest: int = 12  # of the two numbers that are added or multiplied; the least is 2
    train_size: int = 20_000
    test_size: int = 500
    seed: int = 0
    shown_right: float = 0.5  # share of the demonstrated answers that are right; the others are drawn at random
    _drawn: dict[str, dict[str, list[str]]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.equations < 1:
            raise ValueError(f"there is at least 1 equation, got {self.equations}")
        if not 6 <= self.largest <= 100:
            raise ValueError(f"largest is from 6 to 100, got {self.largest}")
        if not 0 <= self.shown_right <= 1:
            raise ValueError(f"shown_right is a share from 0 to 1, got {self.shown_right}")
        if self.train_size < 1 or self.test_size < 1:
            raise ValueError("train_size and test_size are at least 1")
        object.__setattr__(self, "_drawn", _by_operator(self.largest))

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test", each from its own random stream."""
        size = {"train": self.train_size, "test": self.test_size}.get(split)
        if size is None:
            raise r1sdk.R1Error(f"operators has the splits train and test, not {split!r}")
        for index in range(size):
            rng = random.Random(f"operators {self.seed} {split} {index}")
            signs = rng.choices(OPERATORS, k=self.equations)
            equations = [rng.choice(self._drawn[split][sign]) for sign in signs]
            yield r1sdk.Task(
                prompt=[{"role": "user", "content": _QUESTION + equations[0]}],
                answer=" ".join(signs),
                info={"equations": equations},
                id=f"{split}/{index}",
            )

    def repeats(self, split: str) -> str:
        """Return why a dialogue may come twice: dialogues are drawn independently."""
        return "each is drawn from its own random stream"

    def session(self, task: r1sdk.Task) -> OperatorsSession:
        """Return the session of one dialogue."""
        return OperatorsSession(task)

    def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Return the share of the equations whose operator was found; an equation that was not reached counts as wrong.

        A single reply with all operators in order, such as a gold answer, is judged too.
        """
        equations: list[str] = rollout.task.info["equations"]
        replies = [m["content"] or "" for m in rollout.completion.messages if m["role"] == "assistant"]
        found = [read_operator(reply) for reply in replies[: len(equations)]]
        if len(replies) == 1 and found == [None]:
            found = _several(replies[0], len(equations))
        right = sum(is_true(equation, sign) for equation, sign in zip(equations, found, strict=False))
        said = " ".join(sign or "none" for sign in found)
        return r1sdk.Verdict(right / len(equations), extracted=said, reason=f"{right} of {len(equations)} right")

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield dialogues of a poor player: an answer is right with the probability `shown_right`, else another operator."""
        for task in self.tasks(split):
            rng = random.Random(f"operators {self.seed} demonstration {task.id}")
            session = self.session(task)
            messages: list[r1sdk.Message] = []
            for right in str(task.answer).split():
                sign = right if rng.random() < self.shown_right else rng.choice(OPERATORS.replace(right, ""))
                reply = f"<answer>{sign}</answer>"
                said = session.answer(reply).answer
                messages.append({"role": "assistant", "content": reply})
                if said is not None:
                    messages.append({"role": "user", "content": said})
            yield task, r1sdk.Completion(messages)

    def summary(self) -> str:
        """Return one line that describes the dialogues."""
        return f"Fill in the operators of {self.equations} equations, one in each turn"


class OperatorsSession:
    """The session of one dialogue: it judges each answer and asks the next equation."""

    def __init__(self, task: r1sdk.Task) -> None:
        self.equations: list[str] = task.info["equations"]
        self.turn = 0

    def answer(self, reply: str) -> r1sdk.TurnReward:
        """Return 1.0 for the right operator, else 0.0, with the next equation; None after the last."""
        right = is_true(self.equations[self.turn], read_operator(reply))
        self.turn += 1
        following = self.equations[self.turn] if self.turn < len(self.equations) else None
        return r1sdk.TurnReward(float(right), following)


def read_operator(reply: str) -> str | None:
    """Return the operator inside the answer tags; None for anything else."""
    answer = r1sdk.extract_answer(reply)
    return answer if answer is not None and len(answer) == 1 and answer in OPERATORS else None


def _several(reply: str, count: int) -> list[str | None]:
    """Return the operators of a reply that answers `count` equations at once; anything else is one reply without any."""
    signs = (r1sdk.extract_answer(reply) or "").split(maxsplit=count)
    return [*signs] if len(signs) == count and set(signs) <= set(OPERATORS) else [None]


def is_true(equation: str, sign: str | None) -> bool:
    """True if `sign`, put into an equation of whole numbers such as "12?5=17", makes it true; None makes none true."""
    left, right, result = map(int, _EQUATION.fullmatch(equation).groups())  # type: ignore[union-attr]
    made = {"+": left + right, "-": left - right, "*": left * right, "/": left / right}
    return sign in made and made[sign] == result


def _by_operator(largest: int) -> dict[str, dict[str, list[str]]]:
    """Return the equations by split and operator, without those that two operators make true."""
    found: dict[str, dict[str, dict[str, None]]] = {  # in order, each once
        split: {sign: {} for sign in OPERATORS} for split in ("train", "test")
    }
    for one in range(2, largest + 1):
        for other in range(2, largest + 1):
            for text in (
                f"{one}?{other}={one + other}",
                f"{one + other}?{other}={one}",
                f"{one}?{other}={one * other}",
                f"{one * other}?{other}={one}",
            ):
                signs = [sign for sign in OPERATORS if is_true(text, sign)]
                if len(signs) == 1:
                    found["train" if hashed(text) % TEST_SHARE else "test"][signs[0]][text] = None
    return {split: {sign: list(texts) for sign, texts in signs.items()} for split, signs in found.items()}
