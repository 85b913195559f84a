"""What came of one call in a worker."""

from dataclasses import dataclass
from typing import Any, Literal

DEFAULT_MEMORY_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one call in a worker.

    `ok`: it returned. `raised`: it raised, which is a bug of the function. `timeout`, `memory`: it took more than it may.
    `died`: its process ended before it did. After the last three the worker has been replaced.
    """

    status: Literal["ok", "raised", "timeout", "memory", "died"]
    value: Any = None  # ok: what the function returned; raised: the exception
    seconds: float = 0.0  # from the moment the call started in its worker
    reason: str = ""  # why there is no value; raised: the traceback
