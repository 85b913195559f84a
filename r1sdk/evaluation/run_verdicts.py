"""The verdicts of a run's held-out evaluations by task, to compare them pair by pair."""

import json

from ..storage.run_folder import RunFolder


def run_verdicts(folder: RunFolder, name: str) -> dict[str, list[float | None]]:
    """Return the verdicts of the evaluation `name` (before or after) by task; empty if it was not made."""
    found: dict[str, list[float | None]] = {}
    for line in folder.evaluation_rollouts(name):
        task, verdict = line["task"], line["verdict"] or {}
        key = json.dumps([task["id"], task["prompt"], task["answer"]])
        found.setdefault(key, []).append(verdict.get("value"))
    return found
