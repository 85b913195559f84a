"""Learn the dialogues of `operators` with credit for the episode and with credit for turns, and count those that each needs.

    python benchmarks/turn_learning.py --out learning      # three seeds of each; continues where it stopped
    python benchmarks/turn_learning.py --out learning --table

SFT shows `tiny` a poor player, right in half of the turns. From there GRPO answers 16 equations a dialogue, 8 dialogues a step, with
the loss that adds tokens up with a constant factor (dr_grpo). Rewards, batches, loss and learning rate are the same. What differs is
the credit:

- `turn_episode`: the rewards of the turns, added up into one number for the dialogue
- `turn_loo`: each turn is credited with what it and later turns earned
- `turn_loo, discount: 0`: each turn is credited with what it earned; the total, a sixteenth of the sum, still goes to all of them

The figure is the number of dialogues after which the share of right turns, as a mean over four steps, first reaches a level. Runs of
one seed get the same equations.
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

STEPS, DIALOGUES, TURNS, WINDOW = 48, 8, 16, 4
LEVELS = (0.45, 0.55)  # the first was fixed before the runs, the second after those of seed 0
RATE = 1.0e-3
SEEDS = (0, 1, 2)
VARIANTS: dict[str, Any] = {
    "turn_episode": "turn_episode",
    "turn_loo, discount: 0": {"name": "turn_loo", "options": {"discount": 0.0}},
    "turn_loo": "turn_loo",
}
RULES: dict[str, Any] = {
    "method": "sft",
    "model": "tiny",
    "env": {"name": "operators", "options": {"equations": TURNS, "train_size": 12800, "seed": 1}},
    "evaluation": {"tasks": 0},
    "generation": {"max_tokens": 480},
    "optimizer": "muon",
    "trainer": {
        "max_steps": 120,
        "per_device_train_batch_size": 16,
        "learning_rate": 3.0e-3,
        "warmup_steps": 5,
        "lr_scheduler_type": "warmup_stable_decay",
        "lr_scheduler_kwargs": {"num_decay_steps": 60, "decay_type": "linear", "min_lr_ratio": 0.03},
        "max_grad_norm": 1.0,
        "max_length": 480,
        "save_steps": 60,
    },
}


def rules(folder: Path) -> Path:
    """Return the model that knows the rules, from SFT on the demonstrations; it is made once."""
    import r1sdk

    if not (folder / "rules" / "model").is_dir():
        if (folder / "rules" / "recipe.yaml").is_file():
            r1sdk.train(resume=folder / "rules", progress=False)
        else:
            r1sdk.train(RULES, out=str(folder / "rules"), overwrite=True, progress=False)
    return folder / "rules" / "model"


def run(model: Path, variant: str, seed: int, rate: float = RATE) -> dict[str, Any]:
    """Train once and return the share of right turns in each step."""
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
            "env": {"name": "operators", "options": {"equations": TURNS}},
            "rewards": "accuracy",
            "loss": "dr_grpo",
            "advantage": VARIANTS[variant],
            "generation": {"samples": 4, "max_tokens": 480, "backend": "transformers"},
            "seed": seed,
            "trainer": {
                "max_steps": STEPS,
                "per_device_train_batch_size": DIALOGUES,
                "learning_rate": rate,
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
        right = [row["rewards/accuracy/mean"] for row in trainer.state.log_history if "rewards/accuracy/mean" in row]
    return {"variant": variant, "seed": seed, "rate": rate, "right": right, "cpu_s": time.process_time() - started}


def smoothed(values: list[float]) -> list[float]:
    """Return the mean of each window of steps; [S] -> [S - WINDOW + 1]."""
    return [statistics.fmean(values[at : at + WINDOW]) for at in range(len(values) - WINDOW + 1)]


def dialogues_needed(values: list[float], level: float) -> float:
    """Return the dialogues after which the smoothed share reaches `level`; infinite if it never does."""
    reached = [at for at, value in enumerate(smoothed(values)) if value >= level]
    return (reached[0] + WINDOW) * DIALOGUES if reached else math.inf


def number(needed: float) -> str:
    """Write a number of dialogues; a run that did not get there needs more than it had."""
    return f"more than {STEPS * DIALOGUES}" if math.isinf(needed) else f"{needed:.0f}"


def mean_and_error(values: list[float], digits: int = 3) -> str:
    """Write the mean over seeds, ± its standard error; a run that needs more than it had leaves no mean."""
    if not values or math.inf in values:
        return ""
    error = f"{statistics.stdev(values) / math.sqrt(len(values)):.{digits}f}" if len(values) > 1 else "unknown"
    return f"{statistics.fmean(values):.{digits}f} ± {error}"


def table(done: list[dict[str, Any]], rate: float = RATE) -> Iterator[str]:
    """Yield the table of the runs at a learning rate, in Markdown."""
    heads = " | ".join(f"to {level}: seeds {', '.join(map(str, SEEDS))} | mean" for level in LEVELS)
    yield f"| credit | {heads} | right in the first four steps | in the last four |"
    yield f"|---|{'---|---|' * len(LEVELS)}---|---|"
    for variant in VARIANTS:
        rows = {row["seed"]: row["right"] for row in done if row["variant"] == variant and row["rate"] == rate}
        cells = []
        for level in LEVELS:
            needed = {seed: dialogues_needed(right, level) for seed, right in rows.items()}
            cells.append(", ".join(number(needed[seed]) if seed in needed else "not run" for seed in SEEDS))
            cells.append(mean_and_error(list(needed.values()), 0))
        cells += [mean_and_error([smoothed(right)[at] for right in rows.values()]) for at in (0, -1)]
        yield f"| `{variant}` | {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--out", type=Path, required=True, help="a folder for the model that knows the rules, and results"
    )
    parser.add_argument("--credit", choices=VARIANTS, help="only this one")
    parser.add_argument("--seed", type=int, choices=SEEDS, help="only this one")
    parser.add_argument("--rate", type=float, default=RATE, help="learning rate of GRPO")
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further run after that")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    file, end = given.out / "results.jsonl", time.monotonic() + 60 * given.minutes
    if not given.table:
        model = rules(given.out)
        done = {(row["variant"], row["seed"], row["rate"]) for row in read_rows(file)}
        first, second, *others = VARIANTS
        order = [(variant, seed) for seed in SEEDS for variant in (first, second)]
        for variant, seed in [*order, *((variant, seed) for variant in others for seed in SEEDS)]:
            asked = given.credit in (None, variant) and given.seed in (None, seed)
            if asked and (variant, seed, given.rate) not in done and time.monotonic() < end:
                add_row(file, run(model, variant, seed, given.rate))
    print("\n".join(table(read_rows(file), given.rate)))


if __name__ == "__main__":
    main()
