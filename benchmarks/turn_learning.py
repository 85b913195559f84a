"""Learn the game `guess` with credit for the episode and with credit for turns, and count the games that each needs.

    python benchmarks/turn_learning.py --out learning      # three seeds of each; continues where it stopped
    python benchmarks/turn_learning.py --out learning --table

SFT shows `tiny` the rules once (the first stage of `r1 train guess/tiny`). From there GRPO plays 7 numbers in 3 turns, 16 steps of 64
games, with the loss that adds tokens up with a constant factor (dr_grpo). What differs is the credit:

- `accuracy`: the episode's reward alone, whether the number was found (advantage rloo)
- `turn_episode`: the rewards of turns as well, added up into one number for the game
- `turn_loo`: the same rewards, each turn credited with what it and later turns earned

The figure is the number of games after which the share of games won, as a mean over four steps, first reaches a level.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from row_log import add_row, read_rows

STEPS, GAMES, WINDOW = 16, 64, 4
SEEDS = (0, 1, 2)
VARIANTS = {"accuracy": "rloo", "turn_episode": "turn_episode", "turn_loo": "turn_loo"}


def rules(folder: Path) -> Path:
    """Return the model that knows the rules, from SFT on the demonstrations; it is made once."""
    import r1sdk
    from r1sdk.recipe.layers import overlay, read_layer

    if (folder / "rules" / "recipe.yaml").is_file() and not (folder / "rules" / "model").is_dir():
        r1sdk.train(resume=folder / "rules", progress=False)
    elif not (folder / "rules" / "model").is_dir():
        whole = read_layer(Path(r1sdk.load_plugins().get("recipe", "guess/tiny").target))
        stage = {key: value for key, value in whole["stages"][0].items() if key != "name"}
        below = {key: value for key, value in whole.items() if key != "stages"}
        r1sdk.train(overlay(below, stage), out=str(folder / "rules"), overwrite=True, progress=False)
    return folder / "rules" / "model"


def run(model: Path, variant: str, seed: int) -> dict[str, Any]:
    """Train once and return the share of games won in each step."""
    from transformers import set_seed

    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import load_recipe
    from r1sdk.storage.run_folder import RunFolder
    from r1sdk.training.models import load_model, load_tokenizer
    from r1sdk.training.trl.grpo import grpo_trainer

    started = time.process_time()
    given = load_recipe(
        None,
        {
            "model": str(model),
            "env": {"name": "guess", "options": {"numbers": 7, "guesses": 3, "lowest": [0, 12], "bits": True}},
            "rewards": "accuracy",
            "loss": "dr_grpo",
            "advantage": VARIANTS[variant],
            "generation": {"samples": 8, "max_tokens": 128, "backend": "transformers"},
            "seed": seed,
            "trainer": {
                "max_steps": STEPS,
                "per_device_train_batch_size": GAMES,
                "learning_rate": 6.0e-4,
                "lr_scheduler_type": "constant_with_warmup",
                "warmup_steps": 3,
                "adam_beta2": 0.99,
                "max_grad_norm": 1.0,
                "save_strategy": "no",
            },
        },
    )
    plan = plan_run(given, load_plugins())
    with tempfile.TemporaryDirectory() as folder:
        set_seed(seed)
        kept = RunFolder.create(Path(folder) / "run", given, {})
        trainer = grpo_trainer(plan, load_model(str(model)), load_tokenizer(str(model)), kept, [])
        trainer.train()
        bits = [sum(value or 0.0 for value in line["session"].get("turn_rewards", ())) for line in kept.rollouts()]
        won = [row["rewards/accuracy/mean"] for row in trainer.state.log_history if "rewards/accuracy/mean" in row]
    return {
        "variant": variant,
        "seed": seed,
        "won": won,
        "bits": [statistics.fmean(bits[at : at + GAMES]) for at in range(0, len(bits), GAMES)],
        "cpu_s": time.process_time() - started,
    }


def smoothed(values: list[float]) -> list[float]:
    """Return the mean of each window of steps; [S] -> [S - WINDOW + 1]."""
    return [statistics.fmean(values[at : at + WINDOW]) for at in range(len(values) - WINDOW + 1)]


def games_needed(values: list[float], level: float) -> float:
    """Return the games after which the smoothed share reaches `level`; infinite if it never does."""
    reached = [at for at, value in enumerate(smoothed(values)) if value >= level]
    return (reached[0] + WINDOW) * GAMES if reached else math.inf


def table(done: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table, in Markdown."""
    by = {(row["variant"], row["seed"]): row for row in done}
    yield "| seed | credit | won in the first four steps | in the last four | bits found at the end | games to the level of `accuracy` |"
    yield "|---|---|---|---|---|---|"
    for seed in SEEDS:
        if ("accuracy", seed) not in by:
            continue
        level = max(smoothed(by["accuracy", seed]["won"]))
        for variant in VARIANTS:
            row = by.get((variant, seed))
            if row is None:
                yield f"| {seed} | `{variant}` | not run | | | |"
                continue
            first, *_, last = smoothed(row["won"])
            needed = games_needed(row["won"], level)
            yield (
                f"| {seed} | `{variant}` | {first:.3f} | {last:.3f} | {smoothed(row['bits'])[-1]:.3f} | "
                f"{'never' if math.isinf(needed) else f'{needed:.0f}'} of {STEPS * GAMES} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder for the model that knows the rules, and results"
    )
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further run after that")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file, end = given.out / "results.jsonl", time.monotonic() + 60 * given.minutes
    if not given.table:
        model = rules(given.out)
        done = {(row["variant"], row["seed"]) for row in read_rows(file)}
        order = [(variant, seed) for seed in SEEDS for variant in ("accuracy", "turn_loo")]
        for variant, seed in [*order, *(("turn_episode", seed) for seed in SEEDS)]:
            if (variant, seed) not in done and time.monotonic() < end:
                add_row(file, run(model, variant, seed))
    print("\n".join(table(read_rows(file))))


if __name__ == "__main__":
    main()
