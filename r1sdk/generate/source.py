"""Where answers come from: a model in this process, or a server."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from ..contracts import Environment
from ..errors import R1Error, Unavailable
from ..recipe.key_groups import SessionLimits
from ..records import Completion, SessionLog, Task
from ..rollout.episode import Episode
from ..rollout.loop import attempt_all
from ..rollout.sampling import Generator, Sampling
from ..rollout.sessions import session_of
from ..rollout.tools import as_chat
from ..servers import Refused, Server, ServerReply, ServerSession
from ..storage.rollout_rows import UnsavedTokens
from .journal import Key

FATAL = frozenset({401, 403, 404})  # refusals that every other request would meet too


@dataclass(frozen=True, slots=True)
class Wanted:
    """One answer to get."""

    key: Key
    task: Task
    max_tokens: int | None = None  # None: as the server's body says


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer that came."""

    wanted: Wanted
    completion: Completion
    prompt_tokens: int | None = None  # None: not said
    completion_tokens: int | None = None
    seconds: float = 0.0
    attempts: int = 1
    session: SessionLog | None = None  # where it took several turns


@dataclass(frozen=True, slots=True)
class Failure:
    """One answer that did not come."""

    wanted: Wanted
    reason: str


Emit = Callable[[Answer | Failure], Awaitable[None]]


class AnswerSource(Protocol):
    async def run(self, wanted: Sequence[Wanted], emit: Emit) -> None:
        """Await `emit` once for each of `wanted`, as soon as it is there. Raises: R1Error where nothing can come."""
        ...


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A model in this process, `batch` answers at a time."""

    generator: Generator
    sampling: Sampling
    batch: int = 128
    environment: Environment | None = None  # None: no answer has several turns
    limits: SessionLimits = field(default_factory=SessionLimits)

    async def run(self, wanted: Sequence[Wanted], emit: Emit) -> None:
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
    """An OpenAI-compatible server, with `server.max_concurrent` requests under way; one request for each turn of an answer.

    Without an environment no answer has several turns.
    """

    server: Server
    environment: Environment | None = None
    limits: SessionLimits = field(default_factory=SessionLimits)
    max_tokens: int | None = None  # of all the turns of an answer; None: as the server's body says, of each

    async def run(self, wanted: Sequence[Wanted], emit: Emit) -> None:
        """See `AnswerSource`."""
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
        live = None if self.environment is None else session_of(self.environment, one.task)
        try:
            if live is not None:
                return await self._converse(session, one, Episode(one.task, live, self.limits), started)
            reply = await session.ask(one.task.prompt, **({"max_tokens": one.max_tokens} if one.max_tokens else {}))
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

    async def _converse(
        self, session: ServerSession, one: Wanted, dialogue: Episode, started: float
    ) -> Answer | Failure:
        """An answer of several turns. Raises: Unavailable, Refused, RewardError."""
        prompt_tokens, tokens, requests = 0, 0, 0
        while dialogue.ended is None:
            left = {} if self.max_tokens is None else {"max_tokens": self.max_tokens - tokens}
            reply = await session.ask(as_chat([*one.task.prompt, *dialogue.messages]), **left)
            if not reply.whole:
                return Failure(one, f"the server {self.server.base_url} answered with what is no chat completion")
            prompt_tokens += reply.prompt_tokens or 0
            tokens += reply.completion_tokens or 0
            requests += reply.attempts
            said = await dialogue.take(reply.text, reply.finish)
            if said and self.max_tokens is not None and tokens >= self.max_tokens:
                dialogue.end("tokens")
            elif said:
                dialogue.heard(said)
        rollout = dialogue.rollout(UnsavedTokens([0] * tokens))
        assert rollout.session is not None
        if rollout.session.ended == "error":
            return Failure(one, rollout.session.reason)
        seconds, attempts = time.perf_counter() - started, requests - rollout.session.turns + 1
        return Answer(one, rollout.completion, prompt_tokens, tokens, seconds, attempts, rollout.session)


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
