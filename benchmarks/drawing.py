"""Which tasks are trained on: plain GRPO, dynamic sampling and a curriculum at about equal numbers of generated completions.

    python benchmarks/drawing.py                                   # countdown, level easy: minutes a run, on one core
    python benchmarks/drawing.py --arms plain:60,dynamic:44 --seeds 0,1

An arm is NAME:STEPS. A step of dynamic sampling generates more, so it gets fewer steps; the table counts what was generated. Runs
that are there are not made again. A quarter of the recipe's batch, 8 prompts of 4 completions; the learning rate falls over two thirds.
"""

import argparse
import json
import subprocess
import time
from collections import Counter
from pathlib import Path

from r1sdk.storage.run_folder import RunFolder

ARMS = {
    "plain": [],
    "dynamic": ["--dynamic-sampling"],
    "curriculum": ["--set", "curriculum=true"],
    "both": ["--dynamic-sampling", "--set", "curriculum=true"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", default="plain:60,dynamic:44")
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument(
        "--tasks", type=int, default=4000, help="training tasks; a curriculum needs few, that come again"
    )
    parser.add_argument("--samples", type=int, default=4, help="completions of a prompt; 32 in a batch")
    parser.add_argument("--runs", type=Path, default=Path("runs/drawing"))
    given = parser.parse_args()
    print("| arm | seed | steps | completions | seconds | without spread | replaced | left | accuracy before | after |")
    print("|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for seed in given.seeds.split(","):
        for arm, _, steps in (each.partition(":") for each in given.arms.split(",")):
            path = given.runs / f"{arm}-{steps}-{given.tasks}-{given.samples}-{seed}"
            if not (path / "wall_seconds.json").is_file():
                train(path, arm, int(steps), seed, given.tasks, given.samples)
            print(row(path, arm, seed), flush=True)


def train(path: Path, arm: str, steps: int, seed: str, tasks: int, samples: int) -> None:
    command = ["r1", "train", "--env", "countdown", "--rewards", "accuracy,format", "--seed", seed, *ARMS[arm]]
    command += ["--steps", str(steps), "--out", str(path), "--overwrite"]
    decay = f"trainer.lr_scheduler_kwargs.num_decay_steps={steps * 2 // 3}"
    for key in (
        "env.options.level=easy",
        f"env.options.train_size={tasks}",
        "trainer.per_device_train_batch_size=32",
        f"generation.samples={samples}",
        decay,
    ):
        command += ["--set", key]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    (path / "wall_seconds.json").write_text(json.dumps(time.perf_counter() - started))


def row(path: Path, arm: str, seed: str) -> str:
    """Zero-variance groups are counted over all that was generated, and those left over what was trained on."""
    folder = RunFolder.open(path)
    lines = folder.metrics()
    made = Counter((line["step"], line["task"]["id"]) for line in folder.rollouts())
    flat = sum(len(totals) == 1 for totals in _totals(folder).values())
    replaced = sum(line.get("drawn/replaced", 0) for line in lines)
    left = sum(line["frac_reward_zero_std"] for line in lines) / len(lines)
    before, after = (folder.evaluation(name)["accuracy"] for name in ("before", "after"))
    cells = [arm, seed, len(lines), sum(made.values()), f"{json.loads((path / 'wall_seconds.json').read_text()):.0f}"]
    cells += [f"{flat / len(made):.1%}", f"{replaced:.0f}", f"{left:.1%}"]
    cells += [f"{each['mean']:.3f} ± {each['stderr']:.3f}" for each in (before, after)]
    return f"| {' | '.join(map(str, cells))} |"


def _totals(folder: RunFolder) -> dict[tuple[int, str], set[float]]:
    found: dict[tuple[int, str], set[float]] = {}
    for line in folder.rollouts():
        found.setdefault((line["step"], line["task"]["id"]), set()).add(line["total"])
    return found


if __name__ == "__main__":
    main()
