"""Run one tool call within its time limit. The model gets a text back in every case."""

import asyncio
import inspect
import json
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from ..errors import R1Error, Unavailable, nearest
from ..plugins.guard import ForkedRun, call, call_async, plugin_calls, wait_for
from ..recipe.key_groups import SessionLimits
from ..records import TurnReward
from ..scoring.isolation import Isolation, isolation_of
from ..workers import call_isolated
from .tool_calls import ToolCall
from .tools import Tool

MAX_HANGING = 8  # threads whose call timed out and is still running
_hanging: list[threading.Thread] = []


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a call, as text for the model."""

    name: str
    text: str
    status: Literal["ok", "failed", "timeout"] = "ok"
    reward: float | None = None  # for the turn that made the call


async def run_tool(call: ToolCall, tools: Mapping[str, Tool], limits: SessionLimits) -> ToolResult:
    """Run `call` and return its result as text.

    Raises: Unavailable if the tool does, R1Error if too many timed-out calls are still running.
    """
    name = call.name[:64]
    tool = tools.get(call.name)
    if tool is None:
        return ToolResult(
            name, f"error: there is no tool {name!r}{nearest(name, tools)}; available: {', '.join(tools)}", "failed"
        )
    if (problem := tool.argument_problem(call.arguments)) is not None:
        return ToolResult(name, shortened(f"error: {problem}", limits.output_chars), "failed")
    try:
        with plugin_calls():
            value = await _call_within(tool.function, call.arguments, limits.timeout_s)
    except ToolTimeout:
        return ToolResult(name, f"error: {name} gave no result within {limits.timeout_s:g} s", "timeout")
    except (Unavailable, TooManyHangingTools, ForkedRun):
        raise
    except Exception as error:  # noqa: BLE001 - the model may cause any failure; it reads the error
        return ToolResult(name, shortened(f"error: {type(error).__name__}: {error}", limits.output_chars), "failed")
    reward, value = (value.value, value.answer) if isinstance(value, TurnReward) else (None, value)
    return ToolResult(name, shortened(as_text(value), limits.output_chars), reward=reward)


def as_text(value: Any) -> str:
    """Return a tool's value as text for the model: text unchanged, other values as JSON if possible."""
    if isinstance(value, str):
        text = value
    else:
        try:
            text = "" if value is None else json.dumps(value, ensure_ascii=False)
        except (TypeError, ValueError):
            text = str(value)
    return text.encode("utf-8", "replace").decode()


def shortened(text: str, most: int) -> str:
    """Shorten `text` to `most` characters, followed by the number of characters left out."""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} characters left out)"


class ToolTimeout(Exception):
    """A call did not return in time."""


class TooManyHangingTools(R1Error):
    """Too many calls that timed out are still running."""


async def _call_within(function: Callable[..., Any], arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """Return the function's value. Raises: ToolTimeout, and any exception of the function."""
    limits = isolation_of(function)
    if limits is not None:
        return await _in_worker(function, arguments, limits, timeout_s)
    if not inspect.iscoroutinefunction(function):
        return await _in_thread(function, arguments, timeout_s)
    label = f"tool {_name_of(function)!r}"
    task = asyncio.ensure_future(call_async(label, partial(function, **arguments)))
    done, _ = await asyncio.wait({task}, timeout=timeout_s)
    if not done:
        task.cancel()
        raise ToolTimeout
    return task.result()


def _name_of(function: Any) -> Any:
    return getattr(function, "__name__", function)


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
    raise ToolTimeout


async def _in_thread(function: Callable[..., Any], arguments: Mapping[str, Any], timeout_s: float) -> Any:
    """Call the function in a new thread. A thread that hangs is abandoned, at most `MAX_HANGING` of them."""
    _hanging[:] = [thread for thread in _hanging if thread.is_alive()]
    if len(_hanging) >= MAX_HANGING:
        raise TooManyHangingTools(
            f"{len(_hanging)} tool calls timed out and are still running, the last one of "
            f"{_name_of(function)!r}\n  mark a tool that may hang with r1sdk.isolated, or make it async"
        )
    future: Future[Any] = Future()
    label = f"tool {_name_of(function)!r}"

    def run() -> None:
        try:
            future.set_result(call(label, partial(function, **arguments), may_hang=True))
        except BaseException as error:  # noqa: BLE001 - it belongs to the code that waits for the result
            future.set_exception(error if isinstance(error, Exception) else RuntimeError(type(error).__name__))

    thread = threading.Thread(target=run, name="r1-tool", daemon=True)
    thread.start()
    done, _ = await asyncio.wait({asyncio.wrap_future(future)}, timeout=timeout_s)
    if not done:
        _hanging.append(thread)
        raise ToolTimeout
    value = future.result()
    return await wait_for(label, value) if inspect.isawaitable(value) else value
