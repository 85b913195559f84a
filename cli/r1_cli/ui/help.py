"""The pages of `--help`: as wide as the terminal, options and commands in groups, in plain text."""

from typing import Any

import typer.core

WIDEST = 160  # columns; longer lines are hard to read
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": WIDEST}
OTHERS = "Options"


class Command(typer.core.TyperCommand):
    """A command whose options are listed by their `rich_help_panel`."""

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


class CommandGroup(typer.core.TyperGroup):
    """A group whose commands are listed by their `rich_help_panel`, each with its whole first line."""

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
