"""Protocols of generators for evaluation and generation. In training TRL generates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ..records import Completion, Message


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling parameters. `temperature` 0 is greedy; `top_k` 0 is off."""

    samples: int = 1  # completions per prompt
    max_tokens: int = 512
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


@runtime_checkable
class Generator(Protocol):
    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """Return `sampling.samples` completions for each prompt. Shapes: [P] -> [P][samples]."""
        ...


@runtime_checkable
class TokenGenerator(Protocol):
    """A Generator with access to its model, so that a conversation continues from the sampled tokens."""

    tokenizer: Any

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a completion."""
        ...

    def sample(self, rows: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """Return each row's continuation, up to and including a token of `ends`. Shapes: [R][P] -> [R][T]."""
        ...
