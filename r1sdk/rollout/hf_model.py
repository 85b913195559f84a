"""A Generator on transformers: a model in this process, on the GPU if there is one."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from ..records import Completion, Message
from ..reply_format import opened_think
from .chat_template import render
from .compacting import generate
from .sampling import Sampling


class HFModel:
    """Generates with `model.generate`, [batch_size] completions at a time."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 128) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    @property
    def ends(self) -> frozenset[int]:
        """See `TokenGenerator`."""
        return frozenset(end_tokens(self.model, self.tokenizer))

    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator`. The global state of the random numbers is restored."""
        texts = [render(self.tokenizer, prompt) for prompt in prompts for _ in range(sampling.samples)]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # similar lengths need the least padding
        prompted = self.tokenizer([texts[i] for i in order], add_special_tokens=False)["input_ids"] if texts else []
        completions: list[Completion | None] = [None] * len(texts)
        ends = self.ends
        for i, ids in zip(order, self._sample_rows(prompted, sampling), strict=True):
            completions[i] = self._completion(texts[i], ids, ends)
        made = [completion for completion in completions if completion is not None]
        return [made[i : i + sampling.samples] for i in range(0, len(made), sampling.samples)]

    def sample(self, rows: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """See `TokenGenerator`. The global state of the random numbers is restored."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        made: list[list[int]] = [[] for _ in rows]
        for i, ids in zip(order, self._sample_rows([rows[i] for i in order], sampling), strict=True):
            made[i] = ids
        return made

    def _sample_rows(self, rows: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """Return each row's continuation, up to and including the token that ends it, [batch_size] rows at a time."""
        training = self.model.training
        self.model.eval()
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        made: list[list[int]] = []
        try:
            with torch.random.fork_rng(devices=devices), torch.inference_mode():
                torch.manual_seed(sampling.seed)
                for start in range(0, len(rows), self.batch_size):
                    made += self._sample_batch(rows[start : start + self.batch_size], sampling)
        finally:
            self.model.train(training)
        return made

    def _sample_batch(self, rows: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        width = max(map(len, rows))
        ends = self.ends
        padding = self.tokenizer.pad_token_id
        ids = torch.tensor([[padding] * (width - len(row)) + list(row) for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        output = generate(
            self.model,
            ids.to(self.model.device),
            mask.to(self.model.device),
            GenerationConfig(
                do_sample=sampling.temperature > 0,
                **(
                    {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
                    if sampling.temperature
                    else {}
                ),
                max_new_tokens=sampling.max_tokens,
                pad_token_id=padding,
                eos_token_id=sorted(ends),
            ),
        )
        return [_truncate_after_end(row, ends) for row in output[:, width:].tolist()]

    def _completion(self, prompt: str, ids: list[int], ends: frozenset[int]) -> Completion:
        text = opened_think(prompt) + self.tokenizer.decode(ids, skip_special_tokens=True)
        message = {"role": "assistant", "content": text}
        return Completion([message], ids, "stop" if ids and ids[-1] in ends else "length")


def _truncate_after_end(row: list[int], ends: frozenset[int]) -> list[int]:
    end = next((i for i, token in enumerate(row) if token in ends), None)
    return row if end is None else row[: end + 1]


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """Return the tokens that end a completion."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}
