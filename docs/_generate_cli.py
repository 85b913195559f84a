"""Write docs/cli.md: the help of `r1` and of each of its commands, as the program prints it.

    python docs/_generate_cli.py

With `--check` the page is only compared: exit status 1 where it is out of date.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from r1_cli import app

PAGE = Path(__file__).with_name("cli.md")
WIDTH = "100"

OPENING = """# Command line

Results go to stdout, everything else to stderr. An error that you can act on is one message and exit status 1; wrong usage is 2;
a command that you stop with Ctrl-C is 130, and one that gets SIGTERM 143: both save what there is, and say how to go on.

An option or a command as another tool names it is answered with the words here, and with the whole command to run. A list
that is given twice is an error, and so is an empty value, as a variable of the shell that is not set leaves.

`--json`, where a command has it, prints one JSON object to stdout: never a bare list, and nothing else. A command that finds a
fault (`check`, `data check`, `doctor`, `sandbox`) prints the object too and ends with status 1. With `--json` an error is still
one message on stderr, and stdout stays empty. What plugins print goes to stderr, too.

This page is written by `python docs/_generate_cli.py`; a test compares it with the program.
"""


def page() -> str:
    """The whole page."""
    sections = [[], *paths(typer.main.get_command(app))]
    return OPENING + "".join(f"\n## {' '.join(['r1', *words])}\n\n```text\n{usage(words)}\n```\n" for words in sections)


def paths(group: Any) -> Iterator[list[str]]:
    """The words of each command, those of a group after it."""
    for name, command in group.commands.items():
        yield [name]
        if hasattr(command, "commands"):
            yield from ([name, *words] for words in paths(command))


def usage(words: list[str]) -> str:
    """What `r1 WORDS --help` prints, without trailing space."""
    settings = {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}
    result = CliRunner().invoke(app, [*words, "--help"], prog_name="r1", env=settings)
    if result.exit_code:
        raise SystemExit(f"r1 {' '.join(words)} --help failed: {result.output}")
    return "\n".join(line.rstrip() for line in result.output.strip().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        print(f"{PAGE.name} is out of date: run python docs/_generate_cli.py", file=sys.stderr)
        raise SystemExit(1)


if __name__ == "__main__":
    main()
