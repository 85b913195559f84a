"""The reward `language_consistency`: whether the reasoning keeps to one language."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Literal

import r1sdk

from .measures import reasoning

SCRIPTS = {  # language -> the scripts that its words are written in
    "en": ("latin",),
    "zh": ("han",),
    "ja": ("han", "kana"),
    "ko": ("hangul",),
    "ru": ("cyrillic",),
    "ar": ("arabic",),
}

# A character of Han or kana is a word; elsewhere a run of two letters and more is. A single letter is a variable.
_WORD = (  # compiled when it is first used: that takes as long as loading all the other rewards
    r"\\[A-Za-z]+"  # a LaTeX command is no word
    r"|(?P<han>[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]+)"
    r"|(?P<kana>[\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff]+)"
    r"|(?P<hangul>[\u1100-\u11ff\uac00-\ud7a3]+)"
    r"|(?P<latin>[A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f]{2,}(?:['\u2019][A-Za-z]+)?)"
    r"|(?P<cyrillic>[\u0400-\u04ff]{2,})"
    r"|(?P<arabic>[\u0620-\u064a\u066e-\u06d3]{2,})"
    r"|(?P<greek>[\u0370-\u03ff\u1f00-\u1fff]{3,})"  # two letters are a product of variables
    r"|[A-Za-z\u0370-\u03ff\u0400-\u04ff]"  # a single letter, also of Greek
    r"|(?P<other>[^\W\d_])"
)


@dataclass(frozen=True)
class LanguageConsistency:
    """0.0 to 1.0: the share of the reasoning's words that are in the language's script; None without any words.

    Section 2.3.2 of DeepSeek-R1 (arXiv 2501.12948): target-language words over words, in the chain of thought.

    Words are told apart by script: French counts as English, and Japanese written in Han alone as Chinese. A Han character
    or a kana counts as a word. Numbers, LaTeX commands and variables (single letters, pairs of Greek ones) count as none;
    the names in a program count as English.
    """

    language: Literal["en", "zh", "ja", "ko", "ru", "ar"] = "en"

    def __call__(self, rollout: r1sdk.Rollout) -> float | None:
        words: Counter[str] = Counter()
        for found in re.finditer(_WORD, reasoning(rollout.completion.text)):
            if script := found.lastgroup:
                words[script] += found.end() - found.start() if script in ("han", "kana") else 1
        if not words:
            return None
        return sum(words[script] for script in SCRIPTS[self.language]) / words.total()
