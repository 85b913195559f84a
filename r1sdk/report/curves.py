"""Turn the metrics of runs into the charts of a page: one chart per metric, one line per run, a shared axis of steps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .collect_run import RunData
from .seeds import SeedGroup, spread

POINTS = 400  # per line; neighbouring values are averaged to fit
SMOOTHED = 8  # points below which a line is drawn as it is


@dataclass(frozen=True, slots=True)
class Metric:
    """The presentation of one key of metrics.jsonl."""

    key: str
    title: str
    note: str
    form: str = "number"  # number, share, count, ms, seconds, small
    floor: bool = False  # the axis starts at 0
    nonzero: bool = False  # shown only if a run has a value other than 0
    ceiling: float | None = None  # the axis ends here at the latest


LEARNING = (
    Metric(
        "verdict/mean", "Correct answers", "Mean verdict in training; dots: held out, hollow ones on few tasks", "share"
    ),
    Metric("drawn/pass_rate", "Pass rate before replacement", "Correct answers before groups were replaced", "share"),
    Metric("reward", "Reward", "Weighted total, mean over the batch"),
    Metric("mean_token_accuracy", "Token accuracy", "Share of the demonstrations' tokens predicted", "share"),
)
COMPLETIONS = (
    Metric("completions/mean_length", "Completion length", "Tokens, mean over the batch", "count", floor=True),
    Metric(
        "completions/clipped_ratio", "Truncated", "At the token limit; these lose their answer", "share", floor=True
    ),
    Metric("groups/distinct", "Distinct completions", "Share of a group that differ from each other", "share"),
)
SIGNAL = (
    Metric("frac_reward_zero_std", "Zero-variance groups", "All rewards equal: no gradient", "share", floor=True),
    Metric("drawn/replaced", "Groups replaced", "Zero-variance groups replaced by fresh prompts", "count", floor=True),
    Metric("drawn/groups", "Groups generated", "For one batch, replaced ones included", "count", floor=True),
    Metric("reward_std", "Reward std", "Standard deviation over the batch", floor=True),
    Metric("entropy", "Entropy", "Of the policy, per token; near 0: no exploration", floor=True),
    Metric("kl", "KL", "From the reference model, per token", floor=True),
    Metric(
        "clip_ratio/region_mean",
        "Clipped ratios",
        "Share of tokens whose update was clipped",
        "share",
        floor=True,
        nonzero=True,
    ),
    Metric(
        "sampler_difference",
        "Sampler vs. trainer",
        "Difference between their log-probabilities",
        floor=True,
    ),
    Metric("loss", "Loss", "Not a measure of progress in GRPO"),
    Metric("grad_norm", "Gradient norm", "Before clipping", floor=True),
    Metric("learning_rate", "Learning rate", "As scheduled", "small", floor=True),
)
SPEED = (
    Metric(
        "tokens_per_second", "Tokens per second", "Generation, verification and update together", "count", floor=True
    ),
    Metric("step_seconds", "Seconds per step", "Optimizer step", "seconds", floor=True),
    Metric("verdict/ms_p99", "Verification, slowest 1 %", "Milliseconds per completion", "ms", floor=True),
)
PER_REWARD = (
    Metric("spread_share", "{}: share of reward std", "Within groups, which GRPO learns from", "share", floor=True),
    Metric(
        "verdict_correlation",
        "{}: correlation with verdict",
        "Over the batch; 1: equivalent to the verdict",
        ceiling=1.0,
    ),
    Metric("ms_p99", "{}: slowest 1 %", "Milliseconds per completion", "ms", floor=True),
    Metric("none", "{}: not applicable", "Share of completions without this reward", "share", floor=True, nonzero=True),
    Metric("timeout", "{}: timed out", "Too expensive to score", "share", floor=True, nonzero=True),
    Metric("error", "{}: failed", "A service or a worker failed", "share", floor=True, nonzero=True),
)
VERDICTS = tuple(
    Metric(f"verdict/{status}", f"Verdict {status}", note, "share", floor=True, nonzero=True)
    for status, note in (
        ("timeout", "Too expensive to verify: counted as wrong"),
        ("unverifiable", "The gold answer cannot be read"),
        ("error", "The verifier failed: left out of training"),
    )
)


def charts(runs: Sequence[RunData], groups: Sequence[SeedGroup] = ()) -> Sequence[Mapping[str, Any]]:
    """Return groups of charts in page order: `{title, open, charts: [{title, note, form, floor, lines, bands, points}]}`.

    `groups`: the runs of one recipe with different seeds; each has a mean line with a band of one standard deviation.
    """
    rewards = reward_names(runs)
    parts = [
        Metric(f"rewards/{name}/mean", f"Reward {name}", "Before weighting")
        for name in rewards
        if not _is_verdict(name, runs)
    ]
    health = [
        Metric(f"rewards/{name}/{m.key}", m.title.format(name), m.note, m.form, m.floor, m.nonzero, m.ceiling)
        for m in PER_REWARD
        for name in rewards
    ]
    parts_of_page = [
        ("Learning", True, [*LEARNING, *parts]),
        ("Completions", True, COMPLETIONS),
        ("Learning signal", True, SIGNAL),
        ("Rewards and verdicts", False, [*health, *VERDICTS]),
        ("Speed", False, SPEED),
    ]
    found = []
    for title, is_open, metrics in parts_of_page:
        shown = [chart for metric in metrics if (chart := _chart(metric, runs, groups))]
        if shown:
            found.append({"title": title, "open": is_open, "charts": shown})
    return found


def reward_names(runs: Sequence[RunData]) -> list[str]:
    """Return the rewards that appear in the steps of any run, in order."""
    keys = dict.fromkeys(key for run in runs for line in run.steps for key in line)
    return [key.split("/")[1] for key in keys if key.startswith("rewards/") and key.endswith("/mean")]


def mean(lines: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """Return the mean of a metric over some steps, or None if none of them has it."""
    values = [line[key] for line in lines if isinstance(line.get(key), int | float)]
    return sum(values) / len(values) if values else None


def _is_verdict(name: str, runs: Sequence[RunData]) -> bool:
    """True if a reward equals the verdict at every step: its curve would be drawn twice."""
    lines = [line for run in runs for line in run.steps if "verdict/mean" in line]
    return bool(lines) and all(line.get(f"rewards/{name}/mean") == line["verdict/mean"] for line in lines)


def smooth(values: Sequence[float]) -> Sequence[float]:
    """Return the moving mean over the neighbours on both sides, about a thirteenth of the line; short lines as they are."""
    if len(values) < SMOOTHED:
        return values
    reach = max(1, len(values) // 26)
    windows = (values[max(0, at - reach) : at + reach + 1] for at in range(len(values)))
    return [_short(math.fsum(window) / len(window)) for window in windows]


def _chart(metric: Metric, runs: Sequence[RunData], groups: Sequence[SeedGroup]) -> Mapping[str, Any] | None:
    last = max((line["step"] for run in runs for line in run.steps), default=0)
    width = math.ceil(last / POINTS) or 1  # steps per point, the same for all runs, so that their points fall together
    lines = [{"run": at, **_line(run.steps, metric.key, width)} for at, run in enumerate(runs)]
    lines = [line for line in lines if line["x"]]
    if not lines or (metric.nonzero and not any(any(line["y"]) for line in lines)):
        return None
    for line in lines:  # a schedule is not smoothed
        line["smooth"] = line["y"] if metric.form == "small" else smooth(line["y"])
    points = list(_held_out(runs)) if metric.key == "verdict/mean" else []
    return {
        "key": metric.key,
        "title": metric.title,
        "note": metric.note,
        "form": metric.form,
        "floor": metric.floor,
        "ceiling": metric.ceiling,
        "lines": lines,
        "given_up": [line for at, run in enumerate(runs) for line in _given_up(at, run, metric.key, width)],
        "bands": [band for at, group in enumerate(groups) if (band := _band(at, group, lines))],
        "points": points,
        "means": [point for at, group in enumerate(groups) for point in _mean_points(at, group, points)],
    }


def _given_up(at: int, run: RunData, key: str, width: int) -> Iterator[Mapping[str, Any]]:
    """Return the lines of the steps that rollbacks gave up."""
    for rollback in run.given_up:
        line = _line(rollback.steps, key, width)
        if line["x"]:
            yield {"run": at, "x": line["x"], "y": smooth(line["y"])}


def _line(steps: Sequence[Mapping[str, Any]], key: str, width: int) -> dict[str, Any]:
    """Return the points of a line: each the mean of `width` steps, at the last of them that has a value."""
    buckets: dict[int, list[tuple[int, float]]] = {}
    for line in steps:
        if _is_finite(line.get(key)):
            buckets.setdefault((line["step"] - 1) // width, []).append((line["step"], line[key]))
    some = list(buckets.values())
    return {"x": [b[-1][0] for b in some], "y": [_short(math.fsum(v for _, v in b) / len(b)) for b in some]}


def _band(at: int, group: SeedGroup, lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the mean of a group's smoothed lines and their standard deviation, at the steps that all of them reached."""
    own = [dict(zip(line["x"], line["smooth"], strict=True)) for line in lines if line["run"] in group.runs]
    if len(own) < 2:
        return None
    shared = [x for x in own[0] if all(x in line for line in own)]
    found = [(x, over) for x in shared if (over := spread([line[x] for line in own]))]
    if not found:
        return None
    return {
        "group": at,
        "n": len(own),
        "x": [x for x, _ in found],
        "mean": [_short(over.mean) for _, over in found],
        "std": [_short(over.std) for _, over in found],
    }


def _held_out(runs: Sequence[RunData]) -> Iterator[Mapping[str, Any]]:
    """Return the evaluations of each run as points with their standard errors: before, during and at checkpoints (few tasks), after."""
    for at, run in enumerate(runs):
        last = run.steps[-1]["step"] if run.steps else 0
        for moment, step, evaluation in (("before", 0, run.before), ("after", last, run.after)):
            accuracy = (evaluation or {}).get("accuracy") or {}
            if _is_finite(accuracy.get("mean")):
                yield _point(at, moment, step, accuracy["mean"], accuracy.get("stderr"), accuracy.get("n"))
        for moment, measured in (("during", run.during), ("checkpoint", run.checkpoints)):
            for step, found in measured.items():
                if found.mean is not None:
                    yield _point(at, moment, step, found.mean, found.stderr, found.n)


def _point(run: int, moment: str, step: int, mean: float, stderr: float | None, n: int | None) -> Mapping[str, Any]:
    return {"run": run, "moment": moment, "x": step, "y": _short(mean), "error": _short(stderr or 0.0), "n": n}


def _mean_points(at: int, group: SeedGroup, points: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Return the mean of a group's evaluations at each step, with the standard error over seeds."""
    places: dict[tuple[str, int], list[float]] = {}
    for point in points:
        if point["run"] in group.runs:
            places.setdefault((point["moment"], point["x"]), []).append(point["y"])
    for (moment, step), values in places.items():
        if over := spread(values):
            error = _short(over.stderr)
            yield {"group": at, "moment": moment, "x": step, "y": _short(over.mean), "error": error, "n": over.n}


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _short(value: float) -> float:
    return float(f"{value:.5g}")
