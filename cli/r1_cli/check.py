"""`r1 check`: whether installed plugins keep the contract, for their authors and for CI."""

import json
import sys
from typing import Annotated, Any

import typer

from .options import Json
from .ui.lines import echo


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Plugins by name, or a distribution for all of its own. Without: all.", metavar="name"),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="Only: reward, environment, verifier, sandbox, advantage, recipe or model.")
    ] = None,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="An option to build a plugin with: --set NAME.OPTION=VALUE")
    ] = None,
    env: Annotated[str | None, typer.Option(help="Try rewards and verifiers on the tasks of this environment.")] = None,
    timeout_s: Annotated[float, typer.Option(min=0.1, help="Seconds that one hostile reply may take.")] = 30.0,
    as_json: Json = False,
) -> None:
    """Check that installed plugins keep the contract. Exit status 1 where one does not.

    A plugin that cannot be built, or has no tasks, without options fails if it was named, and is skipped otherwise.
    """
    from r1sdk import PluginError, RecipeError, UnknownName, load_plugins
    from r1sdk.api import dotted
    from r1sdk.conformance import Subject, check_plugins, choose
    from r1sdk.plugins import KINDS

    if kind is not None and kind not in KINDS:
        raise UnknownName("kind", kind, KINDS)
    options: dict[str, dict[str, Any]] = {}
    for layer in map(dotted, sets or []):
        for name, given in layer.items():
            if not isinstance(given, dict):
                raise RecipeError(
                    f"--set takes NAME.OPTION=VALUE here, e.g. --set maths.file=problems.jsonl; got {name!r}"
                )
            options.setdefault(name, {}).update(given)
    registry = load_plugins()
    if env is not None:
        registry.get("environment", env)
    source = Subject("environment", env, options.get(env, {})) if env is not None else None
    if names and env not in names:
        options.pop(env or "", None)  # for the source of tasks alone
    subjects = choose(registry, names or [], kind, options)
    reports = check_plugins(
        registry, subjects, source, timeout_s, must_build=bool(names), progress=_show if sys.stderr.isatty() else None
    )
    if sys.stderr.isatty():
        echo("\r\x1b[K", nl=False, err=True)
    failures = registry.failures if not names else ()
    conform = all(report.conforms for report in reports) and not failures
    if as_json:
        plugins = [report.to_json() for report in reports]
        echo(json.dumps({"conform": conform, "plugins": plugins, "not_loaded": failures}, indent=2))
    else:
        for report in reports:
            echo(f"{report}\n")
        for failure in failures:
            echo(f"not loaded: {failure}")
        echo(_summary(reports))
    if not reports and not failures:
        raise PluginError("nothing to check: no plugin is installed")
    if not conform:
        raise typer.Exit(1)


def _show(subject: Any, step: str) -> None:
    echo(f"\r\x1b[K{subject}: {step}", nl=False, err=True)


def _summary(reports: list[Any]) -> str:
    """`2 plugins, 24 checks: 23 ok, 1 failed, 0 skipped`."""
    outcomes = [finding.outcome for report in reports for finding in report.findings]
    counts = {name: outcomes.count(name) for name in ("ok", "fails", "skipped")}
    plugins = f"{len(reports)} plugin{'' if len(reports) == 1 else 's'}"
    return (
        f"{plugins}, {len(outcomes)} checks: {counts['ok']} ok, {counts['fails']} failed, {counts['skipped']} skipped"
    )
