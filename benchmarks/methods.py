"""Compare training methods on Countdown at an equal number of generated completions: GRPO, distillation, SFT, DPO.

    r1 train --env countdown --rewards accuracy,format --out runs/teacher
    python benchmarks/methods.py --teacher runs/teacher --seeds 0,1,2 --out runs/methods

Each method starts from `tiny` and has `--steps` x 128 completions: those of the student (GRPO, distillation), of the teacher (SFT
on the ones that are right) or of `tiny` (DPO on pairs of a right and a wrong one). Runs that are finished are read, not repeated.
"""

import argparse
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import r1sdk
from r1sdk.api import RunFolder

BATCH = 128
ENV = {"name": "countdown", "options": {"train_size": 4000}}
SCHEDULE = {"trainer.lr_scheduler_type": "cosine", "trainer.warmup_steps": 5, "trainer.adam_beta2": 0.99}


def settings(evaluated: int, **trainer: Any) -> dict[str, Any]:
    """Return the settings that all methods share, with those of the trainer."""
    shared = {"generation.max_tokens": 300, "evaluation.tasks": evaluated, "evaluation.during": 0, **SCHEDULE}
    return shared | {f"trainer.{name}": value for name, value in trainer.items()}


def grpo(options: argparse.Namespace, seed: int, out: Path) -> r1sdk.TrainedRun:
    """Train by GRPO, the recipe of the README with fewer steps."""
    given = settings(options.tasks, per_device_train_batch_size=BATCH, learning_rate=3e-4)
    return r1sdk.train(env=ENV, model="tiny", seed=seed, steps=options.steps, settings=given, out=out, progress=False)


def distill(divergence: str) -> Callable[[argparse.Namespace, int, Path], r1sdk.TrainedRun]:
    """Return the training by on-policy distillation with this divergence."""

    def run(options: argparse.Namespace, seed: int, out: Path) -> r1sdk.TrainedRun:
        given = settings(options.tasks, per_device_train_batch_size=BATCH, learning_rate=options.distill_rate)
        given |= {"distill.divergence": divergence}
        return r1sdk.train(
            method="distill",
            env=ENV,
            model="tiny",
            teacher=str(options.teacher),
            seed=seed,
            steps=options.steps,
            settings=given,
            out=out,
            progress=False,
        )

    return run


def sft(options: argparse.Namespace, seed: int, out: Path) -> r1sdk.TrainedRun:
    """Train by SFT on the right ones of the teacher's answers, one to each task."""
    made = answers(options.teacher, options, seed, out, keep="correct")
    given = settings(
        options.tasks, per_device_train_batch_size=32, learning_rate=3e-4, num_train_epochs=2, max_length=400
    )
    return r1sdk.train(
        method="sft", env=ENV, model="tiny", data=str(made), seed=seed, settings=given, out=out, progress=False
    )


def dpo(options: argparse.Namespace, seed: int, out: Path) -> r1sdk.TrainedRun:
    """Train by DPO on pairs of answers of `tiny` itself, eight to each task."""
    made = answers("tiny", options, seed, out, samples=8, pairs=True)
    given = settings(
        options.tasks, per_device_train_batch_size=32, learning_rate=1e-4, num_train_epochs=1, max_length=400
    )
    return r1sdk.train(
        method="dpo", env=ENV, model="tiny", data=str(made), seed=seed, settings=given, out=out, progress=False
    )


def answers(model: Any, options: argparse.Namespace, seed: int, out: Path, samples: int = 1, **more: Any) -> Path:
    """Generate as many completions as the other methods have, and return the file of the kept ones."""
    made = r1sdk.generate(
        model,
        env=ENV,
        rewards="accuracy,format",
        tasks=options.steps * BATCH // samples,
        samples=samples,
        max_tokens=300,
        seed=seed,
        out=out.with_suffix(".jsonl"),
        progress=False,
        **more,
    )
    return made.path


METHODS: dict[str, Callable[[argparse.Namespace, int, Path], r1sdk.TrainedRun]] = {
    "grpo": grpo,
    "distill, reverse KL": distill("reverse"),
    "distill, forward KL": distill("forward"),
    "distill, jsd": distill("jsd"),
    "sft on the teacher's right answers": sft,
    "dpo on own pairs": dpo,
}


def accuracy(folder: Path) -> float | None:
    """Return the held-out accuracy after training; None for a run that is not finished."""
    found = RunFolder(folder).evaluation("after") if folder.is_dir() else None
    return None if found is None else float(found["accuracy"]["mean"])


def table(found: dict[str, list[float]]) -> str:
    """Return the table: mean over seeds, its standard error, and each seed."""
    lines = ["| method | held-out accuracy | by seed |", "|---|---|---|"]
    for name, values in found.items():
        error = f" ± {stdev(values) / math.sqrt(len(values)):.3f}" if len(values) > 1 else ""
        lines.append(f"| {name} | {mean(values):.3f}{error} | {', '.join(f'{value:.3f}' for value in values)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--teacher", type=Path, required=True, help="a run folder, or a model")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=500, help="held-out tasks")
    parser.add_argument("--distill-rate", type=float, default=1e-3, help="learning rate of distillation")
    parser.add_argument("--methods", default=",".join(name.replace(",", "") for name in METHODS))
    parser.add_argument("--out", type=Path, default=Path("runs/methods"))
    options = parser.parse_args(arguments)
    chosen = [name for name in METHODS if name.replace(",", "") in options.methods.split(",")]
    found: dict[str, list[float]] = {}
    for seed in map(int, options.seeds.split(",")):
        for name in chosen:
            folder = options.out / f"{name.replace(',', '').replace(' ', '-').replace(chr(39), '')}-{seed}"
            if accuracy(folder) is None:
                started = time.perf_counter()
                METHODS[name](options, seed, folder)
                print(f"{name}, seed {seed}: {accuracy(folder):.3f}, {time.perf_counter() - started:.0f} s", flush=True)
            found.setdefault(name, []).append(accuracy(folder) or 0.0)
    print(table(found))


if __name__ == "__main__":
    main()
