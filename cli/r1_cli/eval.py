"""`r1 eval`: how often models are right on held-out tasks, with the uncertainty, and how they differ."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Backend, Json, Rewards, Seed, Sets

if TYPE_CHECKING:
    from r1sdk.evaluation.attempts import Evaluation
    from r1sdk.evaluation.evaluation_folder import EvaluationFolder
    from r1sdk.evaluation.statistics import Difference

    from .benches import Bench, Setup

Results = dict[str, dict[str, "Evaluation"]]


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
    by: Annotated[str, typer.Option(help="Part the accuracy by these keys of a task's info.")] = "env,category",
    option: Annotated[
        list[str] | None, typer.Option(help="An option of one of several environments: gsm8k.source=FOLDER")
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
        typer.Option(
            help="Folder for the figures and all rollouts; one that was cut goes on.  [default: evals/ENV-MODEL-TIME]"
        ),
    ] = None,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Evaluate models on environments: accuracy ± standard error, rewards, pass@k, maj@k, categories, paired differences."""
    from r1sdk.evaluation.evaluation_folder import EvaluationFolder
    from r1sdk.storage.lock import claim_folder

    from .benches import load_generator, set_up
    from .ui.progress import progress

    envs = list(dict.fromkeys(name.strip() for name in (env or "").split(",") if name.strip()))
    asked = {"split": split, "tasks": tasks, "samples": samples, "temperature": temperature, "top_p": top_p}
    at = None if server is None else {"url": server, "api_key_env": api_key_env, "concurrent": concurrent}
    flags = {"rewards": rewards, "seed": seed, "generation": None if backend is None else {"backend": backend}}
    setup = set_up(models or [], envs, sets or [], option or [], flags, asked, at)
    for bench in setup.benches:
        typer.echo(bench.summary, err=True)
    if setup.backend is not None:
        typer.echo(f"generation by {setup.backend}", err=True)
    folder = EvaluationFolder.open(out or claim_folder(_default(setup)), setup.plan)
    keys = [key.strip() for key in by.split(",") if key.strip()]
    results: Results = {}
    try:
        for model, source in setup.models.items():
            loaded: list[Any] = []

            def generator(source: Any = source, loaded: list[Any] = loaded) -> Any:
                loaded[:] = loaded or [load_generator(source, setup)]
                return loaded[0]

            for bench in setup.benches:
                with progress(f"{model} on {bench.name}") as show:
                    results.setdefault(model, {})[bench.name] = folder.evaluate(
                        model,
                        bench.name,
                        bench.tasks,
                        bench.environment,
                        bench.rewards,
                        generator,
                        bench.sampling,
                        keys,
                        show,
                        setup.chunk,
                        bench.recipe.sessions,
                    )
        differences = _differences(folder, setup)
        folder.write_summary(_summary(results, differences))
    finally:
        folder.close()
    if as_json:
        typer.echo(json.dumps(_summary(results, differences), indent=2, ensure_ascii=False))
    else:
        _print(results, differences, setup.benches)
    typer.echo(f"results and rollouts  {folder.path}", err=True)


def _default(setup: "Setup") -> Path:
    """evals/ENV-MODEL-TIME."""
    import re
    import time

    name = "-".join(
        [*(bench.name for bench in setup.benches[:3]), *list(setup.models)[:3], time.strftime("%m%d-%H%M%S")]
    )
    return Path("evals") / re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-120:].lstrip("-.")


def _differences(folder: "EvaluationFolder", setup: "Setup") -> "dict[str, dict[str, Difference]]":
    """Each other model against the first, by environment."""
    first, *others = setup.models
    return {
        model: {bench.name: folder.compare(first, model, bench.name) for bench in setup.benches} for model in others
    }


def _summary(results: Results, differences: "dict[str, dict[str, Difference]]") -> dict[str, Any]:
    return {
        "results": {model: {env: found.to_json() for env, found in by.items()} for model, by in results.items()},
        "differences": {
            "from": next(iter(results)),
            "to": {model: {env: found.to_json() for env, found in by.items()} for model, by in differences.items()},
        },
    }


def _print(results: Results, differences: "dict[str, dict[str, Difference]]", benches: "Sequence[Bench]") -> None:
    several = len(benches) > 1 or len(results) > 1
    for model, by in results.items():
        for env, found in by.items():
            if several:
                typer.echo(f"{model} on {env}")
            _print_one(found, "  " if several else "")
    for model, gaps in differences.items():
        typer.echo(f"{model} less {next(iter(results))}, on the same tasks, with the 95% confidence interval")
        for env, gap in gaps.items():
            typer.echo(f"  {env:12}  {gap}")


def _print_one(result: "Evaluation", indent: str) -> None:
    named = [name for by in result.categories.values() for name in by]
    width = max([12, *map(len, result.rewards), *(len(name) + 2 for name in named)])

    def line(name: str, value: object) -> None:
        typer.echo(f"{indent}{name:{width}}  {value}")

    line("accuracy" if result.samples == 1 else f"avg@{result.samples}", result.accuracy)
    for k, estimate in result.pass_at.items():
        if k > 1:
            line(f"pass@{k}", estimate)
    if result.majority is not None:
        line(f"maj@{result.samples}", result.majority)
    for key, by in result.categories.items():
        typer.echo(f"{indent}by {key}")
        for name, estimate in by.items():
            line(f"  {name}", estimate)
    for name, estimate in result.rewards.items():
        line(name, f"{estimate}  reward")
    line("tokens", f"{result.tokens:.1f} per completion, {result.clipped:.1%} cut by the limit")
    if set(result.statuses) - {"ok"}:
        line("verdicts", ", ".join(f"{n} {status}" for status, n in result.statuses.items()))
