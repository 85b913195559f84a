"""`r1 report`: one or several runs as one page that needs no network."""

from pathlib import Path
from typing import Annotated

import typer

from .complete import run_folders
from .ui.lines import echo


def report(
    runs: Annotated[
        list[Path], typer.Argument(autocompletion=run_folders, help="Run folders; several are drawn on shared axes.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The page to write. Default: report.html in the run folder; runs.html for several."),
    ] = None,
) -> None:
    """Write one self-contained HTML page: curves, held-out accuracy, failures, samples, the recipe."""
    from r1sdk.report import write_report

    target = out or (Path("runs.html") if len(runs) > 1 else None)
    page = write_report(runs, target, lambda fault: echo(f"warning: {fault}", err=True))
    echo(page)
