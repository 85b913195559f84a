"""Print lines that fit the terminal. In a file or a pipe they stay whole."""

import sys

import typer


def tell(text: str, hang: int = 2, err: bool = False) -> None:
    """Print `text`; at a terminal its lines break at words, and what continues a line is indented by `hang`."""
    from r1sdk.terminal_text import columns_of, fitted

    typer.echo(fitted(text, columns_of(sys.stderr if err else sys.stdout), hang), err=err)


def tell_labelled(label: str, text: str, width: int = 0, indent: int = 0) -> None:
    """Print a line of a list: the label, padded to `width`, then the text, which keeps to its column where it is broken."""
    from r1sdk.terminal_text import columns_of, labelled

    typer.echo(labelled(label, text, columns_of(sys.stdout), width, indent))


def tell_next(*commands: str) -> None:
    """Print the commands to go on with to stderr: in one line, or each on its own where that is too long."""
    from r1sdk.terminal_text import columns_of, packed

    cells = [*(f"{command}," for command in commands[:-1]), commands[-1]]
    cells[0] = f"next: {cells[0]}"
    typer.echo(packed(cells, columns_of(sys.stderr), hang=len("next: "), between=" "), err=True)
