"""`r1 doctor`: is this machine ready, and for this recipe? One line for each check, and what to do."""

import json
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

import typer

from .options import Env, Json, Rewards, Sets, resolve


def doctor(
    recipe: Annotated[str | None, typer.Argument(help="Also check what this recipe asks: its name or file.")] = None,
    env: Env = None,
    rewards: Rewards = None,
    model: Annotated[str | None, typer.Option(help="Also check this model.")] = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Check versions, hardware, services and sandboxes; with a recipe also what it needs. Exit status 1 for a failure."""
    from r1sdk.doctor import Finding, examine
    from r1sdk.doctor.machine_checks import check_disk, check_gpus, check_machine, check_ports
    from r1sdk.doctor.model_checks import check_fit, check_model
    from r1sdk.doctor.recipe_checks import recipe_checks
    from r1sdk.doctor.service_checks import check_deepspeed, check_sandboxes, check_tokens, check_vllm
    from r1sdk.doctor.version_checks import check_versions
    from r1sdk.errors import R1Error
    from r1sdk.launch.prepare import RUNS
    from r1sdk.planning.build import compose
    from r1sdk.planning.model_source import resolve_model
    from r1sdk.planning.parallel import settled
    from r1sdk.plugins.registry import load_plugins

    registry = load_plugins()
    checks: list[Any] = [
        ("versions", check_versions),
        ("plugins", lambda: (Finding("plugin", "warning", failure) for failure in registry.failures)),
        ("machine", check_machine),
        ("gpus", check_gpus),
        ("disk", lambda: check_disk(RUNS)),
        ("ports", check_ports),
        ("tokens", check_tokens),
        ("sandboxes", lambda: check_sandboxes(registry)),
        ("vllm", check_vllm),
        ("deepspeed", check_deepspeed),
    ]
    if recipe or env:
        flags = {"env": env, "rewards": rewards, "model": model}
        try:
            resolved = settled(resolve(registry, recipe, sets, flags)[0])
            run = compose(resolved, registry)
        except R1Error as error:
            checks.append(("recipe", partial(_fails, error)))
        else:
            checks += [check for check in recipe_checks(run, registry, RUNS) if check[0] != "disk"]
            checks += [("model", lambda: check_model(run.model)), ("lengths", lambda: check_fit(run))]
    elif model:
        checks.append(("model", lambda: check_model(resolve_model(registry, model))))
    found: list[Finding] = []
    for finding in examine(checks):
        found.append(finding)
        if not as_json:
            typer.echo(f"{finding.status:7}  {finding.name:20}  {finding.text}")
            if finding.todo:
                typer.echo(f"{'':7}  {'':20}  -> {finding.todo}")
    if as_json:
        typer.echo(json.dumps({"findings": [asdict(finding) for finding in found]}, indent=2))
    if any(finding.status == "failure" for finding in found):
        raise typer.Exit(1)


def _fails(error: Exception) -> Any:
    raise error
