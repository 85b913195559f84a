"""Policies: the model's side of an episode, with token ids for a model in this process, with messages for a server."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

from ..records import Completion, Finish, Message
from .chat_template import TurnWriter
from .episode import Episode
from .sampling import Sampling, TokenGenerator
from .tools import as_chat

_SEED_STEP = 104_729  # difference between the seeds of two turns


class Turn(NamedTuple):
    """One turn of the model."""

    text: str
    finish: Finish


class Policy(Protocol):
    def begin(self, episodes: Sequence[Episode]) -> None:
        """Give the model the prompts."""
        ...

    async def generate(self, episodes: Sequence[Episode]) -> Sequence[Turn | None]:
        """Return the model's next turn in each episode; None stops that episode. Shapes: [E] -> [E]."""
        ...

    def observe(self, episode: Episode, messages: list[Message]) -> bool:
        """Give the model the environment's messages. False if they and another turn exceed its token limit."""
        ...


class Sampled(NamedTuple):
    """Sampled continuations, each up to and including the token that ends the turn."""

    rows: Sequence[list[int]]  # [R][T]
    logps: Sequence[Sequence[float]] | None = None  # [R][T], of these tokens; None: the sampler does not return them


Sample = Callable[[list[list[int]], int], Sampled]
"""A sampler: token ids [R][P] and a limit on new tokens -> continuations."""


@dataclass
class TokenPolicy:
    """A policy that continues from the sampled tokens, never from retokenized text. All live episodes are one batch."""

    writer: TurnWriter
    sample: Sample
    ends: frozenset[int]  # tokens that end a turn
    max_tokens: int  # per episode, the environment's tokens included

    def begin(self, episodes: Sequence[Episode]) -> None:
        """See `Policy`."""
        for episode in episodes:
            episode.trace.prompt, episode.opened = self.writer.prompt(episode.task.prompt)

    async def generate(self, episodes: Sequence[Episode]) -> list[Turn]:
        """See `Policy`."""
        traces = [episode.trace for episode in episodes]
        left = [self.max_tokens - len(trace.ids) for trace in traces]
        sampled = self.sample([trace.prompt + trace.ids for trace in traces], max(left))
        turns = []
        for at, (episode, most) in enumerate(zip(episodes, left, strict=True)):
            ids = list(sampled.rows[at][:most])
            episode.trace.append_model(ids, None if sampled.logps is None else sampled.logps[at][:most])
            text = episode.opened + self.writer.read(ids)
            turns.append(Turn(text, "stop" if ids and ids[-1] in self.ends else "length"))
        return turns

    def observe(self, episode: Episode, messages: list[Message]) -> bool:
        """See `Policy`."""
        ids, opened = self.writer.between_turns(messages)
        if len(episode.trace.ids) + len(ids) >= self.max_tokens:
            return False
        episode.trace.append_environment(ids)
        episode.opened = opened
        return True


def token_policy(generator: TokenGenerator, sampling: Sampling) -> TokenPolicy:
    """Return the policy of a model in this process. Each turn is sampled with its own seed."""
    turn = 0

    def sample(rows: list[list[int]], most: int) -> Sampled:
        nonlocal turn
        seeded = replace(sampling, samples=1, max_tokens=most, seed=(sampling.seed + _SEED_STEP * turn) % 2**63)
        turn += 1
        return Sampled(generator.sample(rows, seeded))

    return TokenPolicy(TurnWriter(generator.tokenizer), sample, frozenset(generator.ends), sampling.max_tokens)


Reply = Callable[[list[Message], int | None], Coroutine[Any, Any, Completion]]
"""A request: the conversation so far and a limit on new tokens (None: the server's own limit) -> one completion."""


@runtime_checkable
class ChatModel(Protocol):
    """A model that receives messages, such as one behind a server."""

    def connect(self, sampling: Sampling) -> AbstractAsyncContextManager[Reply]:
        """Open connections for one event loop; requests use the sampling parameters of `sampling`."""
        ...


@dataclass
class ChatPolicy:
    """A policy that sends the whole conversation with each request. The environment's tokens are unknown and not counted."""

    reply: Reply
    max_tokens: int | None  # of all turns of an episode together; None: the server limits each turn

    def begin(self, episodes: Sequence[Episode]) -> None:
        """See `Policy`."""

    async def generate(self, episodes: Sequence[Episode]) -> list[Turn]:
        """See `Policy`."""
        return await asyncio.gather(*map(self._turn, episodes))

    async def _turn(self, episode: Episode) -> Turn:
        left = None if self.max_tokens is None else self.max_tokens - len(episode.trace.ids)
        completion = await self.reply(as_chat([*episode.task.prompt, *episode.messages]), left)
        episode.trace.append_model([0] * len(completion.token_ids))
        return Turn(completion.text, completion.finish)

    def observe(self, episode: Episode, messages: list[Message]) -> bool:
        """See `Policy`."""
        return self.max_tokens is None or len(episode.trace.ids) < self.max_tokens


@dataclass
class ScriptedPolicy:
    """A policy with fixed replies, for tests of environments. An episode that outlasts its script stops there."""

    replies: Sequence[str]

    def begin(self, episodes: Sequence[Episode]) -> None:
        """See `Policy`."""
        self._left = {id(episode): list(self.replies) for episode in episodes}

    async def generate(self, episodes: Sequence[Episode]) -> list[Turn | None]:
        """See `Policy`."""
        return [Turn(left.pop(0), "stop") if (left := self._left[id(episode)]) else None for episode in episodes]

    def observe(self, episode: Episode, messages: list[Message]) -> bool:
        """See `Policy`."""
        return True
