"""The viewer app: a list of rollouts, the selected one next to it, a filter, and live updates of a growing run."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Input, Static

from r1sdk import R1Error
from r1sdk.api import RunFolder
from r1sdk.report import Query, RolloutIndex, RolloutRow, parse, text_matches

from .hints import Hints
from .paint import DIM, OTHER, plain, rollout
from .screens import DiffScreen, GroupScreen, HelpScreen
from .table import RolloutTable

FIRST = 2000  # rows read before the first screen is drawn; the rest is read in the background
CHUNK = 20_000  # rows read or searched before the app handles input again
EVERY_S = 0.5
LONGEST_NAME = 40  # characters of the path at the top

SORTS: Sequence[tuple[str, Callable[[RolloutRow], Any]]] = (
    ("as trained", lambda row: row.order),
    ("by reward", lambda row: math.inf if row.total is None else -row.total),
    ("by length", lambda row: -row.tokens),
)
BY_SPREAD = "by group std"
SORT_NAMES = (*(name for name, _ in SORTS), BY_SPREAD)


class ViewApp(App[None]):
    """The app behind `r1 view`."""

    CSS_PATH = "app.tcss"
    TITLE = "r1 view"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        ("slash", "filter", "Filter"),
        ("n", "wrong(1)", "Next wrong"),
        ("p", "wrong(-1)", "Previous wrong"),
        ("g,enter", "group", "Group"),
        ("d", "diff", "Diff"),
        ("s", "sort", "Sort"),
        ("e", "export", "Export"),
        ("f", "follow", "Follow"),
        ("question_mark,f1", "help", "Help"),
        ("q", "quit", "Quit"),
        Binding("escape", "close_box", show=False),
    ]

    def __init__(self, path: Path, text: str = "") -> None:
        super().__init__(ansi_color=False)
        self.HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]
        self.path = path
        self.folder = RunFolder.open(path) if path.is_dir() else None
        self.index = RolloutIndex.open(path)
        self.query_text = text
        self.filter: Query = parse(text)
        self.sort = 0
        self.following = self._state() == "running"
        self.note = ""
        self.searching = False  # True while a filter reads the texts
        self.lost: list[str] | None = None  # what the files of the run lack; None before it was looked up
        self._reading = Lock()
        self._request = 0  # number of the latest listing: results of earlier ones are dropped

        # Kept as attributes: a query would search the top screen, while these widgets are updated below it.
        self.top = Static(id="status")
        self.said = Static(id="note")
        self.table = RolloutTable(id="table")
        self.shown = Static(id="rollout")
        self.detail = VerticalScroll(self.shown, id="detail")

    def compose(self) -> ComposeResult:
        yield self.top
        yield self.said
        yield Horizontal(self.table, self.detail, id="body")
        yield Input(self.query_text, placeholder='verdict:wrong reward<0.5 reason:"not given" text', id="filter")
        yield Input(placeholder="file for the listed rollouts", id="export")
        yield Hints(self.BINDINGS, "app")

    def on_mount(self) -> None:
        for name in ("#filter", "#export"):
            self.query_one(name).display = False
        self.index.refresh(FIRST)
        self.note = self.filter.fault(self.index.reward_names()) or ""
        self.table.focus()
        self.arrange()
        self.read_new()
        self.set_interval(EVERY_S, self.read_new)

    @work(thread=True)
    def read_new(self) -> None:
        """Read new rows in chunks, so that the list stays usable meanwhile."""
        if not self._reading.acquire(blocking=False):
            return
        try:
            changed = False
            if self.folder and self.lost is None:
                self.lost = self.folder.lost()
                changed = bool(self.lost)
            while (behind := self.index.behind) and self.is_running:
                changed = self.index.refresh(len(self.index.rows) + CHUNK) or changed
                if self.index.behind >= behind:
                    break  # a line that is still being written
        except R1Error as error:
            self.note, changed = str(error), True
        finally:
            self._reading.release()
        if changed:
            self.call_from_thread(self.arrange)

    @work(thread=True)
    def arrange(self, from_top: bool = False) -> None:
        """List the rows that pass the filter, in order, with the cursor on the same rollout as before or at the top."""
        self._request += 1
        request, wanted = self._request, self.filter
        changes = self.index.changes() if wanted.changes else {}
        found = [row for row in list(self.index.rows) if wanted.matches_row(row, changes)]
        if wanted.reads_text:
            kept: list[RolloutRow] = []
            key = self._sort_key()
            self.searching = True
            try:
                for start in range(0, len(found), CHUNK):
                    kept += text_matches(self.index, wanted, found[start : start + CHUNK])
                    if request != self._request:
                        return  # a newer request has replaced this one
                    if start + CHUNK < len(found):  # show what was found so far
                        self.call_from_thread(self.list_rows, sorted(kept, key=key), request, from_top)
            except R1Error as error:
                self.note = str(error)
            found = kept
        self.searching = False
        found.sort(key=self._sort_key())
        self.call_from_thread(self.list_rows, found, request, from_top)

    def _sort_key(self) -> Callable[[RolloutRow], Any]:
        if SORT_NAMES[self.sort] != BY_SPREAD:
            return SORTS[self.sort][1]
        spreads = self.index.group_spreads()
        return lambda row: (-spreads.get(row.group, 0.0), row.order)

    def list_rows(self, found: list[RolloutRow], request: int, from_top: bool) -> None:
        if request != self._request:
            return
        table = self.table
        old = None if from_top else table.current
        if self.following and self.sort == 0:
            cursor = len(found) - 1
        else:
            cursor = next((place for place, row in enumerate(found) if row is old), 0)
        table.show(found, cursor)
        self.show_status()

    def show_status(self) -> None:
        """Update the lines at the top: the path, the run's progress, the number of rollouts shown; below, filter and notes."""
        table = self.table
        shown, known = len(table.shown), len(self.index.rows)
        parts = [
            Text(f" {plain(self._end_of_path(), lines=False)} ", "bold reverse"),
            Text(self._progress()),
            Text(f"{shown:,} of {known:,} rollouts" if shown != known else f"{known:,} rollouts"),
        ]
        parts += [Text("still reading")] if self.index.behind and not self.following else []
        parts += [Text("searching")] if self.searching else []
        parts += [Text(f"sorted {SORT_NAMES[self.sort]}")] if self.sort else []
        if self.index.unreadable:
            where = ", ".join(f"{count} in {name}" for name, count in self.index.unreadable_in().items())
            parts.append(Text(f"damaged lines: {where}", OTHER))
        self.top.update(Text("  ").join(parts))
        below = [Text(plain(self.note, lines=False), OTHER)] if self.note else []
        if self.query_text and not self.query_one("#filter").display:
            below.append(Text.assemble(("filter ", DIM), (plain(self.query_text, lines=False), "cyan")))
        below += [Text(plain(text, lines=False), OTHER) for text in self.lost or []]
        self.said.display = bool(below)
        self.said.update(Text("\n").join(below))

    def _end_of_path(self) -> str:
        """Return the end of a long path, to leave space for the rest of the line."""
        path = str(self.path)
        return path if len(path) <= LONGEST_NAME else f"…{path[1 - LONGEST_NAME :]}"

    def on_rollout_table_moved(self) -> None:
        row = self.table.current
        if row is None:
            self.shown.update(Text("nothing to show" if self.index.rows else "no rollouts yet", DIM))
            return
        if (line := self._read(row)) is not None:
            self.shown.update(rollout(row, line, self.filter.marked))
            self.detail.scroll_home(animate=False)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "export":
            self.export(event.value.strip())
            return
        try:
            wanted = parse(event.value)
            if fault := wanted.fault(self.index.reward_names()):
                raise R1Error(fault)
        except R1Error as error:
            self.note = str(error)
            self.show_status()
            return
        self.filter, self.query_text, self.note = wanted, event.value, ""
        self.action_close_box()
        self.arrange()

    @work(thread=True)
    def export(self, name: str) -> None:
        """Write the listed rollouts to a file."""
        try:
            if not name:
                raise R1Error("name a file")
            count = self.index.copy(list(self.table.shown), Path(name).expanduser())
            self.note = f"{count:,} rollouts are in {name}"
            self.call_from_thread(self.action_close_box)
        except R1Error as error:
            self.note = str(error)
            self.call_from_thread(self.show_status)

    def on_key(self) -> None:
        if self.note:
            self.note = ""
            self.show_status()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Disable the actions of the list while another screen covers it."""
        return len(self.screen_stack) == 1 or action in ("quit", "pop_screen")

    def action_filter(self) -> None:
        self._open("#filter", self.query_text)

    def action_export(self) -> None:
        self._open("#export", str((self.path if self.folder else self.path.parent) / "selection.jsonl"))

    def _open(self, box_id: str, text: str) -> None:
        self.action_close_box()
        box = self.query_one(box_id, Input)
        box.value = text
        box.display = True
        box.focus()
        self.show_status()

    def action_close_box(self) -> None:
        for box in self.query(Input):
            box.display = False
        self.table.focus()
        self.show_status()

    def action_wrong(self, by: int) -> None:
        if not self.table.step_to_wrong(by):
            self.note = f"no wrong completion {'below' if by > 0 else 'above'} this one"
            self.show_status()

    def action_help_quit(self) -> None:
        """Quit on Ctrl-C too."""
        self.exit()

    def action_sort(self) -> None:
        self.sort = (self.sort + 1) % len(SORT_NAMES)
        self.arrange(from_top=True)

    def action_follow(self) -> None:
        self.following = not self.following
        self.arrange()

    def action_group(self) -> None:
        row = self.table.current
        if row is not None:
            rows = sorted(
                (other for other in self.index.rows if other.group == row.group), key=lambda other: other.order
            )
            self.push_screen(GroupScreen(self.index, rows if row.task else [row], row, self.filter.marked))

    def action_diff(self) -> None:
        row = self.table.current
        if row is None:
            return
        others = [other for other in self.index.rows if other.task == row.task and other.group != row.group]
        if not row.task or not others:
            self.note = "this task was attempted at no other step; the filter step:held-out lists tasks that were"
            self.show_status()
            return
        self.push_screen(DiffScreen(self.index, row, sorted(others, key=lambda other: other.order)))

    def action_help(self) -> None:
        self.push_screen(HelpScreen())

    def _read(self, row: RolloutRow) -> dict[str, object] | None:
        try:
            return self.index.read(row)
        except R1Error as error:
            self.note = str(error)
            return None

    def _state(self) -> str:
        return str(self.folder.status().get("state", "")) if self.folder else ""

    def _progress(self) -> str:
        status = self.folder.status() if self.folder else {}
        steps = (
            f", step {status['done']} of {status['total']}"
            if status.get("total") and status.get("phase") == "training"
            else ""
        )
        follow = ", following" if self.following else ""
        return f"{status.get('state', 'a file')}{steps}{follow}"
