"""A GRPO step on one GPU: tokens/s of generation and of training, the share of each phase, against TRL and the hardware's limit.

    python benchmarks/gpu_step.py --shape 0.5b
    python benchmarks/gpu_step.py --shape 1.5b --prompts 8 --max-tokens 1024
    python benchmarks/gpu_step.py --shape toy          # on a CPU: that it runs, no result

The models have the shapes of Qwen2.5 0.5B and 1.5B and random weights, and nothing is downloaded. They say nothing sensible and hardly
ever stop, so that every completion has `--max-tokens` tokens and both sides do the same work. The sides take turns:

- `r1sdk`: as a run does it, with verdicts, prices, rollouts, metrics and status on disk
- `TRL`: TRL's own trainer with two plain reward functions

Each step is cut into generation, judging, and training (forward, backward, optimizer), the device idle at each cut. The limit is measured
on the same device in the same run: FLOP/s of a large matrix product, bytes/s of a large copy.

- training against it: the FLOPs that the model needs (6 for each parameter and token, and those of attention), not those that gradient
  checkpointing adds, over the seconds and the FLOP/s
- generation against it: the bytes that each new token of the batch must read (weights and keys and values, in the type in
  which is computed), over the seconds and the bytes/s
"""

import argparse
import gc
import json
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpo_step import SAMPLES, best_of, clock_callback, gaps, product_rate, timed, with_r1sdk, with_trl

SHAPES: dict[str, dict[str, Any]] = {  # from the models' own config.json
    "0.5b": {"hidden_size": 896, "num_hidden_layers": 24, "num_attention_heads": 14, "intermediate_size": 4864},
    "1.5b": {"hidden_size": 1536, "num_hidden_layers": 28, "num_attention_heads": 12, "intermediate_size": 8960},
    "toy": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128},
}
VOCABULARY = {"toy": 512}
WORDS = 151936
PHASES = ("generation", "judging", "training")


@dataclass
class Turn:
    """The steps of one side in one round: seconds of each phase, and the tokens that went through."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in PHASES})
    generated: float = 0.0  # tokens a step
    trained: float = 0.0  # tokens a step, prompts included


@dataclass(frozen=True)
class Limit:
    """What the device can do at most, as measured."""

    flops: float  # a second
    bandwidth: float  # bytes a second, read and written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="0.5b")
    parser.add_argument("--prompts", type=int, default=16, help=f"prompts a step, {SAMPLES} completions each")
    parser.add_argument("--max-tokens", type=int, default=512, help="of every completion")
    parser.add_argument("--steps", type=int, default=4, help="steps of a turn, the first not counted")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()

    import torch
    from transformers.utils import logging

    if not torch.cuda.is_available() and options.shape != "toy":
        raise SystemExit("no GPU is here: on a CPU only --shape toy runs, to see that it does")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as scratch:
        measure(options, Path(scratch))


def measure(options: argparse.Namespace, scratch: Path) -> None:
    import torch

    run, where = prepare(options, scratch)
    rounds: list[dict[str, Turn]] = []
    for number in range(options.rounds + 1):
        names = list(SIDES) if number % 2 else list(reversed(SIDES))
        turns = {name: take_turn(SIDES[name], run, where, scratch / f"{number}-{name}") for name in names}
        if number:  # the first round warms up the process
            rounds.append(turns)
    limit = limit_of()
    device = (
        torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU (no GPU is here: this is no result)"
    )
    print(f"{options.shape}, {options.prompts * SAMPLES} completions of {options.max_tokens} tokens, on {device}")
    print(f"limit: {limit.flops / 1e12:.2f} TFLOP/s of a matrix product, {limit.bandwidth / 1e9:.1f} GB/s of a copy")
    steps = {
        name: [sum(step) for turns in rounds for step in zip(*turns[name].seconds.values(), strict=True)]
        for name in SIDES
    }
    figures: dict[str, Any] = {
        name: tell(name, [turns[name] for turns in rounds], steps[name], where, limit, options) for name in SIDES
    }
    ratios = [ours / theirs for ours, theirs in zip(steps["r1sdk"], steps["TRL"], strict=True)]
    spread = f"{min(ratios):.3f}-{max(ratios):.3f}"
    print(f"a step, r1sdk / TRL: {statistics.median(ratios):.3f} ({spread}, n={len(ratios)})")
    if options.json:
        figures |= {
            "shape": options.shape,
            "device": device,
            "ratios": ratios,
            "completions": options.prompts * SAMPLES,
        }
        figures |= {"limit_flops": limit.flops, "limit_bytes_per_second": limit.bandwidth}
        options.json.write_text(json.dumps(figures), encoding="utf-8")


def tell(
    name: str, turns: list[Turn], steps: list[float], where: str, limit: Limit, options: argparse.Namespace
) -> dict[str, Any]:
    """Print one side's lines, and return its figures."""
    sums = {phase: sum(second for turn in turns for second in turn.seconds[phase]) for phase in PHASES}
    count = len(steps)
    shares = ", ".join(f"{phase} {sums[phase] / sum(sums.values()):.1%}" for phase in PHASES)
    generated, trained = turns[0].generated, turns[0].trained
    work = work_of(where, options, generated, trained)
    print(f"{name}: {statistics.median(steps):.3f} s a step: {shares}")
    print(
        f"  generation {generated * count / sums['generation']:.0f} tokens/s, "
        f"{work.bytes * count / limit.bandwidth / sums['generation']:.1%} of the bandwidth"
    )
    print(
        f"  training   {trained * count / sums['training']:.0f} tokens/s, "
        f"{work.flops * count / limit.flops / sums['training']:.1%} of the FLOP/s"
    )
    return {
        "step_s": steps,
        "share": {phase: sums[phase] / sum(sums.values()) for phase in PHASES},
        "generated_tokens_per_second": generated * count / sums["generation"],
        "trained_tokens_per_second": trained * count / sums["training"],
        "share_of_bandwidth": work.bytes * count / limit.bandwidth / sums["generation"],
        "share_of_flops": work.flops * count / limit.flops / sums["training"],
    }


@dataclass(frozen=True)
class Work:
    """What one step cannot do without."""

    flops: float  # of training
    bytes: float  # read by generation


def work_of(where: str, options: argparse.Namespace, generated: float, trained: float) -> Work:
    import torch
    from transformers import AutoConfig

    from r1sdk.planning.memory import read_shape

    config, shape = AutoConfig.from_pretrained(where), read_shape(Path(where))
    assert shape is not None
    rows = options.prompts * SAMPLES
    length, prompt = trained / rows, (trained - generated) / rows
    # The embeddings count once: they are looked up, and, tied, multiplied by as the head. Attention is causal: half of the square.
    attention = 6 * config.num_hidden_layers * config.hidden_size * length
    width = 2 if torch.cuda.is_available() else 4  # bytes of a number in which is computed
    cache = 2 * shape.layers * shape.kv_width * width * rows * (prompt + generated / rows / 2)
    passes = generated / rows
    return Work((6 * shape.parameters + attention) * trained, passes * (shape.parameters * width + cache))


def limit_of() -> Limit:
    """The best of several tries at each."""
    import torch

    cuda = torch.cuda.is_available()
    rate = product_rate(8192, device="cuda", dtype=torch.bfloat16) if cuda else product_rate()
    place, size = ("cuda", 1 << 30) if cuda else ("cpu", 1 << 26)
    source, target = (torch.empty(size, device=place, dtype=torch.uint8) for _ in range(2))
    copy = best_of(lambda: target.copy_(source))
    return Limit(rate, 2 * size / copy)


def prepare(options: argparse.Namespace, scratch: Path) -> tuple[Any, str]:
    """The composed run, and the folder of its random weights."""
    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import load_recipe

    folder = scratch / "model"
    make_model(options.shape, folder)
    recipe = load_recipe(
        None,
        {
            "model": str(folder),
            "env": {"name": "countdown", "options": {"train_size": options.prompts * (options.steps + 1)}},
            "rewards": "accuracy,format",
            "generation": {"samples": SAMPLES, "max_tokens": options.max_tokens},
            "evaluation": {"tasks": 0},
            "trainer": {
                "max_steps": options.steps,
                "per_device_train_batch_size": SAMPLES,
                "gradient_accumulation_steps": options.prompts,
                "learning_rate": 1e-6,
                "save_strategy": "no",
            },
        },
    )
    return plan_run(recipe, load_plugins()), str(folder)


def make_model(shape: str, folder: Path) -> None:
    """Random weights in the shape of a Qwen2.5 model, and a tokenizer of as many words, with no meaning."""
    import torch
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

    size = VOCABULARY.get(shape, WORDS)
    letters = sorted(ByteLevel.alphabet())
    words = ["<end>", "<unknown>", *letters, *(f"word{number} " for number in range(size - 2 - len(letters)))]
    made = Tokenizer(WordLevel({word: at for at, word in enumerate(words)}, unk_token="<unknown>"))
    each_letter = [ByteLevel(add_prefix_space=False, use_regex=False), Split(Regex("."), "isolated")]
    made.pre_tokenizer = Sequence(each_letter)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, eos_token="<end>", pad_token="<end>", unk_token="<unknown>"
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = Qwen2Config(
        **SHAPES[shape],
        num_key_value_heads=2,
        vocab_size=size,
        tie_word_embeddings=True,
        max_position_embeddings=32768,
        eos_token_id=0,
        pad_token_id=0,
        dtype="bfloat16",
    )
    Qwen2ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)


def take_turn(side: Any, run: Any, where: str, folder: Path) -> Turn:
    """One side's steps from fresh weights."""
    import torch
    from transformers import PrinterCallback, set_seed

    from r1sdk.training.models import load_model, load_tokenizer, training_options
    from r1sdk.training.process_group import SINGLE_PROCESS

    clock = clock_callback()
    set_seed(run.recipe.seed)
    trainer = side(run, load_model(where, **training_options(run)), load_tokenizer(where), folder, SINGLE_PROCESS)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(clock)
    turn, spent = Turn(), {"generation": [0.0], "judging": [0.0]}
    for phase, method in (("generation", "_generate"), ("judging", "_calculate_rewards")):
        setattr(trainer, method, timed(getattr(trainer, method), clock, spent[phase]))
    trainer.train()
    for phase in ("generation", "judging"):
        turn.seconds[phase] = spent[phase][2:]
    whole = gaps(clock.wall)[1:]
    turn.seconds["training"] = [
        step - made - judged
        for step, made, judged in zip(whole, turn.seconds["generation"], turn.seconds["judging"], strict=True)
    ]
    lines = [line for line in trainer.state.log_history if "loss" in line]
    rows = run.recipe.trainer["gradient_accumulation_steps"] * SAMPLES
    turn.generated = lines[-1]["completions/mean_length"] * rows
    turn.trained = (lines[-1]["num_tokens"] - lines[0]["num_tokens"]) / (len(lines) - 1)
    del trainer
    gc.collect()
    torch.cuda.empty_cache()
    return turn


SIDES = {"r1sdk": with_r1sdk, "TRL": with_trl}


if __name__ == "__main__":
    main()
