"""Turn the metrics of runs into the charts of a page: one chart per metric, one line per run, a shared axis of steps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .collect_run import RunData

POINTS = 400  # per line; neighbouring values are averaged to fit


@dataclass(frozen=True, slots=True)
class Metric:
    """The presentation of one key of metrics.jsonl."""

    key: str
    title: str
    note: str
    form: str = "number"  # number, share, count, ms, seconds, small
    floor: bool = False  # the axis starts at 0
    nonzero: bool = False  # shown only if a run has a value other than 0


LEARNING = (
    Metric("verdict/mean", "Correct answers", "Mean verdict in training; dots: held out", "share"),
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
    Metric("verdict_correlation", "{}: correlation with verdict", "Over the batch; 1: equivalent to the verdict"),
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


def charts(runs: Sequence[RunData]) -> Sequence[Mapping[str, Any]]:
    """Return groups of charts in page order: `{title, open, charts: [{title, note, form, floor, lines, points}]}`."""
    rewards = reward_names(runs)
    parts = [
        Metric(f"rewards/{name}/mean", f"Reward {name}", "Before weighting")
        for name in rewards
        if not _is_verdict(name, runs)
    ]
    health = [
        Metric(f"rewards/{name}/{m.key}", m.title.format(name), m.note, m.form, m.floor, m.nonzero)
        for m in PER_REWARD
        for name in rewards
    ]
    groups = [
        ("Learning", True, [*LEARNING, *parts]),
        ("Completions", True, COMPLETIONS),
        ("Learning signal", True, SIGNAL),
        ("Rewards and verdicts", False, [*health, *VERDICTS]),
        ("Speed", False, SPEED),
    ]
    found = []
    for title, is_open, metrics in groups:
        shown = [chart for metric in metrics if (chart := _chart(metric, runs))]
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


def _chart(metric: Metric, runs: Sequence[RunData]) -> Mapping[str, Any] | None:
    lines = [{"run": at, **_line(run, metric.key)} for at, run in enumerate(runs)]
    lines = [line for line in lines if line["x"]]
    if not lines or (metric.nonzero and not any(any(line["y"]) for line in lines)):
        return None
    points = list(_held_out(runs)) if metric.key == "verdict/mean" else []
    return {
        "key": metric.key,
        "title": metric.title,
        "note": metric.note,
        "form": metric.form,
        "floor": metric.floor,
        "lines": lines,
        "points": points,
    }


def _line(run: RunData, key: str) -> Mapping[str, Any]:
    pairs = [(line["step"], line[key]) for line in run.steps if _is_finite(line.get(key))]
    size = math.ceil(len(pairs) / POINTS) or 1
    buckets = [pairs[i : i + size] for i in range(0, len(pairs), size)]
    return {"x": [b[-1][0] for b in buckets], "y": [_short(sum(v for _, v in b) / len(b)) for b in buckets]}


def _held_out(runs: Sequence[RunData]) -> Iterator[Mapping[str, Any]]:
    """Return the evaluations of each run as points with their standard errors."""
    for at, run in enumerate(runs):
        last = run.steps[-1]["step"] if run.steps else 0
        for step, evaluation in ((0, run.before), (last, run.after)):
            accuracy = (evaluation or {}).get("accuracy") or {}
            if _is_finite(accuracy.get("mean")):
                yield {
                    "run": at,
                    "x": step,
                    "y": _short(accuracy["mean"]),
                    "error": _short(accuracy.get("stderr") or 0.0),
                }


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _short(value: float) -> float:
    return float(f"{value:.5g}")
