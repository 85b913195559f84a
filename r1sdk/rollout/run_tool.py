"""One call of a tool, made within its time, and what the model is told of it. Whatever the tool does, words come back."""

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import R1Error, Unavailable, nearest
from ..recipe.key_groups import SessionLimits
from ..scoring.isolation import Isolation, isolation_of
from ..workers import call_isolated
from .tool_calls import ToolCall
from .tools import Tool

MAX_HANGING = 8  # threads whose call was cut and has not come back
_hanging: list[threading.Thread] = []


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call came to."""

    name: str
    text: str
    status: Literal["ok", "failed", "timeout"] = "ok"


async def perform(call: ToolCall, tools: Mapping[str, Tool], limits: SessionLimits) -> Returned:
    """What `call` came to, as text. Raises: Unavailable where the tool says so, R1Error where cut calls pile up."""
    name = call.name[:64]
    tool = tools.get(call.name)
    if tool is None:
        return Returned(
            name, f"error: there is no tool {name!r}{nearest(name, tools)}; there are {', '.join(tools)}", "failed"
        )
    if (misfit := tool.misfit(call.arguments)) is not None:
        return Returned(name, shortened(f"error: {misfit}", limits.output_chars), "failed")
    try:
        value = await _within(tool.function, call.arguments, limits.timeout_s)
    except _Cut:
        return Returned(name, f"error: {name} gave no result within {limits.timeout_s:g} s", "timeout")
    except (Unavailable, _Piled):
        raise
    except Exception as error:  # noqa: BLE001 - the model may have called it so that it fails, and is told
        return Returned(name, shortened(f"error: {type(error).__name__}: {error}", limits.output_chars), "failed")
    return Returned(name, shortened(as_text(value), limits.output_chars))


def as_text(value: Any) -> str:
    """What a tool returned, as the model reads it: a text as it is, other things as JSON where they can be."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = "" if value is None else json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(value)
    return text.encode("utf-8", "replace").decode()


def shortened(text: str, most: int) -> str:
    """At most about `most` characters, with a word on how many are left out."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} characters left out)"


class _Cut(Exception):
    """A call did not come back in time."""


class _Piled(R1Error):
    """Too many calls were cut that are still running."""


async def _within(function: Callable[..., Any], arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """What the function returns. Raises: _Cut, and whatever it raises."""
    limits = isolation_of(function)
    if limits is not None:
        return await _in_worker(function, arguments, limits, timeout_s)
    if not inspect.iscoroutinefunction(function):
        return await _in_thread(function, arguments, timeout_s)
    task = asyncio.ensure_future(function(**arguments))
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    if not done:
        task.cancel()
        raise _Cut
    return task.result()


async def _in_worker(function: Any, arguments: Mapping[str, Any], limits: Isolation, timeout_s: float) -> Any:
    bound = inspect.signature(function).bind(**arguments)
    bound.apply_defaults()
    outcome = await call_isolated(
        function, *bound.args, timeout_s=min(timeout_s, limits.timeout_s), memory_bytes=limits.memory_bytes
    )
    if outcome.status == "ok":
        return outcome.value
    if outcome.status == "raised":
        raise outcome.value
    if outcome.status == "died":
        raise MemoryError(outcome.reason)
    raise _Cut


async def _in_thread(function: Callable[..., Any], arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """In a thread of its own: one that hangs is left behind, and only so many are."""
    _hanging[:] = [thread for thread in _hanging if thread.is_alive()]
    if len(_hanging) >= MAX_HANGING:
        raise _Piled(
            f"{len(_hanging)} calls of tools were cut and still run, the last one of {getattr(function, '__name__', function)!r}"
            "\n  mark a tool that may hang with r1sdk.isolated, or make it async"
        )
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(function(**arguments))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))

    thread = threading.Thread(target=run, name="r1-tool", daemon=True)
    thread.start()
    done, _ = await asyncio.wait({asyncio.wrap_future(future)}, timeout=timeout_s)
    if not done:
        _hanging.append(thread)
        raise _Cut
    value = future.result()
    return await value if inspect.isawaitable(value) else value
