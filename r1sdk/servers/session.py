"""A client of an OpenAI-compatible server that may be slow, busy, broken or gone. Every wait is bounded."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ..errors import Unavailable
from .reply import NO_COMPLETION, ServerReply, read_reply
from .server import Server, read_key

MAX_WAIT_S = 30.0  # between two attempts, even if the server asks for more
RETRIED = frozenset({408, 409, 425, 429})  # and every 5xx
_jitter = random.Random()  # separate, so that it does not advance the random numbers of the training


class Refused(Unavailable):
    """The server rejects the request: a retry would change nothing."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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
        self._key = read_key(server.api_key_env) if server.api_key_env else "none"
        self._url = server.base_url.rstrip("/") + "/chat/completions"
        self._proxy = _proxy(server.base_url)
        self._slots = asyncio.Semaphore(server.max_concurrent)
        self._unanswered = 0  # requests in a row
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=server.max_concurrent),
            timeout=aiohttp.ClientTimeout(total=None),  # aiohttp restarts its clock with every byte; ours does not
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def ask(self, messages: Sequence[Mapping[str, Any]], **body: Any) -> ServerReply:
        """Send `messages` and return the server's reply. Keys in `body` override those of `server.body`.

        Raises: Unavailable after the last attempt, Refused at once if the server rejects the request.
        """
        import asyncio

        request = json.dumps({"model": self.server.model, "messages": messages, **dict(self.server.body), **body})
        async with self._slots:
            reason = ""
            for attempt in range(self.server.retries + 1):
                if self._unanswered >= max(2, self.server.max_concurrent):
                    raise Unavailable(
                        f"the server {self.server.base_url} left {self._unanswered} requests in a row unanswered"
                    )
                try:
                    reply = await self._attempt(request.encode())
                    self._unanswered = 0
                    return replace(reply, attempts=attempt + 1) if attempt else reply
                except _TryAgain as failure:
                    reason = str(failure)
                    wait_s = min(MAX_WAIT_S, self.server.backoff_s * 2**attempt) * _jitter.uniform(0.75, 1.0)
                    if failure.wait_s > MAX_WAIT_S:
                        reason += f", and asks to wait {failure.wait_s:.0f} s"
                        break
                    if attempt < self.server.retries:
                        self.retried += 1
                        await asyncio.sleep(max(wait_s, failure.wait_s))
            self._unanswered += 1
            raise Unavailable(f"the server {self.server.base_url} did not answer: {reason}")

    async def _attempt(self, request: bytes) -> ServerReply:
        """Send one request. Raises: _TryAgain, Refused."""
        import asyncio

        import aiohttp

        try:
            async with asyncio.timeout(self.server.timeout_s):
                return await self._request(request)
        except TimeoutError:
            raise _TryAgain(f"no complete reply in {self.server.timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _TryAgain(self.redact(f"{type(error).__name__}: {error}")) from None

    async def _request(self, request: bytes) -> ServerReply:
        post = self._client.post(self._url, data=request, proxy=self._proxy, allow_redirects=False)
        async with post as response:
            body = b""
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > self.server.max_body_bytes:
                    return NO_COMPLETION
            if response.status == 200:
                return read_reply(body)
            reason = self.redact(f"HTTP {response.status}: {_message(body)}")
            if response.status in RETRIED or response.status >= 500:
                raise _TryAgain(reason, _seconds(response.headers.get("Retry-After")))
            refuses = f"the server {self.server.base_url} refuses the request: {reason}"
            raise Refused(refuses, response.status)

    def redact(self, text: str) -> str:
        """Return the part of a message that may be shown: shortened and without the key, which a server may repeat."""
        return " ".join(text.replace(self._key, "[key]").split())[:300]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _message(body: bytes) -> str:
    """Return the error message in a response's body."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return body[:300].decode("utf-8", "replace")


def _seconds(header: str | None) -> float:
    """Return the number of seconds in a Retry-After header, or 0.0 if it has another form."""
    text = (header or "").strip()
    return float(text[:6]) if text.isascii() and text.isdigit() else 0.0


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment sets for `url`."""
    import urllib.request

    parts = urlsplit(url)
    if urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    return urllib.request.getproxies().get(parts.scheme)
