"""Signs that a policy has certainly collapsed, and the last checkpoint that shows none of them.

`warnings` tells of what may be wrong; a sign here must be beyond doubt, because a run acts on it. Each compares the newest steps with
the first ones and with the best ones. Except for numbers that are not finite, a sign only counts where the accuracy has fallen as
well, or where nothing was ever right and the reward has not risen: a policy that gets sure of right answers has little entropy, too.
"""

from collections.abc import Mapping, Sequence
from math import comb, sqrt
from statistics import fmean
from typing import Any

Line = Mapping[str, Any]

WINDOW = 5  # steps
ENTROPY = 0.1  # of the first steps' entropy
DISTINCT = 0.3  # share of the completions of a group that differ
TRUNCATED = 0.9
SHRUNK = 0.2  # of the first steps' length
FALLEN = 0.35  # of the best accuracy
CERTAIN = 4.0  # standard errors
CHANCE = 1e-4  # of such a loss on held-out tasks without a change


def collapse(lines: Sequence[Line], accuracies: Sequence[Line], prompts: int, since: int = 0) -> str | None:
    """Return how the policy has collapsed, or None.

    `lines`: the metrics of all steps so far. `accuracies`: those on held-out tasks at checkpoints, in order. `prompts`: in a step.
    `since`: the step that the last rollback went to; a window of steps must have been made after it.
    """
    if text := _not_finite(lines):
        return text
    if text := _lost_tasks(accuracies):
        return text
    if len(lines) < 2 * WINDOW or sum(line["step"] > since for line in lines[-WINDOW:]) < WINDOW:
        return None
    fallen = _fallen(lines, prompts, FALLEN, CERTAIN)
    if fallen:
        return fallen
    if not (_fallen(lines, prompts, 0.5, 2.0) or _never_learnt(lines)):
        return None
    return _entropy_gone(lines) or _copies(lines) or _length_runs_away(lines)


def last_healthy(steps: Sequence[int], lines: Sequence[Line], accuracies: Sequence[Line], prompts: int) -> int:
    """Return the last of `steps`, those of the checkpoints, that shows no sign of the collapse; 0 where all do."""
    best = max((row["accuracy"] for row in accuracies), default=None)
    measured = {row["step"]: row["accuracy"] for row in accuracies}
    for step in sorted(steps, reverse=True):
        before = [line for line in lines if line["step"] <= step]
        accuracy = measured.get(step)
        if best is not None and accuracy is not None and accuracy < 0.7 * best:
            continue
        if not _fallen(before, prompts, 0.7, 1.0) and _is_healthy(before, lines):
            return step
    return 0


def _is_healthy(before: Sequence[Line], lines: Sequence[Line]) -> bool:
    """True if the steps up to a checkpoint are far from each sign."""
    entropy, first = _recent(before, "entropy"), _first(lines, "entropy")
    if entropy is not None and first and entropy < 0.3 * first:
        return False
    distinct, most = _recent(before, "groups/distinct"), _first(lines, "groups/distinct")
    if distinct is not None and most is not None and distinct < min(0.5, 0.7 * most):
        return False
    truncated, usual = _recent(before, "completions/clipped_ratio"), _first(lines, "completions/clipped_ratio")
    return truncated is None or usual is None or truncated <= max(0.5, usual + 0.2)


def _not_finite(lines: Sequence[Line]) -> str | None:
    """A loss or a gradient that is not a number: from there on the weights are none either."""
    for key in ("loss", "grad_norm"):
        if lines and lines[-1].get(key) is None and any(line.get(key) is not None for line in lines[:-1]):
            return f"{key} is not a number"
    return None


def _lost_tasks(accuracies: Sequence[Line]) -> str | None:
    """Held-out tasks that the best checkpoint solved and the newest one does not, far more than chance explains."""
    if len(accuracies) < 2:
        return None
    best, now = max(accuracies[:-1], key=lambda row: row["accuracy"]), accuracies[-1]
    if now["accuracy"] >= FALLEN * best["accuracy"]:
        return None
    both = [(best["values"][task], now["values"][task]) for task in best["values"].keys() & now["values"].keys()]
    known = [(old, new) for old, new in both if old is not None and new is not None]
    lost, won = sum(old > new for old, new in known), sum(old < new for old, new in known)
    chance = sum(comb(lost + won, count) for count in range(lost, lost + won + 1)) / 2 ** (lost + won)
    if chance > CHANCE:
        return None
    return (
        f"held-out accuracy {now['accuracy']:.3f} at step {now['step']}, and {best['accuracy']:.3f} at step {best['step']} "
        f"on the same {len(known)} tasks"
    )


def _fallen(lines: Sequence[Line], prompts: int, share: float, errors: float) -> str | None:
    """Say that the accuracy in training is below `share` of its best, by at least so many standard errors; or None."""
    key = _right(lines)
    if any(line.get("curriculum/expected_pass_rate") is not None for line in lines[-WINDOW:]):
        return None  # it draws tasks by their difficulty, so the accuracies of two steps do not compare
    best, now = max(_windows(lines, key), default=None), _recent(lines, key)
    if best is None or now is None or now >= share * best:
        return None
    error = sqrt(max(best * (1.0 - best), 0.01) / (prompts * WINDOW))
    if best - now < errors * error:
        return None
    return f"accuracy {now:.3f} in the last {WINDOW} steps, and {best:.3f} in its best {WINDOW}"


def _never_learnt(lines: Sequence[Line]) -> bool:
    """True if hardly anything was ever right, and the reward is not above that of the first steps."""
    best = max(_windows(lines, _right(lines)), default=None)
    first, now = _first(lines, "reward"), _recent(lines, "reward")
    return best is not None and best < 0.02 and first is not None and now is not None and now <= first


def _entropy_gone(lines: Sequence[Line]) -> str | None:
    first, now = _first(lines, "entropy"), _recent(lines, "entropy")
    if first is None or now is None or now >= ENTROPY * first:
        return None
    return f"entropy {now:.4f} in the last {WINDOW} steps, and {first:.4f} in the first"


def _copies(lines: Sequence[Line]) -> str | None:
    first, now = _first(lines, "groups/distinct"), _recent(lines, "groups/distinct")
    if first is None or now is None or now >= DISTINCT or first < 2 * DISTINCT:
        return None
    return f"only {now:.0%} of a group's completions differ from one another, and {first:.0%} in the first steps"


def _length_runs_away(lines: Sequence[Line]) -> str | None:
    truncated, usual = _recent(lines, "completions/clipped_ratio"), _first(lines, "completions/clipped_ratio")
    if truncated is not None and usual is not None and truncated > TRUNCATED and usual < 0.5:
        return f"{truncated:.0%} of the completions reach the token limit, and {usual:.0%} in the first steps"
    length, first = _recent(lines, "completions/mean_length"), _first(lines, "completions/mean_length")
    if length is not None and first and length < SHRUNK * first:
        return f"completions have {length:.0f} tokens, and {first:.0f} in the first steps"
    return None


def _right(lines: Sequence[Line]) -> str:
    """The metric of accuracy: dynamic sampling leaves only groups with variance in the batch, and counts all that it drew."""
    return "drawn/pass_rate" if any(line.get("drawn/replaced") for line in lines) else "verdict/mean"


def _windows(lines: Sequence[Line], key: str) -> list[float]:
    """Return the mean of `key` over each full window."""
    values = [line[key] for line in lines if line.get(key) is not None]
    return [fmean(values[at : at + WINDOW]) for at in range(len(values) - WINDOW + 1)]


def _recent(lines: Sequence[Line], key: str) -> float | None:
    found = _windows(lines[-2 * WINDOW :], key)
    return found[-1] if found else None


def _first(lines: Sequence[Line], key: str) -> float | None:
    return next(iter(_windows(lines[: 2 * WINDOW], key)), None)
