"""A run's metrics in, warnings out: what goes wrong in GRPO, how it shows, what to do."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Line = Mapping[str, Any]


def warnings(lines: Sequence[Line], window: int = 10) -> dict[str, str]:
    """Warnings by name over the last `window` steps; none before that many were made."""
    if len(lines) < window:
        return {}
    recent = lines[-window:]
    return {name: text for name, check in _CHECKS.items() if (text := check(lines, recent))}


def _no_spread(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    share = _mean(recent, "frac_reward_zero_std")
    if share is None or share < 0.8:
        return None
    reward = _mean(recent, "reward") or 0.0
    cause = (
        "nothing is right yet: start from a better model or easier tasks"
        if reward <= _mean_first(lines, "reward") + 0.05
        else ("the tasks have become too easy: take harder ones")
    )
    return f"{share:.0%} of the groups have no spread of reward and teach nothing; {cause}, or raise generation.samples"


def _clipped(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    share = _mean(recent, "completions/clipped_ratio")
    if share is None or share < 0.1:
        return None
    return (
        f"{share:.0%} of the completions are cut by the token limit and lose their answer; raise generation.max_tokens"
    )


def _flat(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    if len(lines) < 40:
        return None
    before, now, spread = _mean(lines[:10], "reward"), _mean(recent, "reward"), _mean(recent, "reward_std")
    if before is None or now is None or not spread or now > before + 0.05 * spread:
        return None
    return (
        f"the reward is flat: {before:.3f} in the first 10 steps, {now:.3f} in the last; raise trainer.learning_rate, "
        "or give the model tasks that it sometimes solves"
    )


def _diverging(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    difference = _mean(recent, "sampling/sampling_logp_difference/mean")
    if difference is None or difference < 0.05:
        return None
    return (
        f"sampler and trainer disagree: log-probabilities differ by {difference:.3f} on average; "
        "the sampler may hold old weights"
    )


_CHECKS: dict[str, Callable[[Sequence[Line], Sequence[Line]], str | None]] = {
    "no_spread": _no_spread,
    "clipped": _clipped,
    "flat": _flat,
    "diverging": _diverging,
}


def _mean(lines: Sequence[Line], key: str) -> float | None:
    values = [line[key] for line in lines if line.get(key) is not None]
    return sum(values) / len(values) if values else None


def _mean_first(lines: Sequence[Line], key: str) -> float:
    return _mean(lines[:10], key) or 0.0
