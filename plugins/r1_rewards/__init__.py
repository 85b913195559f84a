"""The rewards that come with r1sdk, registered the way anyone's are."""

from collections.abc import Callable
from typing import Any

import r1sdk

from .accuracy import accuracy
from .countdown import Countdown
from .format import Format
from .tag_count import TagCount

__all__ = ["Countdown", "Format", "TagCount", "accuracy"]


@r1sdk.hookimpl
def r1_register_rewards(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("accuracy", accuracy)
    register("countdown", Countdown)
    register("format", Format)
    register("tag_count", TagCount)
