"""The `r1` command. Each sub-command imports what it runs when it runs, so that `r1 --help` is instant."""

import sys
from typing import Annotated

import typer

from .check import check
from .data import data
from .doctor import doctor
from .eval import evaluate
from .export import export
from .generate import generate
from .new import new
from .plugins import plugins
from .recipes import app as recipes
from .report import report
from .sandbox import sandbox
from .score import score
from .train import train
from .view import view

INTERRUPTED = 130  # exit status of a command that you stopped

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
    epilog="Try: r1 train --env countdown --rewards accuracy,format",
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"r1sdk {version('r1sdk')}")
        raise typer.Exit


@app.callback()
def r1(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """R1-style training of language models: rewards and environments are plugins, a trainer runs them."""


app.command(epilog="Try: r1 train --env countdown --rewards accuracy,format")(train)
app.add_typer(data, name="data")
app.command("eval", epilog="Try: r1 eval tiny --env countdown --tasks 200")(evaluate)
app.command(epilog="Try: r1 generate tiny --env countdown --tasks 20 --keep correct")(generate)
app.command(epilog="Try: r1 score rollouts.jsonl --rewards format,repetition_penalty")(score)
app.command(epilog="Try: r1 report runs/a runs/b --out both.html")(report)
app.command(epilog="Try: r1 view runs/a --filter verdict:wrong")(view)
app.command(epilog="Try: r1 plugins --kind reward")(plugins)
app.command(epilog="Try: r1 new reward shout")(new)
app.command(epilog="Try: r1 check shout --env countdown")(check)
app.command(epilog="Try: r1 export verifiers countdown --set env.options.level=easy")(export)
app.add_typer(recipes, name="recipes", epilog="Try: r1 recipes show countdown/tiny")
app.command(epilog="Try: r1 doctor countdown/tiny")(doctor)
app.command(epilog="Try: r1 sandbox local --option mode=landlock")(sandbox)


def main() -> None:
    """Run the app. An error that the user can act on is one message, exit status 1."""
    from r1sdk import Interrupted, R1Error

    try:
        app()
    except Interrupted as error:
        print(error, file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None
    except R1Error as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
