"""A model behind an OpenAI-compatible server: prompts or episodes in, completions out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from ..contracts import Environment
from ..errors import R1Error, Unavailable
from ..recipe.key_groups import SessionLimits
from ..records import Completion, Message, SessionLog, Task
from ..scoring.blocking import gather_or_cancel, run_blocking
from ..servers import Server, ServerReply, ServerSession, Unanswered
from ..storage.rollout_rows import UnsavedTokens
from .episode import Episode
from .loop import play
from .policies import ChatPolicy, Reply
from .sampling import Sampling
from .sessions import session_of


@dataclass
class Usage:
    """Tokens of one attempt, as the server reports them, and retries. None: not reported."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    retries: int = 0
    unmetered: bool = False  # the server reports no or impossible numbers for some of the replies

    def add(self, reply: ServerReply) -> None:
        """Count one reply."""
        self.retries += reply.attempts - 1
        self.unmetered |= reply.prompt_tokens is None or reply.completion_tokens is None
        if reply.prompt_tokens is not None:
            self.prompt_tokens = (self.prompt_tokens or 0) + reply.prompt_tokens
        if reply.completion_tokens is not None:
            self.completion_tokens = (self.completion_tokens or 0) + reply.completion_tokens


@dataclass(frozen=True, slots=True)
class ServerAttempt:
    """One attempt by a server."""

    completion: Completion
    usage: Usage
    session: SessionLog | None = None  # of an attempt with several turns


def reply_function(session: ServerSession, usage: Usage | None = None) -> Reply:
    """Return a function that requests one completion from `session` and adds to `usage`."""

    async def reply(messages: list[Message], max_tokens: int | None) -> Completion:
        """Raises: Unavailable, Refused."""
        try:
            answer = await session.ask(messages, **({"max_tokens": max_tokens} if max_tokens else {}))
        except Unanswered as error:
            if usage is not None:
                usage.retries += max(0, error.attempts - 1)
            raise
        if usage is not None:
            usage.add(answer)
        tokens = UnsavedTokens(answer.completion_tokens or 0)
        return Completion([{"role": "assistant", "content": answer.text}], tokens, answer.finish)

    return reply


async def attempt(
    session: ServerSession,
    task: Task,
    environment: Environment | None = None,
    limits: SessionLimits | None = None,
    max_tokens: int | None = None,
    usage: Usage | None = None,
) -> ServerAttempt:
    """Attempt `task` once, over several turns if its environment has a session for it.

    `max_tokens`: limit of all turns of an episode together; None: `server.body` limits each turn. `usage` is added to, also
    if the attempt fails.
    Raises: Unavailable, Refused, RewardError.
    """
    usage = Usage() if usage is None else usage
    reply = reply_function(session, usage)
    live = None if environment is None else session_of(environment, task)
    if live is None:
        return ServerAttempt(await reply(task.prompt, None), usage)
    episode = Episode(task, live, limits or SessionLimits())
    await play([episode], ChatPolicy(reply, max_tokens))
    rollout = episode.rollout(UnsavedTokens(len(episode.trace.ids)))
    return ServerAttempt(rollout.completion, usage, rollout.session)


@dataclass(frozen=True, slots=True)
class ServerModel:
    """A `Generator` and a `ChatModel` with one request per completion. Keys in `server.body` override the sampling parameters."""

    server: Server

    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator`. The seed is not sent, since servers differ in how they use it. Raises: R1Error without an answer."""
        return run_blocking(self._generate(prompts, sampling))

    async def _generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        async with self.connect(sampling) as reply:
            requests = [reply(prompt, None) for prompt in prompts for _ in range(sampling.samples)]
            found = iter(await gather_or_cancel(requests))
        return [[next(found) for _ in range(sampling.samples)] for _ in prompts]

    @asynccontextmanager
    async def connect(self, sampling: Sampling) -> AsyncIterator[Reply]:
        """See `ChatModel`. Replies raise R1Error if the server does not answer."""
        allow_open_files(self.server.max_concurrent)
        session = ServerSession(replace(self.server, body=tuple({**_body(sampling), **dict(self.server.body)}.items())))
        ask = reply_function(session)

        async def reply(messages: list[Message], max_tokens: int | None) -> Completion:
            try:
                return await ask(messages, max_tokens)
            except Unavailable as error:
                raise R1Error(
                    f"{error}\n  earlier answers are saved: run the same command with the same --out to resume"
                ) from error

        try:
            yield reply
        finally:
            await session.close()


def _body(sampling: Sampling) -> dict[str, Any]:
    """Return the sampling parameters as keys of a request."""
    body = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
    return body | ({"top_k": sampling.top_k} if sampling.top_k else {})


def allow_open_files(connections: int) -> None:
    """Raise the limit on open files to allow `connections`. Raises: R1Error if the system does not allow it."""
    try:
        import resource
    except ImportError:  # not a Unix
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + 256
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise R1Error(f"{connections} concurrent requests need {needed} open files, but ulimit -Hn allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
