"""A row of docs/leaderboard.md: the seconds of the command that brings `tiny` to .60 on full Countdown.

    python benchmarks/leaderboard.py --seed 0
    python benchmarks/leaderboard.py --seed 0 --steps 60 --set trainer.learning_rate=4e-4

Runs `r1 train --env countdown --rewards accuracy,format` on the two cores that it is given, and prints the row, or says why there is
none. Nothing else may run on the machine.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

GOAL, TASKS, CORES = 0.60, 500, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="without it, those of the recipe")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="settings")
    options = parser.parse_args()
    if len(os.sched_getaffinity(0)) != CORES:
        raise SystemExit(f"run it on {CORES} cores: taskset -c 0,1 python benchmarks/leaderboard.py")
    with tempfile.TemporaryDirectory(prefix="r1-") as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "r1_cli", "train", "--env", "countdown", "--rewards", "accuracy,format"]
        command += ["--seed", str(options.seed), "--out", str(out)]
        command += ["--steps", str(options.steps)] if options.steps else []
        for setting in options.settings:
            command += ["--set", setting]
        started = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        before, after = (json.loads((out / "evaluations" / f"{name}.json").read_text()) for name in ("before", "after"))
        steps = sum('"kind": "step"' in line for line in (out / "metrics.jsonl").read_text().splitlines())
    if after["accuracy"]["n"] < TASKS:
        raise SystemExit(f"no row: {after['accuracy']['n']} held-out tasks, and {TASKS} are needed")
    if after["accuracy"]["mean"] < GOAL:
        raise SystemExit(f"no row: {after['accuracy']['mean']:.3f} after {seconds:.0f} s, and {GOAL} is needed")
    ended = f"{after['accuracy']['mean']:.3f} ± {after['accuracy']['stderr']:.3f}"
    change = ", ".join(options.settings) or "none"
    print(
        f"| {seconds:.0f} | {ended} | {before['accuracy']['mean']:.3f} | {options.seed} | {steps} | {change} "
        f"| {commit()} | {machine()} |"
    )


def commit() -> str:
    asked = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{CORES} cores of {name}"


if __name__ == "__main__":
    main()
