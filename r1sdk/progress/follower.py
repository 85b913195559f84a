"""A run folder that is being written, read as it grows, for a live view."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ..errors import R1Error, RunError
from ..plugins.call_marker import UnfinishedCall, unfinished_calls
from ..plugins.watchdog import SLOW_S
from ..storage.jsonl import Damage, Tail, last
from ..storage.row_checks import metric_fault, rollout_fault
from ..storage.run_folder import RunFolder

SHOWN_S = 5.0  # a call that lasts longer is shown


@dataclass
class Follower:
    """The run as far as it was read; `refresh` reads new rows."""

    folder: RunFolder
    steps: list[dict[str, Any]] = field(default_factory=list)
    warnings: list[dict[str, Any]] = field(default_factory=list)
    status: dict[str, Any] = field(default_factory=dict)
    sample: dict[str, Any] | None = None  # the newest rollout
    max_steps: int | None = None  # of the training, once it is known
    unfinished: list[UnfinishedCall] = field(default_factory=list)  # calls of plugins that last longer than usual
    before: dict[str, Any] | None = None  # the held-out evaluation before training

    def __post_init__(self) -> None:
        self._tail = Tail(self.folder.metrics_file, metric_fault)

    @property
    def damage(self) -> Damage:
        """The lines of the metrics that cannot be read."""
        return self._tail.damage

    def refresh(self) -> list[dict[str, Any]]:
        """Read on. Returns the new lines of the metrics."""
        self.status = self.folder.status()
        self.unfinished = [call for call in unfinished_calls(self.folder.path) if call.seconds >= SHOWN_S]
        with suppress(RunError):  # a damaged file must not end the view of a run that goes on
            self.before = self.before or self.folder.evaluation("before")
        if self.status.get("phase") == "training":
            self.max_steps = self.status.get("total")
        if self._tail.restarted():  # rewound by a resume
            self.steps.clear()
            self.warnings.clear()
        new = list(self._tail.more())
        for line in new:
            (self.steps if line["kind"] == "step" else self.warnings).append(line)
        if new:
            self.max_steps = self.max_steps or self._asked_steps()
            self.sample = last(self.folder.rollouts_file, rollout_fault) or self.sample
        return new

    def _asked_steps(self) -> int | None:
        """The steps that the recipe asks for: a short training may be over before its status is read."""
        try:
            steps = self.folder.recipe().trainer.get("max_steps")
        except R1Error:
            return None
        return steps if isinstance(steps, int) and steps > 0 else None


def unfinished_lines(follower: Follower) -> list[str]:
    """Return a line for each process that a plugin has held for a while."""
    return [
        f"{call.label} {'is awaited' if call.waits else 'runs'} since {call.seconds:.0f} s"
        + (" (give it a timeout_s in the recipe: see the log)" if call.seconds > SLOW_S and not call.loads else "")
        for call in follower.unfinished
    ]


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
