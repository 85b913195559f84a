"""The body of a chat completion in, a `ServerReply` out. What a server sends may be anything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class ServerReply:
    """What a server answered."""

    text: str  # a reasoning that the server keeps apart stands in front, in <think> and </think>
    finish: Literal["stop", "length"] = "stop"  # "length": cut by the token limit
    prompt_tokens: int | None = None  # None: the server does not say
    completion_tokens: int | None = None  # likewise
    whole: bool = True  # False: the body was no chat completion
    attempts: int = 1  # requests that it took


NO_COMPLETION = ServerReply("", whole=False)


def read_reply(body: bytes) -> ServerReply:
    """The first choice of a chat completion; `NO_COMPLETION` where `body` is none."""
    try:
        data = json.loads(body)
        choice = data["choices"][0]
        message = choice["message"]
        content = message["content"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return NO_COMPLETION
    reasoning = _reasoning(message)
    if content is None and reasoning:
        content = ""  # cut off while it was still thinking
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
    """vLLM, SGLang and DeepSeek hand the think block over by itself where they parse it."""
    for key in ("reasoning_content", "reasoning"):
        value = message.get(key) if isinstance(message, Mapping) else None
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _count(usage: Any, key: str) -> int | None:
    value = usage.get(key) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
