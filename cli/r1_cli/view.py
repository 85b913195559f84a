"""`r1 view`: the rollouts of a run in the terminal."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from .complete import run_folders


def view(
    run: Annotated[
        Path, typer.Argument(autocompletion=run_folders, help="A run folder, or a JSON lines file of rollouts.")
    ],
    filter: Annotated[
        str, typer.Option(help="What to show: 'step:10-20 verdict:wrong reward<0.5 tokens>200 text'. In the viewer: /")
    ] = "",
) -> None:
    """Look at rollouts in the terminal: filter, groups side by side, one task before and after, a run as it grows."""
    from r1sdk import R1Error

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
