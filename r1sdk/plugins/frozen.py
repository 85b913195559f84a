"""Views of tasks and rollouts that a plugin can read and copy, and cannot change: the run records what it made itself."""

from dataclasses import replace
from typing import Any, NoReturn

from ..records import Completion, Rollout, Task, Verdict

_TEXT = "what a plugin is given cannot be changed, because the run records it: change a copy (copy.deepcopy)"


def _refuse(self: Any, *arguments: Any, **more: Any) -> NoReturn:
    raise TypeError(_TEXT)


class FrozenList(list[Any]):
    """A list that cannot be changed. Copies of it are plain lists."""

    __slots__ = ()
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse
    append = extend = insert = pop = remove = clear = sort = reverse = _refuse

    def __reduce_ex__(self, protocol: Any) -> Any:
        return list, (list(self),)

    def __deepcopy__(self, memo: Any) -> list[Any]:
        return [thawed(value) for value in self]


class FrozenDict(dict[Any, Any]):
    """A dict that cannot be changed. Copies of it are plain dicts."""

    __slots__ = ()
    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce_ex__(self, protocol: Any) -> Any:
        return dict, (dict(self),)

    def __deepcopy__(self, memo: Any) -> dict[Any, Any]:
        return {key: thawed(value) for key, value in self.items()}


def frozen(value: Any) -> Any:
    """Return `value` with its lists and dicts, at any depth, as frozen copies. Other values are shared."""
    kind = type(value)
    if kind is str or kind is int or kind is float or kind is FrozenDict or kind is FrozenList:
        return value
    if isinstance(value, dict):
        return FrozenDict((key, frozen(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return FrozenList(map(frozen, value))
    if kind is tuple:
        return tuple(map(frozen, value))
    return value


def thawed(value: Any) -> Any:
    """Return `value` with its frozen lists and dicts, at any depth, as plain copies."""
    if isinstance(value, dict):
        return {key: thawed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [thawed(inner) for inner in value]
    return value


def frozen_task(task: Task) -> Task:
    """Return `task` with a frozen prompt and info; itself if they are frozen."""
    if type(task.info) is FrozenDict and type(task.prompt) is FrozenList:
        return task
    info = task.info if isinstance(task.info, dict) else dict(task.info)
    return Task(frozen(task.prompt), task.answer, frozen(info), task.id)


def frozen_rollout(rollout: Rollout) -> Rollout:
    """Return `rollout` with everything in it frozen."""
    completion, verdict, session = rollout.completion, rollout.verdict, rollout.session
    if session is not None and type(session.outcome) is not FrozenDict:
        session = replace(session, outcome=frozen(dict(session.outcome)))
    return Rollout(
        frozen_task(rollout.task),
        Completion(frozen(completion.messages), _frozen_tokens(completion.token_ids), completion.finish),
        verdict if verdict is None else kept_verdict(verdict),
        session,
    )


def _frozen_tokens(ids: list[int]) -> list[int]:
    if type(ids) is list:  # a subclass has a meaning of its own, such as tokens that are not saved
        return FrozenList(ids)
    return ids


def kept_verdict(verdict: Verdict) -> Verdict:
    """Return `verdict` with marks that whoever made it cannot change any more."""
    turn_rewards = verdict.turn_rewards
    if (not verdict.marks or type(verdict.marks) is FrozenDict) and type(turn_rewards) is tuple:
        return verdict
    return replace(verdict, marks=frozen(dict(verdict.marks)), turn_rewards=tuple(turn_rewards))
