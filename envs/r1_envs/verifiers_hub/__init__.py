"""The environment `verifiers`: tasks of an environment package made for the library verifiers, verified by its own rewards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import r1sdk

from ..table.splits import in_test
from .env_packages import PackageScorer, here, load
from .package_types import PackageRow, PackageSource


@dataclass(frozen=True)
class Verifiers:
    """Tasks of an installed environment package of the library verifiers, by its `name`, one reply a task; 1.0 is full marks.

    The verdict is the weighted sum of the package's reward functions, as a share of `full_marks`. Tasks that need tools, a
    container or several turns are refused. The reward functions read what a model wrote: they are called in a worker process
    with a deadline, which is no sandbox and has no keys; `isolated=false` calls them here.
    """

    name: str = ""  # of the package, as verifiers takes it: my-env or owner/my-env
    args: dict[str, Any] = field(default_factory=dict)  # of its load_environment, or its taskset's settings
    test_args: dict[str, Any] | None = None  # over `args`, for the test split; without it, the package's own or a share
    reward: str = ""  # the one reward function that is the verdict; without it all of them
    full_marks: float | None = None  # the score that maps to 1.0; None: the sum of the weights above 0
    train_size: int | None = None  # at most so many tasks
    test_size: int = 200
    test_share: float = 0.1  # of the tasks, where the package has no test split
    system: str = ""  # a system prompt for tasks that have none
    timeout_s: float = 30.0  # to judge one reply
    isolated: bool = True

    def __post_init__(self) -> None:
        if find_spec("verifiers") is None:
            raise r1sdk.R1Error("environment 'verifiers' needs: pip install 'r1sdk[verifiers]'")
        if not self.name:
            raise ValueError("name: an installed environment package, e.g. --set env.options.name=my-env")
        if not 0.0 < self.test_share < 1.0 or self.test_size < 1 or not self.timeout_s > 0:
            raise ValueError("test_share is between 0 and 1; test_size and timeout_s are above 0")
        if (self.train_size is not None and self.train_size < 1) or (self.full_marks or 1.0) <= 0:
            raise ValueError("train_size and full_marks are above 0")
        load(self._source("train"))
        if self.test_args is not None:
            load(self._source("test"))

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of "train" or "test", each a row of the package by its index."""
        if split not in ("train", "test"):
            raise r1sdk.R1Error(f"verifiers has the splits train and test, not {split!r}")
        test = split == "test"
        loaded = load(self._source(split))
        apart = self.test_args is not None or loaded.has_test
        taken = {_key(row) for row in self._first_test_rows()} if apart and not test else set()
        drawn, most = 0, self.test_size if test else self.train_size
        for row in loaded.rows(test and self.test_args is None):
            if (apart and _key(row) in taken) or (not apart and in_test(_words(row), self.test_share) != test):
                continue
            yield self._task(row, split)
            drawn += 1
            if drawn == most:
                return

    async def verify(self, rollout: r1sdk.Rollout) -> r1sdk.Verdict:
        """Return the weighted sum of the package's reward functions on the reply."""
        text = rollout.completion.text
        if len(text) > 200_000:
            return r1sdk.Verdict(0.0, reason="longer than 200000 characters")
        info = rollout.task.info
        scorer = PackageScorer(
            self._source("test" if info["test"] else "train"), bool(info["test"]) and self.test_args is None
        )
        prompt = rollout.task.prompt[1:] if info["system"] else rollout.task.prompt
        call = (int(info["index"]), prompt, text, rollout.completion.finish in ("length", "filtered"))
        if self.isolated:
            outcome = await r1sdk.call_isolated(scorer, *call, timeout_s=self.timeout_s)
        else:
            outcome = await here(scorer, *call, timeout_s=self.timeout_s)
        match outcome.status:
            case "ok":
                return self._verdict(outcome)
            case "raised" if isinstance(outcome.value, r1sdk.R1Error):
                raise outcome.value
            case "raised":
                # The library itself counts this as 0.0, but nothing has verified the reply.
                reason = f"{type(outcome.value).__name__}: {outcome.value}"[:300]
                return r1sdk.Verdict(None, "error", seconds=outcome.seconds, reason=reason)
            case "died":
                return r1sdk.Verdict(None, "error", seconds=outcome.seconds, reason=outcome.reason)
            case _:
                return r1sdk.Verdict(0.0, "timeout", seconds=outcome.seconds, reason=outcome.reason)

    def gold_reply(self, task: r1sdk.Task) -> None:
        """Return None: each package expects its own format around an answer."""

    def summary(self) -> str:
        """Return one line: the package and its arguments."""
        said = ", ".join(f"{name}={value}" for name, value in self.args.items())
        return f"verifiers: {self.name}" + (f" with {said}" if said else "") + f" ({load(self._source('train')).kind})"

    def _source(self, split: str) -> PackageSource:
        args = {**self.args, **(self.test_args or {})} if split == "test" else self.args
        return PackageSource(self.name, json.dumps(args, sort_keys=True))

    def _first_test_rows(self) -> Iterator[PackageRow]:
        rows = load(self._source("test")).rows(self.test_args is None)
        yield from (row for row, _ in zip(rows, range(self.test_size), strict=False))

    def _task(self, row: PackageRow, split: str) -> r1sdk.Task:
        prompt = list(row.prompt)
        added = bool(self.system) and (not prompt or prompt[0]["role"] != "system")
        if added:
            prompt.insert(0, {"role": "system", "content": self.system})
        info = {"index": row.index, "test": split == "test", "system": added, "category": self.name}
        return r1sdk.Task(prompt, row.answer, info, f"{split}/{row.index}")

    def _verdict(self, outcome: r1sdk.Outcome) -> r1sdk.Verdict:
        scores: dict[str, tuple[float, float]] = outcome.value
        if self.reward:
            if self.reward not in scores:
                raise r1sdk.R1Error(f"{self.name} has no reward {self.reward!r}; it has {', '.join(scores)}")
            scores = {self.reward: (scores[self.reward][0], 1.0)}
        total = sum(score * weight for score, weight in scores.values())
        full = self.full_marks or sum(weight for _, weight in scores.values() if weight > 0)
        if not full:
            raise r1sdk.R1Error(f"{self.name} has no reward with a weight above 0: name one with the option reward")
        parts = ", ".join(f"{name} {score:g}" for name, (score, weight) in scores.items() if weight)
        return r1sdk.Verdict(
            min(1.0, max(0.0, total / full)), seconds=outcome.seconds, reason=f"{parts}: {total:g} of {full:g}"[:300]
        )


def _key(row: PackageRow) -> str:
    return " ".join(_words(row).casefold().split())


def _words(row: PackageRow) -> str:
    return "\n".join(message["content"] for message in row.prompt if message["role"] != "system")
