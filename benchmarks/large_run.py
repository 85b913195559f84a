"""A run with a gigabyte of rollouts: the time and memory of `r1 report`, and the time until `r1 view` shows rollouts.

    python benchmarks/large_run.py runs/mine --mb 1000

The rollouts of RUN, a finished run of yours, are repeated with rising steps until they fill a file of that size, in a temporary
folder. Exit status 1 where the report takes more than 60 s or 500 MB, or the viewer more than 3 s.
"""

import argparse
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPORT_S, REPORT_MB, VIEW_S = 60.0, 500.0, 3.0
_STEP = re.compile(rb'"step": ?\d+')


def main() -> int:
    """Make the run, measure both commands, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--mb", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="r1-large-") as place:
        folder = Path(place) / "run"
        steps = enlarge(options.run, folder, options.mb << 20)
        size_mb = (folder / "rollouts.jsonl").stat().st_size / (1 << 20)
        view_s = time_view(folder)
        report_s, report_mb, code = measure([sys.executable, "-m", "r1_cli", "report", str(folder)])
        print(f"{size_mb:.0f} MB of rollouts, {steps} steps\n")
        print("| command | seconds | peak MB | limit |\n|---|---|---|---|")
        print(f"| `r1 report` | {report_s:.1f} | {report_mb:.0f} | {REPORT_S:.0f} s, {REPORT_MB:.0f} MB |")
        print(f"| `r1 view`, until rollouts are shown | {view_s:.1f} | | {VIEW_S:.0f} s |")
        return int(code != 0 or report_s > REPORT_S or report_mb > REPORT_MB or view_s > VIEW_S)


def enlarge(run: Path, folder: Path, size: int) -> int:
    """Copy `run` to `folder` with its rollouts and metrics repeated up to `size` bytes. Returns the number of steps."""
    shutil.copytree(run, folder, ignore=shutil.ignore_patterns("checkpoints", "model", "report.html"))
    rollouts = (run / "rollouts.jsonl").read_bytes().splitlines(keepends=True)
    metrics = [json.loads(line) for line in (run / "metrics.jsonl").read_text().split("\n") if line]
    steps = [line for line in metrics if line["kind"] == "step"]
    by_step: dict[int, list[bytes]] = {}
    for line in rollouts:
        by_step.setdefault(json.loads(line)["step"], []).append(line)
    step, written = 0, 0
    with (folder / "rollouts.jsonl").open("wb") as file, (folder / "metrics.jsonl").open("w") as figures:
        while written < size:
            own = sorted(by_step)[step % len(by_step)]
            text = b"".join(_STEP.sub(b'"step": %d' % (step + 1), line, count=1) for line in by_step[own])
            written += file.write(text)
            figures.write(json.dumps({**steps[step % len(steps)], "step": step + 1}) + "\n")
            step += 1
    return step


def measure(command: list[str]) -> tuple[float, float, int]:
    """Run a command. Returns its seconds, its peak memory in MB, and its exit status."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - started, usage.ru_maxrss / 1024, process.returncode


def time_view(folder: Path, longest_s: float = 120.0) -> float:
    """Open `r1 view` in a terminal and return the seconds until it shows rollouts; infinite if it never does."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
        os.execv(sys.executable, [sys.executable, "-m", "r1_cli", "view", str(folder)])
    started, seen, found = time.perf_counter(), b"", float("inf")
    while time.perf_counter() - started < longest_s:
        if not select.select([terminal], [], [], 0.05)[0]:
            continue
        try:
            seen += os.read(terminal, 1 << 16)
        except OSError:  # it ended
            break
        if re.search(rb"\d+ (of \d+ )?rollouts", seen):
            found = time.perf_counter() - started
            break
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    return found


if __name__ == "__main__":
    sys.exit(main())
