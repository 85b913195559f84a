"""Train `tiny` on Countdown with each loss and each advantage estimator, from the same completions budget, and compare.

    python benchmarks/algorithms.py --out results.jsonl            # every row, three seeds; continues where it stopped
    python benchmarks/algorithms.py --out results.jsonl --minutes 4  # start no further run after that
    python benchmarks/algorithms.py --out results.jsonl --table    # the table of what is there, in Markdown

Each run makes 10 batches of 64 completions and two updates from each, so that the second is off-policy and the losses differ.
The figure is the share of 300 held-out tasks that are right afterwards, sampled at temperature 1: mean over the seeds, with the
standard error of that mean. Differences to TRL's defaults are paired by seed.
"""

import argparse
import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from row_log import add_row, read_rows

from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.losses import LOSSES

BATCHES, COMPLETIONS, UPDATES, HELD_OUT = 10, 64, 2, 300
SEEDS = (0, 1, 2)
DEFAULTS = ("defaults", "TRL")


def rows() -> list[tuple[str, str]]:
    """Return what is compared, as (kind, name). Estimators that credit turns need turns: benchmarks/turn_credit.py."""
    estimators = [name for name in load_plugins().names("advantage") if not name.startswith("turn_")]
    return [DEFAULTS, *(("loss", name) for name in LOSSES), *(("advantage", name) for name in estimators)]


def recipe(kind: str, name: str, seed: int) -> dict[str, Any]:
    """Return the keys of one run."""
    keys: dict[str, Any] = {
        "model": "tiny",
        "env": {"name": "countdown", "options": {"train_size": 4000}},
        "rewards": "accuracy,format",
        "generation": {"samples": 8, "max_tokens": 200, "backend": "transformers"},
        "seed": seed,
        "trainer": {
            "max_steps": BATCHES * UPDATES,
            "per_device_train_batch_size": COMPLETIONS // UPDATES,
            "steps_per_generation": UPDATES,
            "learning_rate": 3.0e-4,
            "lr_scheduler_type": "constant_with_warmup",
            "warmup_steps": 3,
            "adam_beta2": 0.99,
            "max_grad_norm": 1.0,
            "save_strategy": "no",
        },
    }
    return keys if (kind, name) == DEFAULTS else {**keys, kind: name}


def run(kind: str, name: str, seed: int) -> dict[str, Any]:
    """Train once and return what came out."""
    from transformers import set_seed

    from r1sdk.evaluation.attempts import attempts
    from r1sdk.planning.resolve import plan_run
    from r1sdk.recipe.schema import load_recipe
    from r1sdk.rollout.hf_model import HFModel
    from r1sdk.rollout.sampling import Sampling
    from r1sdk.storage.run_folder import RunFolder
    from r1sdk.training.models import load_model, load_tokenizer
    from r1sdk.training.trl.grpo import grpo_trainer

    started = time.process_time()
    given = load_recipe(None, recipe(kind, name, seed))
    plan = plan_run(given, load_plugins())
    with tempfile.TemporaryDirectory() as folder:
        set_seed(seed)
        where = str(plan.model.folder)
        model, tokenizer = load_model(where), load_tokenizer(where)
        trainer = grpo_trainer(plan, model, tokenizer, RunFolder.create(Path(folder) / "run", given, {}), [])
        trainer.train()
        made = [row["rewards/accuracy/mean"] for row in trainer.state.log_history if "rewards/accuracy/mean" in row]
    model.eval()
    tasks = list(islice(plan.environment.tasks("test"), HELD_OUT))
    sampling = Sampling(samples=1, max_tokens=200, temperature=1.0, seed=1000 + seed)
    found = [
        float(rollout.verdict.value or 0.0)
        for rollouts, _ in attempts(tasks, plan.environment, plan.rewards, HFModel(model, tokenizer), sampling)
        for rollout in rollouts
        if rollout.verdict is not None
    ]
    return {
        "kind": kind,
        "name": name,
        "seed": seed,
        "held_out": statistics.fmean(found),
        "training": statistics.fmean(made[-4:]),
        "cpu_s": time.process_time() - started,
    }


def estimate(values: list[float]) -> str:
    """Return a mean with its standard error."""
    error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
    return f"{statistics.fmean(values):.3f} ± {error:.3f}"


def table(done: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table, in Markdown."""
    by = {(row["kind"], row["name"], row["seed"]): row for row in done}
    yield "| | name | held out | minus TRL's defaults | seeds |"
    yield "|---|---|---|---|---|"
    for kind, name in rows():
        seeds = [seed for seed in SEEDS if (kind, name, seed) in by]
        if not seeds:
            yield f"| {kind} | `{name}` | not run | | 0 |"
            continue
        own = [by[kind, name, seed]["held_out"] for seed in seeds]
        paired = [seed for seed in seeds if (*DEFAULTS, seed) in by]
        less = [by[kind, name, seed]["held_out"] - by[*DEFAULTS, seed]["held_out"] for seed in paired]
        difference = "" if (kind, name) == DEFAULTS or not less else estimate(less)
        yield f"| {kind} | `{name}` | {estimate(own)} | {difference} | {len(seeds)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="a file that each finished run is added to")
    parser.add_argument("--table", action="store_true", help="only print the table of what is done")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no further run after that")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only the rows of these names")
    given = parser.parse_args()
    end = time.monotonic() + 60 * given.minutes
    if not given.table:
        done = {(row["kind"], row["name"], row["seed"]) for row in read_rows(given.out)}
        for seed in SEEDS:
            for kind, name in rows():
                wanted = given.only is None or name in given.only
                if wanted and (kind, name, seed) not in done and time.monotonic() < end:
                    add_row(given.out, run(kind, name, seed))
    print("\n".join(table(read_rows(given.out))))


if __name__ == "__main__":
    main()
