"""Sources of answers: a model in this process, or a server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..contracts import Environment
from ..errors import Unavailable
from ..recipe.key_groups import SessionLimits
from ..records import Completion, SessionLog, Task
from ..rollout.loop import attempt_all
from ..rollout.sampling import Generator, Sampling
from ..rollout.server_model import Usage, allow_open_files, attempt
from ..scoring.blocking import first_error
from ..servers import Refused, Server, ServerSession
from .journal import Key

FATAL = frozenset({401, 403, 404})  # refusals that every other request would get too


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """One answer to request."""

    key: Key
    task: Task


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that arrived."""

    wanted: AnswerRequest
    completion: Completion
    prompt_tokens: int | None = None  # None: not reported
    completion_tokens: int | None = None
    seconds: float = 0.0
    retries: int = 0
    unmetered: bool = False  # some of its turns are missing from the token counts
    session: SessionLog | None = None  # of an answer of several turns


@dataclass(frozen=True, slots=True)
class Failure:
    """One request that failed."""

    wanted: AnswerRequest
    reason: str
    prompt_tokens: int | None = None  # of the turns before it failed
    completion_tokens: int | None = None
    retries: int = 0


Emit = Callable[[Answer | Failure], Awaitable[None]]


class AnswerSource(Protocol):
    async def run(self, wanted: Sequence[AnswerRequest], emit: Emit) -> None:
        """Await `emit` once for each of `wanted`, as soon as its result is there. Raises: R1Error if none can succeed."""
        ...


@dataclass(frozen=True, slots=True)
class LocalSource:
    """Source that runs a model in this process, `batch` answers at a time."""

    generator: Generator
    sampling: Sampling
    batch: int = 128
    environment: Environment | None = None  # None: every answer is a single turn
    limits: SessionLimits = field(default_factory=SessionLimits)

    async def run(self, wanted: Sequence[AnswerRequest], emit: Emit) -> None:
        """See `AnswerSource`."""
        for start in range(0, len(wanted), self.batch):
            some = wanted[start : start + self.batch]
            place, sample = some[0].key
            seed = (self.sampling.seed * 1_000_003 + place) * 1_009 + sample
            sampling = replace(self.sampling, samples=1, seed=seed % 2**63)
            started = time.perf_counter()
            tasks = [one.task for one in some]
            made = await asyncio.to_thread(attempt_all, tasks, self.environment, self.generator, sampling, self.limits)
            seconds = (time.perf_counter() - started) / len(some)
            for one, rollout in zip(some, made, strict=True):
                tokens = len(rollout.completion.token_ids)
                if rollout.session is not None and rollout.session.ended == "error":
                    await emit(Failure(one, rollout.session.reason))
                    continue
                await emit(Answer(one, rollout.completion, None, tokens, seconds, session=rollout.session))


@dataclass(frozen=True, slots=True)
class ServerSource:
    """Source that sends requests to an OpenAI-compatible server, `server.max_concurrent` at a time, one per turn.

    Without an environment every answer is a single turn.
    """

    server: Server
    environment: Environment | None = None
    limits: SessionLimits = field(default_factory=SessionLimits)
    max_tokens: int | None = None  # of all turns of an answer together; None: `server.body` limits each turn

    async def run(self, wanted: Sequence[AnswerRequest], emit: Emit) -> None:
        """See `AnswerSource`."""
        allow_open_files(self.server.max_concurrent)
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

    async def _answer(self, session: ServerSession, one: AnswerRequest) -> Answer | Failure:
        started = time.perf_counter()
        usage = Usage()

        def failure(reason: str) -> Failure:
            return Failure(one, reason, usage.prompt_tokens, usage.completion_tokens, usage.retries)

        try:
            found = await attempt(session, one.task, self.environment, self.limits, self.max_tokens, usage)
        except Refused as error:
            if error.status in FATAL:
                raise
            return failure(str(error))
        except Unavailable as error:
            return failure(str(error))
        if found.session is not None and found.session.ended == "error":
            return failure(found.session.reason)
        return Answer(
            one,
            found.completion,
            usage.prompt_tokens,
            usage.completion_tokens,
            time.perf_counter() - started,
            usage.retries,
            usage.unmetered,
            found.session,
        )
