"""One episode over the WebSocket of an OpenEnv server: connect, reset, step, within one deadline.

The protocol is the one of openenv-core 0.2 to 0.3 and openenv 0.4 to 0.10: JSON messages `{"type": "reset" | "step", "data": ...}`,
answered by `{"type": "observation", "data": {"observation", "reward", "done"}}` or `{"type": "error", "data": {"message", "code"}}`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Any, Self, cast
from weakref import WeakKeyDictionary

import aiohttp

import r1sdk

MAX_BYTES = 4 << 20  # of one message
PAUSE_S = 0.2  # before retrying a server that is full
FULL = "CAPACITY_REACHED"

_slots: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Semaphore]] = WeakKeyDictionary()


class _Full(Exception):
    """Raised when the server is at its limit of sessions."""


class OpenEnvEpisode:
    """A session on a server. Failures inside it, a slow server included, raise Unavailable."""

    def __init__(self, url: str, sessions: int, timeout_s: float, api_key_env: str | None = None) -> None:
        self._url = url.rstrip("/")
        self._sessions = sessions
        self._timeout_s = timeout_s
        self._key = read_key(api_key_env)
        self._stack = AsyncExitStack()
        self._deadline = 0.0

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        slot = _slots.setdefault(loop, {}).setdefault(self._url, asyncio.Semaphore(self._sessions))
        await self._stack.enter_async_context(slot)
        self._deadline = loop.time() + self._timeout_s  # waiting for r1sdk's own other sessions does not count
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        self._http = await self._stack.enter_async_context(aiohttp.ClientSession(headers=headers))
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            await self._socket.close()
        await self._stack.aclose()

    async def action_field(self, given: tuple[str, ...]) -> str:
        """Return the one action field that the server requires and that is not `given`. Raises: R1Error, Unavailable."""

        async def ask() -> Any:
            async with self._http.get(f"{self._url}/schema") as response:
                response.raise_for_status()
                return json.loads(await response.read())

        schema = (await self._in_time(ask())).get("action", {})
        required = [name for name in schema.get("required", []) if name not in given]
        if len(required) == 1:
            return str(required[0])
        known = ", ".join(name for name in schema.get("properties", {}) if name != "metadata")
        raise r1sdk.R1Error(
            f"an action of {self._url} has the fields {known or 'that its tools take'}: say which takes the reply, "
            "--set env.options.action=NAME, and give the others by env.options.fixed"
        )

    async def reset(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Begin an episode and return its observation. Raises: Unavailable."""
        while True:
            try:
                shown: dict[str, Any] = await self._in_time(self._asked("reset", arguments))
                return shown
            except _Full:
                if self._socket is not None:
                    await self._socket.close()
                self._socket = None
                await self._in_time(asyncio.sleep(PAUSE_S))

    async def step(self, action: Mapping[str, Any]) -> dict[str, Any]:
        """Take the action and return its outcome. Raises: Unavailable."""
        came: dict[str, Any] = await self._in_time(self._asked("step", action))
        return came

    async def _asked(self, kind: str, data: Mapping[str, Any]) -> dict[str, Any]:
        if self._socket is None:
            self._socket = await self._http.ws_connect(f"{self._url}/ws", max_msg_size=MAX_BYTES)
        with suppress(ConnectionResetError):  # a full server says so and hangs up at once: read its reason
            await self._socket.send_str(json.dumps({"type": kind, "data": dict(data)}))
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise r1sdk.Unavailable(f"{self._url} closed the connection at a {kind}")
        said = json.loads(message.data)
        content = said.get("data", {})
        if said.get("type") == "error":
            if content.get("code") == FULL:
                raise _Full
            raise r1sdk.Unavailable(
                f"{self._url} refuses a {kind}: {content.get('message')} {content.get('errors', '')}"[:500]
            )
        return cast(dict[str, Any], content)

    async def _in_time(self, asked: Any) -> Any:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await asked
        except TimeoutError:
            raise r1sdk.Unavailable(f"{self._url} gave no answer within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise r1sdk.Unavailable(f"{self._url} does not answer: {type(error).__name__}: {error}"[:500]) from None


def read_key(variable: str | None) -> str:
    """Return the key in the environment variable `variable`; "" for None. Raises: R1Error, which never contains the key."""
    if variable is None:
        return ""
    key = os.environ.get(variable, "").strip()
    if not key:
        raise r1sdk.R1Error(f"api_key_env: the environment variable {variable!r:.60} is not set")
    return key
