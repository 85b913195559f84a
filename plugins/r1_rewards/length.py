"""The reward `length`: among the completions of one prompt, shorter right answers earn more."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import r1sdk

from .measures import check_correct_from, count_tokens, is_right


@r1sdk.group_reward
@dataclass(frozen=True)
class Length:
    """0.5 for the shortest right answer of a prompt down to -0.5 for the longest; a wrong one earns 0.0 at most.

    Section 2.3.3 of Kimi k1.5 (arXiv 2501.12599). Over the completions i of one prompt,

        s(i) = 0.5 - (len(i) - min_len) / (max_len - min_len)
        r(i) = s(i) if right, min(0, s(i)) if wrong; 0 for all where max_len = min_len

    Right is what the verdict says. A completion that could not be judged earns None, and its length counts for nothing. So
    does a completion that has no other to be compared with, as in an evaluation with one sample per task.

    Open-R1's `len_reward` differs in three ways. It compares characters: so does `unit="characters"`. It compares over the
    whole local batch, unrelated prompts together, which no option restores, since a group reward sees one prompt. And it
    takes an answer for right where the gold answer cannot be read.
    """

    unit: Literal["tokens", "characters"] = "tokens"
    correct_from: float = 1.0  # the least verdict that is right

    def __post_init__(self) -> None:
        check_correct_from(self.correct_from)

    def __call__(self, rollouts: Sequence[r1sdk.Rollout]) -> list[float | None]:
        right = [is_right(rollout, self.correct_from) for rollout in rollouts]
        sizes = [len(r.completion.text) if self.unit == "characters" else count_tokens(r) for r in rollouts]
        judged = [size for size, known in zip(sizes, right, strict=True) if known is not None]
        if len(judged) < 2:
            return [None] * len(rollouts)
        least, most = min(judged), max(judged)
        return [_price(size, least, most, known) for size, known in zip(sizes, right, strict=True)]


def _price(size: int, least: int, most: int, right: bool | None) -> float | None:
    if right is None:
        return None
    if least == most:
        return 0.0
    shortness = 0.5 - (size - least) / (most - least)
    return shortness if right else min(0.0, shortness)
