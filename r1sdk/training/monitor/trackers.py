"""Send held-out figures and a table of rollouts to the trackers, in addition to the trainer's own metrics.

The trainer sends the metrics of each step, ours among them, to the trackers that `trainer.report_to` names; without it
nothing is sent anywhere. Of the other trackers that transformers knows, each gets those metrics and no more.
"""

import os
from collections.abc import Mapping
from typing import Any

from transformers import TrainerCallback

from ...report.samples import last_prompt, reply_text
from ...storage.run_folder import RunFolder
from .tracker_runs import TRACKER_RUNS, Figures, Rows, TrackerRun

TABLES = 10  # per run
ROWS = 32  # per table
LONGEST = 2000  # characters per cell


class Trackers(TrainerCallback):  # type: ignore[misc]
    """Send to TensorBoard, trackio, Weights & Biases and MLflow through the runs that the trainer's callbacks opened."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.sent_to: list[TrackerRun] = []
        self._read = 0  # bytes of rollouts.jsonl that were read
        # Not in the checkpoints' folder: resuming deletes unknown files there.
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder.path / "tensorboard"))

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self.sent_to = [TRACKER_RUNS[name](args) for name in args.report_to if name in TRACKER_RUNS]
        self._read = self._size()
        self._send_figures("before", state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        if not self.sent_to or "loss" not in (logs or {}):
            return
        every = max(1, state.max_steps // TABLES)
        if state.global_step == 1 or state.global_step % every == 0 or state.global_step == state.max_steps:
            rows = self._newest()
            for tracker in self.sent_to if rows else []:
                tracker.table(state.global_step, rows)
        self._read = self._size()

    def after(self, step: int) -> None:
        """Send the evaluation after training, to runs that the trainer may have closed."""
        for tracker in self.sent_to:
            tracker.reopen()
        self._send_figures("after", step)
        for tracker in self.sent_to:
            tracker.close()

    def _send_figures(self, name: str, step: int) -> None:
        evaluation = self.folder.evaluation(name)
        if evaluation and (name == "after" or step == 0):
            for tracker in self.sent_to:
                tracker.figures(step, figures(evaluation))

    def _newest(self) -> Rows:
        """Return the first rollouts since the last step as rows."""
        rows = []
        for line in self.folder.rollouts(after=self._read):
            rows.append(row(line))
            if len(rows) == ROWS:
                break
        return rows

    def _size(self) -> int:
        file = self.folder.rollouts_file
        return file.stat().st_size if self.sent_to and file.exists() else 0


def figures(evaluation: Mapping[str, Any]) -> Figures:
    """Return a saved evaluation as metrics."""
    estimates = {"accuracy": evaluation["accuracy"], **{f"rewards/{n}": e for n, e in evaluation["rewards"].items()}}
    found = {f"eval/{name}": e["mean"] for name, e in estimates.items() if e["mean"] is not None}
    found |= {f"eval/{name}_stderr": e["stderr"] for name, e in estimates.items() if e["stderr"] is not None}
    return found | {"eval/tokens": evaluation["tokens"], "eval/clipped": evaluation["clipped"]}


def row(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a rollout as one row of plain cells."""
    verdict = line.get("verdict") or {}
    return {
        "step": line.get("step"),
        "task": str((line.get("task") or {}).get("id") or ""),
        "prompt": _cell(last_prompt(line)),
        "completion": _cell(reply_text(line)),
        "verdict": verdict.get("value"),
        "status": verdict.get("status"),
        "reason": _cell(str(verdict.get("reason") or "")),
        "total": line.get("total"),
        **{f"reward {name}": value for name, value in (line.get("rewards") or {}).items()},
    }


def _cell(text: str) -> str:
    """Return text that every tracker can store: valid characters, truncated to `LONGEST`."""
    return text[:LONGEST].encode("utf-8", "replace").decode("utf-8")
