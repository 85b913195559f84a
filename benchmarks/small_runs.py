"""What `small` learns by RL: Countdown's full level, and the game `guess`, with the table of its habits and a picture.

    python benchmarks/small_runs.py --remake            # SFT first, whose model replaces the shipped one; then as below
    python benchmarks/small_runs.py                     # both recipes, seeds 0 1 2
    python benchmarks/small_runs.py --draw-only         # the tables and the picture again, from the run folders

A run is `r1 train countdown/small --seed S` or `r1 train guess/small --seed S`, nothing else. The habits are counted in the
held-out rollouts before and after. Needs matplotlib: pip install -e ".[dev]".
"""

import argparse
import json
import re
import resource
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from countdown import figure, smooth

from r1_envs.countdown.arithmetic import OPERATORS, Game, results
from r1_models import SMALL
from r1sdk.storage.run_folder import RunFolder

GAME = Game(OPERATORS, 200)  # of the full level
COLOURS = {"countdown/small": "#c2410c", "guess/small": "#1d4ed8"}
STEP = re.compile(
    r"(?P<left>\d+)(?P<operator>[-+*/])(?P<right>\d+)=(?P<result>\d+) from (?P<rest>[\d ]+)(?P<values>: [\d ]+)?(?P<check>\?.*)?"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipes", default="countdown/small,guess/small")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--runs", type=Path, default=Path("runs/small-experiment"))
    parser.add_argument("--picture", type=Path, default=Path("docs/small.svg"))
    parser.add_argument("--draw-only", action="store_true")
    parser.add_argument("--remake", action="store_true", help="make the model again first, by its SFT")
    options = parser.parse_args()
    if options.remake:
        remake(options.runs / "sft")
    runs = [
        (recipe, int(seed), options.runs / f"{recipe.partition('/')[0]}-{seed}")
        for recipe in options.recipes.split(",")
        for seed in options.seeds.split(",")
    ]
    if not options.draw_only:
        for recipe, seed, path in runs:
            train(recipe, seed, path)
    runs = [run for run in runs if run[2].exists() and RunFolder.open(run[2]).evaluation("after")]
    table(runs)
    habits([RunFolder.open(path) for recipe, _, path in runs if recipe == "countdown/small"])
    games([RunFolder.open(path) for recipe, _, path in runs if recipe == "guess/small"])
    draw(runs, options.picture)


def remake(path: Path) -> None:
    """Train `small` again and put its weights in the place of the shipped ones."""
    train("small/sft", 0, path)
    for name in ("model.safetensors", "config.json", "generation_config.json"):
        shutil.copyfile(path / "model" / name, SMALL / name)


def train(recipe: str, seed: int, path: Path) -> None:
    """One run as a user would start it, with the seconds and the processor seconds of the whole command."""
    command = ["r1", "train", recipe, "--seed", str(seed), "--out", str(path), "--overwrite"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = {
        "command": command,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    }
    (path / "wall_seconds.json").write_text(json.dumps(took))


def table(runs: list[tuple[str, int, Path]]) -> None:
    """Held-out accuracy before and after, as Markdown."""
    print("| recipe | seed | steps | CPU minutes | accuracy before | after | gain | format after | tokens | n |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for recipe, seed, path in runs:
        folder = RunFolder.open(path)
        before, after = folder.evaluation("before"), folder.evaluation("after")
        assert before and after
        gain = after["accuracy"]["mean"] - before["accuracy"]["mean"]
        took = path / "wall_seconds.json"
        minutes = f"{json.loads(took.read_text())['cpu_seconds'] / 60:.1f}" if took.exists() else "-"
        form = after["rewards"].get("format")
        shown = f"{form['mean']:.3f}" if form else "-"
        print(
            f"| {recipe} | {seed} | {len(folder.metrics())} | {minutes} | {figure(before['accuracy'])} "
            f"| {figure(after['accuracy'])} | {gain:+.3f} | {shown} | {before['tokens']:.0f} -> {after['tokens']:.0f} "
            f"| {after['accuracy']['n']} |"
        )


def evaluated(folder: RunFolder, when: str) -> list[dict[str, Any]]:
    """The held-out rollouts of an evaluation."""
    return [json.loads(line) for line in (folder.evaluations / f"{when}.jsonl").read_text().splitlines()]


def habits(folders: list[RunFolder]) -> None:
    """What replies do before and after: what SFT put there, and what RL changed."""
    if not folders:
        return
    sides = [count_habits(row for folder in folders for row in evaluated(folder, when)) for when in ("before", "after")]
    print("\n| | before RL | after RL |\n|---|---|---|")
    for name in sides[0]:
        print(f"| {name} | {sides[0][name]} | {sides[1][name]} |")


def count_habits(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Shares of replies and steps with each habit."""
    n: Counter[str] = Counter()
    for row in rows:
        numbers = len(row["task"]["info"]["nums"])
        text = row["completion"]["messages"][-1]["content"]
        right, truncated = row["verdict"]["value"] == 1.0, row["completion"]["finish"] == "length"
        found = [match for line in text.splitlines() if (match := STEP.fullmatch(line))]
        tried = [match[0].partition("?")[0] for match in found if match["check"]]
        n["replies"] += 1
        n["tries"] += len(tried)
        n["one"] += len(tried) == 1
        n["many"] += len(tried) >= 5
        n["cut"] += truncated
        n[f"of {numbers}"] += 1
        n[f"right of {numbers}"] += right
        says_yes = " yes\n" in text
        n["yes"] += says_yes
        n["yes right"] += says_yes and right
        n["gives up"] += not says_yes and not truncated
        n["steps"] += len(found)
        n["true steps"] += sum(is_true(match) for match in found)
        n["repeats"] += len(tried) - len(set(tried))
        n["right checks"] += sum(is_right(match) for match in found if match["check"])
    return {
        "accuracy, 3 numbers": share(n["right of 3"], n["of 3"]),
        "accuracy, 4 numbers": share(n["right of 4"], n["of 4"]),
        "tries in a reply, mean": f"{n['tries'] / max(1, n['replies']):.1f}",
        "replies with one try": share(n["one"], n["replies"]),
        "replies with five tries or more": share(n["many"], n["replies"]),
        "replies that give up": share(n["gives up"], n["replies"]),
        "replies cut at the token limit": share(n["cut"], n["replies"]),
        "replies that end in a `yes`": share(n["yes"], n["replies"]),
        "of those, right": share(n["yes right"], n["yes"]),
        "true steps": share(n["true steps"], n["steps"]),
        "tries made before in the same reply": share(n["repeats"], n["tries"]),
        "right checks of two numbers": share(n["right checks"], n["tries"]),
    }


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def is_true(step: re.Match[str]) -> bool:
    """True if the step's result is right."""
    left, right, result = int(step["left"]), int(step["right"]), int(step["result"])
    return {"+": left + right == result, "-": left - right == result, "*": left * right == result}.get(
        step["operator"], right != 0 and left == right * result
    )


def is_right(step: re.Match[str]) -> bool:
    """True if the check says yes exactly where its two numbers make the step's result."""
    numbers = sorted(map(int, step["rest"].split()))
    made = len(numbers) == 2 and int(step["result"]) in (value for _, value in results(GAME, numbers[1], numbers[0]))
    return made == step["check"].endswith("yes")


def games(folders: list[RunFolder]) -> None:
    """How far the guesses of the game `guess` are from the middle of what is left, before and after."""
    if not folders:
        return
    print("\n| guess | before RL | after RL |\n|---|---|---|")
    sides = [
        count_guesses(row for folder in folders for row in evaluated(folder, when)) for when in ("before", "after")
    ]
    for name in sides[0]:
        print(f"| {name} | {sides[0][name]} | {sides[1][name]} |")


def count_guesses(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Shares of guesses that are still possible, and that halve what is left."""
    n: Counter[str] = Counter()
    for row in rows:
        low, high = row["task"]["info"]["low"], row["task"]["info"]["high"]
        secret = int(row["task"]["answer"])
        for message in row["completion"]["messages"]:
            if message["role"] != "assistant" or high - low <= 2:
                continue
            said = re.search(r"<answer>(\d+)</answer>", message["content"] or "")
            guess = int(said[1]) if said else -1
            n["guesses"] += 1
            possible = low < guess < high
            n["possible"] += possible
            left, right = guess - low - 1, high - guess - 1
            n["halves"] += possible and abs(left - right) <= max(1, (high - low - 1) // 5)
            if possible:
                low, high = (guess, high) if guess < secret else (low, guess)
    return {
        "guesses that are still possible": share(n["possible"], n["guesses"]),
        "guesses near the middle (parts differ by a fifth at most)": share(n["halves"], n["guesses"]),
    }


def draw(runs: list[tuple[str, int, Path]], picture: Path) -> None:
    """Accuracy by step, one thin line a seed; the held-out evaluations as dots."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure_, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for axis, recipe in zip(axes, COLOURS, strict=True):
        for name, _, path in runs:
            if name != recipe:
                continue
            folder = RunFolder.open(path)
            steps = folder.metrics()
            x = [line["step"] for line in steps]
            axis.plot(x, smooth([line["rewards/accuracy/mean"] for line in steps]), color=COLOURS[recipe], lw=1.2)
            for when, at in (("before", 0), ("after", x[-1])):
                if evaluation := folder.evaluation(when):
                    mean, error = evaluation["accuracy"]["mean"], evaluation["accuracy"]["stderr"]
                    axis.errorbar(at, mean, error, fmt="o", ms=4, color=COLOURS[recipe], capsize=2)
        axis.set(title=f"{recipe}: training (lines), held out (dots)", xlabel="GRPO step", ylim=(0, 1))
        axis.grid(alpha=0.25)
    axes[0].axhline(0.8, color="grey", lw=0.8, ls=":")
    figure_.savefig(picture)
    print(f"picture written to {picture}", file=sys.stderr)


if __name__ == "__main__":
    main()
