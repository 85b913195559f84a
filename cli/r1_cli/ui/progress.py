"""A progress bar on a terminal, and nothing in a log."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from r1sdk.generate import Meter


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that moves a bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def metered(what: str, every_s: float = 30.0) -> Iterator["Callable[[Meter], None]"]:
    """A function of a `Meter` that moves a bar on stderr; in a log, one plain line every `every_s` seconds."""
    import time

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None, state="")
        shown = time.monotonic()

        def show(meter: "Meter") -> None:
            nonlocal shown
            now = time.monotonic()
            if console.is_terminal:
                if now - shown > 0.1:
                    bar.update(task, completed=meter.done, total=meter.total, state=str(meter))
                    shown = now
            elif now - shown > every_s:
                print(f"{what}: {meter}", file=sys.stderr, flush=True)
                shown = now

        yield show
