"""`r1 generate`: rollouts to JSON lines, kept by their verdict."""

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .options import Env, Rewards, Seed, Sets


class Keep(StrEnum):
    """Which rollouts are written: verdict 1.0, verdict below 1.0, or all."""

    correct = "correct"
    wrong = "wrong"
    all = "all"


def generate(
    model: Annotated[str | None, typer.Argument(help="A run folder, a model's name, its folder, or a hub id.")] = None,
    env: Env = None,
    rewards: Rewards = None,
    split: Annotated[str, typer.Option(help="Split of the environment: train or test.")] = "train",
    tasks: Annotated[int, typer.Option(min=1, help="How many tasks.")] = 100,
    samples: Annotated[int, typer.Option(min=1, help="Completions per task.")] = 1,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 is greedy.")] = None,
    keep: Annotated[Keep, typer.Option(help="Which rollouts to write, by their verdict.")] = Keep.all,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(help="The JSON lines file to write.")] = Path("rollouts.jsonl"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
    sets: Sets = None,
) -> None:
    """Generate completions, judge them, and write the kept ones as JSON lines."""
    from r1sdk.errors import R1Error
    from r1sdk.evaluate import attempts
    from r1sdk.runs import rollout_line

    from .inference import set_up
    from .progress import progress

    if out.exists() and not overwrite:
        raise R1Error(f"{out} exists: choose another --out, or replace it with --overwrite")
    setup = set_up(model, sets, {"env": env, "rewards": rewards, "seed": seed}, split, tasks, samples, temperature)
    made = kept = 0
    with out.open("w", encoding="utf-8", errors="backslashreplace") as file, progress("generating") as show:
        for rollouts, scores in attempts(
            setup.tasks, setup.environment, setup.rewards, setup.generator, setup.sampling, progress=show
        ):
            for rollout, score in zip(rollouts, scores, strict=True):
                made += 1
                if _wanted(rollout.verdict.value if rollout.verdict else None, keep):
                    kept += 1
                    file.write(json.dumps(rollout_line(rollout, score), ensure_ascii=False) + "\n")
            file.flush()
    typer.echo(f"kept {kept} of {made} rollouts ({keep.value})")
    typer.echo(f"written to {out}", err=True)


def _wanted(value: float | None, keep: Keep) -> bool:
    """What could not be judged is neither right nor wrong."""
    return keep is Keep.all or (value is not None and (value == 1.0) == (keep is Keep.correct))
