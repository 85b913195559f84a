"""What starting costs: `r1 --help` and `r1 plugins` against `trl --help`, in turns, so that a busy machine slows all alike.

    python benchmarks/startup.py --rounds 15

The figures to read are the ratios; seconds are those of the machine. `python -c pass` is the floor.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "trl --help": ["trl", "--help"],
    "r1 --help": ["r1", "--help"],
    "r1 plugins": ["r1", "plugins"],
    "r1 train --dry-run": ["r1", "train", "--env", "countdown", "--rewards", "accuracy,format", "--dry-run"],
}
AGAINST = "trl --help"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for number in range(rounds + 1):
        for name, command in COMMANDS.items():
            took = timed([found(command[0]), *command[1:]])
            if number:  # the first round fills the file cache
                seconds[name].append(took)
    print(f"{'':20}{'median s':>10}{'against ' + AGAINST:>22}{'quartiles':>16}")
    for name, values in seconds.items():
        ratios = [value / base for value, base in zip(values, seconds[AGAINST], strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
        print(f"{name:20}{statistics.median(values):>10.3f}{middle:>22.2f}{f'{low:.2f}-{high:.2f}':>16}")
    print(f"{rounds} rounds; ratios are of the same round")


def found(program: str) -> str:
    """The program of this interpreter's environment, or else the one on the path."""
    if program == sys.executable:
        return program
    beside = Path(sys.executable).with_name(program)
    return str(beside) if beside.exists() else shutil.which(program) or program


def timed(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
