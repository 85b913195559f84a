"""The threads of torch on a CPU: as many as there are idle cores, so that a busy machine costs its fair share and not ten times that.

The threads of one operation wait for each other in a busy loop. If another process holds one of the cores, that loop burns the time
which the waited-for thread needs. So the wait is short (`wait_briefly`), and while others use the cores, fewer threads compute
(`follow_load`). On the models that were measured the number of threads does not change a result (docs/reliability.md).
"""

import os
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import NamedTuple

CHOSEN_BY_USER = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
SPINS = "10000"  # of libgomp's loop, some 20 microseconds; its default is some milliseconds
PERIOD_S = 0.25  # between two looks at the load
WAITED = 0.08  # a thread that waited for a core for a larger share of the time is in someone's way
FIRST_CALM_S, LONGEST_CALM_S = 2.0, 60.0  # so long cores must be idle before they are used again, doubled each time


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Set libgomp's waiting for a process whose torch is not loaded yet, unless the user has set it."""
    if not any(name in environment for name in CHOSEN_BY_USER):
        environment["GOMP_SPINCOUNT"] = SPINS


def wait_briefly_here() -> None:
    """Set libgomp's waiting for this process. Has no effect where torch is loaded already."""
    if "torch" not in sys.modules:
        wait_briefly(os.environ)


class Load(NamedTuple):
    """Counters of the kernel, in seconds."""

    at: float  # of a steady clock
    idle: float  # of all cores that this process may use
    ours: float  # processor time of this process
    waited: float  # of the calling thread, ready to run but without a core


def read_load() -> Load | None:
    """Return the counters now; None where there is no /proc."""
    try:
        cores = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        lines = [line.split() for line in Path("/proc/stat").read_text().splitlines()]
        idle = sum(int(fields[4]) + int(fields[5]) for fields in lines if fields[0] in cores)
        waited = int(Path("/proc/thread-self/schedstat").read_text().split()[1])
    except (OSError, IndexError, ValueError, AttributeError):
        return None
    return Load(time.monotonic(), idle / os.sysconf("SC_CLK_TCK"), time.process_time(), waited / 1e9)


def busy_cores(over_s: float = 0.5) -> float | None:
    """Return how many cores other processes use, measured for `over_s` seconds; None if the system does not say."""
    if (first := read_load()) is None:
        return None
    time.sleep(over_s)
    if (then := read_load()) is None:
        return None
    used = (then.idle - first.idle + then.ours - first.ours) / (then.at - first.at)
    return max(0.0, len(os.sched_getaffinity(0)) - used)


class ThreadCount:
    """Decides how many threads compute, from the load since the last look."""

    def __init__(self, most: int) -> None:
        self.most = self.now = most
        self.calm_s = FIRST_CALM_S
        self.calm_since: float | None = None
        self.last: Load | None = None

    def decide(self, load: Load) -> int:
        """Return the number of threads from now on."""
        last, self.last = self.last, load
        if last is None or load.at <= last.at:
            return self.now
        passed = load.at - last.at
        available = max(1, int((load.ours - last.ours + load.idle - last.idle) / passed + 0.35))
        wanted = min(self.most, available)
        if wanted < self.now and load.waited - last.waited > WAITED * passed:
            self.now, self.calm_since = wanted, None
        elif wanted > self.now:
            self.calm_since = last.at if self.calm_since is None else self.calm_since
            if load.at - self.calm_since >= self.calm_s:
                self.now, self.calm_since = wanted, None
                self.calm_s = min(LONGEST_CALM_S, 2 * self.calm_s)
        else:
            self.calm_since = None
        return self.now


_count: ThreadCount | None = None


def follow_load() -> int:
    """Set torch's threads by the load, and say so where they change. Returns their number.

    Call it between operations, in the thread that computes. Nothing is changed where the user has chosen, or on a GPU.
    """
    global _count
    import torch

    if _count is None:
        fixed = any(name in os.environ for name in CHOSEN_BY_USER[:2]) or torch.cuda.is_available()
        _count = ThreadCount(1 if fixed else torch.get_num_threads())
    if _count.most == 1:
        return torch.get_num_threads()
    if _count.last is not None and time.monotonic() - _count.last.at < PERIOD_S:
        return torch.get_num_threads()
    if (load := read_load()) is None:
        return torch.get_num_threads()
    before = _count.now
    threads = _count.decide(load)
    torch.set_num_threads(threads)
    if threads != before:
        reason = "other processes use the cores" if threads < before else "cores are idle again"
        print(f"torch computes with {threads} of {_count.most} threads: {reason}", file=sys.stderr, flush=True)
    return threads
