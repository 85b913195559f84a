"""The models that the SFT of the embedded models begins with."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Wavelengths of the waves that the numbers' embeddings start with, decimal as the digits are.
PERIODS = (2, 4, 5, 10, 20, 25, 50, 100, 200, 400)
WAVE = 0.04  # amplitude; the other weights start with a standard deviation of 0.02

FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def write_blank(shape: Path, folder: Path, seed: int) -> None:
    """Write a model of the configuration and tokenizer in `shape`, with fresh weights, to `folder`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(shape), dtype=torch.float32)
    _count(model.get_input_embeddings().weight, AutoTokenizer.from_pretrained(shape))
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    for name in FILES:
        shutil.copyfile(shape / name, folder / name)


def write_with_phrases(weights: Path, folder: Path, phrases: Sequence[str]) -> None:
    """Write the model in `weights` to `folder` with each of `phrases` as one token more.

    A phrase's embedding starts as the mean of the tokens that it was read as; the others stay, and so does what the model knows.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(weights, dtype=torch.float32)
    before, after = AutoTokenizer.from_pretrained(weights), AutoTokenizer.from_pretrained(weights)
    after.add_tokens(list(phrases))
    old = model.get_input_embeddings().weight.detach().clone()
    model.resize_token_embeddings(-(-len(after) // 32) * 32, mean_resizing=False)
    new = model.get_input_embeddings().weight
    with torch.no_grad():
        new[len(before) :] = 0.0
        for at in range(len(before), len(after)):
            new[at] = old[before.encode(after.decode([at]), add_special_tokens=False)].mean(0)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    for name in FILES:
        shutil.copyfile(weights / name, folder / name)
    after.save_pretrained(folder)


def _count(embeddings: Any, tokenizer: Any) -> None:
    """Lay waves into the embeddings of the number tokens, so that numbers near each other, or equal in a digit, are alike.

    Without them the model spends much of its training on finding the order of 201 unrelated symbols. A sum is then a sum
    of angles, the form that trained models arrive at (Nanda et al., arXiv 2301.05217).
    """
    import torch

    numbers = range(201)
    rows = torch.tensor([tokenizer.convert_tokens_to_ids(str(n)) for n in numbers])
    angles = torch.tensor(numbers)[:, None] * (2 * math.pi / torch.tensor(PERIODS, dtype=torch.float32))
    waves = torch.cat([angles.cos(), angles.sin()], dim=1) * WAVE
    with torch.no_grad():
        start = embeddings[rows] * 0.5
        start[:, : waves.shape[1]] = 0.4 * start[:, : waves.shape[1]] + waves
        embeddings[rows] = start
