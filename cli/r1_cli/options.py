"""The options that several commands share."""

from typing import Annotated

import typer

from .complete import plugin_names

Env = Annotated[
    str | None, typer.Option(help="Environment, by name (see r1 plugins).", autocompletion=plugin_names("environment"))
]
Rewards = Annotated[
    str | None,
    typer.Option(
        help="Rewards by name, with weights if not 1: accuracy,format=0.2  [default: accuracy,format]",
        autocompletion=plugin_names("reward", several=True),
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="A recipe key or a plugin's option: trainer.max_steps=20, countdown.level=easy"),
]
Seed = Annotated[int | None, typer.Option(help="Seed of sampling and of the order of the data.  [default: 0]")]
Backend = Annotated[
    str | None,
    typer.Option(
        rich_help_panel="Generation",
        help="Generation backend: transformers, vllm, or auto (vllm if it is installed and there is a GPU).",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
