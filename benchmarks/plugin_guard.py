"""The cost of the guard around plugins: a batch scored as a run does it, against bare calls, and against a step's time.

    python benchmarks/plugin_guard.py

The batch is that of the README's run: 128 completions, one verifier and two rewards. Exit status 1 above 0.5 % of a step.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy  # noqa: F401 - as in a run: its random state is one of those that are put back
import torch  # noqa: F401 - likewise

import r1sdk
from r1sdk.plugins import guard

COMPLETIONS = 128
PLUGINS = 3


def main() -> int:
    """Print the microseconds of a call, and the share of a step."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument(
        "--step-seconds", type=float, default=2.4, help="of the README's run, two threads, idle machine"
    )
    options = parser.parse_args()
    rollout = r1sdk.Rollout(r1sdk.Task([]), r1sdk.Completion([]))

    def reward(one: Any) -> float:
        return 1.0

    def bare() -> None:
        for _ in range(PLUGINS):
            for _ in range(COMPLETIONS):
                reward(rollout)

    def guarded() -> None:
        with guard.plugin_calls():
            for plugin in range(PLUGINS):
                for _ in range(COMPLETIONS):
                    guard.call(f"reward {plugin}", reward, rollout)

    def empty() -> None:
        with guard.plugin_calls():
            pass

    bare_s, guarded_s, empty_s = (_median(function, options.rounds) for function in (bare, guarded, empty))
    calls = PLUGINS * COMPLETIONS
    cost_s = guarded_s - bare_s
    share = cost_s / options.step_seconds
    print(f"one batch of calls opened and closed: {empty_s * 1e6:.0f} us")
    print(f"one guarded call: {(cost_s - empty_s) / calls * 1e6:.1f} us more than a bare one")
    print(f"{calls} calls a step: {cost_s * 1e3:.2f} ms, {share:.2%} of a step of {options.step_seconds:g} s")
    return int(share > 0.005)


def _median(function: Callable[[], None], rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()  # on a busy machine it varies less than time on the clock
        function()
        times.append(time.process_time() - started)
    return statistics.median(times)


if __name__ == "__main__":
    sys.exit(main())
