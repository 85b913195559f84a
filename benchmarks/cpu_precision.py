"""Numbers and threads on a CPU: float32 against bfloat16, one thread against all, for training and for generation.

    python benchmarks/cpu_precision.py --rounds 5
    python benchmarks/cpu_precision.py --shape 0.5b --layers 4 --rows 4
    python benchmarks/cpu_precision.py --products

`autocast` is what `trainer.bf16` does: weights in float32, products in bfloat16. `weights` is `dtype: bfloat16`, as under LoRA. The ways
take turns, so that a busy machine slows all; read the ratios to float32 on one thread. Where others use the machine, the processor's
seconds compare numbers, and nothing compares threads.
"""

import argparse
import os
import statistics
import tempfile
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpu_step import SHAPES, make_model

PRECISIONS = ("float32", "autocast", "weights")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=("tiny", *SHAPES), default="tiny")
    parser.add_argument("--layers", type=int, help="fewer than the shape has")
    parser.add_argument("--rows", type=int, default=64, help="completions of a batch")
    parser.add_argument(
        "--tokens", type=int, default=128, help="of each: as many are trained on, and half as many generated"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one-thread", action="store_true", help="compare numbers only")
    parser.add_argument("--products", action="store_true", help="only the matrix products of a 0.5B model, in seconds")
    options = parser.parse_args()

    if options.products:
        products(options.rounds)
        return

    from transformers.utils import logging

    from r1sdk.planning.hardware import bf16, cores

    logging.disable_progress_bar()
    threads = [1] if options.one_thread else sorted({1, cores()})
    ways = [(precision, count) for precision in PRECISIONS for count in threads]
    with tempfile.TemporaryDirectory() as scratch:
        models = load(options, Path(scratch))
        found: dict[tuple[str, str, int], list[Taken]] = {}
        for number in range(options.rounds + 1):
            shift = number % len(ways)
            for precision, count in ways[shift:] + ways[:shift]:
                for what, work in (("training", train), ("generation", generate)):
                    took = taken(work, models[precision], precision, options, count)
                    if number:  # the first round warms up the process
                        found.setdefault((what, precision, count), []).append(took)
    has = ", ".join(bf16()) or "no bf16 instructions"
    print(f"{options.shape}, {options.rows} x {options.tokens} tokens, {cores()} cores, {has}")
    print(f"{'':11}{'':9}{'threads':>8}{'seconds':>9}{'of float32 on 1: wall':>23}{'processor':>18}")
    for (what, precision, count), times in sorted(found.items()):
        first = found[what, "float32", 1]
        wall, cpu = (
            ratio_text([getattr(a, clock) / getattr(b, clock) for a, b in zip(times, first, strict=True)])
            for clock in ("wall", "cpu")
        )
        seconds = statistics.median(took.wall for took in times)
        print(f"{what:11}{precision:9}{count:8}{seconds:9.3f}{wall:>23}{cpu:>18}")


def products(rounds: int) -> None:
    """The matrices of Qwen2.5 0.5B on one thread: many rows as in training, four as in generation; processor time."""
    import torch
    from torch.nn.functional import linear

    torch.set_num_threads(1)
    print(f"{'rows x in x out':18}{'float32 ms':>12}{'weights':>20}{'autocast':>20}")
    for rows, width, out in ((512, 896, 4864), (512, 896, 896), (256, 896, 16384), (4, 896, 4864)):
        left, right = torch.randn(rows, width), torch.randn(out, width)
        halves = left.bfloat16(), right.bfloat16()
        seconds: dict[str, list[float]] = {name: [] for name in PRECISIONS}
        for number in range(8 * rounds + 1):
            for name in PRECISIONS:
                began = time.process_time()
                with torch.autocast("cpu", torch.bfloat16, enabled=name == "autocast", cache_enabled=False):
                    linear(*halves) if name == "weights" else linear(left, right)
                if number:
                    seconds[name].append(time.process_time() - began)
        whole = seconds["float32"]
        weights, autocast = (
            f"{statistics.median(a / b for a, b in zip(seconds[name], whole, strict=True)):.2f}"
            for name in ("weights", "autocast")
        )
        print(f"{f'{rows} x {width} x {out}':18}{1000 * statistics.median(whole):12.1f}{weights:>20}{autocast:>20}")


@dataclass(frozen=True)
class Taken:
    """Seconds, and seconds of all processors together."""

    wall: float
    cpu: float


def ratio_text(ratios: list[float]) -> str:
    """The median, and the least and the greatest."""
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def load(options: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """The same weights, in each precision."""
    import torch

    from r1sdk.plugins.loading import load_plugins
    from r1sdk.training.models import load_model

    where = scratch / "model"
    if options.shape == "tiny":
        where = Path(load_plugins().get("model", "tiny").target)
    else:
        if options.layers:
            SHAPES[options.shape]["num_hidden_layers"] = options.layers
        make_model(options.shape, where)
    whole, half = (load_model(str(where), dtype=kind) for kind in (torch.float32, torch.bfloat16))
    return {"float32": whole, "autocast": whole, "weights": half}


def taken(work: Any, model: Any, precision: str, options: argparse.Namespace, threads: int) -> Taken:
    import torch

    torch.set_num_threads(threads)
    wall, cpu = time.perf_counter(), time.process_time()
    work(model, precision, options)
    return Taken(time.perf_counter() - wall, time.process_time() - cpu)


def cast(precision: str) -> Any:
    import torch

    return torch.autocast("cpu", torch.bfloat16) if precision == "autocast" else nullcontext()


def train(model: Any, precision: str, options: argparse.Namespace) -> None:
    """Forward and backward."""
    import torch

    ids = torch.randint(1, model.config.vocab_size, (options.rows, options.tokens))
    with cast(precision):
        loss = model(ids, labels=ids).loss
    loss.backward()
    model.zero_grad()


def generate(model: Any, precision: str, options: argparse.Namespace) -> None:
    """By r1sdk's own loop, to the last token."""
    import torch
    from transformers import GenerationConfig

    from r1sdk.rollout.compacting import generate as compacting

    ids = torch.randint(1, model.config.vocab_size, (options.rows, 32))
    config = GenerationConfig(
        do_sample=True, max_new_tokens=options.tokens // 2, pad_token_id=0, eos_token_id=model.config.vocab_size
    )
    with torch.inference_mode(), cast(precision):
        compacting(model, ids, torch.ones_like(ids), config)


if __name__ == "__main__":
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    main()
