"""`r1 recipes`: the recipes that are installed; one of them shown, or copied to be changed."""

import json
from pathlib import Path
from typing import Annotated

import typer

from .options import Json
from .outputs import written_file

app = typer.Typer(invoke_without_command=True, help="List the recipes; show one, or copy it to a file of your own.")


@app.callback(invoke_without_command=True)
def recipes(context: typer.Context, as_json: Json = False) -> None:
    """List the recipes that are installed, each with its purpose."""
    if context.invoked_subcommand is not None:
        return
    from r1sdk import load_plugins

    registry = load_plugins()
    entries = [entry for name in registry.names("recipe") for entry in registry.entries["recipe", name]]
    if as_json:
        rows = [{"name": e.name, "summary": e.summary, "source": e.source, "file": str(e.target)} for e in entries]
        typer.echo(json.dumps(rows, indent=2))
        return
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        typer.echo(f"{entry.name:{width}}  {entry.summary}")
    typer.echo("next: r1 recipes show NAME, r1 train NAME --dry-run", err=True)


@app.command(epilog="Try: r1 recipes show countdown/tiny")
def show(name: Annotated[str, typer.Argument(help="The recipe's name.")]) -> None:
    """Print a recipe as it was written, comments included."""
    typer.echo(_text(name), nl=False)


@app.command(epilog="Try: r1 recipes copy countdown/tiny mine.yaml")
def copy(
    name: Annotated[str, typer.Argument(help="The recipe's name.")],
    file: Annotated[Path | None, typer.Argument(help="Default: the last part of its name, here.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Copy a recipe to a file of your own, to be changed and trained by `r1 train FILE`."""
    from r1sdk import R1Error

    text = _text(name)
    target = file or Path(f"{name.rpartition('/')[2]}.yaml")
    if target.exists() and not overwrite:
        raise R1Error(f"{target} exists: choose another file, or replace it with --overwrite")
    with written_file(target) as written:
        written.write(text)
    typer.echo(str(target))
    typer.echo(f"next: r1 train {target} --dry-run", err=True)


def _text(name: str) -> str:
    from r1sdk import load_plugins

    return str(load_plugins().get("recipe", name).target.read_text(encoding="utf-8"))
