"""What `r1 eval` and `r1 generate` share: a recipe without training, its model loaded, its tasks."""

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer

from .options import resolve, run_recipe

if TYPE_CHECKING:
    from r1sdk.generation import Generator, Sampling
    from r1sdk.recipe import Recipe
    from r1sdk.records import Task
    from r1sdk.scoring import Rewards


@dataclass(frozen=True)
class Setup:
    recipe: "Recipe"
    environment: Any
    rewards: "Rewards"
    tasks: "list[Task]"
    generator: "Generator"
    sampling: "Sampling"


def set_up(
    model: str | None,
    sets: list[str] | None,
    flags: dict[str, Any],
    split: str | None,
    tasks: int | None,
    samples: int | None,
    temperature: float | None,
) -> Setup:
    """Everything checked, then the model loaded. A run folder brings its own environment, rewards and limits."""
    from pathlib import Path
    from tempfile import mkdtemp

    from r1sdk.compose import build_environment, build_rewards, resolve_model
    from r1sdk.errors import R1Error, raise_all
    from r1sdk.generation import Sampling
    from r1sdk.plugins import load_plugins
    from r1sdk.recipe import dotted, load_recipe

    registry = load_plugins()
    given = {key: value for key, value in flags.items() if value is not None}
    if (trained := run_recipe(model)) is not None:
        recipe = load_recipe(None, trained.model_dump(mode="json"), *map(dotted, sets or []), given, {"model": model})
    else:
        recipe, _ = resolve(registry, None, sets, {**given, **({"model": model} if model else {})})
    built: list[Any] = []
    errors: list[R1Error] = []
    for step in (
        lambda: build_environment(registry, recipe.env.name, recipe.env.options, recipe.env.timeout_s),
        lambda: build_rewards(registry, recipe),
        lambda: resolve_model(registry, recipe.model),
    ):
        try:
            built.append(step())
        except R1Error as error:
            errors.append(error)
    raise_all(errors)
    environment, rewards, source = built

    settings = recipe.evaluation
    wanted = list(islice(environment.tasks(split or settings.split), settings.tasks if tasks is None else tasks))
    if not wanted:
        raise R1Error(f"environment {recipe.env.name!r} has no tasks in split {split or settings.split!r}")
    summary = getattr(environment, "summary", lambda: recipe.env.name)()
    typer.echo(f"{recipe.model} on {summary}; {len(wanted)} tasks of split {split or settings.split}", err=True)

    from r1sdk.generation.hf_model import HFModel
    from r1sdk.train.models import check_lengths, load_model, load_tokenizer, locate

    where = locate(source, Path(mkdtemp(prefix="r1-")), recipe.seed) if source.make else locate(source, Path(), 0)
    tokenizer = load_tokenizer(where)
    check_lengths(wanted, tokenizer, where, recipe.generation.max_tokens)
    sampling = Sampling(
        samples=samples or settings.samples,
        max_tokens=recipe.generation.max_tokens,
        temperature=settings.temperature if temperature is None else temperature,
        top_p=settings.top_p,
        seed=recipe.seed,
    )
    return Setup(recipe, environment, rewards, wanted, HFModel(load_model(where), tokenizer), sampling)
