"""Generators for evaluation and generation: prompts in, completions out. TRL generates in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..records import Completion, Message


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to sample. `temperature` 0 is greedy; `top_k` 0 is off."""

    samples: int = 1  # completions per prompt
    max_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


@runtime_checkable
class Generator(Protocol):
    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """`sampling.samples` completions for each prompt. Shapes: [P] -> [P][samples]."""
        ...


@runtime_checkable
class TokenGenerator(Protocol):
    """A Generator whose model is at hand, so that a conversation goes on from the very tokens that were sampled."""

    tokenizer: Any

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a completion."""
        ...

    def sample(self, rows: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """What the model goes on with, up to and with a token of `ends`. One for each row. Shapes: [R][P] -> [R][T]."""
        ...
