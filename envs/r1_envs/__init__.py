"""First-party environments, registered exactly as a third party would."""

from collections.abc import Callable
from typing import Any

import r1sdk

from .code import CodeProblems
from .countdown import Countdown
from .guess import Guess
from .gym import ReasoningGym
from .maths import Maths
from .maths_tools import MathsTools
from .mixture import Mixture
from .named import NAMED
from .openenv import OpenEnv
from .operators import Operators
from .table import File, Hub
from .verifiers_hub import Verifiers


@r1sdk.hookimpl
def r1_register_environments(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("code", CodeProblems)
    register("countdown", Countdown)
    register("file", File)
    register("guess", Guess)
    register("hub", Hub)
    register("maths", Maths)
    register("maths_tools", MathsTools)
    register("mixture", Mixture)
    register("openenv", OpenEnv)
    register("operators", Operators)
    register("reasoning_gym", ReasoningGym)
    register("verifiers", Verifiers)
    for name, environment in NAMED.items():
        register(name, environment)
