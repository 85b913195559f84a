"""`r1 eval`: how often models are right on held-out tasks, with the uncertainty, and how they differ."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .options import Backend, Json, Rewards, Seed, Sets
from .ui.lines import echo, tell, tell_labelled

if TYPE_CHECKING:
    from r1sdk.api import Comparison, Evaluation


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            help="Run folders, models' names, their folders, hub ids; with --server names there. Several are compared."
        ),
    ] = None,
    env: Annotated[str | None, typer.Option(help="Environments, by name with commas (see r1 plugins).")] = None,
    rewards: Rewards = None,
    split: Annotated[str | None, typer.Option(help="Split of the environment: test or train.")] = None,
    tasks: Annotated[
        int | None, typer.Option(min=1, help="How many tasks.  [default: 200; of a benchmark, all]")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Completions per task, for pass@k and maj@k.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 is greedy.")] = None,
    top_p: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Nucleus sampling.")] = None,
    by: Annotated[str, typer.Option(help="Group the accuracy by these keys of a task's info.")] = "env,category",
    option: Annotated[
        list[str] | None, typer.Option(hidden=True, help="The same as --set, of one of several environments.")
    ] = None,
    backend: Backend = None,
    server: Annotated[str | None, typer.Option(help="Ask the OpenAI-compatible server at this URL.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The NAME of the environment variable that holds the server's key.")
    ] = None,
    concurrent: Annotated[int, typer.Option(min=1, help="Requests to the server at a time.")] = 256,
    seed: Seed = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output folder. An interrupted evaluation resumes in it.  [default: evals/ENV-MODEL-TIME]"),
    ] = None,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Evaluate models on environments: accuracy ± standard error, rewards, pass@k, maj@k, categories, paired differences."""
    from r1sdk.api import compare, split_names

    found = compare(
        models or [],
        split_names(env or ""),
        rewards=rewards,
        split=split,
        tasks=tasks,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        backend=backend,
        server=server,
        api_key_env=api_key_env,
        concurrent=concurrent,
        by=split_names(by),
        options=option or [],
        settings=sets or [],
        out=out,
    )
    if as_json:
        echo(json.dumps(found.to_json(), indent=2, ensure_ascii=False))
    else:
        _print(found)
    echo(f"results and rollouts  {found.folder}", err=True)


def _print(found: "Comparison") -> None:
    several = len(found.results) > 1 or any(len(by) > 1 for by in found.results.values())
    for model, by in found.results.items():
        for env, one in by.items():
            if several:
                tell(f"{model} on {env}")
            _print_one(one, "  " if several else "")
    for name, spreads in found.over_seeds.items():
        for env, spread in spreads.items():
            tell(f"{name} on {env}, over {spread.n} seeds")
            tell(f"  mean          {spread.mean:.3f}" if spread.mean is not None else "  mean          not measured")
            if spread.stderr is not None:
                tell(f"  over seeds    ± {spread.stderr:.3f}  how far other seeds would move the mean")
            if spread.task_stderr is not None:
                tell(f"  over tasks    ± {spread.task_stderr:.3f}  how far other tasks would move it (sampling error)")
            if spread.comment:
                tell(f"  {spread.comment}")
    for model, gaps in found.differences.items():
        over = "over seeds" if {model, found.first} <= {*found.over_seeds} else "on the same tasks"
        tell(f"{model} minus {found.first}, {over}, with the 95% confidence interval")
        for env, gap in gaps.items():
            tell(f"  {env:12}  {gap}", hang=16)


def _print_one(result: "Evaluation", indent: str) -> None:
    from r1sdk.report import visible

    named = [visible(name, lines=False) for by in result.categories.values() for name in by]
    width = max([12, *map(len, result.rewards), *(len(name) + 2 for name in named)])

    def line(name: str, value: object) -> None:
        tell_labelled(visible(name, lines=False), str(value), width, len(indent))

    line("accuracy" if result.samples == 1 else f"avg@{result.samples}", result.accuracy)
    for k, estimate in result.pass_at.items():
        if k > 1:
            line(f"pass@{k}", estimate)
    if result.majority is not None:
        line(f"maj@{result.samples}", result.majority)
    for key, by in result.categories.items():
        echo(f"{indent}by {key}")
        for name, estimate in by.items():
            line(f"  {name}", estimate)
    for name, estimate in result.rewards.items():
        line(name, f"{estimate}  reward")
    line("tokens", f"{result.tokens:.1f} per completion, {result.clipped:.1%} truncated")
    if set(result.statuses) - {"ok"}:
        line("verdicts", ", ".join(f"{n} {status}" for status, n in result.statuses.items()))
