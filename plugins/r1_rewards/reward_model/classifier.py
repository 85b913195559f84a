"""A sequence classifier of transformers that scores conversations; loaded once in a process."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any

import r1sdk

Conversation = tuple[Sequence[r1sdk.Message], Sequence[r1sdk.Message]]
"""The prompt, and what the model answered."""

_loading = Lock()


@dataclass(frozen=True, slots=True)
class Scored:
    """One conversation's score; None where it was too long, or `broken`: not finite."""

    value: float | None
    broken: bool = False


@dataclass(frozen=True)
class Classifier:
    """A model with its tokenizer, on its device."""

    name: str
    model: Any
    tokenizer: Any
    longest: int | None  # tokens that the model takes

    def check_label(self, label: int | None) -> None:
        """Raises: R1Error where `label` does not say which of the model's outputs is meant."""
        try:
            check_label(self.name, int(self.model.config.num_labels), label)
        except ValueError as error:
            raise r1sdk.R1Error(str(error)) from None

    def scores(
        self,
        conversations: Sequence[Conversation],
        label: int | None,
        sigmoid: bool,
        batch_size: int,
        max_tokens: int | None,
    ) -> list[Scored]:
        """The score of each conversation. Shapes: [G] -> [G]."""
        encoded = [self.encode(*conversation) for conversation in conversations]
        limit = min((size for size in (max_tokens, self.longest) if size is not None), default=None)
        fitting = [at for at, one in enumerate(encoded) if limit is None or len(one["input_ids"]) <= limit]
        fitting.sort(key=lambda at: len(encoded[at]["input_ids"]))  # the longest of a batch sets its cost
        size = batch_size if self.tokenizer.pad_token_id is not None else 1
        scored = [Scored(None)] * len(encoded)
        for start in range(0, len(fitting), size):
            batch = fitting[start : start + size]
            for at, value in zip(batch, self._forward([encoded[at] for at in batch], label, sigmoid), strict=True):
                scored[at] = Scored(value) if math.isfinite(value) else Scored(None, broken=True)
        return scored

    def encode(self, prompt: Sequence[r1sdk.Message], reply: Sequence[r1sdk.Message]) -> dict[str, list[int]]:
        """A conversation in the model's tokens, as its chat template lays it out."""
        parts = [[self._harmless(message) for message in part] for part in (prompt, reply)]
        if not self.tokenizer.chat_template:
            texts = ["\n\n".join(str(message.get("content") or "") for message in part) for part in parts]
            return dict(self.tokenizer(*texts))
        try:
            text = self.tokenizer.apply_chat_template(parts[0] + parts[1], tokenize=False)
        except Exception as error:
            raise r1sdk.R1Error(
                f"reward model {self.name!r}: its chat template refuses the conversation: {type(error).__name__}: {error}"
            ) from error
        return dict(self.tokenizer(text, add_special_tokens=False))

    def _harmless(self, message: r1sdk.Message) -> r1sdk.Message:
        """The message with a space in each special token that its text spells out."""
        content = message.get("content")
        if not isinstance(content, str):
            return message
        content = content.encode("utf-8", "replace").decode()  # a lone surrogate has no bytes for a tokenizer
        return {
            **message,
            "content": _special(self.tokenizer).sub(lambda found: f"{found[0][0]} {found[0][1:]}", content),
        }

    def _forward(self, batch: list[dict[str, list[int]]], label: int | None, sigmoid: bool) -> Iterator[float]:
        import torch

        if len(batch) > 1:
            inputs = self.tokenizer.pad(batch, padding_side="right", return_tensors="pt")
        else:
            inputs = {name: torch.tensor([ids]) for name, ids in batch[0].items()}
        with torch.inference_mode():
            logits = self.model(**{name: ids.to(self.model.device) for name, ids in inputs.items()}).logits.float()
        if logits.shape[-1] > 1:
            values = logits.softmax(-1)[:, label]
        else:
            values = logits[:, 0].sigmoid() if sigmoid else logits[:, 0]
        yield from values.tolist()


@cache
def _special(tokenizer: Any) -> re.Pattern[str]:
    tokens = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    tokens = {token for token in tokens | set(tokenizer.all_special_tokens) if len(token) > 1}
    alternatives = "|".join(map(re.escape, sorted(tokens, key=len, reverse=True)))
    return re.compile(alternatives or r"(?!)")


def load_classifier(name: str, revision: str | None, device: str, dtype: str) -> Classifier:
    """The classifier in a folder or on the hub, the same one for the same arguments. Raises: R1Error."""
    with _loading:
        return _load(name, revision, device, dtype)


@cache
def _load(name: str, revision: str | None, device: str, dtype: str) -> Classifier:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    where = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    given = {} if revision is None else {"revision": revision}
    try:
        with torch.random.fork_rng(devices=[]):  # the training's random numbers stay as they are
            tokenizer = AutoTokenizer.from_pretrained(name, **given)
            model, loading = AutoModelForSequenceClassification.from_pretrained(
                name, dtype=dtype, output_loading_info=True, ignore_mismatched_sizes=True, **given
            )
        model.to(where)
    except Exception as error:
        raise r1sdk.R1Error(f"reward model {name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    try:
        r1sdk.check_loaded(name, model, loading)
    except r1sdk.R1Error as error:
        raise r1sdk.R1Error(f"reward model {name!r} is no trained classifier: {error}") from None
    model.eval().requires_grad_(False)
    _agree_on_padding(model.config.get_text_config(), tokenizer)
    sizes = (tokenizer.model_max_length, getattr(model.config.get_text_config(), "max_position_embeddings", None))
    return Classifier(name, model, tokenizer, min((s for s in sizes if s and 0 < s < 10**9), default=None))


def _agree_on_padding(config: Any, tokenizer: Any) -> None:
    """Let both pad with one token: the model's score is at the last token that is no padding."""
    if config.pad_token_id is None:
        config.pad_token_id = tokenizer.pad_token_id  # both None: conversations are scored one by one
    elif tokenizer.pad_token_id != config.pad_token_id:
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(config.pad_token_id)


def check_label(name: str, outputs: int, label: int | None) -> None:
    """Raises: ValueError where `label` does not say which of the model's outputs is meant."""
    if outputs == 1 and label not in (None, 0):
        raise ValueError(f"model {name!r} has one output, and label is {label}")
    if outputs > 1 and (label is None or label >= outputs):
        raise ValueError(
            f"model {name!r} has {outputs} outputs: give label, the number of one, from 0 to {outputs - 1}"
        )
