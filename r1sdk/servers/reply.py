"""Read the body of a chat completion into a `ServerReply`. A server may send anything."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..records import Finish

# Reasons that servers give for the end of a reply. Every other word, and none at all, is "unknown".
STOPPED = frozenset({"stop", "eos", "eos_token", "end_turn", "stop_sequence", "tool_calls", "function_call"})
TRUNCATED = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "repetition"})
FILTERED = frozenset({"content_filter", "content_filtered", "safety", "sensitive", "refusal", "recitation"})
# The server gave up in the middle of the reply, for example because it got new weights: another request may succeed.
ABORTED = frozenset(
    {"abort", "aborted", "error", "cancelled", "canceled", "timeout", "insufficient_system_resource", "network_error"}
)
UNLIMITED_TOKENS = 1_000_000  # the most that is believed of a reply whose request sets no limit
TEMPLATE_TOKENS = 100_000  # the most that is believed of a prompt, beyond one token for each byte of the request
MESSAGE_CHARS = 300


@dataclass(frozen=True, slots=True)
class ServerReply:
    """One answer of a server."""

    text: str  # reasoning that the server sends separately is put in front, in <think> and </think>
    finish: Finish = "stop"  # stop, length, filtered (withheld or cut by the server) or unknown
    prompt_tokens: int | None = None  # None: the server does not report it, or reports an impossible number
    completion_tokens: int | None = None  # likewise
    attempts: int = 1  # requests that this answer took


class NoCompletion(Exception):
    """The body holds no complete answer. The message says what it holds instead."""


def read_reply(body: bytes | bytearray, prompt_limit: int = 0, token_limit: int | None = None) -> ServerReply:
    """Return the first choice of a chat completion. Raises: NoCompletion.

    `prompt_limit`: bytes of the request, and `token_limit`: the tokens that it allows for the reply. Reported token counts
    far above them are impossible, so they become None.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise NoCompletion(f"no JSON: {message_of(body)!r}" if body.strip() else "an empty body") from None
    if not isinstance(data, Mapping):
        raise NoCompletion(f"no JSON object: {message_of(body)!r}")
    choices = data.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise NoCompletion(
            f"an error: {message_of(body)}" if data.get("error") else f"no choices: {message_of(body)!r}"
        )
    choice: Mapping[str, Any] = choices[0]
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise NoCompletion("a choice without a message")
    given = choice.get("finish_reason")
    reason = given.strip().lower() if isinstance(given, str) else ""
    if reason in ABORTED:
        raise NoCompletion(f"an unfinished reply (finish_reason {reason!r})")
    text = _text(message, reason)
    usage = data.get("usage")
    size = len(text.encode("utf-8", "surrogatepass"))
    return ServerReply(
        text,
        _finish(reason),
        _count(usage, "prompt_tokens", prompt_limit + TEMPLATE_TOKENS),
        # A server that ignores the limit may send more, but rarely more tokens than bytes.
        _count(usage, "completion_tokens", max(token_limit or UNLIMITED_TOKENS, size) + 16),
    )


def message_of(body: bytes | bytearray) -> str:
    """Return the error message in a response's body, or the start of the body."""
    try:
        error = json.loads(body)["error"]
        return str(error["message"] if isinstance(error, Mapping) else error)[:MESSAGE_CHARS]
    except (ValueError, LookupError, TypeError, RecursionError):
        return bytes(body[:MESSAGE_CHARS]).decode("utf-8", "replace")


def _text(message: Mapping[str, Any], reason: str) -> str:
    """Return the reply with its reasoning. Raises: NoCompletion."""
    content = message.get("content")
    reasoning = _reasoning(message)
    if content is None and isinstance(message.get("refusal"), str):
        content = message["refusal"]
    if content is None and (reasoning or reason in TRUNCATED | FILTERED):
        content = ""  # truncated while it was still thinking, or withheld
    if content is None and message.get("tool_calls"):
        raise NoCompletion("tool calls instead of text: start the server without a parser of tool calls")
    if not isinstance(content, str):
        raise NoCompletion("a message without text")
    if not reasoning:
        return content
    return f"<think>\n{reasoning.strip()}\n</think>\n{content}" if content else f"<think>\n{reasoning.strip()}"


def _finish(reason: str) -> Finish:
    if reason in STOPPED:
        return "stop"
    if reason in TRUNCATED:
        return "length"
    return "filtered" if reason in FILTERED else "unknown"


def _reasoning(message: Mapping[str, Any]) -> str:
    """Return the think block that vLLM, SGLang and DeepSeek send as a separate key when they parse it."""
    for key in ("reasoning_content", "reasoning"):
        value = message.get(key)
        if isinstance(value, str) and value.strip():
            return value
    return ""


def _count(usage: Any, key: str, most: int) -> int | None:
    value = usage.get(key) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most else None
