"""`r1 view`: the rollouts of a run in the terminal."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .complete import run_folders
from .ui.lines import echo


def view(
    run: Annotated[
        Path, typer.Argument(autocompletion=run_folders, help="A run folder, or a JSON lines file of rollouts.")
    ],
    filter: Annotated[
        str,
        typer.Option(
            help="What to show: 'step:10-20 verdict:wrong reward<0.5 reason:\"not given\" text'. In the viewer: /"
        ),
    ] = "",
    export: Annotated[
        Path | None,
        typer.Option(help="Write the rollouts that pass the filter to this file, as JSON lines, and open no screen."),
    ] = None,
) -> None:
    """Look at rollouts in the terminal: filter, groups side by side, one task before and after, a run as it grows."""
    from r1sdk import R1Error
    from r1sdk.report import run_folders as runs_in

    inside = runs_in(run)
    if inside != [run]:
        raise R1Error(f"{run} holds {len(inside)} runs: name one of them, such as {inside[0]}")
    if export is not None:
        _export(run, filter, export)
        return
    try:
        from .viewer.app import ViewApp
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise R1Error("the viewer needs textual: pip install 'r1sdk[view]'") from None
    app = ViewApp(run, filter)
    if not sys.stdout.isatty():
        raise R1Error(f"r1 view needs a terminal; for a page: r1 report {run}")
    app.run()


def _export(run: Path, filter: str, file: Path) -> None:
    from r1sdk import R1Error
    from r1sdk.report import RolloutIndex, parse, select

    if file.exists():
        raise R1Error(f"{file} exists: choose another name, or remove it")
    query, index = parse(filter), RolloutIndex.open(run)
    index.refresh()
    if fault := query.fault(index.reward_names()):
        raise R1Error(fault)
    count = index.copy(select(index, query), file)
    echo(f"{count:,} of {len(index.rows):,} rollouts are in {file}", err=True)
    if index.unreadable:
        where = ", ".join(f"{lines} in {name}" for name, lines in index.unreadable_in().items())
        echo(f"warning: damaged lines are left out: {where}", err=True)
