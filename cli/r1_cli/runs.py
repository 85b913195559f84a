"""`r1 runs`: the runs on this machine in a table; two of them compared; one removed."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .complete import run_folders
from .options import Json
from .ui.lines import echo, results, tell

if TYPE_CHECKING:
    from r1sdk.api import RunSummary

app = typer.Typer(invoke_without_command=True, help="List your runs; compare two, or remove one.")
HEAD = ("run", "state", "model", "environment", "steps", "before", "after", "age")

ERRORS = "± one standard error: of several seeds over the seeds, of one run over its held-out tasks"

Run = Annotated[Path, typer.Argument(help="A run folder.", autocompletion=run_folders)]


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    root: Annotated[Path, typer.Option(help="The folder that holds the runs.")] = Path("runs"),
    as_json: Json = False,
) -> None:
    """List your runs, the newest first: state, model, environment, steps, held-out accuracy before and after, age."""
    if context.invoked_subcommand is not None:
        return
    from r1sdk import api

    found = api.list_runs(root)
    for text in (text for run in found for text in run.faults):
        tell(f"warning: {text}", err=True)
    if as_json:
        echo(json.dumps({"runs": [run.to_json() for run in found]}, indent=2))
        return
    if not found:
        tell(f"no runs in {root}; a first one: r1 train --env countdown --rewards accuracy,format", err=True)
        return
    rows = [row for run in found for row in (_row(run), *(_seed_row(seed, one) for seed, one in run.seeds.items()))]
    _runs_table([HEAD, *rows])
    if any(run.seeds for run in found):
        tell(ERRORS, err=True)


@app.command(epilog="Try: r1 runs compare runs/a runs/b")
def compare(first: Run, second: Run, as_json: Json = False) -> None:
    """Compare two runs: the settings that differ, and the accuracy on the same held-out tasks."""
    from r1sdk import api

    found = api.compare_runs(first, second)
    if as_json:
        echo(json.dumps(found.to_json(), indent=2))
        return
    _runs_table([HEAD, _row(found.first), _row(found.second)])
    if found.settings:
        echo("\nsettings that differ")
        _settings_table([(f"  {key}", _value(a), _value(b)) for key, (a, b) in found.settings.items()])
    else:
        echo("\nthe same settings")
    if found.after is None:
        tell("\nno difference of the accuracy: they share no held-out task that both attempted after training")
    else:
        over = "over seeds" if found.second.seeds else "on the same tasks"
        tell(f"\naccuracy after, {second} minus {first}, {over}, with the 95% confidence interval")
        tell(f"  {found.after}", hang=4)


@app.command(epilog="Try: r1 runs rm runs/a")
def rm(
    folders: Annotated[list[Path], typer.Argument(help="Run folders.", autocompletion=run_folders)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Remove without asking.")] = False,
) -> None:
    """Delete run folders with their checkpoints and models. A run in progress is not removed."""
    from r1sdk import api

    for folder in folders:
        api.check_run(folder)
    for folder in folders:
        if yes or typer.confirm(f"delete {folder} with its model and checkpoints?", err=True):
            api.remove_run(folder)
            echo(f"removed {folder}", err=True)


def _seed_row(seed: int, run: "RunSummary") -> tuple[str, ...]:
    return (f"  seed {seed}", run.state, "", "", *_row(run)[4:])


def _row(run: "RunSummary") -> tuple[str, ...]:
    steps = "" if run.done is None and run.steps is None else f"{run.done or 0}/{run.steps or '?'}"
    return (
        str(run.folder), run.state, run.model, run.env, steps, _accuracy(run.before), _accuracy(run.after), _age(run.updated),
    )  # fmt: skip


def _accuracy(found: Any) -> str:
    if found is None or found.mean is None:
        return "-"
    return f"{found.mean:.3f}" + ("" if found.stderr is None else f" ± {found.stderr:.3f}")


def _age(updated: float) -> str:
    seconds = max(0.0, time.time() - updated)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _value(value: Any) -> str:
    return "-" if value is None else json.dumps(value, ensure_ascii=False)


def _runs_table(rows: list[tuple[str, ...]]) -> None:
    """Print the table of runs; on a terminal that is too narrow for it, two lines for each run."""
    from r1sdk.report import visible
    from r1sdk.terminal_text import packed

    columns = _narrow_for(rows)
    if columns is None:
        _table(rows)
        return
    for run, state, model, env, steps, before, after, age in rows[1:]:
        indent = 4 if run.startswith(" ") else 2
        more = [visible(cell, lines=False) for cell in (model, env, steps, f"{before} -> {after}", age) if cell]
        echo(f"{visible(run, lines=False)}  {state}\n{packed(more, columns, indent, indent)}")


def _settings_table(rows: list[tuple[str, str, str]]) -> None:
    """Print the settings that differ; on a terminal that is too narrow for the table, both values below the key."""
    from r1sdk.report import visible
    from r1sdk.terminal_text import packed

    columns = _narrow_for(rows)
    if columns is None:
        _table(rows)
        return
    for key, first, second in rows:
        values = [visible(value, lines=False) for value in (f"{first} ->", second)]
        echo(f"{visible(key, lines=False)}\n{packed(values, columns, 4, 4, between=' ')}")


def _narrow_for(rows: Sequence[tuple[str, ...]]) -> int | None:
    """Return the width of a terminal that is too narrow for the table of `rows`; None where it fits, and in a pipe."""
    from r1sdk.terminal_text import columns_of

    widths, columns = [max(map(len, column)) for column in zip(*rows, strict=True)], columns_of(results())
    return columns if columns is not None and columns < sum(widths) + 2 * (len(widths) - 1) else None


def _table(rows: Sequence[tuple[str, ...]]) -> None:
    from r1sdk.report import visible

    rows = [tuple(visible(cell, lines=False) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())
