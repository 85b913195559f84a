"""Programs per second in the warm sandbox, against a process per program and against one bwrap per program.

    python benchmarks/sandbox.py

All run the same small programs on the same number of workers, in turns, so that a busy machine slows all; the figures to read are the
ratios. With --numpy the programs import it, and the sandbox has it loaded beforehand.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from r1_sandboxes import LocalSandbox, jail_pool
from r1_sandboxes.bubblewrap import find_bwrap
from r1_sandboxes.jail_pool import close_pools
from r1sdk import ExecutionLimits

SMALL = "print(sum(map(int, input().split())))"
NUMPY = "import numpy\nprint(int(numpy.array(input().split(), dtype=int).sum()))"
Runner = Callable[[str, int], None]


def by_sandbox(sandbox: LocalSandbox, cases: int = 1) -> Runner:
    """Solutions of `cases` cases each."""

    async def run(code: str, count: int) -> None:
        stdins = [f"{k} 1" for k in range(cases)]
        done = await asyncio.gather(
            *(sandbox.run(code, stdins, limits=ExecutionLimits()) for _ in range(count // cases))
        )
        assert all(e.stdout == f"{k + 1}\n" for solution in done for k, e in enumerate(solution)), done[0]

    return lambda code, count: asyncio.run(run(code, count))


def by_process(workers: int, front: list[str]) -> Runner:
    """A process for each program, with `front` in front of its command."""

    def one(code: str, k: int) -> None:
        command = [*front, sys.executable, "-c", code]
        done = subprocess.run(command, input=f"{k} 1", text=True, capture_output=True, timeout=60, check=True)
        assert done.stdout == f"{k + 1}\n", done

    def run(code: str, count: int) -> None:
        with ThreadPoolExecutor(workers) as threads:
            for future in [threads.submit(one, code, k) for k in range(count)]:
                future.result()

    return run


def one_shot() -> list[str]:
    """bwrap as it would be called for each program: all of the machine read-only, new namespaces."""
    return [str(find_bwrap()), "--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--dev", "/dev"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--programs", type=int, default=200, help="in each round, for each way")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mode", default="auto", choices=("auto", "bubblewrap", "landlock"))
    parser.add_argument("--numpy", action="store_true", help="programs that import numpy")
    options = parser.parse_args()
    code, preload = (NUMPY, ("numpy",)) if options.numpy else (SMALL, ())
    sandbox = LocalSandbox(mode=options.mode, workers=options.workers, preload=preload)
    ways: dict[str, Runner] = {
        "warm sandbox": by_sandbox(sandbox),
        "ten cases a solution": by_sandbox(sandbox, cases=10),
        "process per program": by_process(options.workers, []),
    }
    if find_bwrap():
        ways["bwrap per program"] = by_process(options.workers, one_shot())
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for name, run in ways.items():
        run(code, 20)  # jails started, files in memory
    for _ in range(options.rounds):
        for name, run in ways.items():
            started = time.perf_counter()
            count = options.programs if name.startswith(("warm", "ten")) else max(10, options.programs // 4)
            run(code, count)
            rates[name].append(count / (time.perf_counter() - started))
    kind = sandbox.check()[0].how
    held = sum(
        int(Path(f"/proc/{jail.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for p in jail_pool._pools.values()
        for jail in p.jails
    )
    print(f"{'numpy' if options.numpy else 'small'} programs, {kind}; medians of {options.rounds} rounds")
    for name, measured in rates.items():
        ratios = sorted(a / b for a, b in zip(rates["warm sandbox"], measured, strict=True))
        ratio = f"sandbox is {statistics.median(ratios):5.2f} times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        print(
            f"  {name:22} {statistics.median(measured):8.1f} runs/s  {ratio if name not in ('warm sandbox',) else ''}"
        )
    print(f"  memory held by {options.workers} jails: {held / 2**20:.0f} MiB")
    close_pools()


if __name__ == "__main__":
    main()
