"""The reward `cosine`: right answers earn more when short, wrong ones lose less when long."""

import math
from dataclasses import dataclass

import r1sdk

from .measures import check_correct_from, count_tokens, is_right


@dataclass(frozen=True)
class Cosine:
    """1.0 for a short right answer down to 0.5 for a long one, -1.0 for a short wrong one up to -0.5; by options.

    The cosine reward of Yeo et al. (arXiv 2502.03373). From a at t = 0 tokens to b at t = T, which is `max_tokens`:

        r(t) = b + (a - b) / 2 * (1 + cos(pi * t / T))

    for a right answer from `max_correct` to `min_correct`, for a wrong one from `min_wrong` to `max_wrong`, so that a
    model that is wrong is paid for having thought longer. None where the environment could not judge.

    Beyond T the price stays what it is at T. Open-R1's `get_cosine_scaled_reward` lets it rise again (twice T earns what 0
    does), counts characters, and takes `min_wrong` above `max_wrong`, as its recipes have it: `original=True` does all
    three. It also pays wrong answers as right ones where the gold answer cannot be read; here those are None.
    """

    min_correct: float = 0.5
    max_correct: float = 1.0
    min_wrong: float = -1.0
    max_wrong: float = -0.5
    max_tokens: int | None = r1sdk.from_recipe("generation.max_tokens")  # None: the run's own limit
    at_limit: float | None = None  # the reward at `max_tokens` or more, right or wrong: the paper's r_e
    correct_from: float = 1.0  # the least verdict that is right
    original: bool = False  # as Open-R1 counts, over `max_characters`
    max_characters: int = 1000  # T under `original`

    def __post_init__(self) -> None:
        check_correct_from(self.correct_from)
        if self.max_characters < 1 or (self.max_tokens is not None and self.max_tokens < 1):
            raise ValueError("max_tokens and max_characters must be at least 1")
        if self.max_tokens is None and not self.original:
            raise ValueError("max_tokens must be given where no recipe says it")
        if not self.original and (self.min_correct > self.max_correct or self.min_wrong > self.max_wrong):
            raise ValueError("min_correct and min_wrong must not be above max_correct and max_wrong")

    def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        right = is_right(rollout, self.correct_from)
        if right is None:
            return None
        short, long = (self.max_correct, self.min_correct) if right else (self.min_wrong, self.max_wrong)
        if self.original or self.max_tokens is None:
            progress = len(rollout.completion.text) / self.max_characters
        else:
            progress = min(1.0, count_tokens(rollout) / self.max_tokens)
            if progress == 1.0 and self.at_limit is not None:
                return self.at_limit
        return long + (short - long) / 2 * (1 + math.cos(math.pi * progress))
