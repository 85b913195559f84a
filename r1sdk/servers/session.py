"""A client of an OpenAI-compatible server that may be slow, busy, broken or gone. Every wait is bounded."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ..errors import Unavailable
from .reply import NoCompletion, ServerReply, message_of, read_reply
from .retry_after import seconds_asked
from .server import Server, read_key

MAX_BACKOFF_S = 30.0  # between two attempts, unless the server asks for more
RETRIED = frozenset({408, 409, 425, 429})  # and every 5xx
_jitter = random.Random()  # separate, so that it does not advance the random numbers of the training


class Refused(Unavailable):
    """The server rejects the request: a retry would change nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class Unanswered(Unavailable):
    """The server did not answer in any attempt."""

    def __init__(self, message: str, attempts: int) -> None:
        super().__init__(message)
        self.attempts = attempts  # requests that were sent


class _TryAgain(Exception):
    """An attempt failed for a reason that may pass."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class ServerSession:
    """The connections of one running event loop to the server.

    After several unanswered requests in a row the remaining ones are not sent: a server that is gone costs a batch the
    timeout of one request, not of all.
    """

    def __init__(self, server: Server) -> None:
        import asyncio

        import aiohttp

        self.server = server
        self.retried = 0  # number of retries
        self._key = read_key(server.api_key_env) if server.api_key_env else ""
        self._url = server.base_url.rstrip("/") + "/chat/completions"
        self._proxy = _proxy(server.base_url)
        self._slots = asyncio.Semaphore(server.max_concurrent)
        self._unanswered = 0  # requests in a row
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=server.max_concurrent),
            timeout=aiohttp.ClientTimeout(total=None),  # aiohttp restarts its clock with every byte; ours does not
            headers={"Authorization": f"Bearer {self._key or 'none'}", "Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def ask(self, messages: Sequence[Mapping[str, Any]], **body: Any) -> ServerReply:
        """Send `messages` and return the server's reply. Keys in `body` override those of `server.body`.

        Raises: Unanswered after the last attempt, Refused at once if the server rejects the request.
        """
        import asyncio

        keys = {**dict(self.server.body), **body}
        request = json.dumps({"model": self.server.model, "messages": messages, **keys}).encode()
        async with self._slots:
            reason = ""
            for attempt in range(self.server.retries + 1):
                if self._unanswered >= max(2, self.server.max_concurrent):
                    raise Unanswered(
                        f"the server {self.server.base_url} left {self._unanswered} requests in a row unanswered",
                        attempt,
                    )
                try:
                    reply = await self._attempt(request, _token_limit(keys))
                    self._unanswered = 0
                    return replace(reply, attempts=attempt + 1) if attempt else reply
                except _TryAgain as failure:
                    reason = str(failure)
                    wait_s = min(MAX_BACKOFF_S, self.server.backoff_s * 2**attempt) * _jitter.uniform(0.75, 1.0)
                    if failure.wait_s > self.server.max_wait_s:
                        reason += f" (it asks to wait {failure.wait_s:.0f} s; max_wait_s is {self.server.max_wait_s:g})"
                    if attempt < self.server.retries:
                        self.retried += 1
                        await asyncio.sleep(max(wait_s, min(failure.wait_s, self.server.max_wait_s)))
            self._unanswered += 1
            attempts = self.server.retries + 1
            raise Unanswered(f"the server {self.server.base_url} did not answer: {reason}", attempts)

    async def _attempt(self, request: bytes, token_limit: int | None) -> ServerReply:
        """Send one request. Raises: _TryAgain, Refused."""
        import asyncio

        import aiohttp

        try:
            async with asyncio.timeout(self.server.timeout_s):
                return await self._request(request, token_limit)
        except TimeoutError:
            raise _TryAgain(f"no complete reply in {self.server.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _TryAgain(self.redact(f"{type(error).__name__}: {error}")) from None

    async def _request(self, request: bytes, token_limit: int | None) -> ServerReply:
        post = self._client.post(self._url, data=request, proxy=self._proxy, allow_redirects=False)
        async with post as response:
            wait_s = seconds_asked(response.headers)
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > self.server.max_body_bytes:
                    most = self.server.max_body_bytes
                    raise _TryAgain(f"HTTP {response.status} with more than {most:,} bytes", wait_s)
            if 200 <= response.status < 300:
                try:
                    return read_reply(body, len(request), token_limit)
                except NoCompletion as other:
                    raise _TryAgain(self.redact(f"HTTP {response.status} with {other}"), wait_s) from None
            reason = self.redact(f"HTTP {response.status}: {message_of(body)}")
            if response.status in RETRIED or response.status >= 500:
                raise _TryAgain(reason, wait_s)
            refuses = f"the server {self.server.base_url} refuses the request: {reason}"
            raise Refused(refuses, response.status)

    def redact(self, text: str) -> str:
        """Return the part of a message that may be shown: shortened and without the key, which a server may repeat."""
        shown = text.replace(self._key, "[key]") if self._key else text
        return " ".join(shown.split())[:300]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _token_limit(keys: Mapping[str, Any]) -> int | None:
    """Return the limit that a request sets on the tokens of its reply."""
    limits = [keys.get(name) for name in ("max_tokens", "max_completion_tokens")]
    return max((limit for limit in limits if isinstance(limit, int)), default=None)


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment sets for `url`."""
    import urllib.request

    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)
