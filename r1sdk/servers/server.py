"""`Server`: the address of an OpenAI-compatible server, with its timeouts, retries and limits."""

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from ..errors import R1Error


@dataclass(frozen=True, slots=True)
class Server:
    """An OpenAI-compatible server. Its key is read from the environment and appears in no field, file or message.

    One request takes at most (retries + 1) * timeout_s plus retries * max(30 s, max_wait_s). Raises: ValueError, R1Error if
    the server, the model or the key is missing, or if a secret stands in a field that would show it.
    """

    base_url: str  # http://localhost:8000/v1
    model: str  # the server's name for the model
    api_key_env: str | None = None  # the NAME of the environment variable that holds the key; None: no key is needed
    timeout_s: float = 60.0  # for one request
    retries: int = 3  # after a temporary failure: no connection, no complete answer in time, 408, 409, 425, 429, 5xx
    backoff_s: float = 1.0  # before the first retry, then doubled each time, up to 30 s
    max_concurrent: int = 8  # simultaneous requests from this process
    body: tuple[tuple[str, Any], ...] = ()  # further keys of a request, next to model and messages
    max_body_bytes: int = 1_000_000  # limit of a response
    max_wait_s: float = 30.0  # the longest wait that the server may ask for with Retry-After

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.username or url.password or url.query or url.fragment:
            # The URL is not quoted, because it may contain a secret.
            raise ValueError("base_url must have no user, password or query: pass the key with api_key_env")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(
                f"base_url must be the URL of a server, such as http://localhost:8000/v1, got {self.base_url!r}"
            )
        if not self.model:
            raise ValueError("model must be the server's name for the model")
        for name, least in (("retries", 0), ("max_concurrent", 1), ("max_body_bytes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0.0 < self.timeout_s < float("inf"):
            raise ValueError(f"timeout_s must be above 0 and finite, got {self.timeout_s}")
        for name in ("backoff_s", "max_wait_s"):
            if not 0.0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name} must be at least 0 and finite, got {getattr(self, name)}")
        if self.api_key_env is not None:
            read_key(self.api_key_env)
        if find_spec("aiohttp") is None:
            raise R1Error("asking a server needs: pip install 'r1sdk[server]'")


def read_key(name: str) -> str:
    """Return the key in the environment variable `name`. Raises: ValueError, R1Error, never quoting the key."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ValueError(
            "api_key_env must be the name of an environment variable in capitals, such as JUDGE_API_KEY, never the key itself"
        )
    key = os.environ.get(name, "").strip()
    if not key:
        raise R1Error(f"api_key_env: the environment variable {name} is not set")
    if not re.fullmatch(r"[!-~]+", key):
        raise R1Error(
            f"api_key_env: the environment variable {name} does not hold a key: it has spaces or non-ASCII characters"
        )
    return key
