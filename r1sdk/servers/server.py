"""Where an OpenAI-compatible server is and how patiently it is asked."""

import os
import re
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from ..errors import R1Error


@dataclass(frozen=True, slots=True)
class Server:
    """An OpenAI-compatible server. The key is read from the environment and is in no field, file or message.

    One question takes (retries + 1) * timeout_s and the waits between at most. Raises: ValueError, R1Error where the
    server, the model or the key is not named, or a key stands where none belongs.
    """

    base_url: str  # http://localhost:8000/v1
    model: str  # as the server calls it
    api_key_env: str | None = None  # the NAME of the environment variable that holds the key; None: no key is needed
    timeout_s: float = 60.0  # of one request
    retries: int = 3  # after a failure that may pass: no connection, no reply in time, 408, 409, 425, 429, 5xx
    backoff_s: float = 1.0  # before the first retry, then twice as long each time, at most 30 s
    max_concurrent: int = 8  # requests at a time from this process
    body: tuple[tuple[str, Any], ...] = ()  # what a request says besides model and messages
    max_body_bytes: int = 1_000_000  # of a response

    def __post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.username or url.password or url.query or url.fragment:
            # Not quoted: what stands there may be a secret.
            raise ValueError("base_url must have no user, password or query: give the key by api_key_env")
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ValueError(
                f"base_url must be the URL of a server, as http://localhost:8000/v1, got {self.base_url!r}"
            )
        if not self.model:
            raise ValueError("model must be the name that the server knows the model by")
        for name, least in (("retries", 0), ("max_concurrent", 1), ("max_body_bytes", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 0.0 < self.timeout_s < float("inf") or not 0.0 <= self.backoff_s < float("inf"):
            raise ValueError("timeout_s must be above 0, backoff_s not below it")
        if self.api_key_env is not None:
            read_key(self.api_key_env)
        if find_spec("aiohttp") is None:
            raise R1Error("asking a server needs: pip install 'r1sdk[server]'")


def read_key(name: str) -> str:
    """The key in the environment variable `name`. Raises: ValueError, R1Error, without the key."""
    if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", name):
        raise ValueError(
            "api_key_env must be the name of an environment variable in capitals, as JUDGE_API_KEY, never the key itself"
        )
    key = os.environ.get(name, "").strip()
    if not key:
        raise R1Error(f"api_key_env: the environment variable {name} is not set")
    if not re.fullmatch(r"[!-~]+", key):
        raise R1Error(
            f"api_key_env: what the environment variable {name} holds is no key: it has spaces or other signs"
        )
    return key
