"""Decode the parts of a line of rollouts that lists and counts need, without building its texts: several times as fast as JSON."""

from collections.abc import Callable
from functools import cache
from typing import Any

from ..errors import R1Error
from ..storage import jsonl


@cache
def scanner() -> Callable[[bytes], Any]:
    """Return a decoder of lines: `step`, `task.id`, `completion.tokens` and `.finish`, `verdict`, `rewards`, `total`, `dropped`.

    It returns None for a line that is no rollout. Raises: R1Error without msgspec.
    """
    try:
        import msgspec
    except ImportError:
        raise R1Error("the list of rollouts needs msgspec: pip install 'r1sdk[view]'") from None

    def struct(name: str, fields: list[Any]) -> Any:
        return msgspec.defstruct(name, fields, gc=False)

    task = struct("Task", [("id", str | None, None)])
    completion = struct("Completion", [("tokens", int | None, None), ("finish", str | None, None)])
    verdict = struct(
        "Judgement",
        [
            ("value", float | None, None),
            ("status", str | None, None),
            ("extracted", str | None, None),
            ("reason", str | None, None),
        ],
    )
    line = struct(
        "Line",
        [
            ("task", task),
            ("completion", completion),
            ("step", int | None, None),
            ("verdict", verdict | None, None),
            ("rewards", dict[str, float | None], msgspec.field(default_factory=dict)),
            ("total", float | None, None),
            ("dropped", str | None, None),
        ],
    )
    decode = msgspec.json.Decoder(line).decode

    def decoded(text: bytes) -> Any:
        try:
            return decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:  # a lone surrogate, which Python's reader accepts and others do not
                return msgspec.convert(jsonl.parse(text), line)
            except (msgspec.ValidationError, ValueError):
                return None

    return decoded
