"""What a tracker gets besides the trainer's own metrics: the held-out figures, and some rollouts as a table.

The trainer sends the metrics of each step, ours among them, to the trackers that `trainer.report_to` names; without it
nothing is sent anywhere. Of the other trackers that transformers knows, each gets those metrics and no more.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import TrainerCallback

from ..report.samples import asked, said
from ..runs import RunFolder

TABLES = 10  # in a run
ROWS = 32  # of a table
LONGEST = 2000  # characters of a cell

Figures = Mapping[str, float]
Rows = Sequence[Mapping[str, Any]]


class Trackers(TrainerCallback):  # type: ignore[misc]
    """Sends to TensorBoard, trackio, Weights & Biases and MLflow, through the runs that the trainer's callbacks opened."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.sent_to: list[Tracker] = []
        self._read = 0  # bytes of the rollouts
        # Not beside the checkpoints: a resumed run takes away what it finds there.
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(folder.path / "tensorboard"))

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.is_world_process_zero:
            self.sent_to = [_TRACKERS[name](args) for name in args.report_to if name in _TRACKERS]
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
        """The first rows of what was generated since the last step."""
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
    """A saved evaluation as metrics."""
    estimates = {"accuracy": evaluation["accuracy"], **{f"rewards/{n}": e for n, e in evaluation["rewards"].items()}}
    found = {f"eval/{name}": e["mean"] for name, e in estimates.items() if e["mean"] is not None}
    found |= {f"eval/{name}_stderr": e["stderr"] for name, e in estimates.items() if e["stderr"] is not None}
    return found | {"eval/tokens": evaluation["tokens"], "eval/clipped": evaluation["clipped"]}


def row(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """A rollout as one row of plain cells."""
    verdict = line.get("verdict") or {}
    return {
        "step": line.get("step"),
        "task": str((line.get("task") or {}).get("id") or ""),
        "prompt": _cell(asked(line)),
        "completion": _cell(said(line)),
        "verdict": verdict.get("value"),
        "status": verdict.get("status"),
        "reason": _cell(str(verdict.get("reason") or "")),
        "total": line.get("total"),
        **{f"reward {name}": value for name, value in (line.get("rewards") or {}).items()},
    }


def _cell(text: str) -> str:
    """A text that any tracker can store: whole characters, not too many."""
    return text[:LONGEST].encode("utf-8", "replace").decode("utf-8")


class Tracker:
    """One tracker's run. `reopen` and `close` are for what comes after the training."""

    def __init__(self, args: Any) -> None:
        self.args = args

    def figures(self, step: int, values: Figures) -> None:
        raise NotImplementedError

    def table(self, step: int, rows: Rows) -> None:
        raise NotImplementedError

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class TensorBoard(Tracker):
    """A writer of its own in the same folder; the table is text, four spaces deep so that it is shown as it stands."""

    def __init__(self, args: Any) -> None:
        super().__init__(args)
        self.reopen()

    def reopen(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(log_dir=os.environ["TENSORBOARD_LOGGING_DIR"])

    def figures(self, step: int, values: Figures) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def table(self, step: int, rows: Rows) -> None:
        for at, cells in enumerate(rows):
            told = [f"    {line}" for name, cell in cells.items() for line in f"{name}: {cell}".splitlines()]
            self.writer.add_text(f"rollouts/{at:02}", "\n".join(told), step)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


class WandB(Tracker):
    """The run that the trainer opened stays open until the process ends."""

    def figures(self, step: int, values: Figures) -> None:
        import wandb

        wandb.log({**values, "train/global_step": step})

    def table(self, step: int, rows: Rows) -> None:
        import wandb

        data = [list(cells.values()) for cells in rows]
        wandb.log({"rollouts": wandb.Table(columns=list(rows[0]), data=data), "train/global_step": step})


class Trackio(Tracker):
    """The trainer finishes its run with the training; what comes after goes into it by its name."""

    def figures(self, step: int, values: Figures) -> None:
        import trackio

        trackio.log({**values, "train/global_step": step})

    def table(self, step: int, rows: Rows) -> None:
        import trackio
        from pandas import DataFrame

        trackio.log({"rollouts": trackio.Table(dataframe=DataFrame(rows)), "train/global_step": step})

    def reopen(self) -> None:
        import trackio

        trackio.init(
            project=self.args.project, name=self.args.run_name, space_id=self.args.trackio_space_id, resume="allow"
        )

    def close(self) -> None:
        import trackio

        trackio.finish()


class MLflow(Tracker):
    """The trainer ends its run with the training; what comes after goes into it by its id."""

    def __init__(self, args: Any) -> None:
        import mlflow

        super().__init__(args)
        self.run_id = mlflow.active_run().info.run_id

    def figures(self, step: int, values: Figures) -> None:
        import mlflow

        mlflow.log_metrics(dict(values), step=step, run_id=self.run_id)

    def table(self, step: int, rows: Rows) -> None:
        import mlflow

        columns = {name: [cells[name] for cells in rows] for name in rows[0]}
        mlflow.log_table(columns, artifact_file=f"rollouts/step-{step:06}.json", run_id=self.run_id)


_TRACKERS: Mapping[str, type[Tracker]] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
    "trackio": Trackio,
    "mlflow": MLflow,
}
