"""The metrics of runs in, the charts of a page out: one per metric, each run a line, all over the same steps."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .collect_run import RunData

POINTS = 400  # per line: neighbours are averaged to fit


@dataclass(frozen=True, slots=True)
class Metric:
    """How one key of metrics.jsonl is shown."""

    key: str
    title: str
    note: str
    form: str = "number"  # number, share, count, ms, seconds, small
    floor: bool = False  # the axis begins at 0
    nonzero: bool = False  # shown only where a run has a value other than 0


LEARNING = (
    Metric("verdict/mean", "Right answers", "Mean verdict in training; dots: held out", "share"),
    Metric("drawn/pass_rate", "Pass rate of what was drawn", "Right answers before groups were replaced", "share"),
    Metric("reward", "Reward", "Weighted total, mean over the batch"),
    Metric("mean_token_accuracy", "Token accuracy", "Share of the demonstrations' tokens predicted", "share"),
)
COMPLETIONS = (
    Metric("completions/mean_length", "Completion length", "Tokens, mean over the batch", "count", floor=True),
    Metric("completions/clipped_ratio", "Cut by the token limit", "These lose their answer", "share", floor=True),
    Metric("groups/distinct", "Distinct completions", "Share of a group that differ from one another", "share"),
)
SIGNAL = (
    Metric(
        "frac_reward_zero_std", "Groups without spread", "All priced alike: they teach nothing", "share", floor=True
    ),
    Metric("drawn/replaced", "Groups replaced", "By fresh prompts, for want of spread", "count", floor=True),
    Metric("drawn/groups", "Groups generated", "For one batch, those replaced too", "count", floor=True),
    Metric("reward_std", "Spread of the reward", "Standard deviation over the batch", floor=True),
    Metric("entropy", "Entropy", "Of the policy, per token; near 0 nothing is tried", floor=True),
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
        "Sampler and trainer",
        "Difference of their log-probabilities",
        floor=True,
    ),
    Metric("loss", "Loss", "For GRPO no measure of progress"),
    Metric("grad_norm", "Gradient norm", "Before clipping", floor=True),
    Metric("learning_rate", "Learning rate", "As scheduled", "small", floor=True),
)
SPEED = (
    Metric("tokens_per_second", "Tokens per second", "Generation, judging and update together", "count", floor=True),
    Metric("step_seconds", "Seconds per step", "Optimizer step", "seconds", floor=True),
    Metric("verdict/ms_p99", "Judging, slowest 1 %", "Milliseconds per completion", "ms", floor=True),
)
PER_REWARD = (
    Metric("spread_share", "{}: part in the spread", "Its share of what GRPO learns from", "share", floor=True),
    Metric("verdict_correlation", "{}: with the verdict", "Correlation over the batch; 1: it is the verdict"),
    Metric("ms_p99", "{}: slowest 1 %", "Milliseconds per completion", "ms", floor=True),
    Metric("none", "{}: does not apply", "Share of completions without a price", "share", floor=True, nonzero=True),
    Metric("timeout", "{}: timed out", "Too expensive to price", "share", floor=True, nonzero=True),
    Metric("error", "{}: failed", "A service or a worker failed", "share", floor=True, nonzero=True),
)
VERDICTS = tuple(
    Metric(f"verdict/{status}", f"Verdict {status}", note, "share", floor=True, nonzero=True)
    for status, note in (
        ("timeout", "Too expensive to judge: counted as wrong"),
        ("unverifiable", "The gold answer cannot be read"),
        ("error", "The judge failed: left out of training"),
    )
)


def charts(runs: Sequence[RunData]) -> Sequence[Mapping[str, Any]]:
    """Groups of charts, in the order of the page: `{title, open, charts: [{title, note, form, floor, lines, points}]}`."""
    rewards = reward_names(runs)
    parts = [
        Metric(f"rewards/{name}/mean", f"Reward {name}", "By itself, before its weight")
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
        ("What the update sees", True, SIGNAL),
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
    """The rewards that the steps of any run speak of, in order."""
    keys = dict.fromkeys(key for run in runs for line in run.steps for key in line)
    return [key.split("/")[1] for key in keys if key.startswith("rewards/") and key.endswith("/mean")]


def mean(lines: Sequence[Mapping[str, Any]], key: str) -> float | None:
    """The mean of a metric over some steps; None where none of them has it."""
    values = [line[key] for line in lines if isinstance(line.get(key), int | float)]
    return sum(values) / len(values) if values else None


def _is_verdict(name: str, runs: Sequence[RunData]) -> bool:
    """Whether a reward is the verdict itself, step by step: its curve would be drawn twice."""
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
    """The evaluations of each run as points with their standard errors."""
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
