"""Read the body of a chat completion into a `ServerReply`. A server may send anything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One answer of a server."""

    text: str  # reasoning that the server sends separately is put in front, in <think> and </think>
    finish: Literal["stop", "length"] = "stop"  # "length": truncated by the token limit
    prompt_tokens: int | None = None  # None: the server does not report it
    completion_tokens: int | None = None  # likewise
    whole: bool = True  # False: the body was no chat completion
    attempts: int = 1  # requests that this answer took


NO_COMPLETION = ServerReply("", whole=False)


def read_reply(body: bytes) -> ServerReply:
    """Return the first choice of a chat completion, or `NO_COMPLETION` if `body` is not a chat completion."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        content = message["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return NO_COMPLETION
    reasoning = _reasoning(message)
    if content is None and reasoning:
        content = ""  # truncated while it was still thinking
    if not isinstance(content, str):
        return NO_COMPLETION
    text = content
    if reasoning:
        text = f"<think>\n{reasoning.strip()}\n</think>\n{content}" if content else f"<think>\n{reasoning.strip()}"
    usage = data.get("usage")
    return ServerReply(
        text,
        "length" if choice.get("finish_reason") == "length" else "stop",
        _count(usage, "prompt_tokens"),
        _count(usage, "completion_tokens"),
    )


def _reasoning(message: Any) -> str:
    """Return the think block that vLLM, SGLang and DeepSeek send as a separate key when they parse it."""
    for key in ("reasoning_content", "reasoning"):
        value = message.get(key) if isinstance(message, Mapping) else None
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
