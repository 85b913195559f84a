"""A run folder that is being written, read as it grows: what a live view shows."""

import json
from dataclasses import dataclass, field
from typing import Any

from ..storage.run_folder import RunFolder


@dataclass
class Follower:
    """The run as far as it was read; `refresh` reads what is new."""

    folder: RunFolder
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    sample: dict[str, Any] | None = None  # the newest rollout
    max_steps: int | None = None  # of the training, once it is known
    before: dict[str, Any] | None = None  # the held-out evaluation before training
    _read: int = 0  # bytes of the metrics file

    def refresh(self) -> list[dict[str, Any]]:
        """Read on. Returns the new lines of the metrics."""
        self.status = self.folder.status()
        self.before = self.before or self.folder.evaluation("before")
        if self.status.get("phase") == "training":
            self.max_steps = self.status.get("total")
        file = self.folder.metrics_file
        if not file.is_file():
            return []
        if file.stat().st_size < self._read:  # rewound by a resume
            self._read = 0
            self.steps.clear()
            self.warnings.clear()
        with file.open("rb") as handle:
            handle.seek(self._read)
            data = handle.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        new = [json.loads(line) for line in whole.splitlines() if line.strip()]
        for line in new:
            (self.steps if line.get("kind") == "step" else self.warnings).append(line)
        if new:
            self.sample = self._last_rollout() or self.sample
        return new

    def _last_rollout(self, tail: int = 65536) -> dict[str, Any] | None:
        file = self.folder.rollouts_file
        if not file.is_file():
            return None
        with file.open("rb") as handle:
            size = handle.seek(0, 2)
            handle.seek(max(0, size - tail))
            lines = handle.read().split(b"\n")
        try:
            return dict(json.loads(lines[-2]))
        except (IndexError, ValueError):
            return None


def series(steps: list[dict[str, Any]], key: str) -> list[float]:
    """One metric over the steps, missing values left out."""
    return [line[key] for line in steps if line.get(key) is not None]


def reward_names(steps: list[dict[str, Any]]) -> list[str]:
    """The rewards that the steps speak of; a step that trains on an earlier generation speaks of none."""
    keys = dict.fromkeys(key for line in steps[-50:] for key in line)
    return [key.split("/")[1] for key in keys if key.startswith("rewards/") and key.endswith("/mean")]


def held_out(evaluation: dict[str, Any]) -> str:
    """`accuracy before training: 0.248 ± 0.019 (n=500)`, of a saved evaluation; the loss where no accuracy was measured."""
    name = "loss" if evaluation["accuracy"]["mean"] is None and "loss" in evaluation else "accuracy"
    value = evaluation[name]
    if value["mean"] is None:
        return f"{name} before training: not measured"
    spread = "" if value["stderr"] is None else f" ± {value['stderr']:.3f}"
    return f"{name} before training: {value['mean']:.3f}{spread} (n={value['n']})"
