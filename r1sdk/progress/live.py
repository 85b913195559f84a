"""The live view of a run: a panel on a terminal and in a notebook, one plain line a step in a log."""

import itertools
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

from ..plugins.watchdog import SLOW_S, slow_text
from ..storage.run_folder import RunFolder
from ..visible_text import visible
from .follower import Follower, held_out, reward_names, series, unfinished_lines
from .notebook_cell import NotebookCell

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

BARS = "▁▂▃▄▅▆▇█"
CURVE = 40  # characters
SHORTEST_CURVE = 16  # characters of a curve that has its note beside it

_Row = tuple[str, list[float], str, str]  # a curve: its label, its values, their change, a note


class View(Protocol):
    """One way of showing a run that is followed."""

    note: str

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def show(self, follower: Follower, new: list[dict[str, Any]]) -> None:
        """Show the run as it is now; `new`: the lines of metrics since the last call."""
        ...


def view_for(shown: bool = True, stream: TextIO | None = None) -> View:
    """Return the view that suits `stream` (None: stderr): a panel, the cell of a notebook, or plain lines."""
    from rich.console import Console

    console = Console(file=stream or sys.stderr)
    if not shown:
        return _Nothing()
    if console.is_jupyter:
        return _Notebook()
    return _Panel(console) if console.is_terminal else _Lines(stream)


def watch(
    folder: RunFolder,
    poll: Callable[[], int | None],
    interrupt: Callable[[], None],
    every_s: float = 0.25,
    view: View | None = None,
) -> int:
    """Show the run until its training process ends. Ctrl-C asks it to save and end. Returns the exit status of the process."""
    view = view or view_for()
    follower = Follower(folder)
    code: int | None = None
    with view:
        while code is None:
            try:
                code = poll()
                view.show(follower, follower.refresh())
                if code is None:
                    time.sleep(every_s)
            except KeyboardInterrupt:
                what = "saving a checkpoint after this step" if follower.steps else "stopping before the first step"
                view.note = f"{what}; Ctrl-C again stops at once"
                interrupt()
        view.show(follower, follower.refresh())
    return code


class _Nothing:
    """Shows nothing."""

    note = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, follower: Follower, new: list[dict[str, Any]]) -> None:
        pass


class _Notebook(_Nothing):
    """For a notebook: the panel of a terminal, redrawn below the cell, at most once a second."""

    def __init__(self) -> None:
        self._cell = NotebookCell()
        self._drawn = 0.0
        self._follower: Follower | None = None

    def __exit__(self, *_: object) -> None:
        if self._follower is not None:
            self._cell.show(render(self._follower, self.note))

    def show(self, follower: Follower, new: list[dict[str, Any]]) -> None:
        self._follower = follower
        if time.monotonic() - self._drawn > 1.0:
            self._cell.show(render(follower, self.note))
            self._drawn = time.monotonic()


class _Lines:
    """For logs and CI: plain lines on stderr."""

    note = ""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def __enter__(self) -> Self:
        self._since = time.time()  # earlier steps of a resumed run were shown then
        self._phase = ""
        self._noted = ""
        self._before = False
        self._held: set[str] = set()
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, follower: Follower, new: list[dict[str, Any]]) -> None:
        if follower.before and not self._before:
            print(f"held-out {held_out(follower.before)}", file=self._stream, flush=True)
            self._before = True
        for line in new:
            if line.get("time", self._since) < self._since:
                continue
            text = f"warning: {line['text']}" if line["kind"] == "warning" else step_line(line, follower.max_steps)
            print(text, file=self._stream, flush=True)
        for call in follower.unfinished:  # once each, and from outside: the process may be unable to say so itself
            if call.seconds >= SLOW_S and not call.loads and call.label not in self._held:
                self._held.add(call.label)
                print(f"warning: {slow_text(call.label, call.seconds)}", file=self._stream, flush=True)
        phase = follower.status.get("phase", "")
        if phase and phase != self._phase and phase != "training":
            print(phase, file=self._stream, flush=True)
        self._phase = phase or self._phase
        if self.note != self._noted:
            print(self.note, file=self._stream, flush=True)
            self._noted = self.note


def step_line(line: dict[str, Any], total: int | None) -> str:
    """One step as one line: `step 12/80  reward 1.21  accuracy 0.34 ...`."""
    parts = [f"step {line['step']}/{total or '?'}"]
    if "reward" in line:
        parts.append(f"reward {_number(line['reward'])}")
        for name in reward_names([line]):
            lost = [
                f"{what} {share:.1%}" for what in ("timeout", "error") if (share := line.get(f"rewards/{name}/{what}"))
            ]
            parts.append(f"{name} {_number(line[f'rewards/{name}/mean'])}" + (f" ({', '.join(lost)})" if lost else ""))
        parts.append(f"length {line['completions/mean_length']:.0f}")
        parts.append(f"clipped {line['completions/clipped_ratio']:.1%}")
        parts.append(f"zero variance {line['frac_reward_zero_std']:.0%}")
        if "drawn/groups" in line:
            parts.append(f"drawn {line['drawn/groups']:.0f}, replaced {line['drawn/replaced']:.0f}")
    else:
        parts.append(f"loss {line['loss']:.4f}")
    parts.append(f"{line.get('tokens_per_second', 0):.0f} tokens/s")
    parts.append(f"{line['step_seconds']:.1f} s")
    return "  ".join(parts)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"  # a reward that applied to no completion of the batch


class _Panel:
    """For a terminal: curves, progress, one sample, redrawn in place."""

    note = ""

    def __init__(self, console: "Console") -> None:
        from rich.live import Live

        self.live = Live(console=console, refresh_per_second=4, transient=False)
        self.started = time.monotonic()

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.live.stop()

    def show(self, follower: Follower, new: list[dict[str, Any]]) -> None:
        self.live.update(render(follower, self.note))


def render(follower: Follower, note: str = "") -> "RenderableType":
    """Return the panel for the rows read so far."""
    from rich.console import Group
    from rich.panel import Panel
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    status, steps = follower.status, follower.steps
    done, total = status.get("done") or 0, status.get("total") or 0
    head = Table.grid(padding=(0, 2))
    head.add_row(
        Text(status.get("phase") or status.get("state", ""), style="bold"),
        ProgressBar(total=total or 1, completed=done, width=CURVE),
        Text(f"{done}/{total}" if total else ""),
        Text(f"{_clock(left)} left" if (left := seconds_left(follower)) is not None else "", style="dim"),
    )
    parts: list[Any] = [head]
    if follower.before:
        parts.append(Text(f"held-out {held_out(follower.before)}", style="dim"))
    if steps:
        parts.append(_Curves(steps))
    parts += [Text(f"! {warning['text']}", style="yellow") for warning in follower.warnings[-3:]]
    if follower.sample:
        parts.append(_sample(follower.sample))
    parts += [Text(line, style="yellow") for line in unfinished_lines(follower)]
    if note:
        parts.append(Text(note, style="bold yellow"))
    return Panel(Group(*parts), title=str(follower.folder.path), title_align="left", expand=True)


class _Curves:
    """The curves of a run, one a row, as long as the terminal allows."""

    def __init__(self, steps: list[dict[str, Any]]) -> None:
        self.steps = steps

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        yield _table(_rows(self.steps), options.max_width)


def _table(rows: list[_Row], width: int) -> "RenderableType":
    """Return the table of curves. Where a note has no room beside its curve, it stands below it."""
    from rich.table import Table
    from rich.text import Text

    if not rows:
        return Text("")
    gap = 2
    label, change, note = (
        max(len(text) for text in column) for column in zip(*((r[0], r[2], r[3]) for r in rows), strict=True)
    )
    left = width - label - change - 2 * gap
    beside = left - gap - note >= SHORTEST_CURVE
    length = max(1, min(CURVE, left - (gap + note if beside and note else 0)))
    table = Table.grid(padding=(0, gap))
    for name, values, changed, said in rows:
        table.add_row(name, curve(values, length), changed, *([Text(said, style="dim")] if beside else []))
        if said and not beside:
            table.add_row("", Text(said, style="dim"), "")
    return table


def _rows(steps: list[dict[str, Any]]) -> list[_Row]:
    """Return the label, values, change and note of each curve."""
    rows: list[_Row] = []

    def row(label: str, key: str, show: Callable[[float], str], note: str = "") -> None:
        values = series(steps, key)
        if values:
            rows.append((label, values, f"{show(_mean(values[:5]))} → {show(_mean(values[-5:]))}", note))

    if any("reward" in line for line in steps):
        row("reward", "reward", "{:.3f}".format)
        for name in reward_names(steps):
            row(f"  {name}", f"rewards/{name}/mean", "{:.3f}".format, health(steps[-5:], name))
        row("completion length", "completions/mean_length", "{:.0f}".format)
        row("clipped", "completions/clipped_ratio", "{:.1%}".format)
        row("zero-variance groups", "frac_reward_zero_std", "{:.0%}".format)
        row("groups replaced", "drawn/replaced", "{:.1f}".format)
        row("pass rate of the drawn", "drawn/pass_rate", "{:.3f}".format)
    else:
        row("loss", "loss", "{:.4f}".format)
    row("tokens/s", "tokens_per_second", "{:.0f}".format)
    return rows


def health(steps: list[dict[str, Any]], name: str) -> str:
    """Return notes on a reward: its correlation with the verdict, its unscored share, its time if it is slow."""

    def mean(what: str) -> float | None:
        values = series(steps, f"rewards/{name}/{what}")
        return _mean(values) if values else None

    parts = []
    # 0.995: it is the verdict, and nobody needs to be told.
    if (along := mean("verdict_correlation")) is not None and along < 0.995:
        parts.append(f"with verdict {along:+.2f}")
    parts += [f"{what} {share:.1%}" for what in ("none", "timeout", "error") if (share := mean(what))]
    if (slow := mean("ms_p99")) is not None and slow >= 10:
        parts.append(f"p99 {slow:.0f} ms")
    return ", ".join(parts)


def _sample(rollout: dict[str, Any]) -> "RenderableType":
    from rich.console import Group
    from rich.text import Text

    messages = rollout["completion"]["messages"]
    ask = str(rollout["task"]["prompt"][-1]["content"])
    verdict = rollout.get("verdict") or {}
    mark = {1.0: ("right", "green"), None: (verdict.get("status", ""), "yellow")}.get(
        verdict.get("value"), ("wrong", "red")
    )
    reason = f": {verdict['reason']}" if verdict.get("reason") else ""
    return Group(
        Text(f"\nstep {rollout.get('step')}: {_short(ask, 3)}", style="dim"),
        Text(_short(str(messages[-1]["content"]), 12)),
        Text(_short(mark[0] + reason, 2), style=mark[1]),
    )


def _short(text: str, lines: int) -> str:
    """At most so many lines, the first and the last ones; control characters do not reach the terminal."""
    rows = [visible(row, lines=False)[:200] for row in text.splitlines()]
    if len(rows) <= lines:
        return "\n".join(rows)
    half = lines // 2
    return "\n".join([*rows[:half], f"  ... {len(rows) - 2 * half} more lines", *rows[-half:]])


def curve(values: list[float], width: int = CURVE) -> str:
    """A line of `width` block characters from the lowest value to the highest; neighbours are averaged to fit."""
    if len(values) > width:
        edges = [round(i * len(values) / width) for i in range(width + 1)]
        values = [sum(values[a:b]) / (b - a) for a, b in itertools.pairwise(edges)]
    low, high = min(values), max(values)
    scale = (len(BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(BARS[round((value - low) * scale)] for value in values).ljust(width)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def seconds_left(follower: Follower) -> float | None:
    """At the pace of the last twenty steps."""
    steps, total = follower.steps, follower.max_steps
    if not steps or not total or follower.status.get("phase") != "training":
        return None
    pace = series(steps[-20:], "step_seconds")
    return (total - steps[-1]["step"]) * sum(pace) / len(pace) if pace else None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
