"""A conversation with an OpenAI-compatible server that may be slow, busy, broken or gone; each wait is bounded."""

import asyncio
import json
import os
import random
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import r1sdk

MAX_WAIT_S = 30.0  # between two attempts, also where the server asks for more
MAX_BODY_BYTES = 1_000_000  # of a response
RETRIED = frozenset({408, 409, 425, 429})  # and every 5xx
_jitter = random.Random()  # of its own: the training's random numbers stay as they are


@dataclass(frozen=True, slots=True)
class Server:
    """Where the judge is and how it is asked."""

    base_url: str
    model: str
    api_key_env: str | None
    timeout_s: float
    retries: int
    backoff_s: float
    max_concurrent: int
    body: tuple[tuple[str, Any], ...]  # what a request says besides model and messages


def read_key(name: str) -> str:
    """The key in the environment variable `name`. Raises: R1Error, without the key."""
    key = os.environ.get(name, "").strip()
    if not key:
        raise r1sdk.R1Error(f"api_key_env: the environment variable {name} is not set")
    if not re.fullmatch(r"[!-~]+", key):
        raise r1sdk.R1Error(
            f"api_key_env: what the environment variable {name} holds is no key: it has spaces or other signs"
        )
    return key


class _TryAgain(Exception):
    """An attempt failed in a way that may pass."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class Session:
    """The connections of one event loop to the server, for as long as somebody is asking.

    Where several questions in a row went unanswered, the rest are not asked: a server that is gone costs a batch the
    patience of one question, not of all.
    """

    def __init__(self, server: Server) -> None:
        from openai import AsyncOpenAI

        self.server = server
        self.key = read_key(server.api_key_env) if server.api_key_env else "none"
        self.client = AsyncOpenAI(api_key=self.key, base_url=server.base_url, timeout=server.timeout_s, max_retries=0)
        self.slots = asyncio.Semaphore(server.max_concurrent)
        self.users = 0
        self.unanswered = 0  # questions in a row that the server did not answer
        self.running: dict[str, asyncio.Task[float]] = {}

    async def once(self, key: str, judge: Callable[[], Awaitable[float]]) -> float:
        """What `judge` returns; questions of one key that are asked at the same time are asked once."""
        task = self.running.get(key)
        if task is None:
            task = self.running[key] = asyncio.ensure_future(judge())
        try:
            return await asyncio.shield(task)
        finally:
            if task.done():
                self.running.pop(key, None)

    async def ask(self, messages: list[dict[str, str]]) -> str:
        """The text of the server's reply, empty where it is no chat completion.

        Raises: Unavailable after the last attempt, or at once where the server refuses the request.
        """
        async with self.slots:
            reason = ""
            for attempt in range(self.server.retries + 1):
                if self.unanswered >= max(2, self.server.max_concurrent):
                    raise r1sdk.Unavailable(
                        f"the judge {self.server.base_url} left {self.unanswered} questions in a row unanswered"
                    )
                try:
                    text = await self._attempt(messages)
                    self.unanswered = 0
                    return text
                except _TryAgain as failure:
                    reason = str(failure)
                    wait_s = min(MAX_WAIT_S, self.server.backoff_s * 2**attempt) * _jitter.uniform(0.75, 1.0)
                    if failure.wait_s > MAX_WAIT_S:
                        reason += f", and asks to wait {failure.wait_s:.0f} s"
                        break
                    if attempt < self.server.retries:
                        await asyncio.sleep(max(wait_s, failure.wait_s))
            self.unanswered += 1
            raise r1sdk.Unavailable(f"the judge {self.server.base_url} did not answer: {reason}")

    async def _attempt(self, messages: list[dict[str, str]]) -> str:
        """One request. Raises: _TryAgain, Unavailable."""
        import openai

        try:
            # The client's own timeout starts again with every byte that arrives.
            async with asyncio.timeout(self.server.timeout_s):
                return _content(await self._request(messages))
        except TimeoutError:
            raise _TryAgain(f"no whole reply in {self.server.timeout_s:g} s") from None
        except openai.APIStatusError as error:
            reason = self.said(f"HTTP {error.status_code}: {error.message}")
            if error.status_code in RETRIED or error.status_code >= 500:
                raise _TryAgain(reason, _seconds(error.response.headers.get("retry-after"))) from None
            raise r1sdk.Unavailable(f"the judge {self.server.base_url} refuses the request: {reason}") from None
        except openai.APIConnectionError as error:
            raise _TryAgain(self.said(f"{error.message} {error.__cause__ or ''}".strip())) from None
        except TypeError:
            raise  # the client is called wrongly: that does not pass
        except Exception as error:  # noqa: BLE001 - a connection that breaks off inside a body raises as the HTTP library does
            raise _TryAgain(self.said(f"{type(error).__name__}: {error}")) from None

    async def _request(self, messages: list[dict[str, str]]) -> bytes:
        create: Any = self.client.chat.completions.with_streaming_response.create
        async with create(model=self.server.model, messages=messages, **dict(self.server.body)) as response:
            body = b""
            async for chunk in response.iter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    return b""
            return body

    def said(self, text: str) -> str:
        """What may be shown of a message: never the key, which a server may repeat."""
        return " ".join(text.replace(self.key, "[key]").split())[:300]

    async def close(self) -> None:
        """End what still runs, and the connections."""
        for task in self.running.values():
            task.cancel()
        await self.client.close()


def _content(body: bytes) -> str:
    """The first choice's text in the body of a chat completion; empty where it has none."""
    try:
        content = json.loads(body)["choices"][0]["message"]["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return content if isinstance(content, str) else ""


def _seconds(header: str | None) -> float:
    """The number of seconds in a Retry-After header; 0.0 where it is something else."""
    text = (header or "").strip()
    return float(text[:6]) if text.isascii() and text.isdigit() else 0.0
