"""An OpenEnv server on loopback: `python openenv_server.py [real]`. It prints its port.

Without `real` the far side of the environment `openenv` is faked, since the library's server cannot be installed beside everything
else: the protocol of openenv 0.10 over real connections, one session at a time as its default is. With `real` it is the library's
own server, on an environment class of the library: the suite `interop` uses that.
"""

import asyncio
import json
import socket
import sys

WAYS = ("sums", "long", "moody", "silent", "unrewarding", "negative")


def shown(seed: int) -> str:
    return f"What is {seed} + {seed + 1}?"


def priced(way: str, seed: int, reply: str) -> float | None:
    right = reply.strip() == str(2 * seed + 1)
    return {"unrewarding": None, "negative": 1.0 if right else -1.0}.get(way, 1.0 if right else 0.0)


async def fake(way: str) -> None:
    from aiohttp import WSMsgType, web

    sessions = 0
    resets = 0

    async def schema(request: web.Request) -> web.Response:
        text = {"type": "string"}
        action = {"properties": {"message": text, "metadata": {"type": "object"}}, "required": ["message"]}
        return web.json_response({"action": action, "observation": {}, "state": {}})

    async def episode(request: web.Request) -> web.WebSocketResponse:
        nonlocal sessions, resets
        connection = web.WebSocketResponse()
        await connection.prepare(request)
        if sessions:
            full = {"message": "1 of 1 sessions", "code": "CAPACITY_REACHED"}
            await connection.send_json({"type": "error", "data": full})
            await connection.close()
            return connection
        sessions += 1
        seed = 0
        try:
            async for message in connection:
                if message.type is not WSMsgType.TEXT:
                    break
                said = json.loads(message.data)
                if way == "silent":
                    await asyncio.sleep(60)
                if said["type"] == "reset":
                    resets += 1
                    seed = int(said["data"].get("seed", 0)) + (resets if way == "moody" else 0)
                    observation = {"question": shown(seed), "echo": "", "metadata": {}}
                    data = {"observation": observation, "reward": None, "done": False}
                elif set(said["data"]) != {"message"}:
                    wrong = {"message": "Invalid message", "code": "VALIDATION_ERROR", "errors": ["extra fields"]}
                    await connection.send_json({"type": "error", "data": wrong})
                    continue
                else:
                    reply = said["data"]["message"]
                    observation = {"question": "", "echo": reply, "metadata": {}}
                    data = {"observation": observation, "reward": priced(way, seed, reply), "done": way != "long"}
                await connection.send_json({"type": "observation", "data": data})
        finally:
            sessions -= 1
        return connection

    application = web.Application()
    application.router.add_get("/schema", schema)
    application.router.add_get("/ws", episode)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=0.1)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


def real(way: str) -> None:
    import uvicorn
    from openenv.core.env_server import Action, Environment, Observation, State, create_fastapi_app

    class Said(Action):
        message: str

    class Asked(Observation):
        question: str = ""
        echo: str = ""

    class Sums(Environment[Said, Asked, State]):
        def reset(self, seed: int | None = None, episode_id: str | None = None, **others: object) -> Asked:
            self.seed = seed or 0
            return Asked(question=shown(self.seed))

        def step(self, action: Said, timeout_s: float | None = None, **others: object) -> Asked:
            return Asked(echo=action.message, reward=priced(way, self.seed, action.message), done=way != "long")

        @property
        def state(self) -> State:
            return State()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(listening.getsockname()[1], flush=True)
        application = create_fastapi_app(Sums, Said, Asked)
        server = uvicorn.Server(uvicorn.Config(application, log_level="error"))
        server.run(sockets=[listening])


if __name__ == "__main__":
    real(sys.argv[2]) if sys.argv[1] == "real" else asyncio.run(fake(sys.argv[2]))
