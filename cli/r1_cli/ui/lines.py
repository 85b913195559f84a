"""Print lines that fit the terminal. In a file or a pipe they stay whole."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any, TextIO

import typer

_results: TextIO | None = None  # stdout, while it is kept for the results of a command


@contextmanager
def results_apart() -> Iterator[None]:
    """Send to stderr everything that is printed but by this module: plugins and libraries print what is no result."""
    global _results
    before, _results = _results, results()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _results = before


def results() -> TextIO:
    """Return the stream of results."""
    return sys.stdout if _results is None else _results


def echo(text: Any = "", nl: bool = True, err: bool = False) -> None:
    """Print `text` as it is: a result to stdout, or with `err` anything else to stderr."""
    typer.echo(text, file=sys.stderr if err else results(), nl=nl)


def tell(text: str, hang: int = 2, err: bool = False) -> None:
    """Print `text`; at a terminal its lines break at words, and what continues a line is indented by `hang`."""
    from r1sdk.terminal_text import columns_of, fitted

    echo(fitted(text, columns_of(sys.stderr if err else results()), hang), err=err)


def tell_labelled(label: str, text: str, width: int = 0, indent: int = 0) -> None:
    """Print a line of a list: the label, padded to `width`, then the text, which keeps to its column where it is broken."""
    from r1sdk.terminal_text import columns_of, labelled

    echo(labelled(label, text, columns_of(results()), width, indent))


def tell_next(*commands: str) -> None:
    """Print the commands to go on with to stderr: in one line, or each on its own where that is too long."""
    from r1sdk.terminal_text import columns_of, packed

    cells = [*(f"{command}," for command in commands[:-1]), commands[-1]]
    cells[0] = f"next: {cells[0]}"
    echo(packed(cells, columns_of(sys.stderr), hang=len("next: "), between=" "), err=True)
