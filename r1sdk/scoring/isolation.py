"""Which rewards and environments are called in a worker process, and for how long: a mark, or a key of the recipe."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..workers import DEFAULT_MEMORY_BYTES

_MARK = "r1_isolation"


@dataclass(frozen=True, slots=True)
class Isolation:
    """What one call in a worker may take."""

    timeout_s: float = 5.0
    memory_bytes: int | None = DEFAULT_MEMORY_BYTES  # beyond what the worker held before the call; None: no limit

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be at least 1, got {self.memory_bytes}")


Marked = TypeVar("Marked", bound=Callable[..., Any])


def isolated(timeout_s: float = 5.0, memory_bytes: int | None = DEFAULT_MEMORY_BYTES) -> Callable[[Marked], Marked]:
    """Declare that a reward (function or class), or the `verify` of an environment class, is slow or may hang.

        @r1sdk.isolated(timeout_s=2.0)
        def compiles(rollout: r1sdk.Rollout) -> float: ...

    Scoring then calls it in a worker process that can be killed. A call that takes more than `timeout_s` seconds or
    `memory_bytes` bytes earns None with status "timeout", one whose worker dies None with status "error"; for a verifier
    the verdict is 0.0 with status "timeout", or status "error". A group reward has its whole group in one call. It is
    pickled: a function or class of a module, with options that can be pickled. It cannot change anything in the trainer.
    """

    def mark(target: Marked) -> Marked:
        setattr(target, _MARK, Isolation(timeout_s, memory_bytes))
        return target

    return mark


class Bounded:
    """A reward or an environment whose recipe says `timeout_s`; in everything else it is what it holds."""

    def __init__(self, target: Any, limits: Isolation) -> None:
        self.target = target
        self.limits = limits

    def __getattr__(self, name: str) -> Any:
        if name in ("target", "limits"):  # not set yet: it is being unpickled or copied
            raise AttributeError(name)
        return getattr(self.target, name)

    def __call__(self, *arguments: Any) -> Any:
        return self.target(*arguments)

    def __repr__(self) -> str:
        return f"Bounded({self.target!r}, {self.limits!r})"


def bounded(target: Any, timeout_s: float | None) -> Any:
    """`target`, isolated with the recipe's `timeout_s` instead of its own mark; as it is for None."""
    if timeout_s is None:
        return target
    return Bounded(target, replace(isolation_of(target) or Isolation(), timeout_s=timeout_s))


def isolation_of(target: Any) -> Isolation | None:
    """What a call of `target` may take in a worker; None: it is called where it is."""
    limits = target.limits if isinstance(target, Bounded) else getattr(target, _MARK, None)
    return limits if isinstance(limits, Isolation) else None


def unwrapped(target: Any) -> Any:
    """The reward or environment itself."""
    return target.target if isinstance(target, Bounded) else target
