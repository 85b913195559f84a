"""Where answers come from: a model in this process, or a server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ..errors import R1Error, Unavailable
from ..generation import Generator, Sampling
from ..records import Completion, Task
from ..saved import UnsavedTokens
from ..servers import Refused, Server, ServerReply, ServerSession
from .journal import Key

FATAL = frozenset({401, 403, 404})  # refusals that every other request would meet too


@dataclass(frozen=True, slots=True)
class Wanted:
    """One answer to get."""

    key: Key
    task: Task


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that came."""

    wanted: Wanted
    completion: Completion
    prompt_tokens: int | None = None  # None: not said
    completion_tokens: int | None = None
    seconds: float = 0.0
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Failure:
    """One answer that did not come."""

    wanted: Wanted
    reason: str


Emit = Callable[[Answer | Failure], Awaitable[None]]


class Source(Protocol):
    async def run(self, wanted: Sequence[Wanted], emit: Emit) -> None:
        """Await `emit` once for each of `wanted`, as soon as it is there. Raises: R1Error where nothing can come."""
        ...


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A model in this process, `batch` answers at a time."""

    generator: Generator
    sampling: Sampling
    batch: int = 128

    async def run(self, wanted: Sequence[Wanted], emit: Emit) -> None:
        """See `Source`."""
        for start in range(0, len(wanted), self.batch):
            some = wanted[start : start + self.batch]
            place, sample = some[0].key
            seed = (self.sampling.seed * 1_000_003 + place) * 1_009 + sample
            sampling = replace(self.sampling, samples=1, seed=seed % 2**63)
            started = time.perf_counter()
            made = await asyncio.to_thread(self.generator.generate, [one.task.prompt for one in some], sampling)
            seconds = (time.perf_counter() - started) / len(some)
            for one, (completion,) in zip(some, made, strict=True):
                await emit(Answer(one, completion, None, len(completion.token_ids), seconds))


@dataclass(frozen=True, slots=True)
class ServerSource:
    """An OpenAI-compatible server, with `server.max_concurrent` requests under way; one request for each answer."""

    server: Server

    async def run(self, wanted: Sequence[Wanted], emit: Emit) -> None:
        """See `Source`."""
        _allow_open_files(self.server.max_concurrent)
        session = ServerSession(self.server)
        left = iter(wanted)

        async def work() -> None:
            for one in left:
                await emit(await self._answer(session, one))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self.server.max_concurrent, len(wanted))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        finally:
            await session.close()

    async def _answer(self, session: ServerSession, one: Wanted) -> Answer | Failure:
        started = time.perf_counter()
        try:
            reply = await session.ask(one.task.prompt)
        except Refused as error:
            if error.status in FATAL:
                raise
            return Failure(one, str(error))
        except Unavailable as error:
            return Failure(one, str(error))
        if not reply.whole:
            return Failure(one, f"the server {self.server.base_url} answered with what is no chat completion")
        seconds = time.perf_counter() - started
        tokens = (reply.prompt_tokens, reply.completion_tokens)
        return Answer(one, _completion(reply), *tokens, seconds, reply.attempts)


def _completion(reply: ServerReply) -> Completion:
    message = {"role": "assistant", "content": reply.text}
    return Completion([message], UnsavedTokens([0] * (reply.completion_tokens or 0)), reply.finish)


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What to tell of several tasks that failed together: an error that the user can act on, if there is one."""
    leaves: list[BaseException] = []
    left: list[BaseException] = [errors]
    while left:
        error = left.pop(0)
        if isinstance(error, BaseExceptionGroup):
            left += error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if isinstance(error, R1Error)), leaves[0])


def _allow_open_files(connections: int) -> None:
    """Raises: R1Error where the system does not let a process have so many connections."""
    try:
        import resource
    except ImportError:  # not a Unix
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + 256
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise R1Error(f"{connections} requests at a time need {needed} open files, and ulimit -Hn allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
