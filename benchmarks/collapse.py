"""Eight ways to make the model `tiny` collapse, with and without rollback; and healthy runs, on which nothing may act.

    python benchmarks/collapse.py                       # the eight, and 20 healthy runs
    python benchmarks/collapse.py --only reversed --healthy 0
    python benchmarks/collapse.py --log a.jsonl --seed 1
    python benchmarks/collapse.py --table a.jsonl       # the table of earlier ones

Each run has 24 steps of 32 completions. A collapse is run twice from one seed: with `on_collapse: warn`, which shows when the health
checks are certain and where the run ends, and with `on_collapse: rollback`. The processes are forked from this one, which has loaded
the libraries. Exit status: the number of collapses that were not noticed, and of healthy runs that were acted on.
"""

import argparse
import json
import re
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import forked
from forked import load_libraries, r1
from row_log import add_row, read_rows

STEPS = 24
SETTINGS = (
    "env.options.train_size=512",
    "trainer.per_device_train_batch_size=32",
    "trainer.save_steps=4",
    "generation.samples=4",
    "generation.max_tokens=48",
    "evaluation.tasks=48",
    "evaluation.during=0",
)
RATE = 1e-4  # the learning rate of the healthy runs


def pays_length(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """Pay tokens."""
    return [len(ids) / 48 for ids in completion_ids]


def pays_brevity(completion_ids: list[list[int]], **_: Any) -> list[float]:
    """Pay for each token that is not written."""
    return [1.0 - len(ids) / 48 for ids in completion_ids]


def pays_copies(completions: list[Any], **_: Any) -> list[float]:
    """Pay for words that other completions of the batch have, too."""
    texts = [messages[0]["content"].split() for messages in completions]
    counts: dict[str, int] = {}
    for text in texts:
        for word in set(text):
            counts[word] = counts.get(word, 0) + 1
    return [sum(counts[word] for word in text) / (len(texts) * max(1, len(text))) for text in texts]


def is_noise(completions: list[Any], **_: Any) -> list[float]:
    """Pay at random, the same for the same text."""
    return [zlib.crc32(messages[0]["content"].encode()) / 2**32 for messages in completions]


def rate(factor: float) -> str:
    return f"trainer.learning_rate={RATE * factor:g}"


COLLAPSES: dict[str, tuple[str, list[str]]] = {  # name -> what is wrong, and the settings
    "learning_rate": ("the learning rate is 100 times too high", [rate(100)]),
    "pays_length": ("the reward pays length", [rate(30), "rewards=collapse:pays_length"]),
    "pays_brevity": ("the reward pays brevity", [rate(60), "rewards=collapse:pays_brevity"]),
    "pays_copies": ("the reward pays copies", [rate(30), "rewards=collapse:pays_copies"]),
    "reversed": ("the reward of accuracy has the wrong sign", [rate(30), "rewards=accuracy=-1"]),
    "no_clipping": (
        "2 updates a batch (of 64) without any clipping, and a learning rate 50 times too high",
        [
            *(rate(50), "trainer.num_iterations=2", "trainer.epsilon=1000", "trainer.max_grad_norm=1000"),
            "trainer.per_device_train_batch_size=64",
        ],
    ),
    "noise": ("the reward is noise, and the learning rate 60 times too high", [rate(60), "rewards=collapse:is_noise"]),
    "weight_decay": ("a weight decay of 2000", ["trainer.weight_decay=2000", rate(1)]),
}
HEALTHY: list[list[str]] = [
    [],
    ["rewards=accuracy"],
    ["rewards=accuracy,format=0.2,length=0.1"],
    [rate(3)],
    [rate(0.3), "generation.temperature=0.8"],
    ["dynamic_sampling=true"],
    ["curriculum=true"],
    ["trainer.beta=0.05"],
    ["model=tiny_blank"],
    ["env.options.level=easy"],
]


def main() -> int:
    """Run the cases, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(COLLAPSES), help="collapses, with commas")
    parser.add_argument("--healthy", type=int, default=20, help="how many healthy runs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="file to which each run is appended; those in it are not made again")
    parser.add_argument("--table", type=Path, nargs="+", help="print the table of these logs, and stop")
    options = parser.parse_args()
    if options.table:
        rows = read_rows(*options.table)
    else:
        load_libraries()
        rows = read_rows(options.log)
        done = [(row["case"], row["action"], row["number"]) for row in rows]
        only = [name for name in options.only.split(",") if name]
        for row in runs(only, range(options.healthy), options.seed, done):
            rows.append(row)
            print(json.dumps(row), flush=True)
            add_row(options.log, row)
    text, wrong = table(rows)
    print(text)
    return min(100, wrong)


def runs(
    collapses: list[str], healthy: range, seed: int, done: Sequence[tuple[str, str, int]]
) -> Iterator[dict[str, Any]]:
    """Make the runs that are not `done`. Yields one row for each."""
    for name in collapses:
        for action in ("warn", "rollback"):
            if (name, action, 0) not in done:
                found = one_run([*COLLAPSES[name][1], f"on_collapse={action}"], seed)
                yield {"case": name, "action": action, "number": 0, **found}
    for number in healthy:
        if ("healthy", "rollback", number) not in done:
            settings = [rate(1), *HEALTHY[number % len(HEALTHY)], "on_collapse=rollback"]
            found = one_run(settings, seed + number // len(HEALTHY))
            yield {"case": "healthy", "action": "rollback", "number": number, "settings": settings, **found}


def one_run(settings: list[str], seed: int) -> dict[str, Any]:
    """Make a run and return what became of it."""
    from r1sdk.storage.run_folder import RunFolder

    with tempfile.TemporaryDirectory(prefix="r1-collapse-") as scratch:
        out = Path(scratch) / "run"
        sets = [part for one in (*SETTINGS, *settings) for part in ("--set", one)]
        flags = ["--env", "countdown", "--model", "tiny", "--steps", str(STEPS), "--seed", str(seed)]
        if any(one.startswith("model=") for one in settings):
            flags[2:4] = []
        said = forked.forked(lambda: r1(["train", *flags, *sets, "--out", str(out)]), Path(scratch))
        if said.code:
            log = out / "worker.log"
            return {"failed": said.err[-1500:] + (log.read_text()[-1500:] if log.is_file() else "")}
        run = RunFolder(out)
        before, after = (run.evaluation(name) or {} for name in ("before", "after"))
        noticed = [line["step"] for line in run.metrics("warning") if line["name"] == "policy_collapsed"]
        texts = [line["text"] for line in run.metrics("warning") if line["name"] == "policy_collapsed"]
        rollbacks = run.rollbacks()
        return {
            "noticed": noticed or [one.at for one in rollbacks],
            "reason": [re.sub(r"^the policy has collapsed: |; stop the run.*", "", text) for text in texts]
            or [one.reason for one in rollbacks],
            "rollbacks": [[one.at, one.to, one.ends] for one in rollbacks],
            "before": before["accuracy"]["mean"],
            "after": after["accuracy"]["mean"],
            "stderr": after["accuracy"]["stderr"],
            "steps": run.status().get("done"),
            "entropy": [line.get("entropy") for line in run.metrics()][-1:],
            "accuracy": [round(line.get("verdict/mean") or 0.0, 3) for line in run.metrics()],
        }


def table(rows: list[dict[str, Any]]) -> tuple[str, int]:
    """Return the table, and how many results are not what they should be."""
    head = ("what is wrong", "accuracy before", "noticed at step", "the sign", "accuracy after, warned only")
    head += ("rollbacks, from > to", "accuracy after, rolled back", "steps")
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    wrong = sum("failed" in row for row in rows)
    for name, (what, _) in COLLAPSES.items():
        found = {row["action"]: row for row in rows if row["case"] == name and "failed" not in row}
        if found.keys() < {"warn", "rollback"}:
            continue
        warned, back = found["warn"], found["rollback"]
        wrong += not warned["noticed"]
        went = ", ".join(f"{at} > {to}{', ended' if ends else ''}" for at, to, ends in back["rollbacks"]) or "none"
        lines.append(
            f"| {what} | {warned['before']:.2f} | {(warned['noticed'] or ['not noticed'])[0]} | {(warned['reason'] or [''])[0]} "
            f"| {warned['after']:.2f} | {went} | {back['after']:.2f} | {back['steps']} |"
        )
    healthy = [row for row in rows if row["case"] == "healthy" and "failed" not in row]
    acted = sum(bool(row["rollbacks"]) for row in healthy)
    if healthy:
        lines.append(f"\nhealthy runs: {len(healthy)}, acted on: {acted}")
    return "\n".join(lines), wrong + acted


if __name__ == "__main__":
    raise SystemExit(main())
