"""The loss of a model on replies that it was not trained on."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch

from ...records import Completion, Task
from .sft_rows import IGNORED, demonstration_rows

TOKENS_TOGETHER = 16384


def held_out_losses(
    model: Any, tokenizer: Any, demonstrations: Iterable[tuple[Task, Completion]], max_length: int | None
) -> list[float]:
    """The loss per token of each reply; those over `max_length` are left out."""
    rows = [row for row in demonstration_rows(demonstrations, tokenizer, max_length) if row is not None]
    rows.sort(key=lambda row: row["length"])
    training = model.training
    model.eval()
    losses: list[float] = []
    try:
        with torch.inference_mode():
            for batch in _batches(rows):
                losses += _losses(model, batch)
    finally:
        model.train(training)
    return losses


def _batches(rows: Sequence[dict[str, Any]]) -> Iterable[list[dict[str, Any]]]:
    """Rows of like length, so many that they pad to no more than `TOKENS_TOGETHER`."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        if batch and (len(batch) + 1) * row["length"] > TOKENS_TOGETHER:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _losses(model: Any, rows: Sequence[dict[str, Any]]) -> list[float]:
    """Shapes: [B] rows -> [B] losses."""
    longest = max(row["length"] for row in rows)

    def padded(key: str, filler: int) -> torch.Tensor:
        return torch.tensor([row[key] + [filler] * (longest - row["length"]) for row in rows], device=model.device)

    labels = padded("labels", IGNORED)
    mask = torch.tensor([[1] * row["length"] + [0] * (longest - row["length"]) for row in rows], device=model.device)
    logits = model(input_ids=padded("input_ids", 0), attention_mask=mask, use_cache=False).logits
    losses = torch.nn.functional.cross_entropy(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none"
    )
    learnt = (labels[:, 1:] != IGNORED).sum(1)
    return [float(loss) for loss in losses.sum(1) / learnt]
