"""Is this machine, and is this recipe, ready? Each check is one line: ok, a warning or a failure, and what to do."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from ..errors import R1Error

Status = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    name: str
    status: Status
    text: str
    todo: str = ""  # what to do about it


Check = Callable[[], Iterator[Finding]]


def examine(checks: Sequence[tuple[str, Check]]) -> Iterator[Finding]:
    """The findings of `checks`, as they come. A check that fails itself is a failure with its name."""
    for name, check in checks:
        try:
            yield from check()
        except R1Error as error:
            yield Finding(name, "failure", str(error))
        except Exception as error:  # noqa: BLE001 - a doctor must not break on a broken machine
            yield Finding(name, "failure", f"the check itself failed: {type(error).__name__}: {error}")
