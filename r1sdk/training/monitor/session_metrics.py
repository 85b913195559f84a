"""Metrics of attempts with several turns: turns, tool calls, failures, how the attempts ended."""

import statistics
from collections.abc import Sequence

from ...records import Rollout

_ENDS = ("turns", "tokens", "length", "error")


def session_metrics(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Return metrics by name; empty if no attempt has a session.

    sessions/turns, /calls                                 mean over the attempts
    sessions/turn_reward                                   sum of an attempt's turn rewards, mean; only where there are any
    sessions/failed, /timeouts, /malformed, /refused       share of all calls that the model wrote
    sessions/ended_turns, _tokens, _length, _error         share of the attempts that ended so, and not by themselves
    sessions/s                                             seconds that an attempt spent in the environment and its tools, mean
    """
    logs = [rollout.session for rollout in rollouts if rollout.session is not None]
    if not logs:
        return {}
    written = sum(log.calls + log.malformed + log.refused for log in logs)
    metrics = {
        "sessions/turns": statistics.fmean(log.turns for log in logs),
        "sessions/calls": statistics.fmean(log.calls for log in logs),
        "sessions/s": statistics.fmean(log.seconds for log in logs),
    }
    rewarded = [[value for value in rollout.turn_rewards if value is not None] for rollout in rollouts]
    if any(rewarded):
        metrics["sessions/turn_reward"] = statistics.fmean(map(sum, rewarded))
    if written:
        metrics |= {
            "sessions/failed": sum(log.failed for log in logs) / written,
            "sessions/timeouts": sum(log.timeouts for log in logs) / written,
            "sessions/malformed": sum(log.malformed for log in logs) / written,
            "sessions/refused": sum(log.refused for log in logs) / written,
        }
    return metrics | {f"sessions/ended_{end}": sum(log.ended == end for log in logs) / len(logs) for end in _ENDS}
