"""The state of the process that a plugin can change behind the trainer's back: read, compared and put back."""

import contextlib
import gc
import os
import resource
import signal
import socket
import stat
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import current_thread, main_thread
from typing import Any

_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGALRM", "SIGCHLD", "SIGPIPE", "SIGUSR1", "SIGUSR2")
    if hasattr(signal, name)
)
_LIMITS = (resource.RLIMIT_AS, resource.RLIMIT_DATA, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE)
_STREAMS = ("stdin", "stdout", "stderr")


@dataclass(frozen=True, slots=True)
class StatePart:
    """One part of the state of the process. With `of_thread` each thread has its own value."""

    name: str  # as a message names it
    read: Callable[[], Any]
    restore: Callable[[Any], None]
    of_thread: bool = False
    slow: bool = False  # takes a call of the system, or as long as one
    repeats: bool = True  # a change can be made again after it was undone
    describe: Callable[[Any, Any], str] | None = None  # of the value before and after


State = tuple[Any, ...]
"""The value of each part; `_ABSENT` for a part of a library that is not imported yet."""
_ABSENT: Any = object()


@dataclass(frozen=True, slots=True)
class Change:
    """One part that differs from its earlier value."""

    part: StatePart
    before: Any
    after: Any

    def __str__(self) -> str:
        detail = self.part.describe(self.before, self.after) if self.part.describe else ""
        return f"{self.part.name} ({detail})" if detail else self.part.name

    def undo(self) -> str | None:
        """Restore the earlier value. Returns the reason if the system refuses that."""
        try:
            self.part.restore(self.before)
        except (OSError, ValueError, RuntimeError) as error:
            return f"{type(error).__name__}: {error}"
        return None


def capture() -> State:
    """Return the state of this process as the calling thread sees it."""
    return tuple([part.read() for part in PARTS])


def differences(before: State, among: Sequence[int]) -> list[Change]:
    """Return the parts that differ from `before` now. `among`: indices of the parts to compare, such as `QUICK`."""
    found = []
    for at in among:
        earlier, part = before[at], PARTS[at]
        now = part.read()
        if now != earlier and earlier is not _ABSENT:
            found.append(Change(part, earlier, now))
    return found


def apply(changes: Sequence[Change]) -> None:
    """Make changes again that were undone, as far as the system allows."""
    for change in changes:
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            change.part.restore(change.after)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


def _go_back(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


# Reading `os.environ` itself decodes each variable, at a hundred times the cost of copying what it holds.
def _environment() -> dict[Any, Any]:
    return dict(getattr(os.environ, "_data", os.environ))


def _restore_environment(before: dict[Any, Any]) -> None:
    variables = os.environb if isinstance(next(iter(before), b""), bytes) else os.environ
    for name in [name for name in variables if name not in before]:
        del variables[name]  # type: ignore[arg-type]
    for name, value in before.items():
        if variables.get(name) != value:
            variables[name] = value


def _changed_variables(before: dict[Any, Any], after: dict[Any, Any]) -> str:
    names = sorted(os.fsdecode(name) for name in {*before, *after} if before.get(name) != after.get(name))
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _handlers() -> tuple[Any, ...]:
    return tuple(map(_getsignal, _SIGNALS))


# The module behind `signal` does not turn each result into an enum, which costs more than the rest of a capture.
_getsignal: Callable[[int], Any] = getattr(sys.modules.get("_signal"), "getsignal", signal.getsignal)


def _restore_handlers(before: tuple[Any, ...]) -> None:
    if current_thread() is not main_thread():
        return
    for number, handler in zip(_SIGNALS, before, strict=True):
        if handler is not None and _getsignal(number) != handler:
            signal.signal(number, handler)


def _changed_signals(before: tuple[Any, ...], after: tuple[Any, ...]) -> str:
    return ", ".join(number.name for number, a, b in zip(_SIGNALS, before, after, strict=True) if a != b)


def _alarm_is_set() -> bool:
    return signal.getitimer(signal.ITIMER_REAL)[0] > 0


def _clear_alarm(was_set: bool) -> None:
    if not was_set:  # one that was cleared cannot be set again: the time that it had left is unknown
        signal.setitimer(signal.ITIMER_REAL, 0)


def _mask() -> set[Any]:
    return signal.pthread_sigmask(signal.SIG_BLOCK, ())


def _restore_mask(before: set[Any]) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _streams() -> tuple[Any, ...]:
    return tuple([(getattr(sys, name), getattr(getattr(sys, name), "closed", False)) for name in _STREAMS])


def _restore_streams(before: tuple[Any, ...]) -> None:
    for number, (name, (stream, closed)) in enumerate(zip(_STREAMS, before, strict=True)):
        if stream is not None and not closed and stream.closed:
            stream = open(number, "r" if number == 0 else "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
            setattr(sys, f"__{name}__", stream)
        setattr(sys, name, stream)


class _Descriptors:
    """Copies of the descriptors 0, 1 and 2, so that one that was closed or replaced can be put back."""

    def __init__(self) -> None:
        self._copies: dict[int, tuple[tuple[int, int], int]] = {}  # by descriptor: the file it leads to, and the copy

    def read(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple([_file_of(number) for number in range(3)])

    def remember(self) -> None:
        """Copy those that lead to other files than before."""
        for number in range(3):
            file, known = _file_of(number), self._copies.get(number)
            if file is None or (known is not None and known[0] == file):
                continue
            if known is not None:
                with contextlib.suppress(OSError):
                    os.close(known[1])
            self._copies[number] = (file, os.dup(number))

    def restore(self, before: tuple[tuple[int, int] | None, ...]) -> None:
        for number, file in enumerate(before):
            known = self._copies.get(number)
            if file is not None and _file_of(number) != file and known is not None and known[0] == file:
                os.dup2(known[1], number)


def _file_of(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    # The number of a pipe or a terminal is enough; one of a file can be given again after it was deleted.
    return found.st_dev, found.st_ino if not stat.S_ISCHR(found.st_mode) else found.st_rdev


DESCRIPTORS = _Descriptors()


def _limits() -> tuple[tuple[int, int], ...]:
    return tuple(map(resource.getrlimit, _LIMITS))


def _restore_limits(before: tuple[tuple[int, int], ...]) -> None:
    for number, limits in zip(_LIMITS, before, strict=True):
        if resource.getrlimit(number) != limits:
            resource.setrlimit(number, limits)


def _torch(name: str, default: Any = _ABSENT) -> Callable[[], Any]:
    """Return a function that reads `torch.NAME()`, or `_ABSENT` while torch is not imported."""
    reader: Callable[[], Any] | None = None

    def read() -> Any:
        nonlocal reader
        if reader is None:
            found: Any = sys.modules.get("torch")
            for part in name.split("."):
                found = getattr(found, part, None)
            if found is None:
                return default
            reader = found
        return reader()

    return read


def _set_torch(name: str) -> Callable[[Any], None]:
    def restore(value: Any) -> None:
        getattr(sys.modules["torch"], name)(value)

    return restore


def _default_device() -> Any:
    return getattr(getattr(sys.modules.get("torch"), "_GLOBAL_DEVICE_CONTEXT", None), "device_context", None)


def _restore_device(before: Any) -> None:
    sys.modules["torch"].set_default_device(None if before is None else before.device)


_DEVICES = ("cpu", "cuda")
_any_autocast = _torch("_C._is_any_autocast_enabled")


def _autocast() -> Any:
    """Return the devices with autocast; asking for each takes a microsecond, and nearly always there is none."""
    found = _any_autocast()
    if found is not True:
        return () if found is False else found
    return tuple([device for device in _DEVICES if sys.modules["torch"].is_autocast_enabled(device)])


def _restore_autocast(before: tuple[str, ...]) -> None:
    torch = sys.modules["torch"]
    for device in _DEVICES:
        torch.set_autocast_enabled(device, device in before)
    torch.clear_autocast_cache()


def _leave_inference(was_enabled: bool) -> None:
    # The mode ends with the object that began it, which the plugin holds; one that lives on covers it.
    mode = sys.modules["torch"].inference_mode(was_enabled)
    mode.__enter__()
    _KEPT.append(mode)


_KEPT: list[Any] = []


def _numpy_errors() -> Any:
    numpy = sys.modules.get("numpy")
    return numpy.geterr() if numpy is not None and hasattr(numpy, "geterr") else _ABSENT


def _restore_numpy_errors(before: Any) -> None:
    sys.modules["numpy"].seterr(**before)


def _restore_gc(was_enabled: bool) -> None:
    (gc.enable if was_enabled else gc.disable)()


PARTS: tuple[StatePart, ...] = (
    StatePart("the current folder", _folder, _go_back, slow=True, describe=lambda before, after: f"{after}"),
    StatePart("environment variables", _environment, _restore_environment, describe=_changed_variables),
    StatePart("signal handlers", _handlers, _restore_handlers, slow=True, describe=_changed_signals),
    StatePart("an alarm that is still set", _alarm_is_set, _clear_alarm, slow=True, repeats=False),
    StatePart("blocked signals", _mask, _restore_mask, slow=True, of_thread=True),
    StatePart("the descriptors 0 to 2", DESCRIPTORS.read, DESCRIPTORS.restore, slow=True, repeats=False),
    StatePart("sys.stdin, sys.stdout or sys.stderr", _streams, _restore_streams),
    StatePart("limits of the process (setrlimit)", _limits, _restore_limits, slow=True),
    StatePart("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    StatePart("the garbage collector", gc.isenabled, _restore_gc),
    StatePart("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    StatePart("NumPy's handling of errors", _numpy_errors, _restore_numpy_errors, slow=True, of_thread=True),
    StatePart(
        "torch's inference mode", _torch("is_inference_mode_enabled"), _leave_inference, of_thread=True, repeats=False
    ),
    StatePart("torch's grad mode", _torch("is_grad_enabled"), _set_torch("set_grad_enabled"), of_thread=True),
    StatePart("torch's autocast", _autocast, _restore_autocast, of_thread=True),
    StatePart("torch's number of threads", _torch("get_num_threads"), _set_torch("set_num_threads")),
    StatePart("torch's default dtype", _torch("get_default_dtype"), _set_torch("set_default_dtype")),
    StatePart("torch's default device", _default_device, _restore_device, slow=True, of_thread=True),
    StatePart(
        "torch's precision of matrix products",
        _torch("get_float32_matmul_precision"),
        _set_torch("set_float32_matmul_precision"),
    ),
    StatePart(
        "torch's deterministic algorithms",
        _torch("are_deterministic_algorithms_enabled"),
        _set_torch("use_deterministic_algorithms"),
    ),
    StatePart("torch's anomaly detection", _torch("is_anomaly_enabled"), _set_torch("set_anomaly_enabled")),
)
ALL = range(len(PARTS))
QUICK = tuple(at for at in ALL if not PARTS[at].slow)
OF_THREAD = tuple(at for at in ALL if PARTS[at].of_thread)
