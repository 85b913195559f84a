"""`r1 recipes`: the recipes that are installed; one of them shown, or copied to be changed."""

import json
import re
from pathlib import Path
from typing import Annotated

import typer

from .complete import plugin_names
from .options import Json
from .outputs import written_file
from .ui.lines import echo, tell_labelled, tell_next

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
        echo(json.dumps({"recipes": rows}, indent=2))
        return
    width = max((len(entry.name) for entry in entries), default=0)
    for entry in entries:
        tell_labelled(entry.name, entry.summary, width)
    tell_next("r1 recipes show countdown/tiny", "r1 train countdown/tiny --dry-run")


@app.command(epilog="Try: r1 recipes show countdown/tiny")
def show(
    name: Annotated[str, typer.Argument(help="The recipe's name.", autocompletion=plugin_names("recipe"))],
) -> None:
    """Print a recipe as it was written, comments included."""
    echo(_text(name), nl=False)


@app.command(epilog="Try: r1 recipes copy countdown/tiny mine.yaml")
def copy(
    name: Annotated[str, typer.Argument(help="The recipe's name.", autocompletion=plugin_names("recipe"))],
    file: Annotated[Path | None, typer.Argument(help="Default: the last part of its name, here.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Copy a recipe to a file of your own, to be changed and trained by `r1 train FILE`."""
    from r1sdk import R1Error

    text = _with_schema(name, _text(name))
    target = file or Path(f"{name.rpartition('/')[2]}.yaml")
    if target.exists() and not overwrite:
        raise R1Error(f"{target} exists: choose another file, or replace it with --overwrite")
    with written_file(target) as written:
        written.write(text)
    echo(str(target))
    tell_next(f"r1 train {target} --dry-run")


@app.command(epilog="Try: r1 recipes schema --out recipe.schema.json")
def schema(
    out: Annotated[Path | None, typer.Option(help="The file to write.  [default: stdout]")] = None,
) -> None:
    """Print the JSON Schema of a recipe, with the options of your plugins, for editors."""
    from r1sdk.api import recipe_schema

    text = json.dumps(recipe_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        echo(text, nl=False)
        return
    with written_file(out) as written:
        written.write(text)
    echo(str(out))
    echo(f"next: begin a recipe with the line\n  # yaml-language-server: $schema={out}", err=True)


def _with_schema(name: str, text: str) -> str:
    """Point the modeline of a copied recipe at the schema beside the original, by its whole path."""
    from r1sdk import load_plugins

    here = Path(load_plugins().get("recipe", name).target).parent
    return re.sub(
        r"(?m)^(# yaml-language-server: \$schema=)(\S+)$",
        lambda found: found[1] + str((here / found[2]).resolve()),
        text,
    )


def _text(name: str) -> str:
    from r1sdk import load_plugins

    return str(load_plugins().get("recipe", name).target.read_text(encoding="utf-8"))
