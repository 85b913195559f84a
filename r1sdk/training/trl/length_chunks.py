"""TRL's GRPOTrainer without work on padding: it computes log-probabilities in chunks of completions of similar length.

TRL pads a batch to its longest completion and computes every position. If lengths differ widely, most of that is padding, which
the loss then masks out. The log-probabilities, the loss and its gradient stay the same (tests/train/test_trimmed.py).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from trl import GRPOTrainer

from ...rollout.cpu_threads import follow_load
from ..models import holds_whole_model

CHUNKS = 4  # per batch: fewer chunks keep more padding, more chunks make smaller matrices
MIN_ROWS = 8
WORTHWHILE = 0.9  # if more than this share of positions remains, the batch is computed whole


class LengthChunkedTrainer(GRPOTrainer):  # type: ignore[misc]
    """Override the one method that computes log-probabilities, for text and where each process holds the whole model.

    Everything else is TRL's own. Processes that shard a model (ZeRO-3, FSDP) must make the same passes, but chunks differ by process.
    """

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,  # [B, P + T]: prompts padded on the left, completions on the right
        attention_mask: Tensor,  # [B, P + T]
        logits_to_keep: int,  # T
        batch_size: int | None = None,
        compute_entropy: bool = False,
        compute_aux_loss: bool = False,
        **images: Any,
    ) -> tuple[Tensor, Tensor | None, Tensor | None]:
        def whole(ids: Tensor, mask: Tensor, keep: int) -> tuple[Tensor, Tensor | None, Tensor | None]:
            follow_load()
            scored: tuple[Tensor, Tensor | None, Tensor | None] = super(
                LengthChunkedTrainer, self
            )._get_per_token_logps_and_entropies(
                model, ids, mask, keep, batch_size, compute_entropy, compute_aux_loss, **images
            )
            return scored

        plain = not compute_aux_loss and holds_whole_model(self.accelerator)
        if not plain or any(value is not None for value in images.values()):
            return whole(input_ids, attention_mask, logits_to_keep)
        prompts = attention_mask[:, :-logits_to_keep].sum(1)  # [B] tokens
        completions = attention_mask[:, -logits_to_keep:].sum(1).clamp(min=1)  # [B] tokens
        order = torch.argsort(completions)
        chunks = torch.split(order, max(MIN_ROWS, -(-len(order) // CHUNKS)))
        sizes = [(int(prompts[rows].max()), int(completions[rows].max())) for rows in chunks]
        kept = sum(len(rows) * (p + t) for rows, (p, t) in zip(chunks, sizes, strict=True))
        if kept > WORTHWHILE * input_ids.numel():
            return whole(input_ids, attention_mask, logits_to_keep)

        prompt_width = input_ids.size(1) - logits_to_keep
        logps, entropies = [], []
        for rows, (p, t) in zip(chunks, sizes, strict=True):
            columns = slice(prompt_width - p, prompt_width + t)
            some, entropy, _ = whole(input_ids[rows, columns], attention_mask[rows, columns], t)
            logps.append(pad(some, (0, logits_to_keep - t)))
            if entropy is not None:
                entropies.append(pad(entropy, (0, logits_to_keep - t)))
        back = torch.argsort(order)
        return torch.cat(logps)[back], torch.cat(entropies)[back] if entropies else None, None
