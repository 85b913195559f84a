"""The reward `soft_overlong`: a penalty that grows over the last tokens before the limit, instead of a cliff at it."""

from dataclasses import dataclass

import r1sdk

from .measures import count_tokens

CACHE_SHARE = 5  # DAPO: 4,096 of 20,480 tokens


@dataclass(frozen=True)
class SoftOverlong:
    """0.0 up to `max_tokens - cache_tokens` tokens, then falling in a straight line to -1.0 at `max_tokens`.

    Eq. (13) of DAPO (arXiv 2503.14476), "soft overlong punishment", with L = `max_tokens` and C = `cache_tokens`:

        r = 0 if t <= L - C;  (L - C - t) / C if L - C < t <= L;  -1 beyond L

    Open-R1 has limits of its own here (16,384 and 4,096), so in a run of shorter completions it never fires. These are the
    run's own; give both options to repeat that.
    """

    max_tokens: int | None = r1sdk.from_recipe("generation.max_tokens")  # None: the run's own limit
    cache_tokens: int | None = None  # None: a fifth of max_tokens, DAPO's share

    def __post_init__(self) -> None:
        if self.max_tokens is None:
            raise ValueError("max_tokens must be given where no recipe says it")
        if self.max_tokens < 1 or not 1 <= self.cache <= self.max_tokens:
            raise ValueError(f"cache_tokens must be from 1 to max_tokens ({self.max_tokens}), got {self.cache_tokens}")

    @property
    def cache(self) -> int:
        """C of the equation, in tokens."""
        return max(1, (self.max_tokens or 0) // CACHE_SHARE) if self.cache_tokens is None else self.cache_tokens

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        over = count_tokens(rollout) - ((self.max_tokens or 0) - self.cache)
        return -min(1.0, over / self.cache) if over > 0 else 0.0
