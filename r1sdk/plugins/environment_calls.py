"""Calls of an environment's methods through the guard, for the parts of r1sdk that read tasks."""

from collections.abc import Iterator
from typing import Any

from ..contracts import Environment
from ..records import Task
from .frozen import frozen_task
from .guard import call, iterate


def method_label(target: Any, method: str) -> str:
    """Return the name of a plugin's method for messages: `Countdown.tasks`."""
    return f"{type(getattr(target, 'target', target)).__name__}.{method}"


def tasks_of(environment: Environment, split: str) -> Iterator[Task]:
    """Yield the tasks of `split`, each frozen. Raises: what the environment raises, and PluginFault."""
    return map(_task, iterate(method_label(environment, "tasks"), environment.tasks, split))


def _task(found: Any) -> Any:
    return frozen_task(found) if isinstance(found, Task) else found  # another thing is for whoever reads it to refuse


def iterate_method(target: Any, method: str, *arguments: Any) -> Iterator[Any]:
    """Yield what a method of a plugin yields. Raises: as `guard.iterate`."""
    function: Any = getattr(target, method)
    return iterate(method_label(target, method), function, *arguments)


def call_method(target: Any, method: str, *arguments: Any, loads: bool = False) -> Any:
    """Return the result of a method of a plugin. Raises: as `guard.call`."""
    return call(method_label(target, method), getattr(target, method), *arguments, loads=loads)
