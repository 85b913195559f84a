"""The `r1` command. Each sub-command imports its code when it runs, so that `r1 --help` is instant."""

from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from .chat import chat
from .check import check
from .data import data
from .doctor import doctor
from .eval import evaluate
from .export import export
from .generate import generate
from .interrupts import Stops, interrupts_that_arrive
from .new import new
from .outputs import disk_message
from .plugins import plugins
from .recipes import app as recipes
from .report import report
from .runs import app as runs
from .sandbox import sandbox
from .score import score
from .train import train
from .ui.help import SETTINGS, Command, CommandGroup, ScreenCommand
from .ui.lines import tell
from .view import view

INTERRUPTED, TERMINATED = 130, 143  # exit statuses of a command that was stopped: by Ctrl-C, by SIGTERM


class _Commands(CommandGroup):
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
    context_settings=SETTINGS,
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


TRY, MAKE, LOOK, HAVE = "Train and measure", "Data", "Look at runs", "Plugins and this machine"


def _add(panel: str, function: Callable[..., None], short: str, example: str, name: str | None = None) -> None:
    cls = ScreenCommand if function in (chat, view) else Command
    app.command(
        name, cls=cls, context_settings=SETTINGS, short_help=short, rich_help_panel=panel, epilog=f"Try: {example}"
    )(function)


def _add_group(panel: str, group: typer.Typer, name: str, short: str, example: str | None = None) -> None:
    group.info.cls = CommandGroup
    for command in group.registered_commands:
        command.cls, command.context_settings = Command, SETTINGS
    epilog = f"Try: {example}" if example else None
    app.add_typer(group, name=name, short_help=short, rich_help_panel=panel, epilog=epilog, context_settings=SETTINGS)


_add(TRY, train, "Train a model with GRPO or SFT", "r1 train --env countdown --rewards accuracy,format")
_add(TRY, evaluate, "Measure the accuracy of models", "r1 eval tiny --env countdown --tasks 200", "eval")
_add(TRY, score, "Try rewards on saved completions", "r1 score --text '<think>a</think>b' --rewards format")
_add(TRY, chat, "Talk to a model, or try tasks by hand", "r1 chat --env countdown --tasks 3")
_add_group(MAKE, data, "data", "Check, decontaminate and rate problems")
_add(
    MAKE,
    generate,
    "Generate verified answers to train on",
    "r1 generate tiny --env countdown --tasks 20 --keep correct",
)
_add_group(LOOK, runs, "runs", "List your runs; compare two, or remove one", "r1 runs compare runs/a runs/b")
_add(LOOK, report, "Write the page of one or several runs", "r1 report runs/a runs/b --out both.html")
_add(LOOK, view, "Browse rollouts in the terminal", "r1 view runs/a --filter verdict:wrong")
_add_group(HAVE, recipes, "recipes", "List, show or copy the recipes", "r1 recipes show countdown/tiny")
_add(HAVE, plugins, "List the installed plugins", "r1 plugins --kind reward")
_add(HAVE, new, "Write a package for a plugin of your own", "r1 new reward shout")
_add(HAVE, check, "Check that plugins keep the contract", "r1 check format --env countdown")
_add(HAVE, export, "Export an environment to verifiers", "r1 export verifiers countdown --set countdown.level=easy")
_add(HAVE, doctor, "Check this machine and a recipe", "r1 doctor countdown/tiny")
_add(HAVE, sandbox, "Attack a sandbox from inside", "r1 sandbox local --set local.mode=landlock")


def main() -> None:
    """Run the app. An error that the user can act on is one message, exit status 1."""
    from r1sdk import Interrupted, R1Error

    stops = Stops()
    try:
        with interrupts_that_arrive(), stops:
            app()
    except Interrupted as error:
        _end(str(error), TERMINATED if stops.terminated else INTERRUPTED)
    except (KeyboardInterrupt, _Stopped):
        _end(
            "stopped; nothing is left half written: run the same command again",
            TERMINATED if stops.terminated else INTERRUPTED,
        )
    except R1Error as error:
        _end(f"error: {error}", 1)
    except OSError as error:
        if (message := disk_message(error)) is None:
            raise
        _end(f"error: {message}", 1)


def _end(message: str, code: int) -> NoReturn:
    tell(message, err=True)
    raise SystemExit(code) from None
