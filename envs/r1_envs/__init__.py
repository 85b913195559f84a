"""First-party environments, registered exactly as a third party would."""

from collections.abc import Callable
from typing import Any

import r1sdk

from .code import CodeProblems
from .countdown import Countdown
from .maths import Maths


@r1sdk.hookimpl
def r1_register_environments(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("code", CodeProblems)
    register("countdown", Countdown)
    register("maths", Maths)
