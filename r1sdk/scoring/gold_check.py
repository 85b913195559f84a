"""Gold answers checked against themselves: which tasks could never be judged, found before anything is trained on them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from ..contracts import Composite, Environment
from ..errors import R1Error
from ..records import Completion, Rollout, Task
from ..reply_format import reply_with
from .isolation import unwrapped
from .score_rollouts import verify

SHOWN = 5  # tasks that a message names
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Fault:
    """A task whose own gold answer does not earn 1.0."""

    index: int  # among the tasks of its split, from 0
    task: str  # its id, or the start of what it asks
    answer: str
    reason: str

    def __str__(self) -> str:
        return f"{self.task}: answer {self.answer!r:.60}: {self.reason}"


@dataclass(frozen=True, slots=True)
class GoldCheck:
    """What came of the check of one split."""

    tasks: int  # in all
    checked: int  # those that have an answer to check
    faults: tuple[Fault, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "GoldCheck":
        return cls(saved["tasks"], saved["checked"], tuple(Fault(**fault) for fault in saved["faults"]))

    def describe(self) -> str:
        """How many gold answers failed, and the first of them, one a line."""
        named = [f"\n  {fault}" for fault in self.faults[:SHOWN]]
        more = f"\n  and {len(self.faults) - SHOWN} more" if len(self.faults) > SHOWN else ""
        return f"{len(self.faults)} of {self.checked} gold answers cannot be verified" + "".join(named) + more


def check_gold(
    tasks: Iterable[Task], environment: Environment, progress: Callable[[int], None] | None = None
) -> GoldCheck:
    """Every task that has a gold answer, judged on a reply that gives it. Raises: RewardError where the verifier fails.

    The reply is what the environment's `gold_reply(task)` returns, or without one the task's `answer` in the reply format.
    A task without an answer, or for which that returns None, is not checked. `progress`: called with how many are done.
    """
    source = enumerate(tasks)
    faults: list[Fault] = []
    seen = checked = 0
    while some := list(islice(source, _CHUNK)):
        seen += len(some)
        replies = [(index, task, reply) for index, task in some if (reply := gold_reply(environment, task)) is not None]
        checked += len(replies)
        rollouts = [Rollout(task, Completion([{"role": "assistant", "content": reply}])) for _, task, reply in replies]
        judged = asyncio.run(verify(rollouts, environment))
        for (index, task, _), rollout in zip(replies, judged, strict=True):
            verdict = rollout.verdict
            assert verdict is not None
            if verdict.status != "ok" or verdict.value != 1.0:
                faults.append(Fault(index, _name(task), task.answer or "", _reason(verdict.value, verdict)))
        if progress:
            progress(seen)
    return GoldCheck(seen, checked, tuple(faults))


def enforce(found: GoldCheck, limit: float, split: str) -> str | None:
    """A warning where some gold answers failed, None where none did. Raises: R1Error where their share is above `limit`."""
    if not found.faults:
        return None
    share = len(found.faults) / found.checked
    if share > limit or len(found.faults) == found.tasks:
        raise R1Error(
            f"split {split!r}: {found.describe()}\n  that is {share:.1%}, and limits.unverifiable is {limit:.1%}: "
            "correct these answers or take them out, or raise the limit to train without them"
        )
    return f"{found.describe()}\n  they are left out of training"


def gold_reply(environment: Environment, task: Task) -> str | None:
    """The reply that gives the gold answer of `task`, None where there is nothing to check."""
    while isinstance(composite := unwrapped(environment), Composite):
        environment = composite.part_of(task)
    own = getattr(environment, "gold_reply", None)
    if own is not None:
        reply: str | None = own(task)
        return reply
    return None if task.answer is None else reply_with(task.answer)


def _name(task: Task) -> str:
    return task.id or f"{task.prompt[-1]['content'] if task.prompt else '':.60}"


def _reason(value: float | None, verdict: Any) -> str:
    said = f": {verdict.reason}" if verdict.reason else ""
    return f"{verdict.status}{said}" if value is None or verdict.status != "ok" else f"earns {value:g}{said}"
