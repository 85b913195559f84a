"""The reward `narrowing`: the share of possibilities that a game of several turns has ruled out, in bits."""

import math

import r1sdk


def narrowing(rollout: r1sdk.Rollout) -> float | None:
    """From 0.0 where nothing was ruled out to 1.0 where one possibility is left, in bits of all there were to find.

    Reads `possible` and `of` in what the session left; None where it left no such numbers.
    """
    outcome = rollout.session.outcome if rollout.session is not None else {}
    left, whole = outcome.get("possible"), outcome.get("of")
    if not isinstance(left, int) or not isinstance(whole, int) or not 1 <= left <= whole or whole < 2:
        return None
    return 1.0 - math.log(left) / math.log(whole)
