"""The arguments that a plugin is called with: one that cannot take them is found when it is built, not in the middle of a run."""

import inspect
from collections.abc import Mapping
from typing import Any

from ..contracts import is_over_batch, takes_group
from ..errors import PluginError

METHODS: Mapping[str, Mapping[str, tuple[str, ...]]] = {  # kind -> methods -> their arguments
    "environment": {"tasks": ("split",), "verify": ("rollout",)},
    "verifier": {"read_gold": ("task",), "verify": ("gold", "reply")},
}
_TRL = "that is TRL's signature: register r1sdk.from_trl({name}), or name it in a recipe as module:{name}"
_FOREIGN = {  # an argument of a reward function in another framework's signature -> the advice
    "completions": _TRL,
    "completion_ids": _TRL,
    "solution_str": (
        "that is verl's signature: write def {name}(rollout): with rollout.completion.text as solution_str and "
        "rollout.task.answer as ground_truth"
    ),
}


def check_called(kind: str, name: str, built: Any) -> None:
    """Check that `built`, a plugin, can be called as its kind is. Raises: PluginError with the signature that it must have."""
    methods = METHODS.get(kind, {})
    if any(getattr(built, method, None) is None for method in methods):
        return  # said where the whole contract is checked
    calls = [(method, getattr(built, method), arguments) for method, arguments in methods.items()]
    if kind in ("reward", "advantage"):
        calls = [("", built, _arguments(kind, built))]
    for method, target, arguments in calls:
        if not callable(target):
            raise PluginError(f"{kind} {name!r} cannot be called: {_remedy(kind, built)}")
        if fault := (_foreign(built, target) if kind == "reward" else None) or _fault(target, arguments):
            raise PluginError(f"{kind} {name!r} must take {method}({', '.join(arguments)}): {fault}")


def _arguments(kind: str, built: Any) -> tuple[str, ...]:
    if kind == "reward":
        return ("rollouts",) if takes_group(built) else ("rollout",)
    return ("groups",) if is_over_batch(built) else ("group",)


def _fault(target: Any, arguments: tuple[str, ...]) -> str | None:
    """Return why `target` cannot be called with so many arguments by place; None if it can, or does not say."""
    try:
        signature = inspect.signature(target)
    except (ValueError, TypeError):  # written in C
        return None
    try:
        signature.bind(*arguments)
    except TypeError as error:
        return f"it takes {_shown(signature)}, {error}"
    return None


def _foreign(built: Any, target: Any) -> str | None:
    """Return what a reward function of another framework takes, with the advice; None if it is none."""
    try:
        signature = inspect.signature(target)
    except (ValueError, TypeError):
        return None
    advice = next((said for argument, said in _FOREIGN.items() if argument in signature.parameters), None)
    if advice is None or takes_group(built):
        return None
    name = getattr(target, "__name__", type(built).__name__)
    return f"it takes {_shown(signature)}\n  {advice.format(name=name)}"


def _shown(signature: inspect.Signature) -> str:
    stars: dict[Any, str] = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    return f"({', '.join(stars.get(one.kind, '') + one.name for one in signature.parameters.values())})"


def _remedy(kind: str, built: Any) -> str:
    (argument,) = _arguments(kind, built)
    return f"give {type(built).__name__} a method __call__(self, {argument})"
