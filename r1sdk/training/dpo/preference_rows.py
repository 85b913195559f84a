"""Turn preferences into token ids: the prompt, and each reply as the chat template writes it behind that prompt."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from ...data.preference_formats import Preference
from ..sft.sft_rows import IGNORED, Differences, demonstration_rows


def preference_rows(
    preferences: Iterable[Preference], tokenizer: Any, max_length: int | None, tally: Differences | None = None
) -> Iterator[dict[str, Any] | None]:
    """Yield each preference as `prompt_ids` [P], `chosen_ids` [T] and `rejected_ids` [U]; None for one over `max_length`.

    Replies end with the end-of-sequence token. Raises: R1Error where the template cannot write one.
    """
    source = iter(preferences)
    while some := list(islice(source, 1000)):
        better = demonstration_rows(((one.task, one.chosen) for one in some), tokenizer, None, tally)
        worse = demonstration_rows(((one.task, one.rejected) for one in some), tokenizer, None, tally)
        for chosen, rejected in zip(better, worse, strict=True):
            assert chosen is not None and rejected is not None  # no bound was given
            if max_length and max(chosen["length"], rejected["length"]) > max_length:
                yield None
                continue
            start = chosen["labels"].count(IGNORED)
            yield {
                "prompt_ids": chosen["input_ids"][:start],
                "chosen_ids": chosen["input_ids"][start:],
                "rejected_ids": rejected["input_ids"][start:],
            }
