"""The commands as Click has them: pages of `--help` with options in groups, and mistakes in their words told all at once."""

import re
import shlex
from difflib import get_close_matches
from typing import Any

import typer.core

from .lines import results_apart

WIDEST = 160  # columns; longer lines are hard to read
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
OTHERS = "Options"


class Command(typer.core.TyperCommand):
    """A command whose options are listed by their `rich_help_panel`. What plugins print while it runs goes to stderr."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse words that the command does not know, each with those that were meant."""
        if not ctx.resilient_parsing and not {"-h", "--help"} & set(args):
            from .arguments import checked

            line = checked(_path(ctx), self.get_params(ctx), args)
            if line.faults:
                ctx.fail(line.message)
        try:
            return list(super().parse_args(ctx, args))
        except typer.BadParameter as error:
            error.message = error.message.removeprefix("Value error, ") + _nearest_choice(error.message)
            raise

    def invoke(self, ctx: Any) -> Any:
        with results_apart():
            return super().invoke(ctx)

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then a section for each group of options, those without one first."""
        arguments: list[tuple[str, str]] = []
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None:
                continue
            if param.param_type_name == "argument":
                arguments.append(record)
            else:
                groups.setdefault(getattr(param, "rich_help_panel", None) or OTHERS, []).append(record)
        plain = groups.pop(OTHERS, [])
        for name, rows in [("Arguments", arguments), (OTHERS, plain), *groups.items()]:
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows)


class ScreenCommand(Command):
    """A command that talks to you on the terminal, stdin and stdout both."""

    def invoke(self, ctx: Any) -> Any:
        return typer.core.TyperCommand.invoke(self, ctx)


def _path(ctx: Any) -> str:
    """Return the command as it is written: r1 runs compare."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, str(ctx.info_name))
        ctx = ctx.parent
    return " ".join(["r1", *names])


def _nearest_choice(message: str) -> str:
    """Return the nearest of the values that a message lists, and a word on one that is found elsewhere."""
    found = re.search(r"'([^']*)' is not one of (.+)", message)
    if found is None:
        return ""
    if found[1].lower() in ("trl", "verl"):
        return " For a trainer in Python, rewards are exported by a call: r1sdk.for_trl(...)."
    close = get_close_matches(found[1], re.findall(r"'([^']*)'", found[2]), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""


class CommandGroup(typer.core.TyperGroup):
    """A group whose commands are listed by their `rich_help_panel`, each with its whole first line."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Refuse options of a command that stand in front of it."""
        known = {name for param in self.get_params(ctx) for name in param.opts}
        command = next((word for word in args if word in self.commands), None)
        if command is not None and args[0].startswith("-") and args[0].partition("=")[0] not in known:
            rest = list(args)
            rest.remove(command)
            ctx.fail(f"options follow the command: write\n  {_path(ctx)} {shlex.join([command, *rest])}")
        return list(super().parse_args(ctx, args))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command; for one that is none, say which was meant."""
        if args and self.get_command(ctx, args[0]) is None and not ctx.resilient_parsing:
            from .meant import meant_command

            ctx.fail(
                f"{_path(ctx)} has no command {args[0]!r}{meant_command(_path(ctx), args, self.list_commands(ctx))}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of commands."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for name in self.list_commands(ctx):
            command = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                panel = getattr(command, "rich_help_panel", None) or "Commands"
                said = command.short_help or (command.help or "").partition("\n")[0]
                groups.setdefault(panel, []).append((name, said.rstrip(".")))
        for panel, rows in groups.items():
            with formatter.section(panel):
                formatter.write_dl(rows)
