"""A list of rollouts that draws only the visible lines, so that its cost does not grow with the number of rollouts."""

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from r1sdk.report import RolloutRow

from .paint import DIM, figure, plain, verdict_mark

HEADER = f"{'step':>9}  {'task':<14}  {'':1} {'reward':>7}  {'tokens':>6}  answer"
BEFORE_ANSWER = HEADER.index("answer")  # columns


class RolloutTable(ScrollView, can_focus=True):
    """Rows, one per line, below a fixed header."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("pageup", "page(-1)", "Page up", show=False),
        Binding("pagedown", "page(1)", "Page down", show=False),
        Binding("home", "to(0)", "First", show=False),
        Binding("end", "to(-1)", "Last", show=False),
    ]
    cursor: reactive[int] = reactive(0)

    class Moved(Message):
        """Sent when the cursor moves to another row."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self.shown: Sequence[RolloutRow] = ()

    def step_to_wrong(self, by: int) -> bool:
        """Move the cursor to the nearest wrong row below (`by` 1) or above (-1). Returns False if there is none."""
        places = range(self.cursor + 1, len(self.shown)) if by > 0 else range(self.cursor - 1, -1, -1)
        found = next((at for at in places if self.shown[at].is_wrong), None)
        if found is not None:
            self.cursor = found
        return found is not None

    @property
    def current(self) -> RolloutRow | None:
        return self.shown[self.cursor] if 0 <= self.cursor < len(self.shown) else None

    def show(self, shown: Sequence[RolloutRow], cursor: int) -> None:
        """List these rows, with the cursor on row number `cursor`."""
        self.shown = shown
        self.virtual_size = Size(max(self.size.width, 60), len(shown) + 1)
        self.cursor = max(0, min(cursor, len(shown) - 1))
        self._follow()
        self.refresh()
        self.post_message(self.Moved())

    def action_move(self, by: int) -> None:
        self.cursor = max(0, min(self.cursor + by, len(self.shown) - 1))

    def action_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self.size.height - 2))

    def action_to(self, place: int) -> None:
        self.cursor = max(0, len(self.shown) - 1) if place < 0 else 0

    def watch_cursor(self) -> None:
        self._follow()
        self.refresh()
        self.post_message(self.Moved())

    def _follow(self) -> None:
        height = max(1, self.size.height - 1)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False)

    def on_resize(self) -> None:
        self._follow()

    def on_click(self, event: events.Click) -> None:
        if event.y >= 1:
            self.cursor = max(0, min(self.scroll_offset.y + event.y - 1, len(self.shown) - 1))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return _strip([Segment(HEADER, Style(color=DIM))], width).apply_style(self.rich_style)
        at = self.scroll_offset.y + y - 1
        if at >= len(self.shown):
            return Strip.blank(width, self.rich_style)
        row = self.shown[at]
        word, colour = verdict_mark(row.value, row.status)
        chosen = at == self.cursor
        base = Style(bgcolor="#2a4a6b", color="white") if chosen else Style()
        soft = base if chosen else Style(color=DIM)
        sign = {"✓ right": "✓", "✗ wrong": "✗"}.get(word, "?" if row.value is None else "~")
        return _strip(
            [
                Segment(f"{plain(_when(row), lines=False):>9}  ", base),
                Segment(f"{_shorten(row.task, 14):<14}  ", soft),
                Segment(f"{sign} ", base + Style(color=colour, bold=True)),
                Segment(f"{figure(row.total):>7}  {row.tokens:>6}{'+' if row.truncated else ' '} ", base),
                Segment(
                    _shorten(row.answer or ("" if row.status == "ok" else row.status), max(1, width - BEFORE_ANSWER)),
                    soft,
                ),
            ],
            width,
            base,
        ).apply_style(self.rich_style)


def _when(row: RolloutRow) -> str:
    short = "held" if row.moment == "during" else "drop" if row.dropped else None
    return f"{row.step} {short}" if short else row.when


def _shorten(text: str, width: int) -> str:
    text = plain(text, lines=False)
    return text if len(text) <= width else text[: width - 1] + "…"


def _strip(segments: list[Segment], width: int, style: Style | None = None) -> Strip:
    return Strip(segments).adjust_cell_length(width, style).simplify()
