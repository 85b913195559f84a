"""A Generator on transformers: a model in this process, on the GPU where there is one."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from ..records import Completion, Message
from ..text import opened_think
from . import Sampling
from .compacting import generate


class HFModel:
    """Generates with `model.generate`, [batch_size] completions at a time."""

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 128) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.batch_size = batch_size

    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator`. The state of the random numbers outside is left as it was."""
        texts = [render(self.tokenizer, prompt) for prompt in prompts for _ in range(sampling.samples)]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))  # prompts of like length pad each other least
        completions: list[Completion | None] = [None] * len(texts)
        training = self.model.training
        self.model.eval()
        devices = [self.model.device] if self.model.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices=devices), torch.inference_mode():
                torch.manual_seed(sampling.seed)
                for start in range(0, len(order), self.batch_size):
                    batch = order[start : start + self.batch_size]
                    made = self._batch([texts[i] for i in batch], sampling)
                    for i, completion in zip(batch, made, strict=True):
                        completions[i] = completion
        finally:
            self.model.train(training)
        whole = [completion for completion in completions if completion is not None]
        return [whole[i : i + sampling.samples] for i in range(0, len(whole), sampling.samples)]

    def _batch(self, texts: list[str], sampling: Sampling) -> list[Completion]:
        encoded = self.tokenizer(
            texts, return_tensors="pt", padding=True, padding_side="left", add_special_tokens=False
        ).to(self.model.device)
        ends = end_tokens(self.model, self.tokenizer)
        output = generate(
            self.model,
            encoded["input_ids"],
            encoded["attention_mask"],
            GenerationConfig(
                do_sample=sampling.temperature > 0,
                **({"temperature": sampling.temperature, "top_p": sampling.top_p} if sampling.temperature else {}),
                top_k=sampling.top_k,
                max_new_tokens=sampling.max_tokens,
                pad_token_id=self.tokenizer.pad_token_id,
                eos_token_id=sorted(ends),
            ),
        )
        rows = output[:, encoded["input_ids"].shape[1] :].tolist()
        return [self._completion(text, row, ends) for text, row in zip(texts, rows, strict=True)]

    def _completion(self, prompt: str, row: list[int], ends: set[int]) -> Completion:
        end = next((i for i, token in enumerate(row) if token in ends), None)
        ids = row if end is None else row[: end + 1]
        text = opened_think(prompt) + self.tokenizer.decode(ids, skip_special_tokens=True)
        message = {"role": "assistant", "content": text}
        return Completion([message], ids, "length" if end is None else "stop")


def render(tokenizer: Any, prompt: list[Message]) -> str:
    """The chat prompt as the model reads it, up to where its reply begins."""
    return str(tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True))


def end_tokens(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a completion."""
    configured = model.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}
