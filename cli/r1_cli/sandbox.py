"""`r1 sandbox`: try from inside which attacks a sandbox stops on this machine."""

import json
from typing import Annotated

import typer

from .options import Json
from .ui.lines import echo, tell_labelled


def sandbox(
    name: Annotated[str, typer.Argument(help="A registered sandbox: r1 plugins --kind sandbox.")] = "local",
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="An option of the sandbox: local.mode=landlock")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(hidden=True, help="The same without the name: mode=landlock")
    ] = None,
    language: Annotated[str, typer.Option(help="Try programs of this language, too.")] = "python",
    as_json: Json = False,
) -> None:
    """Attack a sandbox from inside, and print the guarantees that hold and the available languages. Exit status 1 where it is not safe."""
    from r1sdk import PluginError, load_plugins
    from r1sdk.api import dotted

    options = {key: value for text in option or [] for key, value in dotted(text).items()}
    for text in sets or []:
        if not text.startswith(f"{name}."):
            raise PluginError(f"--set takes {name}.OPTION=VALUE here, got {text!r}")
        options |= dotted(text.removeprefix(f"{name}."))
    built = load_plugins().build("sandbox", name, options)
    if not callable(getattr(built, "check", None)):
        raise PluginError(f"sandbox {name!r} has no check()")
    found = built.check(language)
    languages = built.languages() if callable(getattr(built, "languages", None)) else {}
    if as_json:
        rows = [{"name": g.name, "holds": g.holds, "how": g.how} for g in found]
        echo(json.dumps({"sandbox": name, "guarantees": rows, "languages": languages}, indent=2))
    else:
        width = max((len(g.name) for g in found), default=0)
        for guarantee in found:
            tell_labelled(f"{'holds' if guarantee.holds else 'NO':5}  {guarantee.name:{width}}", guarantee.how)
        for known, how in languages.items():
            tell_labelled(f"{'language':{width + 7}}", f"{known}: {how}")
    if not all(guarantee.holds for guarantee in found):
        raise typer.Exit(1)
