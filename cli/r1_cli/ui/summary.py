"""What came of a run, on the terminal: the held-out figures before and after, and what to do next."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from r1sdk.storage.run_folder import RunFolder


def summarize(folder: "RunFolder") -> None:
    """The held-out figures before and after on stdout, and what to do next on stderr."""
    before, after = folder.evaluation("before"), folder.evaluation("after")
    if after:
        rows = {"accuracy": ("accuracy",), **{f"reward {name}": ("rewards", name) for name in after["rewards"]}}
        generated = after["accuracy"]["n"]
        shown = (rows if generated else {}) | ({"loss": ("loss",)} if "loss" in after else {})
        width = max([14, *map(len, shown)])
        typer.echo(f"{'held out':{width}}{'before':>18}{'after':>18}")
        for label, path in shown.items():
            typer.echo(f"{label:{width}}{_estimate(before, path):>18}{_estimate(after, path):>18}")
        if generated:
            typer.echo(f"{'tokens':{width}}{_figure(before, 'tokens'):>18}{_figure(after, 'tokens'):>18}")
            typer.echo(
                f"n = {generated} tasks that were never trained on, "
                f"sampled at temperature {after['settings']['temperature']:g}; ± one standard error"
            )
        if "loss" in after:
            typer.echo(
                f"loss per token of {after['loss']['n']} replies that were never trained on; ± one standard error"
            )
    if made := folder.evaluation("collected"):
        typer.echo(f"kept {made['kept']} of {made['answers']} answers ({made['rule']})")
        typer.echo(f"data      {folder.data}", err=True)
        return
    typer.echo(f"model     {folder.model}\nrollouts  {folder.rollouts_file}\nmetrics   {folder.metrics_file}", err=True)
    _tell_report(folder)
    env = "" if folder.recipe().env.name else " --env ENV"
    typer.echo(f"next: r1 view {folder.path}, r1 eval {folder.path}{env} --samples 8", err=True)


def _tell_report(folder: "RunFolder") -> None:
    """Where the page of the run is, or how to have one."""
    from r1sdk.report import PAGE

    page = folder.path / PAGE
    install = "" if find_spec("jinja2") else "pip install 'r1sdk[report]' && "
    told = str(page) if page.is_file() else f"none: {install}r1 report {folder.path}"
    typer.echo(f"report    {told}", err=True)


def _estimate(evaluation: dict[str, Any] | None, path: tuple[str, ...]) -> str:
    value: Any = evaluation
    for key in path:
        value = (value or {}).get(key)
    if not value or value["mean"] is None:
        return "-"
    return f"{value['mean']:.3f}" + (f" ± {value['stderr']:.3f}" if value["stderr"] is not None else "")


def _figure(evaluation: dict[str, Any] | None, key: str) -> str:
    return f"{evaluation[key]:.1f}" if evaluation else "-"
