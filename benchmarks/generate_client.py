"""Asking a server: `r1 generate`'s client against a plain asyncio loop with the official client, in turns, on one server.

    pip install openai
    python benchmarks/generate_client.py --requests 2000 --concurrent 500 --rounds 5

`session` is the client alone, as `openai` is; `generate` is the whole of `r1 generate`: every answer judged and on disk. The server
is a process of its own that answers with 300 words after 50 ms and does nothing else. Each side runs in a fresh process. The figures
to read are the ratios.
"""

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MESSAGES = [{"role": "user", "content": "Make 24 from 3, 8, 8 and 1. " * 14}]
WORDS = "<think>" + "word " * 300 + "</think><answer>1</answer>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--concurrent", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--side", choices=SIDES, help="run one side only, as the benchmark itself does")
    parser.add_argument("--url")
    given = parser.parse_args()
    if given.side:
        SIDES[given.side](given.url, 20, 10)  # imports, and what else the first call does
        wall, processor = time.perf_counter(), time.process_time()
        SIDES[given.side](given.url, given.requests, given.concurrent)
        print(json.dumps([time.perf_counter() - wall, time.process_time() - processor]))
        return
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{server.stdout.readline().strip()}/v1"
        try:
            compare(url, given.requests, given.concurrent, given.rounds)
        finally:
            server.kill()


def compare(url: str, requests: int, concurrent: int, rounds: int) -> None:
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in SIDES}
    for _ in range(rounds):
        for name, took in figures.items():
            command = [sys.executable, __file__, "--side", name, "--url", url]
            command += ["--requests", str(requests), "--concurrent", str(concurrent)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            took.append(tuple(json.loads(done.stdout.splitlines()[-1])))
    print(f"{'':10}{'requests/s':>12}{'against openai':>16}{'range':>14}{'CPU ms each':>14}")
    for name, took in figures.items():
        ratios = [base / wall for (wall, _), (base, _) in zip(took, figures["openai"], strict=True)]
        speed = requests / statistics.median(wall for wall, _ in took)
        processor = 1000 * statistics.median(seconds for _, seconds in took) / requests
        spread = f"{min(ratios):.2f}-{max(ratios):.2f}"
        print(f"{name:10}{speed:>12.0f}{statistics.median(ratios):>16.2f}{spread:>14}{processor:>14.2f}")
    print(f"{requests} requests, {concurrent} at a time, {rounds} rounds; ratios are of the same round")


def official(url: str, requests: int, concurrent: int) -> None:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    async def every() -> None:
        async with AsyncOpenAI(api_key="none", base_url=url, http_client=DefaultAsyncHttpxClient()) as client:
            slots = asyncio.Semaphore(concurrent)

            async def one() -> str:
                async with slots:
                    said = await client.chat.completions.create(model="m", messages=MESSAGES)
                    return said.choices[0].message.content or ""

            assert all(await asyncio.gather(*(one() for _ in range(requests))))

    asyncio.run(every())


def session(url: str, requests: int, concurrent: int) -> None:
    from r1sdk.servers import Server, ServerSession

    async def every() -> None:
        asking = ServerSession(Server(url, "m", max_concurrent=concurrent))
        said = await asyncio.gather(*(asking.ask(MESSAGES) for _ in range(requests)))
        await asking.close()
        assert all(reply.text for reply in said)

    asyncio.run(every())


def generate(url: str, requests: int, concurrent: int) -> None:
    from r1sdk.generation import ServerSource, collect, plan_of
    from r1sdk.generation.plan import server_of
    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import Recipe

    env = {"name": "countdown", "options": {"train_size": requests}}
    asked = {"tasks": requests, "server": {"url": url, "concurrent": concurrent}}
    run = plan_run(
        Recipe(method="generate", model="m", env=env, generation={"samples": 1}, collect=asked), load_plugins()
    )
    with tempfile.TemporaryDirectory() as folder:
        plan = plan_of(run, Path(folder) / "made.jsonl")
        assert collect(plan, ServerSource(server_of(run.recipe))).meter.done == requests


SIDES = {"openai": official, "session": session, "generate": generate}

SERVER = f"""
import asyncio, json
message = {{"role": "assistant", "content": {WORDS!r}}}
body = json.dumps({{
    "id": "1", "object": "chat.completion", "created": 0, "model": "m",
    "choices": [{{"index": 0, "message": message, "finish_reason": "stop"}}],
    "usage": {{"prompt_tokens": 50, "completion_tokens": 300, "total_tokens": 350}},
}}).encode()
said = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body

async def talk(reader, writer):
    try:
        while True:
            head = await reader.readuntil(b"\\r\\n\\r\\n")
            lines = [line for line in head.lower().split(b"\\r\\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(lines[0].partition(b":")[2]))
            await asyncio.sleep(0.05)
            writer.write(said)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def serve():
    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""

if __name__ == "__main__":
    main()
