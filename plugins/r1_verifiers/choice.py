"""The verifier `choice`: one of several given answers, by its letter."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from string import ascii_uppercase as LETTERS
from typing import Any, ClassVar, NamedTuple

import r1sdk

from .cells import cell_text

_LETTER = re.compile(
    r"(?i:(?:the\s+)?(?:correct\s+)?(?:answer|option|choice)\s*(?:is)?\s*:?\s*)?"
    r"(?:\\text(?:bf)?\{)?[\s*(\[{]*([A-Za-z])[\s*)\]}.:]*(?:[\s)\].:]\s*(.+?))?\s*",
    re.DOTALL,
)


class LetteredOptions(NamedTuple):
    """The options of one task as they were shown, and the letter of the right one."""

    options: tuple[str, ...]
    letter: str


@dataclass(frozen=True)
class ChoiceVerifier:
    """The options are listed with letters; 1.0 for the right letter, with its own text or alone, or for that text, else 0.0.

    The gold answer in the column is a letter, a number from 0, or the text of an option.
    """

    shuffle: bool = False  # the options, in an order of each problem's own
    seed: int = 0  # of that order

    reads: ClassVar[Sequence[str]] = ("choices", "answer")

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        """Return the options with letters, to stand below the problem. Raises: R1Error where there are none to choose from."""
        options = _options(row.get("choices"))
        right = _place(row.get("answer"), options)
        order = list(range(len(options)))
        if self.shuffle:
            # By the words of the problem: another order of the file changes nothing.
            random.Random(f"choice {self.seed} {row.problem}").shuffle(order)
        shown = [options[at] for at in order]
        listed = "\n".join(f"{letter}) {option}" for letter, option in zip(LETTERS, shown, strict=False))
        letter = LETTERS[order.index(right)]
        return r1sdk.Posed(
            added=f"{listed}\n\nAnswer with the letter of the right option.", answer=letter, info={"choices": shown}
        )

    def read_gold(self, task: r1sdk.Task) -> LetteredOptions:
        """Return the options and the right letter. Raises: Unverifiable where the task has no such options or letter."""
        options = task.info.get("choices")
        if not isinstance(options, Sequence) or isinstance(options, str) or not 2 <= len(options) <= len(LETTERS):
            raise r1sdk.Unverifiable(f"the info of the task has no list of 2 to {len(LETTERS)} choices")
        if task.answer is None or task.answer not in tuple(LETTERS[: len(options)]):
            raise r1sdk.Unverifiable(f"the gold answer {task.answer!r:.60} is no letter of {len(options)} options")
        return LetteredOptions(tuple(map(str, options)), task.answer)

    def verify(self, gold: LetteredOptions, reply: r1sdk.Submission) -> r1sdk.Verdict:
        """Return 1.0 for the right letter, or for the text of the right option."""
        from .maths.extract import answer_text

        options = list(gold.options)
        written = answer_text(reply.text)
        if written is None or not written.strip():
            return r1sdk.Verdict(0.0, reason="no answer")
        whole = (reply.answer or "").strip()
        # The text of an option, signs included, before its reading as mathematics.
        chosen = LETTERS[options.index(whole)] if whole in options else _chosen(written[:2048], options)
        if chosen is None:
            return r1sdk.Verdict(0.0, extracted=written.strip()[:200], reason="chooses no one option")
        reason = "" if chosen == gold.letter else f"is not {gold.letter}"
        return r1sdk.Verdict(float(not reason), extracted=chosen, reason=reason)

    def variants(self, gold: LetteredOptions) -> Iterator[str]:
        """Yield every other letter, and the text of every other option."""
        for letter, option in zip(LETTERS, gold.options, strict=False):
            if letter != gold.letter:
                yield letter
                yield option

    def examples(self) -> Iterator[tuple[r1sdk.Task, str]]:
        """Yield a question with three options."""
        prompt = [{"role": "user", "content": "What is the capital of France?\n\nA) Lyon\nB) Paris\nC) Nice"}]
        task = r1sdk.Task(prompt, "B", {"choices": ["Lyon", "Paris", "Nice"]}, "capital")
        for answer in ("B", "(b)", "Paris", "B) Paris"):
            yield task, r1sdk.reply_with(answer)


def _options(value: Any) -> list[str]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise r1sdk.R1Error(f"the options are a list of texts, got {value!r:.60}") from None
    if isinstance(value, dict) and isinstance(value.get("text"), Sequence):  # {"text": [...], "label": [...]}
        value = value["text"]
    if isinstance(value, str) or not isinstance(value, Sequence) or not 2 <= len(value) <= len(LETTERS):
        raise r1sdk.R1Error(f"the options are a list of 2 to {len(LETTERS)} texts, got {value!r:.60}")
    options = [cell_text(option).strip() for option in value]
    if len({" ".join(option.split()) for option in options}) < len(options):
        raise r1sdk.R1Error(f"two options are the same: {options!r:.100}")
    return options


def _place(value: Any, options: list[str]) -> int:
    """Return the index of the gold option."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(options):
        return value
    if isinstance(value, str):
        if (named := _named(value, options)) is not None:
            return named
        letter = value.strip().strip("().").upper()
        if len(letter) == 1 and letter in LETTERS[: len(options)]:
            return LETTERS.index(letter)
        if value.strip().isascii() and value.strip().isdigit() and int(value) < len(options):
            return int(value)
    raise r1sdk.R1Error(f"the answer {value!r:.60} is no option: a letter, a number from 0, or the text of one")


def _chosen(written: str, options: list[str]) -> str | None:
    """Return the letter that an answer chooses, with or without the text of its option; None if it chooses no single one."""
    if (named := _named(written, options)) is not None:
        return LETTERS[named]
    match = _LETTER.fullmatch(written.strip())
    if match is None:
        return None
    at = LETTERS.find(match[1].upper())
    if at < 0 or at >= len(options) or (match[2] and _plain(match[2]) != _plain(options[at])):
        return None
    return LETTERS[at]


def _named(text: str, options: list[str]) -> int | None:
    """Return the index of the option that `text` is. Case and surrounding signs are ignored unless options differ only in them."""
    if text.strip() in options:
        return options.index(text.strip())
    found = [at for at, option in enumerate(options) if _plain(option) == _plain(text)]
    return found[0] if len(found) == 1 else None


def _plain(text: str) -> str:
    return " ".join(text.split()).strip("$.*{} ").casefold()
