"""The options that several commands share."""

from typing import Annotated

import typer

Env = Annotated[str | None, typer.Option(help="Environment, by name (see r1 plugins).")]
Rewards = Annotated[str | None, typer.Option(help="Rewards by name, with weights if not 1: accuracy,format=0.2")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", help="A recipe key or a plugin's option: trainer.max_steps=20, countdown.level=easy"),
]
Seed = Annotated[int | None, typer.Option(help="Seed of sampling and of the order of the data.")]
Backend = Annotated[
    str | None,
    typer.Option(help="What generates: transformers, vllm, or auto: vllm where it is installed and a GPU is here."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
