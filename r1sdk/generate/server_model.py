"""A Generator on an OpenAI-compatible server, for evaluation: prompts in, completions out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import R1Error
from ..records import Completion, Message, Task
from ..rollout.sampling import Sampling
from ..servers import Server
from .source import Answer, Failure, ServerSource, Wanted


@dataclass(frozen=True, slots=True)
class ServerGenerator:
    """Asks `server` for each completion by itself. What its body says besides goes before the sampling."""

    server: Server

    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator`. The seed is not sent: servers differ in what they make of one. Raises: R1Error for one without answer."""
        wanted = [Wanted((at, n), Task(prompt)) for at, prompt in enumerate(prompts) for n in range(sampling.samples)]
        got = self._answers(wanted, _body(sampling))
        return [[got[at, n] for n in range(sampling.samples)] for at in range(len(prompts))]

    def ask(self, chats: Sequence[tuple[list[Message], int]], sampling: Sampling) -> list[Completion]:
        """See `ChatGenerator`. Raises: R1Error for a chat without reply."""
        got = self._answers(
            [Wanted((at, 0), Task(chat), most) for at, (chat, most) in enumerate(chats)], _body(sampling)
        )
        return [got[at, 0] for at in range(len(chats))]

    def _answers(self, wanted: Sequence[Wanted], body: Mapping[str, Any]) -> dict[tuple[int, int], Completion]:
        source = ServerSource(replace(self.server, body=tuple({**body, **dict(self.server.body)}.items())))
        got: dict[tuple[int, int], Completion] = {}

        async def emit(found: Answer | Failure) -> None:
            if isinstance(found, Failure):
                raise R1Error(
                    f"{found.reason}\n  what was answered before is kept: the same command with the same --out goes on"
                )
            got[found.wanted.key] = found.completion

        asyncio.run(source.run(wanted, emit))
        return got


def _body(sampling: Sampling) -> dict[str, Any]:
    """What a request says of the sampling."""
    body = {"max_tokens": sampling.max_tokens, "temperature": sampling.temperature, "top_p": sampling.top_p}
    return body | ({"top_k": sampling.top_k} if sampling.top_k else {})
