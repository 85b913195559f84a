"""The hooks that a plugin may implement. A plugin is any module named in the `r1sdk` entry-point group.

Each hook is given `register(name, target)`. Names are lower_snake_case and may be taken once. A function is used as it
is; a class is built with the options that the recipe gives it.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pluggy import HookimplMarker, HookspecMarker

hookspec = HookspecMarker("r1sdk")
hookimpl = HookimplMarker("r1sdk")
"""Marks a function of a plugin as one of the hooks; a marked function that is none of them is an error."""


@hookspec
def r1_register_rewards(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register rewards, e.g. `register("brevity", Brevity)`. See `Reward` and `group_reward`."""


@hookspec
def r1_register_environments(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register environments, e.g. `register("countdown", Countdown)`. See `Environment`."""


@hookspec
def r1_register_verifiers(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register verifiers, e.g. `register("units", UnitsVerifier)`. See `Verifier`."""


@hookspec
def r1_register_sandboxes(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register sandboxes, e.g. `register("e2b", E2BSandbox)`. See `Sandbox`."""


@hookspec
def r1_register_advantages(register: Callable[[str, Callable[..., Any]], None]) -> None:
    """Register advantage estimators, e.g. `register("rloo", Rloo)`. See `Advantage` and `BatchAdvantage`."""


@hookspec
def r1_register_recipes(register: Callable[[str, Path], None]) -> None:
    """Register recipe files, e.g. `register("countdown/mine", here / "mine.yaml")`."""


@hookspec
def r1_register_models(register: Callable[[str, Path | Callable[[Path, int], None]], None]) -> None:
    """Register models: a folder in Hugging Face form, or a function `(folder, seed)` that writes one."""


@hookspec
def r1_register_accelerate(register: Callable[[str, Path], None]) -> None:
    """Register configs of accelerate, e.g. `register("zero2_offload", here / "zero2_offload.yaml")`, for `--accelerate`."""
