"""Progress bars on a terminal and in a notebook; in a log at most a plain line now and then."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..generation.meter import Meter
from .notebook_cell import NotebookCell

EVERY_S = 0.1  # between two pictures of a bar


@contextmanager
def progress(what: str, shown: bool = True) -> Iterator[Callable[[int, int], None]]:
    """Give a function of (done, total) that moves a bar on stderr, or in the cell of a notebook."""
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _bar(columns, shown) as move:
        yield lambda done, total: move(completed=done, total=total)


@contextmanager
def metered(what: str, shown: bool = True, every_s: float = 30.0) -> Iterator[Callable[[Meter], None]]:
    """Give a function of a `Meter` that moves a bar; in a log it prints one plain line every `every_s` seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[state]}"))
    with _bar(columns, shown) as move:
        last = time.monotonic()

        def show(meter: Meter) -> None:
            nonlocal last
            now = time.monotonic()
            if console.is_terminal or console.is_jupyter:
                if now - last > EVERY_S:
                    move(completed=meter.done, total=meter.total, state=str(meter))
                    last = now
            elif shown and now - last > every_s:
                print(f"{what}: {meter}", file=sys.stderr, flush=True)
                last = now

        yield show


@contextmanager
def _bar(columns: Any, shown: bool) -> Iterator[Callable[..., None]]:
    """Give a function that updates the one task of a bar, and draws it where it can be seen."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    if console.is_jupyter and shown:
        bar = Progress(*columns, console=Console(), disable=True)
        cell = NotebookCell()
        task = bar.add_task("", total=None, state="")
        last = 0.0

        def move(**fields: Any) -> None:
            nonlocal last
            bar.update(task, **fields)
            if time.monotonic() - last > EVERY_S or fields.get("completed") == fields.get("total"):
                cell.show(bar.get_renderable())
                last = time.monotonic()

        yield move
        return
    disable = not (shown and console.is_terminal)
    with Progress(*columns, console=console, transient=True, disable=disable) as bar:
        task = bar.add_task("", total=None, state="")
        yield lambda **fields: bar.update(task, **fields)
