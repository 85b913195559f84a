"""Reward functions in TRL's own signature as rewards of a run: `from_trl(function)`, or an import path in a recipe."""

import importlib
import inspect
import re
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..contracts import group_reward
from ..errors import PluginError, nearest
from ..records import Completion, Rollout, Task
from .guard import call

IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")

Prices = Sequence[float | None]


def _drop(name: str, value: Any) -> None:
    """The loggers that TRL hands to a reward function."""


OUTSIDE: Mapping[str, Any] = {"trainer_state": None, "log_extra": _drop, "log_metric": _drop}
TRAINER: ContextVar[Mapping[str, Any]] = ContextVar("r1_trainer", default=OUTSIDE)
"""Further arguments that a trainer passes to a reward function. Outside of training, and in a worker, there are none."""


@group_reward
@dataclass(frozen=True)
class TrlReward:
    """A function in TRL's signature, called with the completions of one prompt; its range is its own."""

    function: Callable[..., Any]
    name: str

    def __call__(self, rollouts: Sequence[Rollout]) -> Prices | Awaitable[Prices]:
        batch = trl_batch(rollouts)
        named, takes_others = _parameters(self.function)
        if not takes_others:
            batch = {key: value for key, value in batch.items() if key in named}
        prices = self.function(**batch)
        return _awaited(prices) if inspect.isawaitable(prices) else list(prices)


async def _awaited(prices: Awaitable[Any]) -> Prices:
    return list(await prices)


def from_trl(function: Callable[..., Any], name: str | None = None) -> TrlReward:
    """`function(prompts, completions, completion_ids, **columns) -> list[float | None]`, sync or async, as a reward.

    It is a group reward: one call has the completions of one prompt, where TRL's trainer would give it the whole batch, so a
    function that compares across prompts sees less here. Prompts and completions are lists of messages. The columns are
    the keys of the task's `info`, and its answer as `answer` and `solution` where it has one. `trainer_state`, `log_extra` and
    `log_metric` are the trainer's while it trains; elsewhere, and in a worker process, the state is None and what is logged is
    dropped. A function without `**kwargs` gets what it names.

    Raises: PluginError where `function` cannot be called so.
    """
    name = name or str(getattr(function, "__name__", type(function).__name__))
    if not callable(function):
        raise PluginError(f"reward {name!r} must be a function in TRL's signature, got {function!r:.100}")
    if inspect.isclass(function) or not _takes_completions(function):
        raise PluginError(
            f"reward {name!r} is no function in TRL's signature (prompts, completions, completion_ids, **columns)\n"
            "  if it makes one, give the options to make it with; other rewards come in as plugins"
        )
    return TrlReward(function, name)


def _takes_completions(function: Callable[..., Any]) -> bool:
    named, takes_others = _parameters(function)
    return takes_others or bool({"completions", "completion_ids"} & set(named))


def _parameters(function: Callable[..., Any]) -> tuple[dict[str, bool], bool]:
    """The arguments that `function` names, each with whether it is required, and whether it takes any others."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # written in C: it does not say
        return {}, True
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    named = {p.name: p.default is p.empty for p in parameters if p.kind in by_name}
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)


def trl_batch(rollouts: Sequence[Rollout]) -> dict[str, Any]:
    """The keyword arguments that TRL's trainer would call a reward function with for `rollouts`."""
    tasks = [rollout.task for rollout in rollouts]
    columns = {
        key: [task.info.get(key) for task in tasks] for key in {key: None for task in tasks for key in task.info}
    }
    if any(task.answer is not None for task in tasks):
        for key in ("answer", "solution"):
            columns.setdefault(key, [task.answer for task in tasks])
    return {
        **columns,
        "prompts": [[dict(message) for message in task.prompt] for task in tasks],
        "completions": [[dict(message) for message in rollout.completion.messages] for rollout in rollouts],
        "completion_ids": [rollout.completion.token_ids for rollout in rollouts],
        **TRAINER.get(),
    }


def missing_columns(reward: TrlReward, task: Task) -> list[str]:
    """The arguments that the function requires and that `task` has no column for."""
    batch = trl_batch([Rollout(task, Completion([]))])
    named, _ = _parameters(reward.function)
    return [name for name, required in named.items() if required and name not in batch]


def import_target(path: str) -> tuple[Any, str]:
    """Return the target of `module:attribute` and its source. Raises: PluginError."""
    if ":" not in path:
        parts = path.rpartition(".")
        raise PluginError(f"unknown reward {path!r}: an import path is written module:function, {parts[0]}:{parts[2]}")
    if not IMPORT_PATH.fullmatch(path):
        raise PluginError(
            f"reward {path!r} is no import path: write module:function, e.g. trl.rewards:think_format_reward"
        )
    module_name, _, attribute = path.partition(":")
    try:
        module = call(f"module {module_name}", importlib.import_module, module_name, loads=True)
    except Exception as error:
        missing = getattr(error, "name", None)
        if isinstance(error, ModuleNotFoundError) and missing and f"{module_name}.".startswith(f"{missing}."):
            raise PluginError(
                f"reward {path!r}: there is no module {missing!r}: install it; "
                "one in the current folder is found with PYTHONPATH=."
            ) from None
        raise PluginError(
            f"reward {path!r}: importing {module_name} failed: {type(error).__name__}: {error}"
        ) from error
    try:
        target = getattr(module, attribute)
    except AttributeError:
        raise PluginError(
            f"reward {path!r}: {module_name} has no {attribute!r}{nearest(attribute, dir(module))}"
        ) from None
    except Exception as error:  # a module that imports its parts when they are asked for, as TRL's do
        raise PluginError(f"reward {path!r}: importing it failed: {type(error).__name__}: {error}") from error
    top = module_name.partition(".")[0]
    version = getattr(sys.modules.get(top), "__version__", "")
    return target, f"{top} {version} (import path)" if version else f"{module_name} (import path)"


def build_imported(path: str, target: Any, options: Mapping[str, Any]) -> TrlReward:
    """The reward at an import path. With options, `target` is called with them and returns the function.

    Raises: PluginError.
    """
    if options:
        if not callable(target):
            raise PluginError(f"reward {path!r} must be a function, got {target!r:.100}")
        try:
            target = call(f"reward {path!r}", partial(target, **options), loads=True)
        except (TypeError, ValueError) as error:
            raise PluginError(f"reward {path!r} refuses its options: {error}") from error
    return from_trl(target, path)
