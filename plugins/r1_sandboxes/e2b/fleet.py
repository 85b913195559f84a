"""Sandboxes on E2B, as many at a time as they may be: made when they are needed, used again, always deleted."""

import asyncio
import contextlib
import time
from dataclasses import dataclass
from typing import Any

import r1sdk

from .cell import Cell, Garbled
from .patience import Disturbed, is_refused, may_pass, waited_out, words

CLOSE_S = 15.0  # for deleting one, at the end of the process too
CANARY_S = 30.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that the sandboxes of a fleet share."""

    template: str | None
    concurrency: int  # of this process
    solutions: int  # before one is thrown away
    lifetime_s: int
    patience_s: float
    internet: bool
    connection: tuple[tuple[str, Any], ...]  # arguments of E2B's client


@dataclass(eq=False)
class Remote:
    """One sandbox, with the context that cells run in."""

    sandbox: Any
    context: Any
    ends: float  # by time.monotonic; E2B ends it then, whatever it does
    used: int = 0


class Fleet:
    """Sandboxes that run cells. One that a program has disturbed is thrown away."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._free: list[Remote] = []
        self._all: set[Remote] = set()
        self._making: set[asyncio.Task[Any]] = set()
        self._slots = asyncio.Semaphore(settings.concurrency)

    async def run(self, cell: Cell, patience_s: float | None = None) -> list[r1sdk.Execution]:
        """Return the executions of a cell. Raises: Unavailable, R1Error.

        A program that ends or hangs two sandboxes, the second of which was well just before, has failed: it is not the server.
        """
        patience = self.settings.patience_s if patience_s is None else patience_s
        async with self._slots:
            try:
                return await self._in(await self._take(patience), cell, patience)
            except Disturbed:
                remote = await self._make(patience)
                await self._answers(remote)
                try:
                    return await self._in(remote, cell, patience)
                except Disturbed as disturbed:
                    return [r1sdk.Execution("failed", stderr=f"it disturbed its sandbox: {disturbed}")] * cell.cases

    async def close(self) -> None:
        """Delete all sandboxes, and those that are being made."""
        if self._making:
            await asyncio.wait(self._making)
        await asyncio.gather(*(self._drop(remote) for remote in list(self._all)))

    async def _take(self, patience_s: float) -> Remote:
        while self._free:
            remote = self._free.pop()
            if remote.ends - time.monotonic() > self.settings.lifetime_s / 4:
                return remote
            await self._drop(remote)
        return await self._make(patience_s)

    async def _make(self, patience_s: float) -> Remote:
        """Make a sandbox. Raises: Unavailable."""
        making = asyncio.ensure_future(self._created(patience_s))
        self._making.add(making)
        try:
            return await asyncio.shield(making)
        except asyncio.CancelledError:  # it goes on being made, or E2B would keep one that nobody knows
            making.add_done_callback(self._unwanted)
            raise
        finally:
            making.add_done_callback(self._making.discard)

    async def _created(self, patience_s: float) -> Remote:
        try:
            return await waited_out(lambda: self._create(patience_s), may_pass, patience_s)
        except r1sdk.Unavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            raise r1sdk.Unavailable(f"sandbox e2b: {words(error)}") from None

    async def _create(self, patience_s: float) -> Remote:
        from e2b_code_interpreter import AsyncSandbox

        sandbox = await AsyncSandbox.create(
            template=self.settings.template,
            timeout=self.settings.lifetime_s,
            allow_internet_access=self.settings.internet,
            metadata={"by": "r1sdk"},
            **dict(self.settings.connection),
        )
        remote = Remote(sandbox, None, time.monotonic() + self.settings.lifetime_s)
        self._all.add(remote)
        try:
            remote.context = await waited_out(sandbox.create_code_context, is_refused, patience_s)
        except BaseException:
            await asyncio.shield(self._drop(remote))
            raise
        return remote

    def _unwanted(self, made: "asyncio.Task[Remote]") -> None:
        if not made.cancelled() and made.exception() is None:
            self._free.append(made.result())

    async def _in(self, remote: Remote, cell: Cell, patience_s: float) -> list[r1sdk.Execution]:
        """Run `cell` in `remote`, which is free again afterwards, or gone. Raises: Disturbed, Unavailable."""
        try:
            found = cell.read(await waited_out(lambda: self._printed(remote, cell), is_refused, patience_s))
        except BaseException as error:
            await asyncio.shield(self._drop(remote))
            if isinstance(error, Garbled):
                raise Disturbed(str(error)) from None
            if isinstance(error, Exception) and not isinstance(error, r1sdk.R1Error | r1sdk.Unavailable):
                raise Disturbed(words(error)) from None
            raise
        remote.used += 1
        if remote.used >= self.settings.solutions:
            await self._drop(remote)
        else:
            self._free.append(remote)
        return found

    async def _printed(self, remote: Remote, cell: Cell) -> str:
        # The client's own timeout may take twice as long, and leaves a context that hangs: then the sandbox is thrown away.
        running = remote.sandbox.run_code(cell.code, context=remote.context, timeout=cell.most_s)
        done = await asyncio.wait_for(running, cell.most_s)
        return "".join(done.logs.stdout)

    async def _answers(self, remote: Remote) -> None:
        """Run an empty program in a new sandbox. Raises: Unavailable where not even that works."""
        try:
            await asyncio.wait_for(remote.sandbox.run_code("1", context=remote.context, timeout=CANARY_S), CANARY_S)
        except Exception as error:  # noqa: BLE001 - whatever the client raises
            await self._drop(remote)
            raise r1sdk.Unavailable(f"sandbox e2b: {words(error)}") from None

    async def _drop(self, remote: Remote) -> None:
        """Delete a sandbox and its context. One that cannot be deleted ends by itself after `lifetime_s`."""
        if remote in self._free:
            self._free.remove(remote)

        async def delete() -> None:
            if remote.sandbox.connection_config.debug and remote.context is not None:  # then there is nothing to delete
                with contextlib.suppress(Exception):
                    await remote.sandbox.remove_code_context(remote.context)
            for pause in (0.5, 2.0, 4.0, 0.0):
                try:
                    await remote.sandbox.kill()
                    return
                except Exception:  # noqa: BLE001 - whatever the client raises
                    await asyncio.sleep(pause)

        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(delete(), CLOSE_S)
        self._all.discard(remote)
