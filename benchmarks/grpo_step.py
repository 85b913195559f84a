"""One GRPO step with r1sdk against the same step written directly on TRL, in turns in one process.

    python benchmarks/grpo_step.py --steps 6 --rounds 4
    python benchmarks/grpo_step.py --model tiny_blank --prompts 8
    torchrun --nproc_per_node 2 benchmarks/grpo_step.py # ddp over gloo: every side in two processes

All sides start from the same weights, seed and prompts, and their rewards are equal. They take turns, in an order that changes with
the round. A step is timed from its beginning to the beginning of the next; the first step of a turn is left out.

- `r1sdk`: as a run does it, with verdicts, prices, rollouts, metrics and status on disk
- `same trainer`: r1sdk's trainer and sampler with two plain reward functions and a data set with columns. It samples the same completions
  and makes the same losses, which is checked, so the ratio to it is what verdicts and records cost
- `TRL`: TRL's own trainer with the same two functions. It draws other completions of the same distribution, so the ratio to it compares
  steps that are alike, not equal

The figures to read are the ratios of a step to the same step of the other side in the same round. The limit is what a step's products
would take at the rate of a large matrix product in the same run: 6 FLOPs for each parameter and trained token, 2 for each generated one.
"""

import argparse
import gc
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

SAMPLES = 8
SAME = ("loss", "grad_norm", "num_tokens", "entropy", "reward", "rewards/accuracy/mean", "rewards/format/mean")


@dataclass
class Turn:
    """The steps of one side in one round."""

    wall: list[float]  # seconds
    cpu: list[float]  # seconds of this process, all threads
    generation: list[float]  # of the seconds of `wall`
    made: list[list[float]]  # what came of each step: `SAME`
    flops: list[float]  # of each step's products


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tiny", help="a registered model")
    parser.add_argument("--prompts", type=int, default=16, help="prompts a step, 8 completions each")
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6, help="steps of a turn, the first not counted")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    import torch
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    torch.set_num_threads(options.threads)
    measure(options)


def measure(options: argparse.Namespace) -> None:
    from r1sdk.training.process_group import join

    processes = join()
    scratch = Path(processes.run_on_main(lambda: tempfile.mkdtemp(prefix="r1-")))
    try:
        rounds = take_rounds(options, scratch, processes)
        processes.barrier()
    finally:
        if processes.main:
            shutil.rmtree(scratch)
    if processes.main:
        tell(options, rounds, processes.world)
    processes.close()


def take_rounds(options: argparse.Namespace, scratch: Path, processes: Any) -> list[dict[str, Turn]]:
    rounds: list[dict[str, Turn]] = []
    run, where = prepare(options, scratch, processes)
    names = list(SIDES)
    for number in range(options.rounds + 1):
        shift = number % len(names)
        turns = {
            name: take_turn(SIDES[name], run, where, scratch / f"{number}-{name}", processes)
            for name in names[shift:] + names[:shift]
        }
        ours, same = turns["r1sdk"].made, turns["same trainer"].made
        if ours != same:
            raise SystemExit(f"the steps differ: {ours} against {same}")
        if number:  # the first round warms up the process
            rounds.append(turns)
    return rounds


def tell(options: argparse.Namespace, rounds: list[dict[str, Turn]], world: int) -> None:
    completions, names = options.prompts * SAMPLES, list(SIDES)
    processes = f"{world} processes of {options.threads} thread(s)" if world > 1 else f"{options.threads} thread(s)"
    print(f"{options.model}, {completions} completions of at most {options.max_tokens} tokens, {processes}")
    for clock in ("wall", "cpu"):
        steps = {name: [value for turns in rounds for value in getattr(turns[name], clock)] for name in SIDES}
        medians = ", ".join(f"{name} {statistics.median(values):.3f}" for name, values in steps.items())
        print(f"{clock:5} median seconds a step: {medians}")
        for name in names[1:]:
            ratios = [a / b for a, b in zip(steps["r1sdk"], steps[name], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            sums = sum(steps["r1sdk"]) / sum(steps[name])
            print(
                f"      r1sdk / {name:12} {middle:.3f} (quartiles {low:.3f}-{high:.3f}, n={len(ratios)}); of sums {sums:.3f}"
            )
    print(f"r1sdk and same trainer are equal at every step in {', '.join(SAME)}")
    rate = product_rate()
    print(f"limit: {rate / 1e9:.0f} GFLOP/s of a large matrix product")
    for name in names:
        turns = [turns[name] for turns in rounds]
        wall, generation, flops = (
            sum(sum(getattr(turn, key)) for turn in turns) for key in ("wall", "generation", "flops")
        )
        print(
            f"      {name:12} generation {generation / wall:.0%}, the rest {1 - generation / wall:.0%}; products at the limit "
            f"would take {flops / rate / wall:.0%} of the step"
        )


def prepare(options: argparse.Namespace, scratch: Path, processes: Any) -> tuple[Any, str]:
    """The composed run, and the folder of its weights."""
    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import load_recipe
    from r1sdk.training.models import locate

    recipe = load_recipe(
        None,
        {
            "model": options.model,
            "env": {"name": "countdown", "options": {"train_size": options.prompts * (options.steps + 1)}},
            "rewards": "accuracy,format",
            "generation": {"samples": SAMPLES, "max_tokens": options.max_tokens},
            "evaluation": {"tasks": 0},
            "trainer": {
                "max_steps": options.steps,
                "per_device_train_batch_size": options.prompts * SAMPLES // processes.world,
                "learning_rate": 1e-5,
                "save_strategy": "no",
            },
        },
    )
    run = plan_run(recipe, load_plugins())
    return run, processes.run_on_main(lambda: locate(run.model, scratch / "base_model", recipe.seed))


def take_turn(side: Any, run: Any, where: str, folder: Path, processes: Any) -> Turn:
    """One side's steps from fresh weights."""
    from transformers import PrinterCallback, set_seed

    from r1sdk.training.models import load_model, load_tokenizer

    clock = clock_callback()
    set_seed(run.recipe.seed)
    trainer = side(run, load_model(where), load_tokenizer(where), folder, processes)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(clock)
    generation = [0.0]
    trainer._generate = timed(trainer._generate, clock, generation)
    set_seed(run.recipe.seed)
    trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    parameters = sum(parameter.numel() for parameter in trainer.model.parameters())
    rows = run.recipe.trainer["per_device_train_batch_size"] * processes.world
    trained = gaps([line["num_tokens"] for line in lines])
    generated = [line["completions/mean_length"] * rows for line in lines[1:]]
    flops = [parameters * (6 * a + 2 * b) for a, b in zip(trained, generated, strict=True)]
    del trainer
    gc.collect()
    made = [[line[key] for key in SAME] for line in lines]
    return Turn(gaps(clock.wall)[1:], gaps(clock.cpu)[1:], generation[2:], made, flops)


def gaps(times: list[float]) -> list[float]:
    return [b - a for a, b in pairwise(times)]


def product_rate(side: int = 1024, **kind: Any) -> float:
    """FLOP/s of a large matrix product, the best of several tries. `kind`: device and type, else float32 on the CPU."""
    import torch

    left, right = (torch.randn(side, side, **kind) for _ in range(2))
    return 2 * side**3 / best_of(lambda: torch.matmul(left, right))


def best_of(work: Callable[[], Any], tries: int = 8) -> float:
    seconds = []
    for _ in range(tries):
        idle()
        started = time.perf_counter()
        work()
        idle()
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def idle() -> None:
    """Until the device has done all that it was given."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def timed(method: Any, clock: Any, spent: list[float]) -> Any:
    """`method`, whose seconds are added to the entry of the step in hand."""

    def call(*arguments: Any, **more: Any) -> Any:
        idle()
        started = time.perf_counter()
        found = method(*arguments, **more)
        idle()
        while len(spent) <= len(clock.wall):
            spent.append(0.0)
        spent[len(clock.wall)] += time.perf_counter() - started
        return found

    return call


def clock_callback() -> Any:
    """Notes the time at the beginning of each step, and at the end of the last."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.wall: list[float] = []
            self.cpu: list[float] = []

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            self.wall.append(time.perf_counter())
            self.cpu.append(time.process_time())

        on_train_end = on_step_begin

    return Clock()


def with_r1sdk(run: Any, model: Any, tokenizer: Any, folder: Path, processes: Any) -> Any:
    """The trainer as `r1sdk.training.run` makes it."""
    from r1sdk.storage.run_folder import RunFolder
    from r1sdk.training.monitor.callback import RunCallback, StopRequest
    from r1sdk.training.trl.grpo import grpo_trainer

    place = RunFolder(folder)

    def create() -> None:
        RunFolder.create(folder, run.recipe, {})

    processes.run_on_main(create)
    return grpo_trainer(run, model, tokenizer, place, [RunCallback(place, StopRequest(), processes)], processes)


def same_trainer(run: Any, model: Any, tokenizer: Any, folder: Path, _: Any = None) -> Any:
    """r1sdk's trainer and sampler, without its verdicts and records."""
    from functools import partial

    from r1sdk.rollout.compacting import generate
    from r1sdk.training.trl.length_chunks import LengthChunkedTrainer

    trainer = plain(LengthChunkedTrainer, run, model, tokenizer, folder)
    model.generate = partial(generate, model)
    return trainer


def with_trl(run: Any, model: Any, tokenizer: Any, folder: Path, _: Any = None) -> Any:
    """TRL's own trainer."""
    from trl import GRPOTrainer

    return plain(GRPOTrainer, run, model, tokenizer, folder)


def plain(trainer: Any, run: Any, model: Any, tokenizer: Any, folder: Path) -> Any:
    """The same training as a user of TRL writes it: a data set with columns, two reward functions."""
    from datasets import Dataset
    from trl import GRPOConfig

    import r1sdk
    from r1_verifiers.countdown import check
    from r1sdk.training.trl.grpo import grpo_arguments

    def accuracy(completions: list[Any], nums: list[list[int]], target: list[int], **_: Any) -> list[float]:
        answers = [r1sdk.extract_answer(completion[-1]["content"]) for completion in completions]
        return [check(*row).value or 0.0 for row in zip(answers, nums, target, strict=True)]

    def format(completions: list[Any], **_: Any) -> list[float]:
        return [float(r1sdk.parse_reply(completion[-1]["content"]) is not None) for completion in completions]

    rows = [
        {"prompt": task.prompt, "nums": task.info["nums"], "target": task.info["target"]}
        for task in run.environment.tasks("train")
    ]
    return trainer(
        model=model,
        args=GRPOConfig(**grpo_arguments(run, folder)),
        train_dataset=Dataset.from_list(rows),
        reward_funcs=[accuracy, format],
        processing_class=tokenizer,
    )


SIDES = {"r1sdk": with_r1sdk, "same trainer": same_trainer, "TRL": with_trl}


if __name__ == "__main__":
    main()
