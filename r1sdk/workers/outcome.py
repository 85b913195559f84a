"""The outcome of one call in a worker."""

from dataclasses import dataclass
from typing import Any, Literal

DEFAULT_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one call in a worker.

    `ok`: the function returned. `raised`: it raised, which is a bug in the function. `timeout`, `memory`: it exceeded that
    limit. `died`: its process ended before the function did. After the last three the worker has been replaced.
    """

    status: Literal["ok", "raised", "timeout", "memory", "died"]
    value: Any = None  # ok: the function's return value; raised: the exception
    seconds: float = 0.0  # from the moment the call started in its worker
    reason: str = ""  # why there is no value; raised: the traceback
