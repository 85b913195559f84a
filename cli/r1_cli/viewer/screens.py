"""Screens over the list: the whole group of a prompt, two attempts compared, and the help."""

from collections.abc import Sequence
from statistics import fmean, pstdev
from typing import ClassVar

from rich.console import Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, HorizontalScroll, VerticalScroll
from textual.screen import Screen
from textual.widgets import Static

from r1sdk.report import FILTERS, RolloutIndex, RolloutRow, last_prompt

from .hints import Hints
from .paint import DIM, OTHER, difference, figure, heading, highlight, plain, reply, step_label


class OverlayScreen(Screen[None]):
    """A screen that Escape closes."""

    BINDINGS: ClassVar[list[BindingType]] = [("escape,q", "app.pop_screen", "Back")]

    def hints(self) -> Hints:
        """Return the keys of this screen."""
        own = [] if type(self).BINDINGS is OverlayScreen.BINDINGS else type(self).BINDINGS
        return Hints([*own, *OverlayScreen.BINDINGS], "screen")


class GroupScreen(OverlayScreen):
    """The completions of one prompt at one step, with the figures of the group."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Left", key_display="←"),
        Binding("right,l", "move(1)", "Right", key_display="→"),
        Binding("n", "wrong(1)", "Next wrong"),
        Binding("p", "wrong(-1)", "Previous wrong"),
    ]

    def __init__(
        self, index: RolloutIndex, rows: Sequence[RolloutRow], chosen: RolloutRow, marked: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.index = index
        self.rows = rows
        self.at = rows.index(chosen)
        self.marked = marked

    def compose(self) -> ComposeResult:
        lines = [self.index.read(row) for row in self.rows]
        yield Static(Group(group_figures(self.rows), Text(plain(last_prompt(lines[0])), DIM)), classes="title")
        with HorizontalScroll(id="columns"):
            for row, line in zip(self.rows, lines, strict=True):
                with VerticalScroll(classes=f"column {_kind(row)}"):
                    yield Static(Group(*highlight([heading(row, line), *reply(line)], self.marked)))
        yield self.hints()

    def on_mount(self) -> None:
        self.call_after_refresh(self.action_move, 0)

    def action_wrong(self, by: int) -> None:
        wrong = [at for at, row in enumerate(self.rows) if row.is_wrong and (at - self.at) * by > 0]
        if wrong:
            self.action_move((wrong[0] if by > 0 else wrong[-1]) - self.at)

    def action_move(self, by: int) -> None:
        columns = list(self.query(".column").results(VerticalScroll))
        self.at = max(0, min(self.at + by, len(columns) - 1))
        columns[self.at].focus()
        columns[self.at].scroll_visible(animate=False)


class DiffScreen(OverlayScreen):
    """An attempt next to another at the same task, compared word by word."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left,h", "move(-1)", "Earlier", key_display="←"),
        Binding("right,l", "move(1)", "Later", key_display="→"),
    ]

    def __init__(self, index: RolloutIndex, chosen: RolloutRow, others: Sequence[RolloutRow]) -> None:
        super().__init__()
        self.index = index
        self.chosen = chosen
        self.others = others
        self.at = 0

    def compose(self) -> ComposeResult:
        yield Static(id="prompt", classes="title")
        with Horizontal(id="columns"):
            for name in ("old", "new"):
                with VerticalScroll(classes="half"):
                    yield Static(id=name)
        yield self.hints()

    def on_mount(self) -> None:
        self.action_move(0)

    def action_move(self, by: int) -> None:
        self.at = max(0, min(self.at + by, len(self.others) - 1))
        old, new = sorted((self.chosen, self.others[self.at]), key=lambda row: row.order)
        lines = self.index.read(old), self.index.read(new)
        count = f"{self.at + 1} of {len(self.others)} other attempts"
        title = Text.assemble(
            (f"{step_label(old)} → {step_label(new)}", "bold"),
            (f"   {count}\n", DIM),
            (plain(last_prompt(lines[0])), DIM),
        )
        self.query_one("#prompt", Static).update(title)
        for name, row, line, text in zip(("#old", "#new"), (old, new), lines, difference(*lines), strict=True):
            self.query_one(name, Static).update(Group(heading(row, line), Rule(style=DIM), text))


class HelpScreen(OverlayScreen):
    """The keys and the filter language."""

    KEYS = (
        ("up down page home end", "move through the list"),
        ("/", "filter; an empty filter shows all"),
        ("n  p", "the next or previous wrong completion of the list, or of a group"),
        ("g  enter", "the whole group of this prompt side by side"),
        ("d", "this task at another step, word by word"),
        ("s", "sort: as trained, by reward, by length, by the reward std of the group"),
        ("e", "export the listed rollouts to a file, as JSON lines"),
        ("f", "follow a run that is being written"),
        ("tab", "into the rollout and back, to scroll it"),
        ("q", "quit"),
    )

    def compose(self) -> ComposeResult:
        with VerticalScroll():
            yield Static(Group(Text("Keys", "bold"), _pairs(self.KEYS), Text("\nFilter", "bold"), _pairs(FILTERS)))
        yield self.hints()


def _pairs(rows: Sequence[tuple[str, str]]) -> Table:
    """Return two columns that wrap to the width of the terminal."""
    table = Table.grid(padding=(0, 2))
    table.add_column(ratio=2, style="bold")
    table.add_column(ratio=3)
    for examples, meaning in rows:
        table.add_row(examples, meaning)
    return table


def _kind(row: RolloutRow) -> str:
    return {1.0: "right", 0.0: "wrong"}.get(-1.0 if row.value is None else row.value, "other")


def group_figures(rows: Sequence[RolloutRow]) -> Text:
    """Return a line such as `step 12 train/44: 8 completions, 3 right, reward 1.375 ± 0.484`. The ± is the group's reward std."""
    right = sum(row.value == 1.0 for row in rows)
    totals = [row.total for row in rows if row.total is not None]
    text = Text.assemble(
        (f"{step_label(rows[0])} {plain(rows[0].task, lines=False)}", "bold"),
        f"  {len(rows)} completion{'s' * (len(rows) > 1)}, {right} right",
    )
    if len(totals) > 1:
        std = pstdev(totals)
        text.append(f", reward {figure(fmean(totals))} ± {figure(std)}")
        if std == 0:
            text.append("  zero variance: GRPO learns nothing from this group", OTHER)
    return text
