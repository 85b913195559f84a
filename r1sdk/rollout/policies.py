"""Who speaks for the model: by tokens, where a model is at hand, or by messages, where a server has it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, Protocol

from ..records import Completion, Message
from .chat_template import TurnWriter
from .episode import Episode
from .sampling import Sampling, TokenGenerator
from .tools import as_chat

_APART = 104_729  # between the seeds of two turns


class Turn(NamedTuple):
    """What the model said."""

    text: str
    finish: Literal["stop", "length"]


class Policy(Protocol):
    def begin(self, dialogues: Sequence[Episode]) -> None:
        """Put the prompts to the model."""
        ...

    def speak(self, dialogues: Sequence[Episode]) -> list[Turn]:
        """The next turn of the model in each dialogue. Shapes: [D] -> [D]."""
        ...

    def hear(self, dialogue: Episode, messages: list[Message]) -> bool:
        """Put what the environment says to the model; False: there is no room for it and another turn."""
        ...


class Sampled(NamedTuple):
    """What a model goes on with, each row up to and with a token that ends a turn."""

    rows: Sequence[list[int]]  # [R][T]
    logps: Sequence[Sequence[float]] | None = None  # [R][T], of those tokens, where the sampler says


Sample = Callable[[list[list[int]], int], Sampled]
"""Given token ids, and how many more there may be."""


@dataclass
class TokenPolicy:
    """Goes on from the very tokens that were sampled: nothing is tokenized twice."""

    writer: TurnWriter
    sample: Sample
    ends: frozenset[int]  # tokens that end a turn
    max_tokens: int  # of an attempt, the environment's tokens included

    def begin(self, dialogues: Sequence[Episode]) -> None:
        """See `Policy`."""
        for dialogue in dialogues:
            dialogue.tape.prompt, dialogue.opened = self.writer.prompt(dialogue.task.prompt)

    def speak(self, dialogues: Sequence[Episode]) -> list[Turn]:
        """See `Policy`."""
        tapes = [dialogue.tape for dialogue in dialogues]
        room = [self.max_tokens - len(tape.ids) for tape in tapes]
        sampled = self.sample([tape.prompt + tape.ids for tape in tapes], max(room))
        turns = []
        for at, (dialogue, most) in enumerate(zip(dialogues, room, strict=True)):
            ids = list(sampled.rows[at][:most])
            dialogue.tape.spoken(ids, None if sampled.logps is None else sampled.logps[at][:most])
            text = dialogue.opened + self.writer.read(ids)
            turns.append(Turn(text, "stop" if ids and ids[-1] in self.ends else "length"))
        return turns

    def hear(self, dialogue: Episode, messages: list[Message]) -> bool:
        """See `Policy`."""
        ids, opened = self.writer.between(messages)
        if len(dialogue.tape.ids) + len(ids) >= self.max_tokens:
            return False
        dialogue.tape.told(ids)
        dialogue.opened = opened
        return True


def token_speaker(generator: TokenGenerator, sampling: Sampling) -> TokenPolicy:
    """A speaker on a model in this process. Each turn is sampled with a seed of its own."""
    turn = 0

    def sample(rows: list[list[int]], most: int) -> Sampled:
        nonlocal turn
        seeded = replace(sampling, samples=1, max_tokens=most, seed=(sampling.seed + _APART * turn) % 2**63)
        turn += 1
        return Sampled(generator.sample(rows, seeded))

    return TokenPolicy(TurnWriter(generator.tokenizer), sample, frozenset(generator.ends), sampling.max_tokens)


class ChatGenerator(Protocol):
    """A generator that is asked by messages, each question with a limit of its own, such as a server."""

    def ask(self, chats: Sequence[tuple[list[Message], int]], sampling: Sampling) -> list[Completion]:
        """One reply for each chat and its limit of tokens. Shapes: [D] -> [D]."""
        ...


@dataclass
class ChatPolicy:
    """Asks with the whole conversation each time. Tokens of the environment's turns are not known, and not counted."""

    generator: ChatGenerator
    sampling: Sampling

    def begin(self, dialogues: Sequence[Episode]) -> None:
        """See `Policy`."""

    def speak(self, dialogues: Sequence[Episode]) -> list[Turn]:
        """See `Policy`."""
        asked = [
            (as_chat([*d.task.prompt, *d.messages]), self.sampling.max_tokens - len(d.tape.ids)) for d in dialogues
        ]
        turns = []
        for dialogue, completion in zip(dialogues, self.generator.ask(asked, self.sampling), strict=True):
            dialogue.tape.spoken([0] * len(completion.token_ids))
            turns.append(Turn(completion.text, completion.finish))
        return turns

    def hear(self, dialogue: Episode, messages: list[Message]) -> bool:
        """See `Policy`."""
        return len(dialogue.tape.ids) < self.sampling.max_tokens
