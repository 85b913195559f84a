"""Tables of a page: held-out figures with their uncertainty, the health of rewards, and the differences between recipes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..evaluation.seed_spread import SeedSpread, seed_spread
from ..storage.jsonl import Damage
from ..storage.run_folder import RunFolder
from .collect_run import RunData
from .curves import mean, reward_names
from .samples import task_key
from .seeds import SeedGroup, spread

ACCURACY = "accuracy"
LAST = 10  # steps averaged at either end of the training


@dataclass(frozen=True, slots=True)
class FigureRow:
    """A held-out figure of one run, before and after training."""

    run: int
    label: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    change: float | None
    error: float | None  # of the change, one standard error
    seeds: int = 0  # of a mean over seeds: how many; its errors are standard errors over seeds
    std: float | None = (
        None  # of a mean over seeds: the standard deviation after training, or before where there is no after
    )


@dataclass(frozen=True, slots=True)
class Health:
    """The health of one reward in one run, over its last steps. None: not measured."""

    run: int
    reward: str
    weight: float
    first: float | None
    last: float | None
    spread_share: float | None
    correlation: float | None
    none: float | None
    timeout: float | None
    error: float | None
    ms_median: float | None
    ms_p99: float | None


def held_out_rows(runs: Sequence[RunData], groups: Sequence[SeedGroup] = ()) -> Sequence[FigureRow]:
    """Return accuracy for every run first, then pass@k, maj@k and categories if any, then rewards that differ from accuracy.

    The rows of a group of seeds follow their mean.
    """
    rows = [_row(at, run, ACCURACY, ("accuracy",)) for at, run in enumerate(runs)]
    evaluations = [e for run in runs for e in (run.before, run.after) if e]
    names = dict.fromkeys(name for e in evaluations for name in e.get("rewards", {}))
    for k in sorted({k for e in evaluations for k in e.get("pass_at", {}) if int(k) > 1}, key=int):
        rows += [_row(at, run, f"pass@{k}", ("pass_at", k)) for at, run in enumerate(runs)]
    for k in sorted({e["samples"] for e in evaluations if e.get("samples", 1) > 1}):
        rows += [
            _row(at, run, f"maj@{k}", ("majority",))
            for at, run in enumerate(runs)
            if (run.after or run.before or {}).get("samples") == k
        ]
    for key, value in dict.fromkeys(
        (k, v) for e in evaluations for k, by in e.get("categories", {}).items() for v in by
    ):
        rows += [_row(at, run, f"{key} {value}", ("categories", key, value)) for at, run in enumerate(runs)]
    other = [name for name in names if any(e["rewards"].get(name) != e["accuracy"] for e in evaluations)]
    rows += [_row(at, run, f"reward {name}", ("rewards", name)) for name in other for at, run in enumerate(runs)]
    return _with_means([row for row in rows if row.before or row.after], groups)


def _with_means(rows: Sequence[FigureRow], groups: Sequence[SeedGroup]) -> Sequence[FigureRow]:
    """Return the rows with the mean over seeds before the rows of each group of seeds."""
    ordered: list[FigureRow] = []
    for label in dict.fromkeys(row.label for row in rows):
        own = {row.run: row for row in rows if row.label == label}
        for group in groups or [SeedGroup("", [run]) for run in own]:
            some = [own[run] for run in group.runs if run in own]
            if len(some) > 1:
                ordered.append(_mean_row(label, some))
            ordered += some
    return ordered


def _mean_row(label: str, rows: Sequence[FigureRow]) -> FigureRow:
    before, after = (
        spread([found["mean"] for row in rows if (found := getattr(row, moment))]) for moment in ("before", "after")
    )
    change = spread([row.change for row in rows if row.change is not None])
    values = [{"mean": o.mean, "stderr": o.stderr, "n": o.n} if o else None for o in (before, after)]
    widest = after or before
    return FigureRow(
        run=rows[0].run,
        label=label,
        before=values[0],
        after=values[1],
        change=change.mean if change else None,
        error=change.stderr if change else None,
        seeds=len(rows),
        std=widest.std if widest else None,
    )


def _row(at: int, run: RunData, label: str, path: Sequence[str]) -> FigureRow:
    before, after = _at(run.before, path), _at(run.after, path)
    change = error = None
    if before and after:
        change = after["mean"] - before["mean"]
        flips, samples = run.flips, (run.after or {}).get("samples")
        n = after.get("n") or 0
        if label == ACCURACY and flips and samples == 1 and n == flips.gained + flips.lost + flips.kept + flips.missed:
            # The same tasks were attempted before and after, so this is the error of paired differences.
            error = math.sqrt(max(0.0, (flips.gained + flips.lost) / n - change**2) / n)
        elif before.get("stderr") is not None and after.get("stderr") is not None:
            error = math.hypot(before["stderr"], after["stderr"])
    return FigureRow(at, label, before, after, change, error)


def _at(evaluation: Mapping[str, Any] | None, path: Sequence[str]) -> Mapping[str, Any] | None:
    value: Any = evaluation
    for key in path:
        value = (value or {}).get(key)
    return value if value and value.get("mean") is not None else None


def seeds_and_chance(runs: Sequence[RunData], group: SeedGroup) -> SeedSpread | None:
    """Return the accuracy after training over the seeds of a group, with the deviation that sampling alone would give.

    None for a group of one. Damaged lines are left out; they are among the faults of their run.
    """
    if not group.is_several:
        return None
    verdicts = {int(runs[at].settings["seed"]): _verdicts(runs[at]) for at in group.runs}
    return seed_spread({seed: found for seed, found in verdicts.items() if found})


def _verdicts(run: RunData) -> Mapping[str, list[float | None]]:
    """Return the verdicts of the evaluation after training, by task."""
    found: dict[str, list[float | None]] = {}
    for line in RunFolder(run.path).evaluation_rollouts("after", Damage()):
        found.setdefault(task_key(line), []).append((line.get("verdict") or {}).get("value"))
    return found


def health(runs: Sequence[RunData]) -> Sequence[Health]:
    """Return the health of every reward of every run."""
    found = []
    for name in reward_names(runs):
        for at, run in enumerate(runs):
            first, last, key = run.steps[:LAST], run.steps[-LAST:], f"rewards/{name}"
            if mean(run.steps, f"{key}/mean") is None:
                continue
            measured = {
                field: mean(last, f"{key}/{source}")
                for field, source in (
                    *(("spread_share", "spread_share"), ("correlation", "verdict_correlation"), ("none", "none")),
                    *(("timeout", "timeout"), ("error", "error"), ("ms_median", "ms_median"), ("ms_p99", "ms_p99")),
                )
            }
            weight = run.settings.get(f"rewards.{name}.weight", 1.0)
            found.append(Health(at, name, weight, mean(first, f"{key}/mean"), mean(last, f"{key}/mean"), **measured))
    return found


def differences(runs: Sequence[RunData]) -> Mapping[str, Sequence[str]]:
    """Return the recipe keys in which runs differ, with each run's value; empty for a single run."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key != "output_dir")
    table = {key: [_plain(run.settings.get(key)) for run in runs] for key in keys}
    return {key: values for key, values in table.items() if len(set(values)) > 1}


def estimate(value: Mapping[str, Any] | None) -> str:
    """Return an estimate as `0.658 ± 0.021`, or a dash."""
    if not value or value.get("mean") is None:
        return "–"
    error = f" ± {value['stderr']:.3f}" if value.get("stderr") is not None else ""
    return f"{value['mean']:.3f}{error}"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share as `12.5 %`, or a dash for None."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"


def clock(seconds: float | None) -> str:
    """Return a duration as `5 min 24 s` or `3 h 12 min`, or a dash for None."""
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _plain(value: Any) -> str:
    return "–" if value is None else str(value)
