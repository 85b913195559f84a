"""A server on loopback that misbehaves in one of many ways, and the table of these ways.

`KINDS` holds each by name: what is sent, and what r1sdk has to make of it. docs/reliability.md has the same groups.
"""

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal, Self

GOOD_USAGE = {"prompt_tokens": 10, "completion_tokens": 20}
MAX_WAIT_S = 0.15  # the bound on Retry-After that the tests set
Send = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Kind:
    """One way of misbehaving."""

    group: str
    send: Send
    outcome: Literal["retried", "refused", "answered"]
    says: str = ""  # a part of the reason when the server never does better
    finish: str = "stop"  # of an answer
    text: str = "fine"
    tokens: tuple[int | None, int | None] = (10, 20)
    least_s: float = 0.0  # the wait before the retry


def choice(message: Any, finish: Any = "stop") -> dict[str, Any]:
    return {"index": 0, "message": message, "finish_reason": finish}


def completion(content: Any = "fine", finish: Any = "stop", usage: Any = GOOD_USAGE, **message: Any) -> dict[str, Any]:
    spoken = choice({"role": "assistant", "content": content, **message}, finish)
    return {"id": "1", "object": "chat.completion", "choices": [spoken], "usage": usage}


def head(status: int, length: int | None, headers: dict[str, str] | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", "Connection: close"]
    lines += [] if length is None else [f"Content-Length: {length}"]
    return ("\r\n".join(lines + [f"{name}: {value}" for name, value in (headers or {}).items()]) + "\r\n\r\n").encode()


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Send:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(head(status, len(data), headers) + data)

    return send


def raw(data: bytes) -> Send:
    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return send


async def hang(writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(30)


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(head(200, 1000))
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def reset(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


BUSY = {"error": {"message": "busy"}}
WHOLE = json.dumps(completion()).encode()
KINDS: dict[str, Kind] = {}


def add(group: str, outcome: Literal["retried", "refused", "answered"], says: str, **sends: Send) -> None:
    for name, send in sends.items():
        KINDS[f"{group}: {name}"] = Kind(group, send, outcome, says)


add(
    "temporary status",
    "retried",
    "busy",
    **{str(status): reply(BUSY, status) for status in (408, 409, 425, 429, 500, 502, 503, 504, 529)},
)
add("temporary status", "retried", "no text", **{"502 with HTML": reply(b"<html>no text</html>", 502)})
add(
    "refusal",
    "refused",
    "refuses the request",
    **{str(status): reply({"error": {"message": "no"}}, status) for status in (400, 401, 403, 404, 413, 422)},
    redirect=reply(b"", 302, {"Location": "http://127.0.0.1:9/"}),
)
add(
    "200 without an answer",
    "retried",
    "HTTP 200 with",
    **{
        "error object": reply({"error": {"message": "overloaded", "code": 503}}),
        "error text": reply({"error": "overloaded"}),
        "error and null choices": reply({"error": {"message": "overloaded"}, "choices": None}),
        "detail": reply({"detail": "Internal"}),
        "HTML": reply(b"<html><body>Bad gateway</body></html>"),
        "plain text": reply(b"upstream connect error"),
        "cut JSON": reply(WHOLE[:40]),
        "cut at the end": reply(WHOLE[:-1]),
        "two documents": reply(WHOLE + WHOLE),
        "event stream": reply(b"data: " + WHOLE + b"\n\ndata: [DONE]\n\n"),
        "empty": reply(b""),
        "blank": reply(b" \r\n "),
        "null": reply(None),
        "number": reply(1),
        "list": reply([completion()]),
        "text": reply("fine"),
        "no choices": reply({"choices": []}),
        "choices null": reply({"choices": None}),
        "choices object": reply({"choices": {"0": 1}}),
        "choice null": reply({"choices": [None]}),
        "choice empty": reply({"choices": [{}]}),
        "message null": reply({"choices": [choice(None)]}),
        "message text": reply({"choices": [choice("fine")]}),
        "content null": reply(completion(None)),
        "content number": reply(completion(1)),
        "content list": reply(completion(["fine"])),
        "content missing": reply({"choices": [choice({"role": "assistant"})]}),
        "only tool calls": reply(completion(None, "tool_calls", tool_calls=[{"id": "1"}])),
        "deep nesting": reply(b"[" * 200_000),
        "long number": reply(b"1" * 100_000),
        "no UTF-8": reply(b'{"choices": [{"message": {"content": "\xff\xfe"}}]}'),
        "too long": reply(completion("x" * 300_000)),
        "gzip bomb": reply(gzip.compress(b" " * 20_000_000), headers={"Content-Encoding": "gzip"}),
    },
)
add(
    "200 with an unfinished answer",
    "retried",
    "unfinished reply",
    **{
        reason: reply(completion("fi", reason))
        for reason in ("abort", "error", "cancelled", "insufficient_system_resource")
    },
)
add("other success", "retried", "HTTP 20", **{"202": reply({"id": "queued"}, 202), "204": raw(head(204, None))})
add(
    "broken connection",
    "retried",
    "did not answer",
    **{
        "closed at once": raw(b""),
        "reset": reset,
        "closed in the headers": raw(b"HTTP/1.1 200 OK\r\nContent-Le"),
        "closed in the body": raw(head(200, 500) + WHOLE[:50]),
        "no HTTP": raw(b"\x00\xff garbage\r\n\r\n"),
        "status 999": raw(b"HTTP/1.1 999 ?\r\n\r\n"),
        "bad chunks": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n"),
        "bad gzip": reply(b"not gzip", headers={"Content-Encoding": "gzip"}),
        "huge header": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n" + WHOLE),
        "hangs": hang,
        "drips": drip,
    },
)
for asked, least_s in {
    "0": 0.0,
    "0.1": 0.1,
    "1": MAX_WAIT_S,
    "120": MAX_WAIT_S,
    "999999999999": MAX_WAIT_S,
    "9" * 200: MAX_WAIT_S,
    "-5": 0.0,
    "-999999999999": 0.0,
    "1e9": 0.0,
    "inf": 0.0,
    "nan": 0.0,
    "soon": 0.0,
    "٣": 0.0,
    "": 0.0,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0.0,
    "Fri, 31 Dec 9999 23:59:59 GMT": MAX_WAIT_S,
    "Friday, 31-Dec-99 23:59:59 GMT": 0.0,
    "Mon, 99 Foo 2026 99:99:99 GMT": 0.0,
}.items():
    shown = asked if len(asked) < 40 else f"{asked[:3]}... ({len(asked)} digits)"
    KINDS[f"Retry-After: {shown}"] = Kind(
        "Retry-After", reply(BUSY, 429, {"Retry-After": asked}), "retried", "busy", least_s=least_s
    )
KINDS["Retry-After: 1 on a 200 with an error"] = Kind(
    "Retry-After", reply(BUSY, 200, {"Retry-After": "1"}), "retried", "busy", least_s=MAX_WAIT_S
)
for name, usage, tokens in (
    ("missing", None, (None, None)),
    ("a list", [10, 20], (None, None)),
    ("negative", {"prompt_tokens": -10, "completion_tokens": -1}, (None, None)),
    ("huge", {"prompt_tokens": 10**9, "completion_tokens": 9_999_999_999}, (None, None)),
    ("beyond the limit", {"prompt_tokens": 10, "completion_tokens": 5000}, (10, None)),
    ("endless", {"prompt_tokens": 10, "completion_tokens": float("inf")}, (10, None)),
    ("texts", {"prompt_tokens": "10", "completion_tokens": "20"}, (None, None)),
    ("fractions", {"prompt_tokens": 10.5, "completion_tokens": 20.0}, (None, None)),
    ("true", {"prompt_tokens": True, "completion_tokens": True}, (None, None)),
    ("half", {"completion_tokens": 20}, (None, 20)),
):
    KINDS[f"usage: {name}"] = Kind("usage", reply(completion(usage=usage)), "answered", tokens=tokens)
for reason, finish in {
    "length": "length",
    "MAX_TOKENS": "length",
    "content_filter": "filtered",
    "SAFETY": "filtered",
    "banana": "unknown",
    "": "unknown",
    None: "unknown",
    7: "unknown",
}.items():
    KINDS[f"finish_reason: {reason!r}"] = Kind(
        "finish_reason", reply(completion("fine", reason)), "answered", finish=finish
    )
KINDS["finish_reason: 'content_filter' without text"] = Kind(
    "finish_reason", reply(completion(None, "content_filter")), "answered", finish="filtered", text=""
)
KINDS["finish_reason: 'length' without text"] = Kind(
    "finish_reason", reply(completion(None, "length")), "answered", finish="length", text=""
)
for name, send, text in (
    ("lone surrogate", reply(WHOLE.replace(b"fine", b"\\ud800")), "\ud800"),
    ("line separators", reply(completion("a\u2028b\u0085c\x00d")), "a\u2028b\u0085c\x00d"),
    ("byte order mark", reply(b"\xef\xbb\xbf" + WHOLE), "fine"),
    ("UTF-16", reply(WHOLE.decode().encode("utf-16")), "fine"),
    ("empty text", reply(completion("")), ""),
    ("NaN beside it", reply(WHOLE.replace(b'"id": "1"', b'"id": NaN')), "fine"),
    ("201", reply(completion(), 201), "fine"),
):
    KINDS[f"odd answer: {name}"] = Kind("odd answer", send, "answered", text=text)


class BadServer:
    """Serves on loopback, used with `async with`. `fate(prompt, nth)` names the kind that the nth request meets; None: good."""

    def __init__(self, fate: Callable[[str, int], str | None]) -> None:
        self.fate = fate
        self.asked: Counter[str] = Counter()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            headers = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", headers)
            body = json.loads(await reader.readexactly(int(length[1]) if length else 0))
            prompt = body["messages"][-1]["content"]
            self.asked[prompt] += 1
            name = self.fate(prompt, self.asked[prompt] - 1)
            await (KINDS[name].send if name else reply(completion()))(writer)
            await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
