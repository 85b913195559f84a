"""Jails of one kind, as many as there are workers, each in the hands of one thread that lives as long as it."""

import atexit
import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import r1sdk

from .builds import LIMITS, Builds, build
from .jails import Jail, JailDied
from .languages import find_toolchain
from .memory_files import sealed
from .start import Mode, start_jail

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Kind:
    """What the jails of a pool have in common."""

    mode: Mode
    preload: tuple[str, ...]
    workers: int
    language: str = "python"


class Pool:
    """Runs programs side by side. A jail that a program has broken is replaced."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.jails: set[Jail] = set()
        self.toolchain = None if kind.language == "python" else find_toolchain(kind.language)
        self._builds = Builds()
        self._threads = ThreadPoolExecutor(kind.workers, thread_name_prefix=f"r1-{kind.mode}")
        self._here = threading.local()

    def submit(self, code: str, stdins: Sequence[str], limits: r1sdk.ExecutionLimits) -> Future[list[r1sdk.Execution]]:
        """The executions of `code`, one after the other in one jail. It raises: Unavailable."""
        return self._threads.submit(self._run, code, stdins, limits)

    def close(self) -> None:
        """Wait for what runs, then end the jails."""
        self._threads.shutdown()
        for jail in list(self.jails):
            self._end(jail)
        self._builds.close()

    def _run(self, code: str, stdins: Sequence[str], limits: r1sdk.ExecutionLimits) -> list[r1sdk.Execution]:
        with contextlib.ExitStack() as files:
            program = files.enter_context(sealed(code))
            if self.toolchain is not None and self.toolchain.build is not None:
                built = self._build(code, program)
                if isinstance(built, r1sdk.Execution):
                    return [built] * len(stdins)
                files.callback(os.close, built)
                program = built
            return [self._try(partial(Jail.run, code=program, stdin=stdin, limits=limits), limits) for stdin in stdins]

    def _build(self, code: str, source: int) -> int | r1sdk.Execution:
        """A file with what is built of `code`, to be closed; or how its compiler failed."""
        built: int | r1sdk.Execution | None = self._builds.get(code)
        if built is None:
            built = self._try(lambda jail: build(jail, source), LIMITS)
            if isinstance(built, int):
                self._builds.keep(code, built)
        return built

    def _try(self, use: Callable[[Jail], Result], limits: r1sdk.ExecutionLimits) -> Result:
        """`use` of a jail, tried in two: the first may have died of the program before. Raises: Unavailable."""
        for attempt in (1, 2):
            try:
                return use(self._jail(limits))
            except JailDied as died:
                self._end(getattr(self._here, "jail", None))
                if attempt == 2:
                    raise r1sdk.Unavailable(f"sandbox local ({self.kind.mode}): {died}") from None
        raise AssertionError("unreachable")

    def _jail(self, limits: r1sdk.ExecutionLimits) -> Jail:
        jail: Jail | None = getattr(self._here, "jail", None)
        if jail is not None and jail.disk_bytes < limits.disk_bytes:
            self._end(jail)
            jail = None
        if jail is None:
            self._here.jail = None
            jail = start_jail(self.kind.mode, self.kind.preload, max(limits.disk_bytes, 64 << 20), self.toolchain)
            self._here.jail = jail
            self.jails.add(jail)
        return jail

    def _end(self, jail: Jail | None) -> None:
        if jail is not None:
            self.jails.discard(jail)
            jail.close()
        self._here.jail = None


_pools: dict[Kind, Pool] = {}
_lock = threading.Lock()


def pool_of(kind: Kind) -> Pool:
    """This process's pool of that kind. Sandboxes with the same options share one."""
    with _lock:
        if kind not in _pools:
            _pools[kind] = Pool(kind)
        return _pools[kind]


def close_pools() -> None:
    """End every jail of this process; the next program starts new ones."""
    with _lock:
        pools = list(_pools.values())
        _pools.clear()
    for pool in pools:
        pool.close()


def _forget() -> None:
    """In a forked process: the jails belong to its parent, whose threads are not here."""
    global _lock
    _lock = threading.Lock()
    _pools.clear()


atexit.register(close_pools)
os.register_at_fork(after_in_child=_forget)
