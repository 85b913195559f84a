"""Decode the parts of a line of rollouts that lists and counts need, without building its texts: several times as fast as JSON."""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any

from ..errors import R1Error
from ..storage import jsonl
from ..storage.row_checks import rollout_fault

_LARGEST = 1e300  # as in the checks of rows


@cache
def list_scanner() -> Callable[[bytes], Any]:
    """Return a decoder of lines: `step`, `task.id`, `completion.tokens` and `.finish`, `verdict`, `rewards`, `total`, `dropped`.

    It returns None for a line that is no rollout. Raises: R1Error without msgspec.
    """
    msgspec = _msgspec("view")
    line = _struct(
        "Line",
        task=_struct("Task", id=(str | None, None)),
        completion=_struct("Completion", tokens=(int | None, None), finish=(str | None, None)),
        step=(int | None, None),
        verdict=(
            _struct("Verdict", value=(float | None, None), status=(str | None, None), extracted=(str | None, None))
            | None,
            None,
        ),
        rewards=(dict[str, float | None], msgspec.field(default_factory=dict)),
        total=(float | None, None),
        dropped=(str | None, None),
    )
    decode = msgspec.json.Decoder(line).decode

    def scanned(data: bytes) -> Any:
        try:
            return decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            try:  # a lone surrogate, which Python's reader accepts and others do not
                return msgspec.convert(jsonl.parse(data), line)
            except (msgspec.ValidationError, ValueError):
                return None

    return scanned


@cache
def report_scanner() -> Callable[[bytes], Mapping[str, Any]]:
    """Return a decoder of lines to the keys that a report counts: `step`, `completion`, `verdict`, `session`.

    It refuses every line that `rollout_fault` refuses: raises DamagedLine. A line that these types do not fit is read in full,
    so types that are too narrow cost time only, and types that are too wide accept damaged lines. Raises: R1Error without
    msgspec.
    """
    msgspec = _msgspec("report")
    number: Any = Annotated[float, msgspec.Meta(gt=-_LARGEST, lt=_LARGEST)] | None
    count: Any = Annotated[int, msgspec.Meta(ge=0, lt=1 << 60)]
    some = _struct("AnyObject")
    message: Any = _struct("Message", role=str)
    nothing = some()
    line = _struct(
        "CountedLine",
        task=_struct("CountedTask", prompt=list[message], id=(str, ""), info=(some, nothing)),
        completion=_struct("CountedCompletion", messages=list[message], tokens=(count, 0), finish=(str, "")),
        step=(count | None, None),
        verdict=(
            _struct(
                "CountedVerdict",
                value=number,
                status=(str, ""),
                reason=(str, ""),
                extracted=(str | None, None),
                turn_rewards=(list[number], []),
                seconds=(number, 0.0),
                marks=(some, nothing),
                forbid_unknown_fields=True,
            )
            | None,
            None,
        ),
        rewards=(dict[str, number], msgspec.field(default_factory=dict)),
        total=(number, None),
        statuses=(some, nothing),
        reasons=(some, nothing),
        session=(_struct("CountedSession", turn_rewards=(list[number], [])), msgspec.UNSET),
    )
    decode = msgspec.json.Decoder(line).decode

    def scanned(data: bytes) -> Mapping[str, Any]:
        try:
            row = decode(data.decode("utf-8"))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return jsonl.parse(data, rollout_fault)
        verdict, session = row.verdict, row.session
        counted = {
            "step": row.step or 0,
            "completion": {"tokens": row.completion.tokens, "finish": row.completion.finish},
            "verdict": None
            if verdict is None
            else {
                "value": verdict.value,
                "status": verdict.status,
                "reason": verdict.reason,
                "turn_rewards": verdict.turn_rewards,
            },
        }
        return counted if session is msgspec.UNSET else {**counted, "session": {"turn_rewards": session.turn_rewards}}

    return scanned


def _msgspec(extra: str) -> Any:
    try:
        import msgspec
    except ImportError:
        raise R1Error(f"reading rollouts needs msgspec: pip install 'r1sdk[{extra}]'") from None
    return msgspec


def _struct(name: str, forbid_unknown_fields: bool = False, **fields: Any) -> Any:
    """Return a type of objects with these fields: a type, or a type and its default. Other fields are skipped, or forbidden."""
    listed = [(key, *value) if isinstance(value, tuple) else (key, value) for key, value in fields.items()]
    return _msgspec("view").defstruct(name, listed, gc=False, frozen=True, forbid_unknown_fields=forbid_unknown_fields)
