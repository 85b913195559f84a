"""`r1 eval`: how often a model is right on held-out tasks, with the uncertainty of that number."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import Env, Json, Rewards, Seed, Sets


def evaluate(
    model: Annotated[str | None, typer.Argument(help="A run folder, a model's name, its folder, or a hub id.")] = None,
    env: Env = None,
    rewards: Rewards = None,
    split: Annotated[str | None, typer.Option(help="Split of the environment: test or train.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="How many tasks.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Completions per task, for pass@k.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 is greedy.")] = None,
    seed: Seed = None,
    out: Annotated[Path | None, typer.Option(help="Also write every rollout to this JSON lines file.")] = None,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Evaluate a model on an environment: accuracy ± standard error, each reward's mean, pass@k."""
    from r1sdk.evaluate import evaluate as run_evaluation
    from r1sdk.runs import rollout_line

    from .inference import set_up
    from .progress import progress

    setup = set_up(model, sets, {"env": env, "rewards": rewards, "seed": seed}, split, tasks, samples, temperature)
    file = out.open("w", encoding="utf-8", errors="backslashreplace") if out else None

    def keep(rollouts: list, scores: list) -> None:  # type: ignore[type-arg]
        if file:
            file.writelines(json.dumps(rollout_line(r, s), ensure_ascii=False) + "\n" for r, s in zip(rollouts, scores))

    try:
        with progress("evaluating") as show:
            result = run_evaluation(
                setup.tasks, setup.environment, setup.rewards, setup.generator, setup.sampling, progress=show, keep=keep
            )
    finally:
        if file:
            file.close()
    if as_json:
        typer.echo(json.dumps(result.to_json(), indent=2))
        return
    width = max([12, *map(len, result.rewards)])
    typer.echo(f"{'accuracy':{width}}  {result.accuracy}")
    for k, estimate in result.pass_at.items():
        if k > 1:
            typer.echo(f"{f'pass@{k}':{width}}  {estimate}")
    for name, estimate in result.rewards.items():
        typer.echo(f"{name:{width}}  {estimate}  reward")
    typer.echo(f"{'tokens':{width}}  {result.tokens:.1f} per completion, {result.clipped:.1%} cut by the limit")
    if set(result.statuses) - {"ok"}:
        typer.echo(f"{'verdicts':{width}}  " + ", ".join(f"{n} {status}" for status, n in result.statuses.items()))
    if out:
        typer.echo(f"rollouts written to {out}", err=True)
