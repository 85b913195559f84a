"""The one door through which plugin code is called in this process.

A plugin runs in the trainer's process, with everything that the trainer relies on in its reach. `call`, `call_async` and
`iterate` call it so that it cannot spoil the run:

- Python's, NumPy's and torch's random states are its own while it runs (`plugin_random`).
- Other state of the process that it leaves changed is restored, and reported once with its name (`process_state`).
- SystemExit, KeyboardInterrupt and their like are its errors. A real Ctrl-C still stops the run.
- A process that it forked and that comes back here ends at once, and the run stops with the plugin's name.
- A call that does not return is known by name, here and in the process that started this one (`call_marker`).

`plugin_calls` encloses several calls, and saves the time of preparing each. It is never needed.
"""

import contextvars
import inspect
import mmap
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from ..errors import PluginError
from . import call_marker, plugin_random
from .call_marker import ActiveCall
from .process_state import ALL, DESCRIPTORS, OF_THREAD, QUICK, Change, State, apply, capture, differences

Result = TypeVar("Result")

FORKED = 70  # exit status of a process that a plugin forked and that came back
_NOTE_BYTES = 256  # a length of one byte, and a label


class PluginFault(PluginError):
    """A plugin did what no plugin may: ended the process, forked the run, or exceeded the recipe's limit."""


class ForkedRun(PluginFault):
    """A plugin forked this process, and the copy came back from it."""


class Overrun(BaseException):
    """Raised inside a plugin that exceeds the limit. No `Exception`, so that `except Exception` does not hide it."""


Report = Callable[[str], None]
"""Receives one line for each plugin and part of the state that it left changed."""


def _print(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr, flush=True)


_report: Report = _print
_reported: set[tuple[str, str]] = set()
_limit_s: float | None = None
_section: "_Section | None" = None
_lock = threading.RLock()
_inside: contextvars.ContextVar[str | None] = contextvars.ContextVar("r1_plugin", default=None)
_interrupts = 0  # real ones: signals that arrived
_fork_note = mmap.mmap(-1, _NOTE_BYTES)  # shared with forked processes


def current() -> str | None:
    """Return the label of the plugin whose code runs, or None outside of plugins."""
    return _inside.get()


@contextmanager
def reporting(report: Report) -> Iterator[None]:
    """Send reports to `report` inside this context, each plugin's from the first on."""
    global _report
    before, known = _report, set(_reported)
    _report = report
    _reported.clear()
    try:
        yield
    finally:
        _report = before
        _reported.clear()
        _reported.update(known)


def set_limit(seconds: float | None) -> None:
    """Limit each call, but those that load something. Only `watchdog` can enforce it for one that does not wait."""
    global _limit_s
    _limit_s = seconds


def limit() -> float | None:
    """Return the limit of a call in seconds."""
    return _limit_s


class _Section:
    """Calls of plugins between two moments at which the trainer's own code runs."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.thread = threading.get_ident()
        self.users = 0
        self.closed = False
        self.elsewhere = 0  # calls that run in other threads
        self.shared = False  # other threads made calls, so that a change may be any plugin's
        self.last = ""  # label of the plugin that ran last in this thread
        self.labels: dict[str, None] = {}
        self.interrupts = _interrupts
        self.handler = self._watch_interrupts()
        self.theirs = plugin_random.enter()
        self.before: State = capture()
        DESCRIPTORS.remember()

    def close(self) -> None:
        """Restore everything, at the end of the last call."""
        self.closed = True
        try:
            self.check(ALL, " or ".join(self.labels) if self.shared else self.last)
        finally:
            plugin_random.leave(self.theirs)
            if self.handler is not None and signal.getsignal(signal.SIGINT) is _note_interrupt:
                signal.signal(signal.SIGINT, self.handler)

    def _watch_interrupts(self) -> Any:
        """Have real interrupts counted, in front of their handler. Returns that handler, None where it stays."""
        global _next_handler
        if threading.current_thread() is not threading.main_thread():
            return None
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler) or handler is _note_interrupt:
            return None
        _next_handler = handler
        signal.signal(signal.SIGINT, _note_interrupt)
        return handler

    def check(self, among: Any, label: str) -> None:
        """Restore the parts of the state that `label` left changed."""
        undo(differences(self.before, among), label)

    def begin(self, label: str) -> None:
        """Note that `label` runs next; what the plugin before it left changed is restored first."""
        self.labels[label] = None
        if label != self.last:
            if self.last and not self.elsewhere:
                self.check(ALL, self.last)
            self.last = label


_next_handler: Any = None


def note_interrupt() -> None:
    """Note that a signal came, from a handler that raises KeyboardInterrupt: it is no fault of the plugin that runs."""
    global _interrupts
    _interrupts += 1


def _note_interrupt(number: int, frame: Any) -> Any:
    note_interrupt()
    return _next_handler(number, frame)


def undo(changes: list[Change], label: str) -> None:
    """Restore changed parts and report each once. Raises: PluginFault if one cannot be restored."""
    texts = [str(change) for change in changes]
    problems = [change.undo() for change in changes]  # all, before anything is printed
    for change, text, problem in zip(changes, texts, problems, strict=True):
        if problem is not None:
            raise PluginFault(f"{label} changed {text} of the process, which cannot be restored ({problem})")
        if (label, change.part.name) not in _reported:
            _reported.add((label, change.part.name))
            _report(f"{label} changed {text} and left it so: restored after each call (docs/reliability.md)")


@contextmanager
def plugin_calls() -> Iterator[None]:
    """Enclose several calls of plugins, without code of the trainer's in between that draws random numbers."""
    section = _open()
    try:
        yield
    finally:
        _close(section)


def _open(holds: bool = True) -> _Section:
    global _section
    with _lock:
        if _section is None or _section.pid != os.getpid():
            _section = _Section()
        _section.users += holds
        return _section


def _close(section: _Section, held: bool = True) -> None:
    if os.getpid() != section.pid:
        _end_fork(section.last, None)
    with _lock:
        if not held or section.closed:
            return
        section.users -= 1
        if section.users == 0:
            _end(section)
    check_forks()


def _end(section: _Section) -> None:
    global _section
    if _section is section:
        _section = None
    section.close()


def abandon_calls() -> None:
    """End the calls that were being made, after an interrupt has stopped the event loop in their midst."""
    with _lock:
        if _section is not None and _section.pid == os.getpid():
            _end(_section)


def call(
    label: str, function: Callable[..., Result], *arguments: Any, loads: bool = False, may_hang: bool = False
) -> Result:
    """Return `function(*arguments)`, which is code of the plugin `label`. `loads`: it may take long.

    `may_hang`: for a thread whose caller, inside `plugin_calls`, does not wait for it without end.

    Raises: what the plugin raises, with its name as a note; PluginFault for SystemExit and the like.
    """
    outer = _inside.get()
    if outer is not None:  # another plugin calls it, and answers for it
        return _raw(label, function, arguments)
    section = _open(not may_hang)
    try:
        there = threading.get_ident() != section.thread
        own = capture() if there else None
        if there:
            section.elsewhere += 1
            section.shared = True
            section.labels[label] = None
        else:
            section.begin(label)
        running = ActiveCall(label, time.time(), threading.get_ident(), loads)
        number = call_marker.begin(running)
        call_marker.show_running(running)
        try:
            result = _raw(label, function, arguments)
            if running.overran:
                raise PluginFault(overrun_text(label))
            return result
        finally:
            call_marker.end(number)
            call_marker.show_running(None)
            if own is not None:
                section.elsewhere -= 1
                undo(differences(own, OF_THREAD), label)
            else:
                section.check(OF_THREAD if section.elsewhere else QUICK, label)
    finally:
        _close(section, not may_hang)


def _raw(label: str, function: Callable[..., Result], arguments: Any) -> Result:
    """Call `function`. Raises: as `call`."""
    here, interrupts = os.getpid(), _interrupts
    token = _inside.set(label)
    try:
        result = function(*arguments)
    except BaseException as error:
        if os.getpid() != here:
            _end_fork(label, error)
        _raise_as_its_own(label, error, interrupts)
        raise
    finally:
        _inside.reset(token)
    if os.getpid() != here:
        _end_fork(label, None)
    return result


async def call_async(label: str, function: Callable[..., Any], *arguments: Any) -> Any:
    """Return `function(*arguments)`, awaited if it is async. Raises: as `call`."""
    value = call(label, function, *arguments)
    return await wait_for(label, value) if inspect.isawaitable(value) else value


async def wait_for(label: str, awaitable: Any) -> Any:
    """Return the result of a plugin's `awaitable`. Raises: as `call`; PluginFault after the limit."""
    if _inside.get() is not None:
        return await awaitable
    section = _open()
    number = call_marker.begin(ActiveCall(label, time.time(), None))
    try:
        if _limit_s is None:
            return await _Stepped(label, awaitable, section)
        import asyncio

        async with asyncio.timeout(_limit_s) as bound:
            return await _Stepped(label, awaitable, section)
    except TimeoutError:
        if _limit_s is not None and bound.expired():
            raise PluginFault(overrun_text(label)) from None
        raise
    finally:
        call_marker.end(number)
        _close(section)


class _Stepped:
    """An awaitable that checks after each step of a plugin's coroutine what it changed.

    Between its steps other code runs. What the coroutine changed for its own use, such as the folder inside a
    `with` block, is undone when it waits and made again when it continues.
    """

    def __init__(self, label: str, awaitable: Any, section: _Section) -> None:
        self.label = label
        self.awaitable = awaitable
        self.section = section

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self.awaitable.__await__()
        own: list[Change] = []
        thrown: BaseException | None = None
        while True:
            try:
                waits_for = self._step(steps, own, thrown)
            except StopIteration as end:
                return end.value
            here = threading.get_ident() == self.section.thread and not self.section.elsewhere
            changes = differences(self.section.before, ALL) if here else []
            own = [change for change in changes if change.part.repeats]
            for change in own:
                change.undo()
            undo([change for change in changes if not change.part.repeats], self.label)
            try:
                yield waits_for
                thrown = None
            except BaseException as error:  # noqa: BLE001 - it belongs to the coroutine
                thrown = error

    def _step(self, steps: Any, own: list[Change], thrown: BaseException | None) -> Any:
        """Continue the coroutine up to its next wait. Raises: StopIteration at its end; as `call`."""
        section, label = self.section, self.label
        here, interrupts, started = os.getpid(), _interrupts, time.time()
        if threading.get_ident() == section.thread:
            section.begin(label)
        apply(own)
        running = ActiveCall(label, started, threading.get_ident())
        number = call_marker.begin(running)
        call_marker.show_running(running)
        token = _inside.set(label)
        ended = True
        try:
            if thrown is None:
                found = next(steps)
            elif hasattr(steps, "throw"):
                found = steps.throw(thrown)
            else:
                raise thrown
            ended = False
        except BaseException as error:
            returned = isinstance(error, StopIteration)
            if os.getpid() != here:
                _end_fork(label, None if returned else error)
            if running.overran:
                raise PluginFault(overrun_text(label)) from None
            if not returned and error is not thrown:
                _raise_as_its_own(label, error, interrupts)
            raise
        finally:
            _inside.reset(token)
            call_marker.end(number)
            call_marker.show_running(None)
            if ended and threading.get_ident() == section.thread:
                section.check(OF_THREAD if section.elsewhere else (ALL if own else QUICK), label)
        if os.getpid() != here:
            _end_fork(label, None)
        if running.overran:
            raise PluginFault(overrun_text(label))
        return found


def iterate(label: str, function: Callable[..., Iterable[Result]], *arguments: Any) -> Iterator[Result]:
    """Yield the items of `function(*arguments)`, which a plugin makes. Raises: as `call`.

    They are taken in portions that grow, so that a long table costs little more than it does itself, and the first item no
    more than the first.
    """
    found = iter(call(label, function, *arguments, loads=True))
    portion = 1
    while True:
        items: list[Result] = []
        failed: Exception | None = None
        try:
            call(label, _take, found, portion, items, loads=True)
        except Exception as error:  # noqa: BLE001 - raised where it belongs: after the items before it
            failed = error
        yield from items
        if failed is not None:
            raise failed
        if len(items) < portion:
            return
        portion = min(portion * 2, _PORTION)


_PORTION = 256


def _take(items: Iterator[Result], count: int, into: list[Result]) -> None:
    for item in items:
        into.append(item)
        if len(into) == count:
            return


def _raise_as_its_own(label: str, error: BaseException, interrupts: int) -> None:
    """Raise what a plugin may not raise as its fault; name the plugin in other errors."""
    if isinstance(error, Overrun):
        raise PluginFault(overrun_text(label)) from None
    if isinstance(error, Exception):
        note = f"raised in {label}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return
    if isinstance(error, KeyboardInterrupt) and _is_real(interrupts):
        return
    if _is_cancellation(error):
        return
    raise PluginFault(
        f"{label} raised {type(error).__name__}{f': {error}' if str(error) else ''}: a plugin cannot end the run; "
        "return a value, or raise an Exception"
    ) from error


def _is_real(interrupts: int) -> bool:
    """True if a signal came since then. Python hands signals to the main thread, so in others it is the plugin's own."""
    if threading.current_thread() is not threading.main_thread():
        return False
    # Without our handler in front nothing is counted: then a real one must be able to stop the run.
    return _interrupts > interrupts or signal.getsignal(signal.SIGINT) not in (_note_interrupt, signal.SIG_IGN)


def _is_cancellation(error: BaseException) -> bool:
    """True if whoever awaits the running task has cancelled it, and `error` is how the plugin hears of it."""
    if "asyncio" not in sys.modules:  # it takes time to load, and plugins are loaded without it
        return False
    import asyncio

    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def overrun_text(label: str, limit_s: float | None = None) -> str:
    """Return the message about a call that exceeded the limit."""
    return (
        f"{label} did not return within {limit_s or _limit_s:g} s (limits.plugin_timeout_s)\n"
        "  mark it with r1sdk.isolated, or give it a timeout_s in the recipe: then a call that takes too long costs one reward, "
        "not the run"
    )


def _end_fork(label: str, error: BaseException | None) -> None:
    """End this process, which a plugin forked. One that meant to end does so; another is reported to its parent."""
    if isinstance(error, SystemExit):
        os._exit(error.code if isinstance(error.code, int) else bool(error.code))
    text = label.encode("utf-8", "replace")[:200]
    _fork_note[1 : 1 + len(text)] = text
    _fork_note[0] = len(text)
    os._exit(FORKED)


def check_forks() -> None:
    """Raises: PluginFault if a process that a plugin forked came back into this program. It has ended by itself."""
    length = _fork_note[0]
    if length:
        label = _fork_note[1 : 1 + length].decode("utf-8", "replace")
        _fork_note[0] = 0
        raise ForkedRun(
            f"{label} forked the process that trains, and the copy came back from it: it was ended before it could train too\n"
            "  start other processes with subprocess or multiprocessing's spawn, and end a fork with os._exit"
        )


def _after_fork() -> None:
    """Give a forked process its own notes, unless a plugin forked it: then it leaves a note for its parent."""
    global _lock, _fork_note
    _lock = threading.RLock()  # another thread may have held it
    if _section is None:
        _fork_note = mmap.mmap(-1, _NOTE_BYTES)
        call_marker.active.clear()


os.register_at_fork(after_in_child=_after_fork)
