"""The environment `maths`: problems generated without limit, each with its exact answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import r1sdk

from ..table.splits import in_test
from .maths_problems import KINDS, calculation


@dataclass(frozen=True)
class Maths:
    """Arithmetic, algebra and number theory, generated without files, with exact answers. For your own problems use `file`.

    A problem belongs to one split for ever, by its words: no test task is ever trained on. Tasks are drawn one by one, each
    from its own random stream; of easy kinds the same one may come again.
    """

    kinds: tuple[str, ...] = tuple(KINDS)  # the kinds of problems
    level: Literal[1, 2, 3] = 2  # 1 is the easiest
    train_size: int = 20_000
    test_size: int = 500
    test_share: float = 0.1  # of all problems
    seed: int = 0  # of the training tasks; the test tasks do not depend on it
    timeout_s: float = 5.0  # to check one answer
    verifier: r1sdk.Verifier | None = r1sdk.verifier_option("maths", shares=("timeout_s",))
    _verifier: r1sdk.Verifier = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.kinds or (unknown := [kind for kind in self.kinds if kind not in KINDS]):
            raise ValueError(
                f"kinds are some of {', '.join(KINDS)}, got {', '.join(unknown) if self.kinds else 'none'}"
            )
        if not 0.0 < self.test_share < 1.0:
            raise ValueError(f"test_share is between 0 and 1, got {self.test_share}")
        if self.train_size < 1 or self.test_size < 1:
            raise ValueError("train_size and test_size are at least 1")
        object.__setattr__(self, "_verifier", r1sdk.verifier_of(self))

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test", the kinds in turn."""
        size = {"train": self.train_size, "test": self.test_size}.get(split)
        if size is None:
            raise r1sdk.R1Error(f"maths has the splits train and test, not {split!r}")
        for index in range(size):
            kind = self.kinds[index % len(self.kinds)]
            question, answer = self._draw(kind, split, index)
            yield r1sdk.Task(
                prompt=[{"role": "system", "content": r1sdk.SYSTEM_PROMPT}, {"role": "user", "content": question}],
                answer=answer,
                info={"category": kind},
                id=f"{split}/{index}",
            )

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield the tasks of `split` with their calculation, one operation a line. Raises: R1Error for kinds other than arithmetic."""
        if others := [kind for kind in self.kinds if kind != "arithmetic"]:
            raise r1sdk.R1Error(
                f"maths demonstrates arithmetic, not {', '.join(others)}: --set 'env.options.kinds=[arithmetic]'"
            )
        for task in self.tasks(split):
            reply = f"<think>\n{calculation(task.prompt[-1]['content'])}\n</think>\n<answer>{task.answer}</answer>"
            yield task, r1sdk.Completion([{"role": "assistant", "content": reply}])

    def repeats(self, split: str) -> str:
        """Return why a task may come twice: easy kinds have few problems, and tasks are drawn independently."""
        return "each is drawn from its own random stream"

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Return 1.0 if the reply's answer equals the exact one, in any notation."""
        found = r1sdk.verify_with(self._verifier, rollout)
        return found if isinstance(found, r1sdk.Verdict) else await found

    def gold_reply(self, task: r1sdk.Task) -> str | None:
        """Return the reply with the exact answer."""
        return r1sdk.gold_reply_of(self._verifier, task)

    def wrong_replies(self, task: r1sdk.Task) -> Iterator[str]:
        """Replies close to the right one, which must earn less than 1.0."""
        return r1sdk.wrong_replies_of(self._verifier, task)

    def summary(self) -> str:
        """Return one line: the kinds and the level."""
        return f"Mathematics, level {self.level}: {', '.join(self.kinds)}"

    def _draw(self, kind: str, split: str, index: int) -> tuple[str, str]:
        seed = self.seed if split == "train" else 0
        rng = random.Random(f"maths {seed} {kind} {self.level} {split} {index}")
        while True:
            question, answer = KINDS[kind](rng, self.level)
            if in_test(question, self.test_share) == (split == "test"):
                return question, answer
