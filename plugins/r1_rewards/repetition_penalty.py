"""The reward `repetition_penalty`: less for a completion that says the same again."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import r1sdk


@dataclass(frozen=True)
class RepetitionPenalty:
    """0.0 where no n-gram occurs twice, falling to `max_penalty` (-1.0) as all of them become the same.

        r = max_penalty * (1 - different n-grams / n-grams)

    Open-R1's `get_repetition_penalty_reward`, after the n-gram penalty of Yeo et al. (arXiv 2502.03373, appendix C.2), which
    prices tokens one by one; TRL's `get_repetition_penalty_reward` counts token n-grams. Case is ignored. A completion of
    fewer than `ngram_size` units earns 0.0.

    English is cut at whitespace. Chinese has none: `language="zh"` takes each character for a unit, or with
    `chinese="jieba"` the words that jieba finds, as Open-R1 does.
    """

    ngram_size: int = 3
    max_penalty: float = -1.0
    language: Literal["en", "zh"] = "en"  # en: anything with spaces between its words
    chinese: Literal["characters", "jieba"] = "characters"  # the units of "zh"; jieba: pip install 'r1sdk[zh]'

    def __post_init__(self) -> None:
        if self.ngram_size < 1:
            raise ValueError(f"ngram_size must be at least 1, got {self.ngram_size}")
        if self.max_penalty > 0:
            raise ValueError(f"max_penalty must not be above 0, got {self.max_penalty}")
        if self.language == "zh" and self.chinese == "jieba" and find_spec("jieba") is None:
            raise r1sdk.R1Error("chinese 'jieba' needs: pip install 'r1sdk[zh]'")

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        units = self._units(rollout.completion.text.lower())
        total = len(units) - self.ngram_size + 1
        if total < 1:
            return 0.0
        different = len(set(zip(*(units[i:] for i in range(self.ngram_size)), strict=False)))
        return self.max_penalty * (1 - different / total) if different < total else 0.0

    def _units(self, text: str) -> Sequence[str]:
        if self.language == "en":
            return text.split()
        if self.chinese == "characters":
            return "".join(text.split())
        import jieba

        return list(jieba.cut(text))
