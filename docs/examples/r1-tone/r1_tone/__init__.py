"""The reward `tone`: a service says how friendly the reasoning is."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import r1sdk

MAX_CHARACTERS = 4000  # of the reasoning that is sent
MAX_BYTES = 64 << 10  # of what comes back


@dataclass(frozen=True)
class Tone:
    """0.0 to 1.0: what the service at `url` gives the reasoning; None for a reply that does not keep the format.

    The service is sent `{"text": ...}` by POST and answers `{"score": ...}`.
    """

    url: str = "http://127.0.0.1:8321/"
    timeout_s: float = 10.0
    max_concurrent: int = 8  # requests at a time

    def __post_init__(self) -> None:
        if urlsplit(self.url).scheme not in ("http", "https"):
            raise ValueError(f"url must begin with http:// or https://, got {self.url!r}")
        if not self.timeout_s > 0 or self.max_concurrent < 1:
            raise ValueError("timeout_s must be above 0, and max_concurrent at least 1")

    async def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        reply = r1sdk.parse_reply(rollout.completion.text)
        if reply is None:
            return None
        pool = _threads(self.max_concurrent)
        text = reply.think[:MAX_CHARACTERS]
        return await asyncio.get_running_loop().run_in_executor(pool, _ask, self.url, text, self.timeout_s)


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    """A batch is scored in an event loop of its own, so what outlives a batch cannot be part of one."""
    return ThreadPoolExecutor(count, thread_name_prefix="tone")


def _ask(url: str, text: str, timeout_s: float) -> float:
    """The score of `text`. Raises: Unavailable where the service gives none."""
    from urllib.request import Request, urlopen

    body = json.dumps({"text": text}).encode()
    request = Request(url, body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=timeout_s) as response:
            score = float(json.loads(response.read(MAX_BYTES))["score"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise r1sdk.Unavailable(f"{url}: {type(error).__name__}: {error}") from error
    if not 0.0 <= score <= 1.0:
        raise r1sdk.Unavailable(f"{url}: the score {score} is not in [0, 1]")
    return score


@r1sdk.hookimpl
def r1_register_rewards(register: Callable[[str, Callable[..., Any]], None]) -> None:
    register("tone", Tone)
