"""Warnings from a run's metrics: the usual failures of GRPO, their symptoms, and what to do."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any

Line = Mapping[str, Any]


def warnings(lines: Sequence[Line], window: int = 10) -> dict[str, str]:
    """Return warnings by name over the last `window` steps; before that many were made, those of the first batches only."""
    early = {name: text for name, check in _EARLY.items() if len(lines) >= EARLY and (text := check(lines))}
    if len(lines) < window:
        return early
    recent = lines[-window:]
    return early | {name: text for name, check in _CHECKS.items() if (text := check(lines, recent))}


def _unrewarded(lines: Sequence[Line]) -> str | None:
    """Every reward of every completion is None: there is nothing to learn from."""
    keys = dict.fromkeys(key for line in lines for key in line)
    names = [key.split("/")[1] for key in keys if key.startswith("rewards/") and key.endswith("/none")]
    if not names or any((_mean(lines, f"rewards/{name}/none") or 0.0) < 1.0 for name in names):
        return None
    unverifiable = _mean(lines, "verdict/unverifiable") or 0.0
    cause = (
        f"{unverifiable:.0%} of the verdicts are unverifiable, so look at the gold answers (r1 data check)"
        if unverifiable > 0.5
        else "look at what the reward functions return: None means that there is no score, and a wrong answer is 0.0"
    )
    return f"all rewards ({', '.join(names)}) are None for all completions so far, and nothing is learnt; {cause}"


def _never_varies(lines: Sequence[Line]) -> str | None:
    """Every verdict is the same, so that no completion is better than another."""
    means, spreads = _known(lines, "verdict/mean"), _known(lines, "verdict/std")
    if len(means) < EARLY or not spreads or max(spreads) > 0.0 or max(means) != min(means):
        return None
    truncated = _mean(lines, "completions/clipped_ratio") or 0.0
    if means[0] > 0.0:
        return f"every verdict so far is {means[0]:g}: the tasks are too easy, or the verifier accepts anything; read some rollouts"
    if truncated > 0.5:
        cause = f"{truncated:.0%} of the completions are truncated before they give an answer"
    elif (_mean(lines, "rewards/format/mean") or 0.0) > 0.5:
        cause = "the format is kept, so the answers are wrong, or the gold answers have another form (r1 data check)"
    else:
        cause = "the model may not know the reply format (train it first by method sft), or the tasks are too hard"
    return f"every verdict so far is {means[0]:g}, and nothing is learnt from them; {cause}"


EARLY = 5  # steps after which a run that cannot learn is told so


def _known(lines: Sequence[Line], key: str) -> list[float]:
    return [line[key] for line in lines if line.get(key) is not None]


def _zero_variance(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    share = _mean(recent, "frac_reward_zero_std")
    if share is None or share < 0.8:
        return None
    reward = _mean(recent, _reward(recent)) or 0.0
    cause = (
        "nothing is right yet: start from a better model or easier tasks"
        if reward <= _mean_first(lines, _reward(recent)) + 0.05
        else ("the tasks have become too easy: take harder ones")
    )
    return (
        f"{share:.0%} of the groups have zero reward variance and teach nothing; {cause}, or raise generation.samples"
    )


def _clipped(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    share = _mean(recent, "completions/clipped_ratio")
    if share is None or share < 0.1:
        return None
    ran_on = _mean(recent, "completions/ran_on") or 0.0
    if ran_on > 0.5:
        return (
            f"{share:.0%} of the completions reach the token limit, and {ran_on:.0%} of those had given their answer and went "
            "on: the model does not end its replies. A longer limit does not help; train it first by method sft, or check "
            "which token ends a reply (r1 doctor --model)"
        )
    return f"{share:.0%} of the completions are truncated by the token limit and lose their answer; raise generation.max_tokens"


def _flat(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    if len(lines) < 40:
        return None
    reward = _reward(recent)
    before, now, spread = _mean(lines[:10], reward), _mean(recent, reward), _mean(recent, "reward_std")
    if before is None or now is None or not spread or now > before + 0.05 * spread:
        return None
    return (
        f"the reward is flat: {before:.3f} in the first 10 steps, {now:.3f} in the last; raise trainer.learning_rate, "
        "or give the model tasks that it sometimes solves"
    )


def _diverging(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    difference = _mean(recent, "sampler_difference")
    if difference is None or difference < 0.05:
        return None
    return (
        f"sampler and trainer disagree: log-probabilities differ by {difference:.3f} on average; "
        "the sampler may hold old weights"
    )


# A frozen sampler starts right and drifts away: 0.019 after 20 steps of `tiny`, where a healthy one stays at its first level.
DRIFTS = (  # metric, what is never too much, and how many times its first level is
    ("sampler_difference", 0.002, 5.0, "on average"),
    ("sampler_difference_max", 0.05, 10.0, "in the token that differs most"),
)


def _sampler_drifts(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    """Warn of a difference between sampler and trainer that grows from sync to sync, on average or in the largest token."""
    for key, least, growth, tokens in DRIFTS:
        first, last = _known(lines[:EARLY], key), _known(recent[-EARLY:], key)
        if len(first) < EARLY or len(last) < EARLY:
            continue
        before, now = min(first), median(last)
        if now > max(least, growth * before):
            return (
                f"the sampler drifts away from the trainer: their log-probabilities differed by {before:.2g} {tokens} at the "
                f"start and by {now:.2g} now; after a weight sync there should be no more than rounding. Look at "
                "limits.receipts, and at the server's log"
            )
    return None


def _hacked(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    """Warn of a reward that rises while the verdict does not: the model earns it without solving the task."""
    right_before, right = _mean(lines[:10], _right(recent)), _mean(recent, _right(recent))
    if len(lines) < 30 or right_before is None or right is None or right > right_before + 0.01:
        return None
    for name in _rewards(recent):
        key = f"rewards/{name}"
        before, now, spread = _mean(lines[:10], f"{key}/mean"), _mean(recent, f"{key}/mean"), _mean(lines, f"{key}/std")
        along = _mean(recent, f"{key}/verdict_correlation")
        if before is None or now is None or (along or 0.0) > 0.5:
            continue
        if now > before + max(0.05, 0.5 * (spread or 0.0)):
            return (
                f"reward {name} climbs, {before:.3f} to {now:.3f}, and the verdicts do not, {right_before:.3f} to {right:.3f}: "
                "the model may have found a way to be paid without being right; read some rollouts, or lower its weight"
            )
    return None


def _drowned(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    """Warn if one reward causes nearly all differences within groups and does not correlate with the verdict."""
    names = _rewards(recent)
    for name in names:
        share = _mean(recent, f"rewards/{name}/spread_share")
        along = _mean(recent, f"rewards/{name}/verdict_correlation")
        if len(names) > 1 and share is not None and share > 0.8 and along is not None and along < 0.5:
            return (
                f"reward {name} makes {share:.0%} of the differences inside groups and hardly follows the verdict "
                f"(correlation {along:.2f}): the others are not heard; lower its weight"
            )
    return None


def _length_drifts(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    before, now = _mean(lines[:10], "completions/mean_length"), _mean(recent, "completions/mean_length")
    right_before, right = _mean(lines[:10], _right(recent)), _mean(recent, _right(recent))
    if len(lines) < 30 or not before or not now or right_before is None or right is None or right > right_before + 0.01:
        return None
    if before / 1.5 < now < before * 1.5:
        return None
    if now > before:
        return (
            f"completions grow longer, {before:.0f} to {now:.0f} tokens, and no more of them are right; "
            "add the reward soft_overlong or length, or lower trainer.learning_rate"
        )
    return (
        f"completions grow shorter, {before:.0f} to {now:.0f} tokens, and no more of them are right: the reasoning is being "
        "dropped; look for a reward that pays for brevity, or lower trainer.learning_rate"
    )


def _collapsed(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    distinct = _mean(recent, "groups/distinct")
    if distinct is None or distinct > 0.5:
        return None
    right_before, right = _mean(lines[:10], _right(recent)), _mean(recent, _right(recent))
    if right_before is not None and right is not None and right > right_before + 0.05:
        return None  # short replies that are right are the same, in the reply format and in a tool call
    return (
        f"only {distinct:.0%} of a group's completions differ from one another: the policy has collapsed; raise "
        "generation.temperature, set trainer.beta, or lower trainer.learning_rate"
    )


def _unpriced(lines: Sequence[Line], recent: Sequence[Line]) -> str | None:
    for name in _rewards(recent):
        lost = {status: _mean(recent, f"rewards/{name}/{status}") or 0.0 for status in ("timeout", "error")}
        if sum(lost.values()) > 0.01:
            told = ", ".join(f"{share:.1%} {status}" for status, share in lost.items() if share)
            return f"reward {name} could not score some completions ({told}); their reasons are in rollouts.jsonl"
    return None


_EARLY: dict[str, Callable[[Sequence[Line]], str | None]] = {
    "unrewarded": _unrewarded,
    "never_varies": _never_varies,
}
_CHECKS: dict[str, Callable[[Sequence[Line], Sequence[Line]], str | None]] = {
    "zero_variance": _zero_variance,
    "clipped": _clipped,
    "flat": _flat,
    "diverging": _diverging,
    "sampler_drifts": _sampler_drifts,
    "hacked": _hacked,
    "drowned": _drowned,
    "length_drifts": _length_drifts,
    "collapsed": _collapsed,
    "unpriced": _unpriced,
}


# Dynamic sampling leaves only groups with reward variance in the batch, so pass rates come from everything generated.
def _reward(lines: Sequence[Line]) -> str:
    return "drawn/reward" if _mean(lines, "drawn/replaced") else "reward"


def _right(lines: Sequence[Line]) -> str:
    return "drawn/pass_rate" if _mean(lines, "drawn/replaced") else "verdict/mean"


def _rewards(lines: Sequence[Line]) -> list[str]:
    keys = dict.fromkeys(key for line in lines for key in line)
    return [key.split("/")[1] for key in keys if key.startswith("rewards/") and key.endswith("/mean")]


def _mean(lines: Sequence[Line], key: str) -> float | None:
    values = [line[key] for line in lines if line.get(key) is not None]
    return sum(values) / len(values) if values else None


def _mean_first(lines: Sequence[Line], key: str) -> float:
    return _mean(lines[:10], key) or 0.0
