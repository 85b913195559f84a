"""One batch's questions to the judge: the connections of an event loop, and each question asked once."""

import asyncio
from collections.abc import Awaitable, Callable

import r1sdk


class JudgeSession(r1sdk.ServerSession):
    """The connections of one event loop to the judge, for as long as somebody is asking."""

    def __init__(self, server: r1sdk.Server) -> None:
        super().__init__(server)
        self.users = 0
        self.running: dict[str, asyncio.Task[float]] = {}

    async def once(self, key: str, judge: Callable[[], Awaitable[float]]) -> float:
        """Return the result of `judge`. Concurrent questions with the same key are asked once."""
        task = self.running.get(key)
        if task is None:
            task = self.running[key] = asyncio.ensure_future(judge())
        try:
            return await asyncio.shield(task)
        finally:
            if task.done():
                self.running.pop(key, None)

    async def close(self) -> None:
        """End running requests and the connections."""
        for task in self.running.values():
            task.cancel()
        await super().close()
