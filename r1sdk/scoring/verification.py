"""Call a verifier. Each task's gold answer is read once, and an attempt that cannot be verified gets a verdict too."""

import inspect
import threading
from collections import OrderedDict
from collections.abc import Awaitable, Iterator
from typing import Any, NamedTuple
from weakref import ref

from ..contracts import HasVariants, ShowsGold, Verifier
from ..errors import Unverifiable
from ..plugins.environment_calls import call_method, iterate_method, method_label
from ..plugins.guard import wait_for
from ..records import Rollout, Submission, Task, Verdict
from ..reply_format import reply_with

KEPT = 64  # tasks whose gold answers are cached; the replies to one task arrive close together


class _CachedGold(NamedTuple):
    """One verifier's reading of a task's gold answer, or the reason why it cannot be read."""

    verifier: Any  # a function that returns it: a weak reference if the class supports these
    task: Task
    gold: Any
    unverifiable: str | None


_read: OrderedDict[tuple[int, str, str | None], _CachedGold] = OrderedDict()
_lock = threading.Lock()


def verify_with(verifier: Verifier, rollout: Rollout) -> Verdict | Awaitable[Verdict]:
    """Return the verdict of `verifier` on `rollout`, or an awaitable for it if its `verify` is async.

    In an environment that has a `verifier_option`, `verify` is this call:

        def verify(self, rollout):
            return r1sdk.verify_with(self.verifier, rollout)
    """
    read = _cached_gold(verifier, rollout.task)
    if read.unverifiable is not None:
        return Verdict(None, "unverifiable", reason=read.unverifiable)
    try:
        found = call_method(verifier, "verify", read.gold, Submission(rollout))
    except Unverifiable as error:
        return Verdict(None, "unverifiable", reason=str(error))
    return _await_verdict(verifier, found) if inspect.isawaitable(found) else _check_verdict(verifier, found)


def gold_reply_of(verifier: Verifier, task: Task) -> str | None:
    """Return the reply that must earn 1.0 on `task`: the verifier's own, else the gold answer in the reply format, else None."""
    if isinstance(verifier, ShowsGold):
        reply: str | None = call_method(verifier, "gold_reply", task)
        return reply
    return None if task.answer is None else reply_with(task.answer)


def wrong_replies_of(verifier: Verifier, task: Task) -> Iterator[str]:
    """Yield replies close to the right one that must earn less than 1.0 on `task`; none if the verifier has no variants."""
    if not isinstance(verifier, HasVariants):
        return
    read = _cached_gold(verifier, task)
    if read.unverifiable is None:
        yield from map(reply_with, iterate_method(verifier, "variants", read.gold))


class VerifierAlone:
    """An environment of one verifier, without tasks, so that scoring calls the verifier and checks its verdicts as in a run."""

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier

    def tasks(self, split: str) -> list[Task]:
        return []

    def verify(self, rollout: Rollout) -> Verdict | Awaitable[Verdict]:
        return verify_with(self.verifier, rollout)

    def gold_reply(self, task: Task) -> str | None:
        return gold_reply_of(self.verifier, task)

    def wrong_replies(self, task: Task) -> Iterator[str]:
        return wrong_replies_of(self.verifier, task)


async def _await_verdict(verifier: Verifier, found: Awaitable[Verdict]) -> Verdict:
    try:
        return _check_verdict(verifier, await wait_for(method_label(verifier, "verify"), found))
    except Unverifiable as error:
        return Verdict(None, "unverifiable", reason=str(error))


def _check_verdict(verifier: Verifier, found: Any) -> Verdict:
    if not isinstance(found, Verdict):
        raise TypeError(f"{type(verifier).__name__}.verify must return an r1sdk.Verdict, got {found!r:.100}")
    return found


def _cached_gold(verifier: Verifier, task: Task) -> _CachedGold:
    """Return the gold answer that `verifier` reads from `task`, cached if the same task was seen recently."""
    key = (id(verifier), task.id, task.answer)
    with _lock:
        known = _read.get(key)
    # Equal keys may belong to different tasks, or to an earlier verifier at the same address.
    if known is not None and known.verifier() is verifier and (known.task is task or known.task == task):
        return known
    try:
        read = _CachedGold(_reference(verifier), task, call_method(verifier, "read_gold", task), None)
    except Unverifiable as error:
        read = _CachedGold(_reference(verifier), task, None, str(error))
    with _lock:
        _read[key] = read
        while len(_read) > KEPT:
            _read.popitem(last=False)
    return read


def _reference(verifier: Verifier) -> Any:
    try:
        return ref(verifier)
    except TypeError:  # a class with slots
        return lambda: verifier
