"""An OpenAI-compatible server on loopback, good and bad as it is told: `python openai_server.py --trouble 0.1`.

The far side of `r1 generate --server`, faked: no model runs, the protocol is spoken over real connections. A reply repeats its
prompt, so that a reader sees whose answer it is. It prints its port, and tells on /stats what it has answered.
"""

import argparse
import asyncio
import hashlib
import random
from collections import Counter

from aiohttp import web


class Server:
    def __init__(self, trouble: float, delay_s: float, slow_s: float) -> None:
        self.trouble, self.delay_s, self.slow_s = trouble, delay_s, slow_s
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.troubles: Counter[str] = Counter()
        self.at_once = self.most_at_once = 0

    async def complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt = body["messages"][-1]["content"]
        self.asked[prompt] += 1
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            # The same prompt meets the same fate at the same attempt, whatever else goes on.
            fate = random.Random(f"{prompt} {self.asked[prompt]}")
            await asyncio.sleep(self.delay_s * fate.uniform(0.5, 1.5))
            if fate.random() < self.trouble:
                return await self.fail(fate.choice(["429", "500", "503", "drop", "slow", "garbage"]), request)
            self.answered[prompt] += 1
            return web.json_response(completion(prompt))
        finally:
            self.at_once -= 1

    async def fail(self, kind: str, request: web.Request) -> web.StreamResponse:
        self.troubles[kind] += 1
        if kind == "drop" and request.transport is not None:
            request.transport.close()
        if kind == "slow":
            await asyncio.sleep(self.slow_s)
        if kind == "garbage":
            return web.Response(status=502, text="<html>Bad gateway</html>")
        status = int(kind) if kind.isdecimal() else 500
        return web.json_response({"error": {"message": "busy"}}, status=status, headers={"Retry-After": "0"})

    async def stats(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "asked": self.asked.total(),
                "answered": self.answered.total(),
                "prompts": len(self.answered),
                "troubles": self.troubles,
                "most_at_once": self.most_at_once,
            }
        )


def completion(prompt: str) -> dict[str, object]:
    about = hashlib.sha256(prompt.encode()).hexdigest()
    text = f"<think>\n{prompt}\n{'so ' * (int(about, 16) % 50)}\n</think>\n<answer>1+1</answer>"
    return {
        "id": about[:12],
        "object": "chat.completion",
        "created": 0,
        "model": "echo",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trouble", type=float, default=0.0, help="share of requests that fail or hang")
    parser.add_argument("--delay", type=float, default=0.02, help="seconds until an answer")
    parser.add_argument("--slow", type=float, default=5.0, help="seconds that a hanging request hangs")
    given = parser.parse_args()
    server = Server(given.trouble, given.delay, given.slow)
    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", server.complete), web.get("/stats", server.stats)])

    async def serve() -> None:
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=4096)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()

    asyncio.run(serve())


if __name__ == "__main__":
    main()
