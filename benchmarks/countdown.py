"""The Countdown experiment: the main job over levels and seeds, its table and its picture.

    python benchmarks/countdown.py                      # levels full and easy, seeds 0 1 2: about 30 minutes on two cores
    python benchmarks/countdown.py --draw-only          # the table and the picture again, from the run folders

Each run is `r1 train --env countdown --rewards accuracy,format` with a level, a seed, an output folder, and, on the easy
level, `--steps 60`: nothing else. Needs matplotlib: pip install -e ".[dev]".
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from r1sdk.storage.run_folder import RunFolder

COLOURS = {"full": "#c2410c", "easy": "#1d4ed8"}
STEPS = {"easy": 60}  # where the recipe's number is more than the level needs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--levels", default="full,easy")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiment"))
    parser.add_argument("--picture", type=Path, default=Path("docs/countdown.svg"))
    parser.add_argument("--draw-only", action="store_true")
    options = parser.parse_args()
    runs = [
        (level, int(seed), options.runs / f"{level}-{seed}")
        for level in options.levels.split(",")
        for seed in options.seeds.split(",")
    ]
    if not options.draw_only:
        for level, seed, path in runs:
            train(level, seed, path)
    table(runs)
    draw(runs, options.picture)


def train(level: str, seed: int, path: Path) -> None:
    command = ["r1", "train", "--env", "countdown", "--rewards", "accuracy,format", "--seed", str(seed)]
    command += ["--set", f"env.options.level={level}", "--out", str(path), "--overwrite"]
    command += ["--steps", str(STEPS[level])] if level in STEPS else []
    run_timed(command, path)


def run_timed(command: list[str], path: Path) -> None:
    """One run as a user would start it, timed from the command to its end; the time is kept in its folder, `path`."""
    started = time.perf_counter()
    subprocess.run(command, check=True)
    seconds = time.perf_counter() - started
    (path / "wall_seconds.json").write_text(json.dumps({"command": command, "seconds": seconds}))


def table(runs: list[tuple[str, int, Path]]) -> None:
    """Held-out accuracy and format before and after, as Markdown."""
    print(
        "| level | seed | steps | seconds | accuracy before | after | gain | format before | after | lowest | tokens |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for level, seed, path in runs:
        folder = RunFolder.open(path)
        before, after = folder.evaluation("before"), folder.evaluation("after")
        if not before or not after:
            print(f"{path} has not come to its end", file=sys.stderr)
            continue
        steps = folder.metrics()
        gain = after["accuracy"]["mean"] - before["accuracy"]["mean"]
        lowest = min(smooth([line["rewards/format/mean"] for line in steps]))
        wall = json.loads((path / "wall_seconds.json").read_text())["seconds"]
        print(
            f"| {level} | {seed} | {len(steps)} | {wall:.0f} | {figure(before['accuracy'])} | {figure(after['accuracy'])} "
            f"| {gain:+.3f} | {before['rewards']['format']['mean']:.3f} | {after['rewards']['format']['mean']:.3f} "
            f"| {lowest:.3f} | {before['tokens']:.0f} -> {after['tokens']:.0f} |"
        )


def figure(estimate: dict[str, Any]) -> str:
    return f"{estimate['mean']:.3f} ± {estimate['stderr']:.3f}"


def smooth(values: list[float], window: int = 5) -> list[float]:
    """The mean over the last `window` values at each place."""
    return [sum(part) / len(part) for i in range(len(values)) if (part := values[max(0, i - window + 1) : i + 1])]


def draw(runs: list[tuple[str, int, Path]], picture: Path) -> None:
    """Accuracy and format by step, one thin line a seed; the held-out evaluations as dots."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for level, seed, path in runs:
        folder = RunFolder.open(path)
        plot_accuracy(left, folder, COLOURS[level], level if seed == runs[0][1] else None)
        plot_metric(right, folder, "rewards/format/mean", COLOURS[level])
    right.set(title="format reward", xlabel="GRPO step", ylim=(0.8, 1.01))
    right.axhline(0.95, color="grey", lw=0.8, ls=":")
    left.legend(title="level", frameon=False)
    for axis in (left, right):
        axis.grid(alpha=0.25)
    figure_.savefig(picture)
    print(f"picture written to {picture}", file=sys.stderr)


def plot_accuracy(axis: Any, folder: RunFolder, colour: str, label: str | None = None) -> None:
    """The accuracy of the training batches as a line, the held-out evaluations as dots."""
    plot_metric(axis, folder, "rewards/accuracy/mean", colour, label)
    for name, at in (("before", 0), ("after", folder.metrics()[-1]["step"])):
        if evaluation := folder.evaluation(name):
            mean, error = evaluation["accuracy"]["mean"], evaluation["accuracy"]["stderr"]
            axis.errorbar(at, mean, error, fmt="o", ms=4, color=colour, capsize=2)
    axis.set(title="accuracy: training batches (lines), held out (dots)", xlabel="GRPO step", ylim=(0, 1))


def plot_metric(axis: Any, folder: RunFolder, key: str, colour: str, label: str | None = None) -> None:
    """A metric by step, smoothed."""
    steps = folder.metrics()
    axis.plot(
        [line["step"] for line in steps], smooth([line[key] for line in steps]), color=colour, lw=1.2, label=label
    )


if __name__ == "__main__":
    main()
