"""Memory of a training run on each device, estimated from the model's config and the recipe before anything is loaded.

An estimate: what is counted is said at each term, and what the libraries keep for themselves is left out. Units are bytes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from .model_files import stored_shapes
from .parallel import world

GB = 1 << 30
PROMPT = 256  # tokens, where nothing is known of the prompts
QUANTIZED = {
    "4bit": 0.516,
    "8bit": 1.0,
}  # bytes a parameter; NF4 with quantized constants is 4.127 bits (arXiv 2305.14314)


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a decoder. `parameters`: all of it; `linear`: width in and out of its matrices, summed over a layer."""

    parameters: int
    layers: int
    hidden: int
    kv_width: int  # heads of keys x width of a head
    vocabulary: int
    linear: int
    embeddings: int = 0  # parameters of the embeddings and the head

    @classmethod
    def of(cls, config: Mapping[str, Any], parameters: int | None = None) -> "Shape | None":
        """From a config.json, None where it does not say enough. `parameters`: where they are known; counted if not."""
        config = config.get("text_config") or config
        keys = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
        if not all(isinstance(config.get(key), int) for key in keys):
            return None
        hidden, layers, heads, inner, vocabulary = (int(config[key]) for key in keys)
        head = config.get("head_dim") or hidden // heads
        kv = head * (config.get("num_key_value_heads") or heads)
        attention = [(hidden, head * heads), (hidden, kv), (hidden, kv), (head * heads, hidden)]
        matrices = [*attention, (hidden, inner), (hidden, inner), (inner, hidden)]
        embeddings = vocabulary * hidden * (1 if config.get("tie_word_embeddings") else 2)
        counted = layers * (sum(a * b for a, b in matrices) + 2 * hidden) + hidden + embeddings
        experts = any("expert" in key for key in config)
        if experts and parameters is None:
            return None  # counted as one dense model it would be far too small
        widths = sum(a + b for a, b in matrices)
        return cls(parameters or counted, layers, hidden, kv, vocabulary, widths, embeddings)


@dataclass(frozen=True, slots=True)
class MemoryEstimate:
    """Memory on each device by purpose; the larger of generation and training counts."""

    training: Mapping[str, int]
    generating: Mapping[str, int]

    @property
    def larger(self) -> Mapping[str, int]:
        return max(self.training, self.generating, key=lambda parts: sum(parts.values()))

    @property
    def peak(self) -> int:
        return sum(self.larger.values())

    def __str__(self) -> str:
        phase = "training" if self.larger is self.training else "generation"
        listed = sorted(self.larger.items(), key=lambda part: -part[1])[:3]
        return f"about {size_text(self.peak)} in {phase}: {', '.join(f'{name} {size_text(size)}' for name, size in listed)}"


def estimate(
    shape: Shape, recipe: Recipe, accelerate: Mapping[str, Any], cuda: bool, teachers: Sequence[Shape] = ()
) -> MemoryEstimate:
    """The memory of one device. `accelerate`: the config by which several processes share out the work, empty for one."""

    def given(key: str, default: Any) -> Any:
        value = recipe.trainer.get(key)
        return default if value is None else value

    kind, n = accelerate.get("distributed_type"), world(recipe.launch)
    deepspeed = kind == "DEEPSPEED"
    stage = 3 if kind == "FSDP" else accelerate.get("deepspeed_config", {}).get("zero_stage", 0) if deepspeed else 0
    bf16_weights = dtype_of(recipe, cuda) == "bfloat16"
    bf16_work = bf16_weights or bool(given("bf16", cuda))
    each = 2 if bf16_weights or (deepspeed and bf16_work) else 4
    weights = shape.parameters * each
    if recipe.quantize is not None:  # not of the embeddings and the head
        packed = shape.parameters - shape.embeddings
        weights = int(packed * QUANTIZED[recipe.quantize]) + shape.embeddings * each
    if recipe.lora is not None:
        trained, gradient, state = shape.layers * shape.linear * recipe.lora.rank, 4, 8  # adapters are in float32
        if recipe.quantize is not None:
            gradient, state = 2, 4  # in bfloat16, by TRL, as in the paper
    else:
        # AdamW's two moments; DeepSpeed also keeps float32 weights beside those in bfloat16.
        trained, gradient, state = shape.parameters, each, 12 if deepspeed and each == 2 else 2 * each
    rows, length = int(given("per_device_train_batch_size", 8)), PROMPT + recipe.generation.max_tokens
    if METHODS[recipe.method].reads_rows:
        length = int(given("max_length", 1024))
    if recipe.method == "dpo":
        rows *= 2  # the chosen and the rejected reply
    width = 2 if bf16_work else 4
    # Korthikanti et al. 2022 (arXiv 2205.05198), Eq. 2, without the attention matrix that a fused kernel never stores.
    layer = 17 * length * rows * shape.hidden * width
    kept = length * rows * shape.hidden * width
    training = {
        "weights": weights // (n if stage >= 3 else 1),
        "gradients": trained * gradient // (n if stage >= 2 else 1),
        "optimizer": trained * state // (n if stage >= 1 else 1),
        "activations": kept * shape.layers + layer if given("gradient_checkpointing", cuda) else layer * shape.layers,
    }
    if given("beta", 0.0) and recipe.lora is None and recipe.method == "grpo":
        training["reference model"] = weights // (n if stage >= 3 else 1)
    if recipe.method == "dpo" and recipe.lora is None and not given("precompute_ref_log_probs", False):
        training["reference model"] = weights // (n if stage >= 3 else 1)
    if METHODS[recipe.method].reads_rows:
        return MemoryEstimate({**training, "logits": 2 * 4 * rows * length * shape.vocabulary}, {})
    if recipe.distill is not None and teachers:
        taught = sum(teacher.parameters for teacher in teachers)
        training["teacher" if len(teachers) == 1 else "teachers"] = (
            taught * each // (n if deepspeed and stage >= 3 else 1)
        )
    steps = given("steps_per_generation", given("gradient_accumulation_steps", 1))
    generating = {name: size for name, size in training.items() if name not in ("gradients", "activations")}
    generating["KV cache"] = 2 * shape.layers * shape.kv_width * length * rows * int(steps) * each
    if stage >= 3:
        generating["weights put together"] = weights
    return MemoryEstimate(training, generating)


def size_text(number: int) -> str:
    return f"{number / GB:.1f} GB" if number >= GB // 10 else f"{number / (1 << 20):.0f} MB"


def dtype_of(recipe: Recipe, cuda: bool) -> str:
    """Return the dtype of the weights for training. Full training in bfloat16 would lose small updates."""
    if recipe.dtype != "auto":
        return recipe.dtype
    return "bfloat16" if cuda and recipe.lora is not None else "float32"


def advice(found: MemoryEstimate, recipe: Recipe) -> str:
    """Return the settings that reduce the largest part most."""
    largest = max(found.larger, key=lambda name: found.larger[name])
    if largest == "KV cache":
        return (
            "lower trainer.per_device_train_batch_size (with more gradient_accumulation_steps) or generation.max_tokens"
        )
    if largest in ("activations", "logits"):
        start = "" if recipe.trainer.get("gradient_checkpointing") else "set trainer.gradient_checkpointing=true, or "
        return f"{start}lower trainer.per_device_train_batch_size with as much more trainer.gradient_accumulation_steps"
    if recipe.lora is None:
        return "train adapters (--lora 16), or share out the optimizer over more GPUs (--accelerate zero2, or zero3)"
    if recipe.quantize is None:
        return "quantize the weights under the adapters (--quantize 4bit), or share them out (--accelerate zero3)"
    return "take a smaller model" if recipe.quantize == "4bit" else "quantize them further (--quantize 4bit)"


def read_shape(folder: Path) -> Shape | None:
    """The shape of a model in Hugging Face form; None where it does not say."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return Shape.of(config, _stored(folder))


def _stored(folder: Path) -> int | None:
    """Return the number of parameters in the folder's safetensors; None where there are none, or one is damaged."""
    try:
        return sum(map(prod, stored_shapes(folder).values())) or None
    except R1Error:  # said where the model is looked up
        return None
