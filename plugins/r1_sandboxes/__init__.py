"""The sandboxes that come with r1sdk, registered like those of any other package."""

from collections.abc import Callable
from typing import Any

import r1sdk

from .e2b import E2BSandbox
from .local_sandbox import LocalSandbox
from .unsafe import UnsafeSandbox

__all__ = ["E2BSandbox", "LocalSandbox", "UnsafeSandbox"]


@r1sdk.hookimpl
def r1_register_sandboxes(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("local", LocalSandbox)
    register("e2b", E2BSandbox)
    register("unsafe", UnsafeSandbox)
