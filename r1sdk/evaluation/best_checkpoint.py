"""Compare the best checkpoint of a run with the model at its end, on the held-out tasks that both attempted."""

from dataclasses import dataclass
from pathlib import Path

from ..storage.jsonl import Damage
from ..storage.run_folder import RunFolder
from .statistics import Difference, difference


@dataclass(frozen=True, slots=True)
class BestCheckpoint:
    """The checkpoint that was best in the evaluations during training."""

    path: Path
    step: int
    accuracy: float
    n: int  # tasks
    end_minus_best: Difference  # of the accuracies, on the same tasks

    @property
    def is_better_than_the_end(self) -> bool:
        """True if the 95 % confidence interval of the difference leaves no doubt."""
        return self.end_minus_best.high is not None and self.end_minus_best.high < 0.0


def best_checkpoint(folder: RunFolder) -> BestCheckpoint | None:
    """Return the best checkpoint of a run, if it was measured and is still there."""
    row = folder.best_checkpoint()
    if row is None or not (path := folder.checkpoints / f"checkpoint-{row['step']}").is_dir():
        return None
    samples: dict[str, list[float | None]] = {}
    for line in folder.evaluation_rollouts("after", Damage()):
        key = line["task"].get("id") or str(len(samples))
        samples.setdefault(key, []).append((line["verdict"] or {}).get("value"))
    best = {task: [value] for task, value in row["values"].items() if task in samples}
    gap = difference(best, {task: samples[task] for task in best})
    return BestCheckpoint(path, row["step"], row["accuracy"], row["n"], gap)
