"""The `r1` command. Each sub-command imports its code when it runs, so that `r1 --help` is instant."""

import sys
from typing import Annotated, Any, NoReturn

import typer
import typer.core

from .check import check
from .data import data
from .doctor import doctor
from .eval import evaluate
from .export import export
from .generate import generate
from .new import new
from .outputs import disk_message
from .plugins import plugins
from .recipes import app as recipes
from .report import report
from .sandbox import sandbox
from .score import score
from .train import train
from .view import view

INTERRUPTED = 130  # exit status of a command that you stopped


class _Commands(typer.core.TyperGroup):
    """The commands; Ctrl-C rises from them as it is, for `main` to say how to resume."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Stopped from None


class _Stopped(BaseException):
    """Ctrl-C, which typer would answer with `Aborted.` alone."""


app = typer.Typer(
    cls=_Commands,
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
app.command(epilog="Try: r1 sandbox local --set local.mode=landlock")(sandbox)


def main() -> None:
    """Run the app. An error that the user can act on is one message, exit status 1."""
    from r1sdk import Interrupted, R1Error

    try:
        app()
    except Interrupted as error:
        _end(str(error), INTERRUPTED)
    except (KeyboardInterrupt, _Stopped):
        _end("stopped; nothing is left half written: run the same command again", INTERRUPTED)
    except R1Error as error:
        _end(f"error: {error}", 1)
    except OSError as error:
        if (message := disk_message(error)) is None:
            raise
        _end(f"error: {message}", 1)


def _end(message: str, code: int) -> NoReturn:
    print(message, file=sys.stderr)
    raise SystemExit(code) from None
