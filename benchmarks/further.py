"""Further on the full level: the recipe countdown/further in three seeds, and countdown/hour.

    python benchmarks/further.py                        # SFT once, then its GRPO stage, seeds 0 1 2: forty minutes on two cores
    python benchmarks/further.py --hour                 # the GRPO stage of countdown/hour, seed 0: fifty minutes
    python benchmarks/further.py --draw-only            # the tables and the picture again, from the run folders

The stages of a recipe are runs of their own here, so that all begin with one model. The habits are counted in the held-out
rollouts before and after: what SFT put there, and what RL changed. Needs matplotlib: pip install -e ".[dev]".
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from countdown import figure, plot_accuracy, plot_metric, run_timed

import r1_recipes
from r1sdk.planning.stages import load_stages
from r1sdk.storage.run_folder import RunFolder

RECIPES = Path(r1_recipes.__file__).parent
LINE = re.compile(r"\d+\. (?P<steps>.+); target \d+\? (?P<says>yes|no)")
STEP = re.compile(r"(\d+)([-+*/])(\d+)=(\d+)(?: with ([\d ]+))?")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--hour", action="store_true", help="countdown/hour instead")
    parser.add_argument("--model", type=Path, help="model to begin with; without it, that of the recipe's SFT")
    parser.add_argument("--runs", type=Path, default=Path("runs/further"))
    parser.add_argument("--picture", type=Path, default=Path("docs/further.svg"))
    parser.add_argument("--draw-only", action="store_true")
    options = parser.parse_args()
    seeds = options.seeds.split(",")
    if not options.draw_only:
        model = options.model or practised(options.runs)
        if options.hour:
            train(learning("hour", model, options.runs), options.runs / "hour", "--seed", "0")
        else:
            recipe = learning("further", model, options.runs)
            for seed in seeds:
                train(recipe, options.runs / seed, "--seed", seed)
    runs = [(name, options.runs / name) for name in (*seeds, "hour")]
    runs = [(name, path) for name, path in runs if path.exists() and RunFolder.open(path).evaluation("after")]
    table(runs)
    habits([RunFolder.open(path) for name, path in runs if name != "hour"])
    draw(runs, options.picture)


def practised(folder: Path) -> Path:
    """The model of the SFT, which is trained unless it is there."""
    path = folder / "practised"
    if not (path / "model").exists():
        train("countdown/practise", path)
    return path / "model"


def learning(pipeline: str, model: Path, folder: Path) -> str:
    """Write the GRPO stage of a pipeline as a recipe of its own that begins with `model`. Returns its path."""
    stages = load_stages(RECIPES / "countdown" / f"{pipeline}.yaml", [], lambda name: RECIPES / f"{name}.yaml")
    stage = next(stage for stage in stages if stage.name == "grpo")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{pipeline}.yaml"
    file.write_text(stage.recipe.model_copy(update={"model": str(model.resolve())}).to_yaml())
    return str(file)


def train(recipe: str, path: Path, *more: str) -> None:
    run_timed(["r1", "train", recipe, *more, "--out", str(path), "--overwrite"], path)


def table(runs: list[tuple[str, Path]]) -> None:
    """Held-out accuracy before and after, as Markdown. `RL s`: the time of the training steps alone."""
    print("| run | steps | command s | RL s | accuracy before | after | gain | format after | tokens |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, path in runs:
        folder = RunFolder.open(path)
        steps, before, after = folder.metrics(), folder.evaluation("before"), folder.evaluation("after")
        assert before and after
        took = path / "wall_seconds.json"
        wall = f"{json.loads(took.read_text())['seconds']:.0f}" if took.exists() else "-"
        print(
            f"| {name} | {len(steps)} | {wall} | {sum(line['step_seconds'] for line in steps):.0f} "
            f"| {figure(before['accuracy'])} | {figure(after['accuracy'])} "
            f"| {after['accuracy']['mean'] - before['accuracy']['mean']:+.3f} "
            f"| {after['rewards']['format']['mean']:.3f} | {before['tokens']:.0f} -> {after['tokens']:.0f} |"
        )


def habits(folders: list[RunFolder]) -> None:
    """What replies do before and after: what SFT put there, and what RL changed."""
    if not folders:
        return
    sides = [count_habits(row for folder in folders for row in evaluated(folder, when)) for when in ("before", "after")]
    print("\n| | before RL | after RL |\n|---|---|---|")
    for name in sides[0]:
        print(f"| {name} | {sides[0][name]} | {sides[1][name]} |")


def evaluated(folder: RunFolder, when: str) -> list[dict[str, Any]]:
    """The held-out rollouts of an evaluation."""
    return [json.loads(line) for line in (folder.evaluations / f"{when}.jsonl").read_text().splitlines()]


def count_habits(rows: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Shares of replies, attempts and steps with each habit."""
    n: Counter[str] = Counter()
    for row in rows:
        info = row["task"]["info"]
        count, right = len(info["nums"]), row["verdict"]["value"] == 1.0
        text = row["completion"]["messages"][-1]["content"]
        attempts = [found for line in text.splitlines() if (found := LINE.fullmatch(line))]
        n["replies"] += 1
        n[f"of {count}"] += 1
        n[f"right of {count}"] += right
        n["attempts"] += len(attempts)
        n["one"] += len(attempts) == 1
        n["eight"] += len(attempts) == 8
        n["cut"] += row["completion"]["finish"] == "length"
        n["repeats"] += len(attempts) - len({found["steps"] for found in attempts})
        says_yes = bool(attempts) and attempts[-1]["says"] == "yes"
        n["yes"] += says_yes
        n["yes right"] += says_yes and right
        n["gives up"] += not says_yes and 0 < len(attempts) < 8
        for found in attempts:
            made, equations, true = follow(info["nums"], found["steps"])
            n["equations"] += equations
            n["true equations"] += true
            n[f"attempts of {count}"] += 1
            n[f"sound of {count}"] += made is not None
            n["judged"] += made is not None
            n["honest"] += made is not None and (made == info["target"]) == (found["says"] == "yes")
        if attempts and follow(info["nums"], attempts[-1]["steps"])[0] == info["target"]:
            n["solved"] += 1
            n["solved right"] += right
    return {
        "accuracy, 3 numbers": share(n["right of 3"], n["of 3"]),
        "accuracy, 4 numbers": share(n["right of 4"], n["of 4"]),
        "attempts in a reply, mean": f"{n['attempts'] / max(1, n['replies']):.1f}",
        "replies with one attempt only": share(n["one"], n["replies"]),
        "replies with all eight attempts": share(n["eight"], n["replies"]),
        "replies that give up before": share(n["gives up"], n["replies"]),
        "replies cut at the token limit": share(n["cut"], n["replies"]),
        "replies that end in a `yes`": share(n["yes"], n["replies"]),
        "of those, right": share(n["yes right"], n["yes"]),
        "right equations": share(n["true equations"], n["equations"]),
        "sound attempts, 3 numbers": share(n["sound of 3"], n["attempts of 3"]),
        "sound attempts, 4 numbers": share(n["sound of 4"], n["attempts of 4"]),
        "verdicts (`yes`, `no`) of sound attempts that are true": share(n["honest"], n["judged"]),
        "attempts that reach the target and are answered rightly": share(n["solved right"], n["solved"]),
        "attempts made before in the same reply": share(n["repeats"], n["attempts"]),
    }


def follow(numbers: list[int], attempt: str) -> tuple[int | None, int, int]:
    """Return what an attempt makes, its equations, and how many of them hold.

    None where the attempt is not sound: a number that is not there, a false equation or list, or numbers left over.
    """
    hand: list[int] | None = list(numbers)
    equations = true = 0
    for text in attempt.split(", "):
        found = STEP.fullmatch(text)
        if not found:
            hand = None
            continue
        left, right, result = int(found[1]), int(found[3]), int(found[4])
        holds = makes(left, found[2], right) == result
        equations += 1
        true += holds
        listed = [int(number) for number in (found[5] or "").split()]
        sound = holds and hand is not None and sorted((left, right, *listed)) == sorted(hand)
        hand = [*listed, result] if sound else None
    return hand[0] if hand is not None and len(hand) == 1 else None, equations, true


def makes(left: int, operator: str, right: int) -> float | None:
    """The result of one operation; None for a division by zero."""
    if operator == "/":
        return left / right if right else None
    return {"+": left + right, "-": left - right, "*": left * right}[operator]


def share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


def draw(runs: list[tuple[str, Path]], picture: Path) -> None:
    """Accuracy by step and by tokens of a reply, one line a run; the held-out evaluations as dots."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for name, path in runs:
        folder = RunFolder.open(path)
        colour = "#1d4ed8" if name == "hour" else "#c2410c"
        plot_accuracy(left, folder, colour)
        plot_metric(right, folder, "completions/mean_length", colour)
    left.axhline(0.8, color="grey", lw=0.8, ls=":")
    right.set(title="tokens in a reply", xlabel="GRPO step")
    for axis in (left, right):
        axis.grid(alpha=0.25)
    figure_.savefig(picture)
    print(f"picture written to {picture}", file=sys.stderr)


if __name__ == "__main__":
    main()
