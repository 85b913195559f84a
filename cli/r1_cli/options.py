"""The options that several commands share, and the recipe layer that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from r1sdk.plugins.registry import Registry
    from r1sdk.recipe.schema import Recipe

Env = Annotated[str | None, typer.Option(help="Environment, by name (see r1 plugins).")]
Rewards = Annotated[str | None, typer.Option(help="Rewards by name, with weights if not 1: accuracy,format=0.2")]
Sets = Annotated[list[str] | None, typer.Option("--set", help="Any recipe key: --set env.options.level=easy")]
Seed = Annotated[int | None, typer.Option(help="Seed of sampling and of the order of the data.")]
Backend = Annotated[
    str | None,
    typer.Option(help="What generates: transformers, vllm, or auto: vllm where it is installed and a GPU is here."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def resolve(
    registry: "Registry", name: str | None, sets: list[str] | None, flags: dict[str, Any]
) -> tuple["Recipe", str]:
    """The recipe of a command, and where it began. Flags that were not given are left out."""
    from r1sdk.errors import RecipeError
    from r1sdk.planning.build import find_recipe
    from r1sdk.planning.stages import is_pipeline
    from r1sdk.recipe.layers import dotted
    from r1sdk.recipe.schema import load_recipe

    given = {key: value for key, value in flags.items() if value is not None}
    layers = [*map(dotted, sets or []), given]
    env = first_name(layers, "env")
    path, why = find_recipe(registry, name, env, first_name(layers, "model"), first_name(layers, "method"))
    if is_pipeline(path):
        raise RecipeError(f"recipe {name!r} has stages, and this takes one run: r1 train {name} --dry-run shows them")
    return load_recipe(path, *layers), f"{path.name if why == 'given' else why}"


def first_name(layers: list[dict[str, Any]], key: str) -> str | None:
    """What the last layer that speaks of `key` names."""
    for layer in reversed(layers):
        value = layer.get(key)
        name = value.get("name") if isinstance(value, dict) else value
        if isinstance(name, str):
            return name
    return None


def run_recipe(model: str | None) -> "Recipe | None":
    """The recipe of the run folder that `model` names, or None where it names something else."""
    from r1sdk.storage.run_folder import RunFolder

    if model is not None and (Path(model) / "recipe.yaml").is_file():
        return RunFolder.open(Path(model)).recipe()
    return None
