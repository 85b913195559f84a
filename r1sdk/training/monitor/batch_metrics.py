"""Metrics of a scored batch: for each reward the unscored share, the latency, and the correlation with the verdict."""

import statistics
from collections.abc import Mapping, Sequence

from ...records import Rollout, Score, Status
from ...scoring.score_rollouts import Rewards
from .session_metrics import session_metrics

STATUSES: tuple[Status, ...] = ("ok", "timeout", "unverifiable", "error")


def measure(
    rollouts: Sequence[Rollout], scores: Sequence[Score], rewards: Rewards, group_size: int
) -> dict[str, float]:
    """Return metrics by name, `session_metrics` included. Shapes: [B], [B], B a multiple of `group_size`. Undefined ones are left out.

    verdict/mean, /std, verdict/<status>  mean and spread of the verdicts that have a value; share of each status
    completions/ran_on                    of the truncated completions, the share that gave an answer and went on
    verdict/ms_median, verdict/ms_p99     milliseconds spent judging one completion
    <mark>, <mark>/<kind>                 share of completions that a verifier marked at all, and by kind, e.g. code/hacks/exits_early
    rewards/<name>/none                   share of prices that are None; of those: /timeout, /error, /unverifiable
    rewards/<name>/ms_median, /ms_p99     milliseconds spent pricing one completion
    rewards/<name>/verdict_correlation    with the verdict over the batch, Pearson, -1 to 1
    rewards/<name>/spread_share           its part of the spread inside groups, which is what GRPO learns from, 0 to 1
    groups/distinct                       share of the completions of a group that differ from one another
    env/<part>/share, /accuracy, /rewards/<name>    of a mixture: its part of the batch, the mean verdict and reward
    """
    verdicts = [rollout.verdict.value if rollout.verdict else None for rollout in rollouts]
    statuses = [rollout.verdict.status if rollout.verdict else "ok" for rollout in rollouts]
    metrics = {f"verdict/{status}": statuses.count(status) / len(statuses) for status in STATUSES}
    if known := [value for value in verdicts if value is not None]:
        metrics["verdict/mean"] = statistics.fmean(known)
        metrics["verdict/std"] = statistics.pstdev(known)
    truncated = [rollout for rollout in rollouts if rollout.completion.finish == "length"]
    if truncated:
        metrics["completions/ran_on"] = sum(map(_ran_on, truncated)) / len(truncated)
    metrics |= _milliseconds("verdict", [rollout.verdict.seconds for rollout in rollouts if rollout.verdict])
    metrics |= mark_metrics(rollouts)
    spreads = {}
    for name, (_, weight) in rewards.items():
        prices = [score.rewards[name] for score in scores]
        key = f"rewards/{name}"
        missing = [status for status, price in zip(statuses, prices, strict=True) if price is None]
        metrics[f"{key}/none"] = len(missing) / len(prices)
        metrics[f"{key}/unverifiable"] = missing.count("unverifiable") / len(prices)
        for status in ("timeout", "error"):
            metrics[f"{key}/{status}"] = sum(score.statuses.get(name) == status for score in scores) / len(scores)
        metrics |= _milliseconds(key, [score.seconds[name] for score in scores if name in score.seconds])
        if (found := correlation(prices, verdicts)) is not None:
            metrics[f"{key}/verdict_correlation"] = found
        spreads[name] = abs(weight) * _spread_inside(prices, group_size)
    if whole := sum(spreads.values()):
        metrics |= {f"rewards/{name}/spread_share": spread / whole for name, spread in spreads.items()}
    metrics["groups/distinct"] = _distinct(rollouts, group_size)
    return metrics | _by_part(rollouts, scores) | session_metrics(rollouts)


def _ran_on(rollout: Rollout) -> bool:
    """True if a completion closes its answer, or asks the next question itself, before the token limit ends it."""
    text = rollout.completion.text
    return "</answer>" in text or any(f"\n{turn}" in text for turn in ("User:", "Human:", "user\n"))


def mark_metrics(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Return for each mark of the verdicts the share of rollouts that have it, of those whose verifier looked for it."""
    found: dict[str, list[Sequence[str]]] = {}
    for rollout in rollouts:
        for name, kinds in (rollout.verdict.marks if rollout.verdict else {}).items():
            found.setdefault(name, []).append(kinds)
    metrics = {}
    for name, looked in found.items():
        metrics[name] = sum(map(bool, looked)) / len(looked)
        for kind in sorted({kind for kinds in looked for kind in kinds}):
            metrics[f"{name}/{kind}"] = sum(kind in kinds for kinds in looked) / len(looked)
    return metrics


def correlation(left: Sequence[float | None], right: Sequence[float | None]) -> float | None:
    """Return Pearson's correlation over the pairs without None; None if one side is constant."""
    pairs = [(a, b) for a, b in zip(left, right, strict=True) if a is not None and b is not None]
    if len(pairs) < 2:
        return None
    try:
        return statistics.correlation([a for a, _ in pairs], [b for _, b in pairs])
    except statistics.StatisticsError:
        return None


def _by_part(rollouts: Sequence[Rollout], scores: Sequence[Score]) -> dict[str, float]:
    """Return the same metrics for each environment of a mixture, whose tasks name it."""
    metrics: dict[str, float] = {}
    parts = [rollout.task.info.get("env") for rollout in rollouts]
    for part in sorted({part for part in parts if isinstance(part, str)}):
        mine = [at for at, name in enumerate(parts) if name == part]
        metrics[f"env/{part}/share"] = len(mine) / len(rollouts)
        verdicts = [verdict.value for at in mine if (verdict := rollouts[at].verdict) and verdict.value is not None]
        if verdicts:
            metrics[f"env/{part}/accuracy"] = statistics.fmean(verdicts)
        for name in scores[0].rewards:
            prices = [price for at in mine if (price := scores[at].rewards[name]) is not None]
            if prices:
                metrics[f"env/{part}/rewards/{name}"] = statistics.fmean(prices)
    return metrics


def _milliseconds(key: str, seconds: Sequence[float]) -> Mapping[str, float]:
    if not seconds:
        return {}
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return {f"{key}/ms_median": 1000 * statistics.median(ordered), f"{key}/ms_p99": 1000 * last}


def _spread_inside(prices: Sequence[float | None], group_size: int) -> float:
    """Return the standard deviation within a group, averaged over the groups."""
    groups = [prices[start : start + group_size] for start in range(0, len(prices), group_size)]
    known = [[price for price in group if price is not None] for group in groups]
    return statistics.fmean(statistics.pstdev(group) if len(group) > 1 else 0.0 for group in known)


def _distinct(rollouts: Sequence[Rollout], group_size: int) -> float:
    texts = [rollout.completion.text for rollout in rollouts]
    groups = [texts[start : start + group_size] for start in range(0, len(texts), group_size)]
    return statistics.fmean(len(set(group)) / len(group) for group in groups)
