"""Fit text to the terminal that shows it: lines break at words, and the text of a table stays in its column."""

import os
import re
import textwrap
from collections.abc import Sequence
from typing import TextIO

__all__ = ["columns_of", "fitted", "labelled", "packed"]

NARROWEST = 24  # columns of a text beside its label; with fewer it stands below the label

# A command that you copy must not be broken: it ends with its line, or where the sentence around it goes on.
_COMMAND = re.compile(r"\b(?:r1|pip|python) .+?(?=[,;:)]?(?:\s(?:brings|and|or|asks|to)\s|[,;:)]\s|$))", re.MULTILINE)
_HOLD = "\0"  # a space inside a command


def columns_of(stream: TextIO) -> int | None:
    """Return the width of the terminal; None for a file or a pipe, whose lines are for programs and stay whole."""
    if not stream.isatty():
        return None
    asked = os.environ.get("COLUMNS", "")
    try:
        columns = int(asked) if asked.isdecimal() else os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return columns or 80


def fitted(text: str, columns: int | None, hang: int = 2) -> str:
    """Break the lines of `text` at words where they are wider than `columns`, except in commands. None: return it unchanged.

    Lines that continue another are indented by `hang`. A word that is too long stays whole.
    """
    if columns is None:
        return text
    return "\n".join(_broken(line, columns, " " * hang) for line in text.split("\n"))


def labelled(label: str, text: str, columns: int | None, width: int = 0, indent: int = 0) -> str:
    """Return a line of a list: the label, padded to `width`, then the text. Without room beside the label, the text is below it."""
    hang = indent + max(width, len(label)) + 2
    start = f"{' ' * indent}{label:{width}}"
    if columns is None or columns - hang >= max([NARROWEST, *map(len, _held(text).split())]):
        return fitted(f"{start}  {text}".rstrip(), columns, hang)
    return f"{start.rstrip()}\n{fitted(' ' * (indent + 4) + text, columns, indent + 4)}"


def packed(cells: Sequence[str], columns: int | None, indent: int = 0, hang: int = 0, between: str = "  ") -> str:
    """Return the cells in as few lines as hold them; no cell is broken. Lines after the first are indented by `hang`."""
    lines: list[str] = []
    for cell in cells:
        if lines and (columns is None or len(lines[-1] + between + cell) <= columns):
            lines[-1] += between + cell
        else:
            lines.append(" " * (hang if lines else indent) + cell)
    return "\n".join(lines)


def _held(text: str) -> str:
    """Return `text` with each command in it as one word."""
    return _COMMAND.sub(lambda found: found[0].replace(" ", _HOLD), text)


def _broken(line: str, columns: int, hang: str) -> str:
    if len(line) <= columns:
        return line
    parts = textwrap.wrap(
        _held(line),
        columns,
        subsequent_indent=hang,
        expand_tabs=False,
        replace_whitespace=False,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(parts).replace(_HOLD, " ")
