"""What a plugin writes against. Protocols only: nothing here has to be inherited."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from .records import Completion, Rollout, Task, Verdict


class Reward(Protocol):
    """Prices one judged rollout. Register a function, or a frozen dataclass whose fields are the reward's options.

    Returns a number, or None where the reward does not apply to this rollout. May be `async`; the rewards of a batch
    run concurrently. An exception stops the run: it is a bug, never a price of 0.0.
    """

    def __call__(self, rollout: Rollout, /) -> float | None | Awaitable[float | None]: ...


class GroupReward(Protocol):
    """Prices all the completions of one prompt together. Mark the function or class with `@r1sdk.group_reward`."""

    def __call__(
        self, rollouts: Sequence[Rollout], /
    ) -> Sequence[float | None] | Awaitable[Sequence[float | None]]: ...


Marked = TypeVar("Marked", bound=Callable[..., Any])


def group_reward(reward: Marked) -> Marked:
    """Declare that `reward` takes the rollouts of one prompt, [G], and returns as many prices."""
    reward.takes_group = True  # type: ignore[attr-defined]
    return reward


def takes_group(reward: Any) -> bool:
    """Whether `reward` was marked with `group_reward`."""
    return bool(getattr(reward, "takes_group", False))


FROM_RECIPE = "r1sdk.from_recipe"  # the key of a field's metadata that `from_recipe` sets


def from_recipe(key: str) -> Any:
    """Declare an option of a reward that, left out or None, takes the value of a recipe key, e.g. the run's own limit:

        max_tokens: int | None = r1sdk.from_recipe("generation.max_tokens")

    The value is filled in before the reward is built for a run. A reward that is built without a recipe sees None, and
    should refuse it.
    """
    return field(default=None, metadata={FROM_RECIPE: key})


@runtime_checkable
class Environment(Protocol):
    """A source of tasks, and the judge of attempts at them. Register the class; its fields are its options.

    An environment may also have `summary() -> str`, one line that says which tasks these are; it is printed at the
    start of a run. And `gold_reply(task) -> str | None`, a reply that gives the task's gold answer: before training each one
    must earn 1.0, so that no task is trained on which nobody can judge. Without it the task's `answer` in the reply format
    is tried; None means that there is nothing to check.
    """

    def tasks(self, split: str) -> Iterable[Task]:
        """The tasks of `split` ("train" or "test"): the same ones in the same order on every call, none in both."""
        ...

    def verify(self, rollout: Rollout) -> float | None | Verdict | Awaitable[float | None | Verdict]:
        """How right the attempt is, in [0, 1]; None if this task cannot be judged; or a whole `Verdict`."""
        ...


@runtime_checkable
class Demonstrator(Protocol):
    """An environment that can also show how its tasks are worked, for SFT."""

    def demonstrations(self, split: str) -> Iterable[tuple[Task, Completion]]:
        """Tasks of `split`, each with one worked completion in the reply format. Same ones on every call."""
        ...


class Session(Protocol):
    """One conversation's worth of tools. Public methods are the tools; their docstrings are read by the model."""

    def reset(self, task: Task) -> str | None:
        """Start again for `task`; a returned string is added to its last user message."""
        ...


@dataclass(frozen=True, slots=True)
class Execution:
    """The outcome of running a program in a sandbox."""

    stdout: str
    stderr: str
    exit_code: int
    timed_out: bool = False


class Sandbox(Protocol):
    """Somewhere to run code that a model wrote."""

    async def run(self, code: str, *, stdin: str = "", timeout_s: float = 5.0) -> Execution:
        """Run `code` with `stdin` for at most `timeout_s` seconds. Raises: R1Error where the sandbox itself fails."""
        ...
