"""Long runs: what a training process holds while it trains for thousands of steps, and what it leaves behind.

    python benchmarks/soak.py --steps 2000                 # two hours on two cores
    python benchmarks/soak.py --steps 2000 --seconds 240   # stopped then; the growth is that of the steps made

It reads memory, threads, descriptors, temporary files and /dev/shm of the training process from /proc, and prints the medians
of the first and of the last third of the steps, without the first tenth. Then it ends short runs by finishing, by Ctrl-C and by
SIGKILL of the command, and counts the processes, temporary files and files in /dev/shm that are left.
Exit status: the number of things that are left or grow by more than --grows percent.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, fields
from pathlib import Path

SETTINGS = (
    "env.options.train_size=256",
    "trainer.per_device_train_batch_size=4",
    "trainer.save_steps=50",
    "generation.samples=4",
    "generation.max_tokens=8",
    "evaluation.tasks=4",
    "evaluation.during=2",
)
SHM = Path("/dev/shm")
ENDS_S = 60.0  # after Ctrl-C or SIGKILL


@dataclass(frozen=True)
class Reading:
    """What the training process holds at one moment."""

    step: int
    memory_mb: float
    threads: int
    descriptors: int
    temporary: int  # entries of the folder for temporary files
    shared: int  # entries of /dev/shm


def main() -> int:
    """Train, read, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop the long run after so many")
    parser.add_argument("--grows", type=float, default=5.0, help="percent of growth that is a fault")
    parser.add_argument("--ends", default="exit,Ctrl-C,SIGKILL")
    options = parser.parse_args()
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a background shell has it ignored, and commands would, too
    bad = 0
    with tempfile.TemporaryDirectory(prefix="r1-soak-") as place:
        scratch = Path(place) / "tmp"
        scratch.mkdir()
        readings = _long(Path(place) / "long", scratch, options.steps, options.seconds)
        bad += _print_growth(readings, options.grows)
        print(
            "\n| ended by | status | processes left | temporary files left | in /dev/shm left |\n|---|---|---|---|---|"
        )
        for end in filter(None, options.ends.split(",")):
            bad += _print_end(end, Path(place) / end, scratch)
    return min(bad, 100)


def _start(out: Path, scratch: Path, steps: int) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "r1_cli", "train", "--model", "tiny_blank", "--env", "countdown"]
    command += ["--rewards", "accuracy,format", "--steps", str(steps), "--out", str(out)]
    for setting in SETTINGS:
        command += ["--set", setting]
    env = {**os.environ, "TMPDIR": str(scratch), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _long(out: Path, scratch: Path, steps: int, seconds: float) -> list[Reading]:
    """Train for `steps`, or as many as fit, and return a reading of each step that was seen."""
    command, started = _start(out, scratch, steps), time.monotonic()
    readings: list[Reading] = []
    while command.poll() is None:
        step, pid = _progress(out)
        if pid is not None and step > (readings[-1].step if readings else 0):
            with contextlib.suppress(OSError):
                readings.append(_reading(step, pid, scratch))
        if time.monotonic() - started > seconds:
            command.send_signal(signal.SIGINT)
            command.wait(ENDS_S)
        time.sleep(0.2)
    taken = time.monotonic() - started
    print(f"{readings[-1].step if readings else 0} of {steps} steps in {taken:.0f} s")
    return readings


def _progress(out: Path) -> tuple[int, int | None]:
    try:
        status = json.loads((out / "status.json").read_text())
    except (OSError, ValueError):
        return 0, None
    return (status.get("done") or 0, status.get("pid")) if status.get("phase") == "training" else (0, None)


def _reading(step: int, pid: int, scratch: Path) -> Reading:
    process = Path("/proc", str(pid))
    lines = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines() if ":" in line)
    return Reading(
        step,
        int(lines["VmRSS"].split()[0]) / 1024,
        int(lines["Threads"]),
        len(list((process / "fd").iterdir())),
        len(list(scratch.rglob("*"))),
        len(list(SHM.iterdir())),
    )


def _print_growth(readings: list[Reading], most: float) -> int:
    settled = [one for one in readings if one.step > readings[-1].step / 10]
    third = max(1, len(settled) // 3)
    first, last = settled[:third], settled[-third:]
    bad = 0
    print(f"{len(settled)} readings, from step {settled[0].step} to {settled[-1].step}\n")
    print("| | first third | last third | growth | per 1,000 steps |\n|---|---|---|---|---|")
    between = statistics.median(one.step for one in last) - statistics.median(one.step for one in first)
    for name in (field.name for field in fields(Reading) if field.name != "step"):
        a, b = (statistics.median(getattr(one, name) for one in some) for some in (first, last))
        growth = 100 * (b - a) / a if a else 100.0 * (b > a)
        bad += growth > most
        print(f"| {name} | {a:.1f} | {b:.1f} | {growth:+.1f} % | {1000 * (b - a) / max(between, 1):+.1f} |")
    return bad


def _print_end(end: str, out: Path, scratch: Path) -> int:
    """End a short run in the given way and print what is left. Returns the number of things that are."""
    temporary, shared = set(scratch.rglob("*")), set(SHM.iterdir())
    command = _start(out, scratch, 3 if end == "exit" else 10_000)
    deadline = time.monotonic() + 120
    while command.poll() is None and (end == "exit" or _progress(out)[0] < 2) and time.monotonic() < deadline:
        time.sleep(0.2)
    if end == "Ctrl-C":
        command.send_signal(signal.SIGINT)
    elif end == "SIGKILL":
        command.kill()
    command.wait(ENDS_S)
    deadline = time.monotonic() + ENDS_S
    while _processes(out) and time.monotonic() < deadline:
        time.sleep(0.5)
    left = (
        len(_processes(out)),
        len(set(scratch.rglob("*")) - temporary),
        len(set(SHM.iterdir()) - shared),
    )
    print(f"| {end} | {command.returncode} | " + " | ".join(map(str, left)) + " |", flush=True)
    return sum(left)


def _processes(out: Path) -> list[int]:
    """Return the processes whose command or environment names the run's folder."""
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or int(process.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if str(out).encode() in (process / "cmdline").read_bytes():
                found.append(int(process.name))
    return found


if __name__ == "__main__":
    sys.exit(main())
