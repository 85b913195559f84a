"""What a model that searches backwards learns by RL: Countdown's full level, and the game `guess`, in three seeds.

    python benchmarks/small_runs.py                     # SFT once, then both stages of GRPO, seeds 0 1 2: two hours on two cores
    python benchmarks/small_runs.py --draw-only         # the tables and the picture again, from the run folders

The runs are the stages of the recipe small/all, each as a run of its own. The habits are counted in the held-out rollouts
before and after. Needs matplotlib: pip install -e ".[dev]".
"""

import argparse
import json
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from countdown import figure, smooth

import r1_recipes
from r1sdk.storage.run_folder import RunFolder

COLOURS = {"countdown": "#c2410c", "guess": "#1d4ed8"}
STEP = re.compile(
    r"(?P<left>\d+)(?P<operator>[-+*/])(?P<right>\d+)=(?P<result>\d+)"
    r"(?: with [\d ]+|, (?P<first>\d+)(?P<sign>[-+*/])(?P<second>\d+)=(?P<made>\d+) (?P<says>yes|no))"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stages", default="countdown,guess")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--runs", type=Path, default=Path("runs/small"))
    parser.add_argument(
        "--model", type=Path, help="model to begin with; without it one is made by SFT (recipe small/sft)"
    )
    parser.add_argument("--picture", type=Path, default=Path("docs/small.svg"))
    parser.add_argument("--draw-only", action="store_true")
    options = parser.parse_args()
    runs = [
        (stage, int(seed), options.runs / f"{stage}-{seed}")
        for stage in options.stages.split(",")
        for seed in options.seeds.split(",")
    ]
    if not options.draw_only:
        model = options.model or supervised(options.runs / "sft")
        for stage, seed, path in runs:
            train([str(stage_file(stage, model, options.runs)), "--seed", str(seed)], path)
    runs = [run for run in runs if run[2].exists() and RunFolder.open(run[2]).evaluation("after")]
    table(runs)
    habits([RunFolder.open(path) for stage, _, path in runs if stage == "countdown"])
    games([RunFolder.open(path) for stage, _, path in runs if stage == "guess"])
    draw(runs, options.picture)


def supervised(path: Path) -> Path:
    """Return the model of the SFT, which is trained unless it is there."""
    if not (path / "model").exists():
        train(["small/sft"], path)
    return path / "model"


def stage_file(name: str, model: Path, folder: Path) -> Path:
    """Write a stage of the recipe small/all as a recipe that begins with `model`."""
    recipe = yaml.safe_load((Path(r1_recipes.__file__).parent / "small" / "all.yaml").read_text())
    stage = next(stage for stage in recipe["stages"] if stage["name"] == name)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({**{k: v for k, v in stage.items() if k != "name"}, "model": str(model.resolve())}))
    return file


def train(arguments: list[str], path: Path) -> None:
    """One run as a user would start it, with the seconds and the processor seconds of the whole command."""
    command = ["r1", "train", *arguments, "--out", str(path), "--overwrite"]
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
    print("| stage | seed | steps | CPU minutes | accuracy before | after | gain | format after | tokens | n |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for stage, seed, path in runs:
        folder = RunFolder.open(path)
        before, after = folder.evaluation("before"), folder.evaluation("after")
        assert before and after
        gain = after["accuracy"]["mean"] - before["accuracy"]["mean"]
        took = path / "wall_seconds.json"
        minutes = f"{json.loads(took.read_text())['cpu_seconds'] / 60:.1f}" if took.exists() else "-"
        form = after["rewards"].get("format")
        shown = f"{form['mean']:.3f}" if form else "-"
        print(
            f"| {stage} | {seed} | {len(folder.metrics())} | {minutes} | {figure(before['accuracy'])} "
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
        tried = [match[0].partition(",")[0] for match in found if match["says"]]
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
        n["true checks"] += sum(is_true_check(match) for match in found if match["says"])
        n["honest"] += sum(
            (match["made"] == match["result"]) == (match["says"] == "yes") for match in found if match["says"]
        )
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
        "true operations of two last numbers": share(n["true checks"], n["tries"]),
        "verdicts (`yes`, `no`) that agree with their line": share(n["honest"], n["tries"]),
    }


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def is_true(step: re.Match[str]) -> bool:
    """True if the step's result is right."""
    return makes(step["left"], step["operator"], step["right"], step["result"])


def is_true_check(step: re.Match[str]) -> bool:
    """True if the result of the two last numbers is right."""
    return makes(step["first"], step["sign"], step["second"], step["made"])


def makes(left: str, operator: str, right: str, result: str) -> bool:
    """True if the equation holds."""
    a, b, c = int(left), int(right), int(result)
    return {"+": a + b == c, "-": a - b == c, "*": a * b == c}.get(operator, b != 0 and a == b * c)


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
    for axis, stage in zip(axes, COLOURS, strict=True):
        for name, _, path in runs:
            if name != stage:
                continue
            folder = RunFolder.open(path)
            steps = folder.metrics()
            x = [line["step"] for line in steps]
            axis.plot(x, smooth([line["rewards/accuracy/mean"] for line in steps]), color=COLOURS[stage], lw=1.2)
            for when, at in (("before", 0), ("after", x[-1])):
                if evaluation := folder.evaluation(when):
                    mean, error = evaluation["accuracy"]["mean"], evaluation["accuracy"]["stderr"]
                    axis.errorbar(at, mean, error, fmt="o", ms=4, color=COLOURS[stage], capsize=2)
        axis.set(title=f"{stage}: training (lines), held out (dots)", xlabel="GRPO step", ylim=(0, 1))
        axis.grid(alpha=0.25)
    axes[0].axhline(0.8, color="grey", lw=0.8, ls=":")
    figure_.savefig(picture)
    print(f"picture written to {picture}", file=sys.stderr)


if __name__ == "__main__":
    main()
