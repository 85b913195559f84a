"""`model.generate` that removes rows from the batch as they finish.

transformers computes every row of a batch until the longest has ended. If lengths differ widely, most of that work is
wasted. Here a batch is generated in stretches of tokens, and between stretches the finished rows leave the batch together
with their part of the cache. Each row is sampled from the same distribution as before.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

STRETCH = 32  # tokens generated before finished rows are removed


def generate(
    model: Any,
    input_ids: Tensor,  # [B, P], padded on the left
    attention_mask: Tensor,  # [B, P]
    generation_config: Any,
) -> Tensor:
    """Prompts and completions, [B, P + T], padded on the right, as `type(model).generate` returns them.

    `generation_config` alone says how tokens are sampled: nothing is filled in from the model's own.
    """
    with _own_settings_hidden(model):
        return _generate(model, input_ids, attention_mask, generation_config)


def suggested_sampling(config: Any) -> str:
    """Return the sampling settings that a model's generation_config brings, as text; empty where it brings none."""
    found = {key: value for key, value in config.to_diff_dict().items() if key not in _NO_SAMPLING}
    neutral = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0, "num_beams": 1}
    said = {key: value for key, value in found.items() if value is not None and value != neutral.get(key)}
    return ", ".join(f"{key} {value}" for key, value in said.items())


_IDS = ("bos_token_id", "eos_token_id", "pad_token_id", "decoder_start_token_id")
_NO_SAMPLING = {
    *_IDS,
    "do_sample",
    "use_cache",
    "cache_implementation",
    "transformers_version",
    "max_new_tokens",
    "max_length",
    "return_dict_in_generate",
    "disable_compile",
    "_from_model_config",
}


@contextmanager
def _own_settings_hidden(model: Any) -> Iterator[None]:
    """transformers fills every setting that is None from the model's generation_config: leave it only the token ids."""
    from transformers import GenerationConfig

    whole = model.generation_config
    model.generation_config = GenerationConfig(**{key: getattr(whole, key, None) for key in _IDS})
    try:
        yield
    finally:
        model.generation_config = whole


def _generate(model: Any, input_ids: Tensor, attention_mask: Tensor, generation_config: Any) -> Tensor:
    from transformers import DynamicCache

    plain = type(model).generate
    cache = DynamicCache(config=model.config)
    if not _can_drop_rows(cache):
        return plain(model, input_ids=input_ids, attention_mask=attention_mask, generation_config=generation_config)  # type: ignore[no-any-return]
    stretch = copy.deepcopy(generation_config)
    stretch.return_dict_in_generate = True
    ends = torch.tensor(_as_list(generation_config.eos_token_id), device=input_ids.device)
    width, limit = input_ids.size(1), generation_config.max_new_tokens
    output = input_ids.new_full((input_ids.size(0), width + limit), generation_config.pad_token_id)
    output[:, :width] = input_ids
    rows = torch.arange(input_ids.size(0), device=input_ids.device)  # indices of the unfinished rows in the output
    done = 0
    while done < limit and len(rows):
        stretch.max_new_tokens = min(STRETCH, limit - done)
        made = plain(
            model,
            input_ids=input_ids,
            attention_mask=attention_mask,
            generation_config=stretch,
            past_key_values=cache,
        )
        new = made.sequences[:, width + done :]
        output[rows, width + done : width + done + new.size(1)] = new
        done += new.size(1)
        alive = (~torch.isin(new, ends).any(1)).nonzero()[:, 0]
        rows, input_ids, cache = rows[alive], made.sequences[alive], made.past_key_values
        attention_mask = torch.cat([attention_mask, attention_mask.new_ones(new.shape)], dim=1)[alive]
        if len(alive) < len(new):
            cache.batch_select_indices(alive)
    return output[:, : width + done]


def _can_drop_rows(cache: Any) -> bool:
    """True if every layer keeps all its keys and values. Caches with a sliding window or a recurrent state are not changed."""
    return all(type(layer).__name__ == "DynamicLayer" for layer in cache.layers)


def _as_list(ends: Any) -> list[int]:
    return list(ends) if isinstance(ends, (list, tuple)) else [ends]
