"""`r1 doctor`: is this machine ready, and for this recipe? One line for each check, and what to do."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from .options import Env, Json, Rewards, Sets
from .ui.lines import echo, tell_labelled


def doctor(
    recipe: Annotated[str | None, typer.Argument(help="Also check what this recipe asks: its name or file.")] = None,
    env: Env = None,
    rewards: Rewards = None,
    model: Annotated[str | None, typer.Option(help="Also check this model.")] = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Check versions, hardware, services and sandboxes; with a recipe also what it needs. Exit status 1 for a failure."""
    from r1sdk.api import Finding, diagnose

    found: list[Finding] = []
    for finding in diagnose(recipe, env=env, rewards=rewards, model=model, settings=sets or []):
        found.append(finding)
        if not as_json:
            tell_labelled(f"{finding.status:7}  {finding.name:20}", finding.text)
            if finding.todo:
                tell_labelled(f"{'':7}  {'':20}", f"-> {finding.todo}")
    if as_json:
        echo(json.dumps({"findings": [asdict(finding) for finding in found]}, indent=2))
    if any(finding.status == "failure" for finding in found):
        raise typer.Exit(1)
