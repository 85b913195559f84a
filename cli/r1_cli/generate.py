"""`r1 generate`: many answers to each task, judged, chosen from, and written as a data set to train on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Backend, Env, Rewards, Seed, Sets, first_name, run_recipe

if TYPE_CHECKING:
    from r1sdk.generate import Collected
    from r1sdk.recipe.schema import Recipe

INTERRUPTED = 130


def generate(
    model: Annotated[
        str | None,
        typer.Argument(help="A run folder, a model's name, its folder, a hub id; with --server: its name there."),
    ] = None,
    env: Env = None,
    rewards: Rewards = None,
    split: Annotated[str | None, typer.Option(help="Split of the environment: train or test.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="How many tasks.  [default: 100]")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Answers to each task.  [default: 1]")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 is greedy.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of one answer.")] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Which answers to keep, parts with commas: correct, wrong or all; best=N, shortest=N or first=N "
            "of each task; pass_rate=A:B.  [default: all]"
        ),
    ] = None,
    duplicates: Annotated[bool | None, typer.Option("--duplicates", help="Keep answers that are the same.")] = None,
    backend: Backend = None,
    server: Annotated[str | None, typer.Option(help="Ask the OpenAI-compatible server at this URL.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The NAME of the environment variable that holds the server's key.")
    ] = None,
    concurrent: Annotated[
        int | None, typer.Option(min=1, help="Requests to the server at a time.  [default: 256]")
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="What a million tokens cost, asked and answered, for the total: 0.5,1.5")
    ] = None,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(help="The file to write, .jsonl or .parquet.")] = Path("rollouts.jsonl"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew, without what is there.")] = False,
    push: Annotated[str | None, typer.Option(help="Upload the data set as OWNER/NAME to the hub, private.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: for everyone to see.")] = False,
    sets: Sets = None,
) -> None:
    """Generate answers, judge them, and write the kept ones. Stopped or killed, the same command goes on."""
    from r1sdk.errors import R1Error
    from r1sdk.generate import collect, plan_of
    from r1sdk.generate.work import discard
    from r1sdk.planning.build import compose
    from r1sdk.plugins.registry import load_plugins

    from .ui.progress import metered

    server_keys = {"url": server, "api_key_env": api_key_env, "concurrent": concurrent, "price": _price(price)}
    flags: dict[str, Any] = {
        "method": "generate",
        "model": model,
        "env": env,
        "rewards": rewards,
        "seed": seed,
        "generation": {
            "backend": backend,
            "samples": samples,
            "temperature": temperature,
            "max_tokens": max_tokens,
        },
        "collect": {"split": split, "tasks": tasks, "keep": keep, "duplicates": duplicates, "server": server_keys},
    }
    registry = load_plugins()
    run = compose(_recipe(registry, model, sets, flags), registry)
    plan = plan_of(run, out)
    if overwrite:
        discard(plan)
    elif out.exists() and not plan.work.is_dir():
        raise R1Error(f"{out} exists: choose another --out, or replace it with --overwrite")
    summary = getattr(run.environment, "summary", lambda: run.recipe.env.name)()
    typer.echo(f"{plan.model} on {summary}; {len(plan.tasks)} tasks of split {run.recipe.collect.split}", err=True)
    from r1sdk.planning.backend import backend_of
    from r1sdk.train.generation_source import source_of

    if run.recipe.collect.server is None:
        typer.echo(f"generation by {backend_of(run.recipe)}", err=True)
    source = source_of(run, plan)
    try:
        with metered("generating") as show:
            collected = collect(plan, source, show)
    except KeyboardInterrupt:
        typer.echo(f"stopped; what came is in {plan.work}, and the same command goes on from there", err=True)
        raise typer.Exit(INTERRUPTED) from None
    report(collected)
    if push:
        from r1sdk.generate.push import push as upload

        typer.echo(f"pushed to {upload(plan, push, public)}", err=True)
    typer.echo(f"next: r1 train --method sft --model MODEL --data {out}", err=True)


def report(collected: "Collected") -> None:
    """What was kept on stdout, the rest on stderr. Raises: R1Error where answers or verdicts are missing."""
    from r1sdk.errors import R1Error

    plan, meter, chosen = collected.plan, collected.meter, collected.chosen
    typer.echo(f"kept {len(chosen.kept)} of {meter.done} rollouts ({plan.rule})")
    left_out = [(chosen.duplicates, "duplicates"), (collected.empty, "empty answers")]
    said = "".join(f", {number} {what} left out" for number, what in left_out if number)
    typer.echo(f"accuracy {collected.accuracy} before choosing{said}", err=True)
    cost = "" if collected.cost is None else f"; cost {collected.cost:.4f}"
    unmetered = f" ({meter.unmetered} answers without a count)" if meter.unmetered and meter.prompt_tokens else ""
    typer.echo(
        f"tokens {meter.prompt_tokens:,} asked, {meter.completion_tokens:,} answered{unmetered}{cost}; "
        f"{meter.retried} requests asked again",
        err=True,
    )
    typer.echo(f"written to {plan.out}, card {plan.card}, every answer in {plan.work}", err=True)
    missing = meter.total - meter.done
    if missing:
        reasons = "\n".join(f"  {number} x {reason}" for reason, number in collected.failures.most_common(5))
        raise R1Error(
            f"{missing} of {meter.total} answers did not come; the same command asks for them again\n{reasons}"
        )
    if collected.unjudged:
        raise R1Error(f"{collected.unjudged} answers could not be judged; the same command judges them again")


def _recipe(registry: Any, model: str | None, sets: list[str] | None, flags: dict[str, Any]) -> "Recipe":
    """A run folder's recipe, or that of the environment and the model, under `--set` and the flags. Raises: R1Error."""
    from r1sdk.planning.build import find_recipe
    from r1sdk.recipe.layers import dotted
    from r1sdk.recipe.schema import load_recipe

    layers = [*map(dotted, sets or []), _given(flags)]
    defaults = {"method": "generate", "generation": {"samples": 1}, "collect": {"tasks": 100}}
    trained = None if flags["collect"]["server"]["url"] else run_recipe(model)
    if trained is not None:
        return load_recipe(None, trained.model_dump(mode="json"), defaults, *layers)
    path, _ = find_recipe(registry, None, first_name(layers, "env"), first_name(layers, "model"))
    return load_recipe(path, defaults, *layers)


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    """Those that were given."""
    found = {key: _given(value) if isinstance(value, dict) else value for key, value in flags.items()}
    return {key: value for key, value in found.items() if value is not None and value != {}}


def _price(text: str | None) -> list[float] | None:
    from r1sdk.errors import RecipeError

    if text is None:
        return None
    try:
        prompt, completion = map(float, text.split(","))
    except ValueError:
        raise RecipeError(f"--price takes two numbers, as 0.5,1.5; got {text!r}") from None
    return [prompt, completion]
