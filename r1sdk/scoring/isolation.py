"""Decide if a reward or environment is called in a worker process, and for how long: by a mark or by a key of the recipe."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from ..workers import DEFAULT_MEMORY_BYTES

_MARK = "r1_isolation"


@dataclass(frozen=True, slots=True)
class Isolation:
    """The limits of one call in a worker."""

    timeout_s: float = 5.0
    memory_bytes: int | None = DEFAULT_MEMORY_BYTES  # growth of the worker during the call; None: no limit

    def __post_init__(self) -> None:
        if not self.timeout_s > 0:
            raise ValueError(f"timeout_s must be above 0, got {self.timeout_s}")
        if self.memory_bytes is not None and self.memory_bytes < 1:
            raise ValueError(f"memory_bytes must be at least 1, got {self.memory_bytes}")


Marked = TypeVar("Marked", bound=Callable[..., Any])


def isolated(timeout_s: float = 5.0, memory_bytes: int | None = DEFAULT_MEMORY_BYTES) -> Callable[[Marked], Marked]:
    """Mark a reward (function or class), or the `verify` of an environment class, as slow or likely to hang.

        @r1sdk.isolated(timeout_s=2.0)
        def compiles(rollout: r1sdk.Rollout) -> float: ...

    Scoring then calls it in a worker process that can be killed. A reward that exceeds `timeout_s` seconds or `memory_bytes`
    bytes gets None with status "timeout"; one whose worker dies gets None with status "error". A verifier that exceeds a
    limit gives the verdict 0.0 with status "timeout"; if its worker dies, None with status "error". A group reward gets
    its whole group in one call. The reward is pickled, so it must be a function or class of a module, with options that
    can be pickled, and it cannot change anything in the trainer.
    """

    def mark(target: Marked) -> Marked:
        setattr(target, _MARK, Isolation(timeout_s, memory_bytes))
        return target

    return mark


class TimeLimited:
    """A proxy for a reward or environment with a `timeout_s` in its recipe. It behaves like `target` in all other respects."""

    def __init__(self, target: Any, limits: Isolation) -> None:
        self.target = target
        self.limits = limits

    def __getattr__(self, name: str) -> Any:
        if name in ("target", "limits"):  # not set yet, because the proxy is being unpickled or copied
            raise AttributeError(name)
        return getattr(self.target, name)

    def __call__(self, *arguments: Any) -> Any:
        return self.target(*arguments)

    def __repr__(self) -> str:
        return f"TimeLimited({self.target!r}, {self.limits!r})"


def with_timeout(target: Any, timeout_s: float | None) -> Any:
    """Return `target` with the recipe's `timeout_s` in place of the limit of its mark, or unchanged if `timeout_s` is None."""
    if timeout_s is None:
        return target
    return TimeLimited(target, replace(isolation_of(target) or Isolation(), timeout_s=timeout_s))


def isolation_of(target: Any) -> Isolation | None:
    """Return the limits of a call of `target` in a worker, or None if it is called in this process."""
    limits = target.limits if isinstance(target, TimeLimited) else getattr(target, _MARK, None)
    return limits if isinstance(limits, Isolation) else None


def unwrapped(target: Any) -> Any:
    """Return the reward or environment without its `TimeLimited` proxy."""
    return target.target if isinstance(target, TimeLimited) else target
