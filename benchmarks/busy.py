"""The cost of a training step while other processes use the cores, against its cost on an idle machine.

    python benchmarks/busy.py --loops 2 --rounds 3
    python benchmarks/busy.py --also OMP_WAIT_POLICY=PASSIVE --also OMP_NUM_THREADS=1

Each round trains `r1 train --env countdown --rewards accuracy,format` for a few steps alone, and then beside `--loops` endless loops.
`--also`: the same again with a variable of the environment set, which stands over what r1sdk chooses. The figure to read is the
ratio of the medians. Nothing else may run on the machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="of each run; the first is not counted")
    parser.add_argument("--limit-s", type=float, default=600.0, help="for one run; slower ones are reported as such")
    parser.add_argument("--also", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    print("| setting | alone, s a step | beside | ratio |\n|---|---|---|---|")
    for setting in ["as r1sdk chooses", *options.also]:
        chosen = dict([setting.split("=", 1)]) if "=" in setting else {}
        alone: list[float] = []
        beside: list[float] = []
        for _ in range(options.rounds):
            alone += seconds(options.steps, chosen, options.limit_s)
            with loops(options.loops):
                beside += seconds(options.steps, chosen, options.limit_s)
        if not alone or not beside:
            print(f"| {setting} | {middle(alone)} | {middle(beside)} | a run took more than {options.limit_s:.0f} s |")
            continue
        ratio = statistics.median(beside) / statistics.median(alone)
        print(f"| {setting} | {middle(alone)} | {middle(beside)} | {ratio:.2f} |", flush=True)


def middle(values: list[float]) -> str:
    if not values:
        return "none"
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def seconds(steps: int, chosen: dict[str, str], limit_s: float) -> list[float]:
    """Return the seconds of each step of one run but the first; none if it takes longer than `limit_s`."""
    with tempfile.TemporaryDirectory(prefix="r1-") as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "r1_cli", "train", "--env", "countdown", "--rewards", "accuracy,format"]
        command += ["--steps", str(steps), "--set", "evaluation.tasks=0", "--out", str(out)]
        try:
            subprocess.run(
                command, check=True, env={**os.environ, **chosen}, timeout=limit_s, stdout=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            return []
        lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line["step_seconds"] for line in lines if line.get("kind") == "step"][1:]


@contextmanager
def loops(count: int) -> Iterator[None]:
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
