"""A data set on the hub as demonstrations; the download is cached by `datasets`."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...data.demonstrations import FromHub, examples
from ...errors import R1Error
from ...servers.hub import reach_hub


@dataclass(frozen=True)
class HubRows:
    """The rows of one split; `held_out_rows` of them, drawn with `seed`, are not trained on."""

    source: FromHub
    dataset: Any

    def train(self) -> Iterator[Any]:
        return self._some(held_out=False)

    def held_out(self) -> Iterator[Any]:
        return self._some(held_out=True)

    def _some(self, held_out: bool) -> Iterator[Any]:
        count = len(self.dataset)
        kept = set(random.Random(self.source.seed).sample(range(count), min(self.source.held_out_rows, count)))
        rows = (
            (f"{self.source.name}, row {at}", row) for at, row in enumerate(self.dataset) if (at in kept) is held_out
        )
        return examples(rows, self.source.columns, self.source.skip_bad)


def hub_rows(source: FromHub) -> HubRows:
    """Raises: R1Error where the data set cannot be had."""
    away = reach_hub(source.name, "dataset")
    from datasets import load_dataset

    try:
        return HubRows(source, load_dataset(source.name, source.config, split=source.split))
    except (
        OSError,
        ValueError,
    ) as error:  # raised by datasets for a missing set, configuration or split
        reason = away or str(error).strip().partition(chr(10))[0]
        raise R1Error(f"cannot load data {source.name!r}: {reason}") from error
