"""Gold answers checked before anything is trained on them: each must earn 1.0, and wrong answers close to it must not.

A gold answer that is misread earns 1.0 against itself. It gives itself away by a variant that is paid: `48` for `48,\\!048`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

from ..contracts import Composite, Environment
from ..errors import R1Error
from ..plugins.environment_calls import call_method, iterate_method
from ..plugins.guard import plugin_calls
from ..records import Completion, Rollout, Task
from ..reply_format import extract_answer, reply_with
from .blocking import run_blocking
from .isolation import unwrapped
from .score_rollouts import verify

PROBED = 2000  # tasks of a split whose variants are tried; of more, every so manieth
VARIANTS = 6  # tried for one task
SHOWN = 5  # tasks that a message names
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Fault:
    """A task whose own gold answer does not earn 1.0."""

    index: int  # among the tasks of its split, from 0
    task: str  # its id, or the start of its prompt
    answer: str
    reason: str

    def __str__(self) -> str:
        return f"{self.task}: answer {self.answer!r:.60}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Suspect:
    """A task on which a wrong answer close to the gold answer earns 1.0: the gold answer is misread, or is two things at once."""

    index: int  # among the tasks of its split, from 0
    task: str
    answer: str
    variant: str  # the wrong answer

    def __str__(self) -> str:
        return f"{self.task}: answer {self.answer!r:.60}: {self.variant!r:.60} earns 1.0 too"


@dataclass(frozen=True, slots=True)
class GoldCheck:
    """The result of the check of one split."""

    tasks: int  # in all
    checked: int  # those that have an answer to check
    faults: tuple[Fault, ...]
    suspects: tuple[Suspect, ...] = ()
    probed: int = 0  # tasks on which wrong answers were tried

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> "GoldCheck":
        return cls(
            saved["tasks"],
            saved["checked"],
            tuple(Fault(**fault) for fault in saved["faults"]),
            tuple(Suspect(**suspect) for suspect in saved.get("suspects", ())),
            saved.get("probed", 0),
        )

    def describe(self) -> str:
        """Return the number of failed gold answers and the first of them, one per line."""
        named = [f"\n  {fault}" for fault in self.faults[:SHOWN]]
        more = f"\n  and {len(self.faults) - SHOWN} more" if len(self.faults) > SHOWN else ""
        return f"{len(self.faults)} of {self.checked} gold answers cannot be verified" + "".join(named) + more

    def describe_suspects(self) -> str:
        """Return the number of gold answers that accept a wrong answer, and the first of them, one per line."""
        named = [f"\n  {suspect}" for suspect in self.suspects[:SHOWN]]
        more = f"\n  and {len(self.suspects) - SHOWN} more" if len(self.suspects) > SHOWN else ""
        return f"{len(self.suspects)} of {self.probed} gold answers pay a wrong answer too" + "".join(named) + more


def check_gold(
    tasks: Iterable[Task], environment: Environment, progress: Callable[[int], None] | None = None
) -> GoldCheck:
    """Every task that has a gold answer, judged on a reply that gives it. Raises: RewardError where the verifier fails.

    The reply is what the environment's `gold_reply(task)` returns, or without one the task's `answer` in the reply format.
    A task without an answer, or for which that returns None, is not checked. `progress`: called with how many are done.

    Where the environment has `wrong_replies(task)`, up to `VARIANTS` of these are judged as well, for every task up to
    `PROBED` of a split and for that many spread over a larger one: none may earn 1.0.
    """
    source = enumerate(tasks)
    faults: list[Fault] = []
    right: list[tuple[int, Task]] = []  # whose variants are tried: a sample of those that earn 1.0
    seen = checked = 0
    stride = 1
    while some := list(islice(source, _CHUNK)):
        seen += len(some)
        with plugin_calls():
            replies = [
                (index, task, reply) for index, task in some if (reply := gold_reply(environment, task)) is not None
            ]
        checked += len(replies)
        rollouts = [Rollout(task, Completion([{"role": "assistant", "content": reply}])) for _, task, reply in replies]
        judged = run_blocking(verify(rollouts, environment))
        for (index, task, _), rollout in zip(replies, judged, strict=True):
            verdict = rollout.verdict
            assert verdict is not None
            if verdict.status != "ok" or verdict.value != 1.0:
                faults.append(Fault(index, _name(task), task.answer or "", _reason(verdict.value, verdict)))
            elif index % stride == 0:
                right.append((index, task))
        while len(right) > PROBED:
            stride *= 2
            right = [(index, task) for index, task in right if index % stride == 0]
        if progress:
            progress(seen)
    suspects, probed = _suspects(right, environment)
    return GoldCheck(seen, checked, tuple(faults), suspects, probed)


def _suspects(tasks: Sequence[tuple[int, Task]], environment: Environment) -> tuple[tuple[Suspect, ...], int]:
    """The tasks on which a variant of the gold answer earns 1.0, and on how many any were tried."""
    found: list[Suspect] = []
    probed = 0
    for start in range(0, len(tasks), _CHUNK):
        with plugin_calls():
            tried = [
                (index, task, list(islice(wrong_replies(environment, task), VARIANTS)))
                for index, task in tasks[start : start + _CHUNK]
            ]
        probed += sum(bool(replies) for _, _, replies in tried)
        pairs = [(index, task, reply) for index, task, replies in tried for reply in replies]
        rollouts = [Rollout(task, Completion([{"role": "assistant", "content": reply}])) for _, task, reply in pairs]
        named: set[int] = set()
        for (index, task, reply), rollout in zip(pairs, run_blocking(verify(rollouts, environment)), strict=True):
            verdict = rollout.verdict
            if verdict is not None and verdict.value == 1.0 and index not in named:
                named.add(index)
                found.append(Suspect(index, _name(task), task.answer or "", extract_answer(reply) or reply))
    return tuple(found), probed


def enforce_suspects(found: GoldCheck, policy: Literal["leave_out", "keep", "stop"], split: str) -> str | None:
    """A warning where a gold answer pays a wrong one too, None where none does. Raises: R1Error where the policy is to stop."""
    if not found.suspects:
        return None
    said = found.describe_suspects()
    if policy == "stop":
        raise R1Error(
            f"split {split!r}: {said}\n  limits.suspect is stop: correct these answers, or set it to leave_out or keep"
        )
    left_out = len({*(fault.index for fault in found.faults), *(suspect.index for suspect in found.suspects)})
    if policy == "leave_out" and left_out == found.tasks:
        raise R1Error(f"split {split!r}: {said}\n  nothing is left to train on; limits.suspect: keep trains on them")
    return f"{said}\n  they are {'left out of training' if policy == 'leave_out' else 'trained on: limits.suspect is keep'}"


def wrong_replies(environment: Environment, task: Task) -> Iterator[str]:
    """Yield replies that must earn less than 1.0 on `task`; none where the environment knows of none."""
    while isinstance(composite := unwrapped(environment), Composite):
        environment = call_method(composite, "part_of", task)
    if getattr(environment, "wrong_replies", None) is not None:
        yield from iterate_method(environment, "wrong_replies", task)


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
        environment = call_method(composite, "part_of", task)
    if getattr(environment, "gold_reply", None) is not None:
        reply: str | None = call_method(environment, "gold_reply", task)
        return reply
    return None if task.answer is None else reply_with(task.answer)


def _name(task: Task) -> str:
    return task.id or f"{task.prompt[-1]['content'] if task.prompt else '':.60}"


def _reason(value: float | None, verdict: Any) -> str:
    said = f": {verdict.reason}" if verdict.reason else ""
    return f"{verdict.status}{said}" if value is None or verdict.status != "ok" else f"earns {value:g}{said}"
