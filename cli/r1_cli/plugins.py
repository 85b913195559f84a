"""`r1 plugins`: registered names, their source and purpose, and plugins that failed to load."""

import json
from typing import Annotated

import typer

from .options import Json
from .ui.lines import echo, tell, tell_labelled


def plugins(
    kind: Annotated[
        str | None,
        typer.Option(help="Only: reward, environment, verifier, sandbox, advantage, recipe, model or accelerate."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List what the installed plugins provide, and those that failed to load with the reason."""
    from r1sdk import UnknownName, load_plugins
    from r1sdk.plugins import KINDS

    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    registry = load_plugins()
    entries = sorted(
        (entry for found in registry.entries.values() for entry in found if kind in (None, entry.kind)),
        key=lambda entry: (list(KINDS).index(entry.kind), entry.name),
    )
    if as_json:
        rows = [{"kind": e.kind, "name": e.name, "source": e.source, "summary": e.summary} for e in entries]
        echo(json.dumps({"plugins": rows, "failures": registry.failures}, indent=2))
        return
    if not entries:
        echo("no plugins" if kind is None else f"no plugins of kind {kind}")
    for group in KINDS:
        listed = [entry for entry in entries if entry.kind == group]
        if listed:
            echo({"sandbox": "sandboxes", "accelerate": "configs of accelerate"}.get(group, f"{group}s"))
        width = max((len(entry.name) for entry in listed), default=0)
        for entry in listed:
            tell_labelled(entry.name, f"{entry.summary}  [{entry.source}]", width, indent=2)
    for (duplicate, name), found in registry.entries.items():
        if len(found) > 1:
            tell(f"conflict: {duplicate} {name!r} is provided by {' and '.join(e.source for e in found)}", err=True)
    for failure in registry.failures:
        tell(f"not loaded: {failure}", err=True)
