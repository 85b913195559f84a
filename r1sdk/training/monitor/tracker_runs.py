"""Send figures and tables to the run that TensorBoard, Weights & Biases, trackio or MLflow keeps."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

Figures = Mapping[str, float]
Rows = Sequence[Mapping[str, Any]]


class TrackerRun(Protocol):
    """The run of one tracker, opened by the trainer's own callbacks and found by the trainer's arguments."""

    def figures(self, step: int, values: Figures) -> None:
        """Send metrics by name."""

    def table(self, step: int, rows: Rows) -> None:
        """Send a table with at least one row; all rows have the same columns."""

    def reopen(self) -> None:
        """Prepare for figures after the training, when the trainer may have closed the run."""

    def close(self) -> None:
        """Finish: nothing more is sent."""


class TensorBoard:
    """Write to the same folder with a second writer. Tables are text, indented by four spaces so that they show unchanged."""

    def __init__(self, args: Any) -> None:
        self.reopen()

    def figures(self, step: int, values: Figures) -> None:
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()

    def table(self, step: int, rows: Rows) -> None:
        for at, cells in enumerate(rows):
            told = [f"    {line}" for name, cell in cells.items() for line in f"{name}: {cell}".splitlines()]
            self.writer.add_text(f"rollouts/{at:02}", "\n".join(told), step)
        self.writer.flush()

    def reopen(self) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = SummaryWriter(log_dir=os.environ["TENSORBOARD_LOGGING_DIR"])

    def close(self) -> None:
        self.writer.close()


class WandB:
    """Use the run that the trainer opened; it stays open until the process ends."""

    def __init__(self, args: Any) -> None: ...

    def figures(self, step: int, values: Figures) -> None:
        import wandb

        wandb.log({**values, "train/global_step": step})

    def table(self, step: int, rows: Rows) -> None:
        import wandb

        data = [list(cells.values()) for cells in rows]
        wandb.log({"rollouts": wandb.Table(columns=list(rows[0]), data=data), "train/global_step": step})

    def reopen(self) -> None: ...

    def close(self) -> None: ...


class Trackio:
    """Reopen the run by name after the training, because the trainer finishes it then."""

    def __init__(self, args: Any) -> None:
        self.args = args

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


class MLflow:
    """Reopen the run by id after the training, because the trainer ends it then."""

    def __init__(self, args: Any) -> None:
        import mlflow

        self.run_id = mlflow.active_run().info.run_id

    def figures(self, step: int, values: Figures) -> None:
        import mlflow

        mlflow.log_metrics(dict(values), step=step, run_id=self.run_id)

    def table(self, step: int, rows: Rows) -> None:
        import mlflow

        columns = {name: [cells[name] for cells in rows] for name in rows[0]}
        mlflow.log_table(columns, artifact_file=f"rollouts/step-{step:06}.json", run_id=self.run_id)

    def reopen(self) -> None: ...

    def close(self) -> None: ...


TRACKER_RUNS: Mapping[str, Callable[[Any], TrackerRun]] = {
    "tensorboard": TensorBoard,
    "wandb": WandB,
    "trackio": Trackio,
    "mlflow": MLflow,
}
