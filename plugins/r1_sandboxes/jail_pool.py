"""A pool of jails of one kind: one for each worker thread, which starts it and lives as long as it."""

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
from .jail_client import Jail, JailDied
from .languages import find_toolchain
from .memory_files import sealed
from .start_jail import Mode, start_jail

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Kind:
    """The settings that the jails of a pool share."""

    mode: Mode
    preload: tuple[str, ...]
    workers: int
    language: str = "python"


class Pool:
    """Jails that run programs side by side. One that a program has broken is replaced."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.jails: set[Jail] = set()
        self.toolchain = None if kind.language == "python" else find_toolchain(kind.language)
        self._builds = Builds()
        self._threads = ThreadPoolExecutor(kind.workers, thread_name_prefix=f"r1-{kind.mode}")
        self._here = threading.local()

    def submit(self, code: str, stdins: Sequence[str], limits: r1sdk.ExecutionLimits) -> Future[list[r1sdk.Execution]]:
        """Run `code` on each of `stdins`, one after the other in one jail. The future raises: Unavailable."""
        return self._threads.submit(self._run, code, stdins, limits)

    def description(self) -> str:
        """Return the kind of jail in words, with the features that programs lack in it. Starts a jail if there is none."""
        jail = next(iter(self.jails), None) or self._threads.submit(self._jail, r1sdk.ExecutionLimits()).result()
        version = f" {jail.landlock}" if self.kind.mode == "landlock" else f" with Landlock {jail.landlock}"
        kernel = version if jail.landlock else ""
        missing = []
        if self.kind.mode == "bubblewrap" and not jail.landlock:
            missing.append(
                "; programs have no /dev/stdin and no /dev/fd: it needs Landlock 2 and a /proc that can be mounted"
            )
        if jail.landlock == 1:
            missing.append("; programs cannot rename a file into another folder before Linux 5.19")
        return f"{self.kind.mode}{kernel}, {self.kind.workers} at a time{''.join(missing)}"

    def close(self) -> None:
        """Wait for the programs that run, then end the jails."""
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
        """Return an open file with the program built of `code`, or the execution of the compiler that failed."""
        built: int | r1sdk.Execution | None = self._builds.get(code)
        if built is None:
            built = self._try(lambda jail: build(jail, source), LIMITS)
            if isinstance(built, int):
                self._builds.keep(code, built)
        return built

    def _try(self, use: Callable[[Jail], Result], limits: r1sdk.ExecutionLimits) -> Result:
        """Return `use(jail)`. A second jail is tried: the first may have died of the program before. Raises: Unavailable."""
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
    """Return this process's pool of that kind. Sandboxes with the same options share one."""
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
    """Forget the pools in a forked process: the jails belong to its parent, and the threads are not here."""
    global _lock
    _lock = threading.Lock()
    _pools.clear()


atexit.register(close_pools)
os.register_at_fork(after_in_child=_forget)
