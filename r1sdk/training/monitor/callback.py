"""Write the trainer's events to the run folder: metrics, progress, complete checkpoints, and a stop that saves first."""

import math
import signal
import threading
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from ...plugins.guard import note_interrupt
from ...rollout.cpu_threads import follow_load
from ...storage.checkpoints import checkpoint_step, mark_complete
from ...storage.run_folder import RunFolder
from ..process_group import SINGLE_PROCESS, ProcessGroup
from .plugin_watch import PluginWatch
from .warnings import warnings


class StopRequest:
    """A request to stop, by Ctrl-C, SIGTERM or SIGHUP. The first saves a checkpoint after the step and ends; a second ends at once."""

    def __init__(self) -> None:
        self.asked = False
        self.training = False

    def install(self) -> None:
        """Install the signal handlers. Python only allows that in the main thread; elsewhere this does nothing."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, frame: Any) -> None:
        note_interrupt()
        if self.asked or not self.training:
            raise KeyboardInterrupt
        self.asked = True


class AllStepsMade(Exception):
    """The checkpoint that a run resumed from is that of its last step: nothing is left to train."""


class LastStepCheck(TrainerCallback):  # type: ignore[misc]
    """Ends a training that has nothing left to train, once the trainer has loaded the checkpoint.

    The trainer makes a step before it compares the number of steps with its limit, so a run that was stopped after its last
    step would train one more at each resume. Put it behind the other callbacks, so that these have seen the training begin.
    """

    def __init__(self, is_over: bool = False) -> None:
        self.is_over = is_over

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.is_over or 0 < state.max_steps <= state.global_step:
            raise AllStepsMade


def train_missing_steps(trainer: Any, checkpoint: Path | None, stop: StopRequest, is_over: bool = False) -> None:
    """Train from `checkpoint` on, or from the start; with the checkpoint of the last step, load its weights and return.

    `is_over`: train no step, whatever the checkpoint.
    """
    trainer.add_callback(LastStepCheck(is_over))
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except AllStepsMade:
        stop.training = False


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Write what the trainer reports. Every process has this callback; only the main process writes."""

    def __init__(self, folder: RunFolder, stop: StopRequest, processes: ProcessGroup = SINGLE_PROCESS) -> None:
        self.folder = folder
        self.stop = stop
        self.processes = processes
        self._started = 0.0
        self._seconds: list[float] = []  # of each step since the last log
        self._tokens_seen = 0.0  # by the last log
        self._most: int | None = None  # checkpoints to keep; None: all
        self._lines = folder.metrics("step")
        self._warned = {line["name"] for line in folder.metrics("warning")}
        if self._lines:
            self._tokens_seen = self._lines[-1].get("num_tokens") or 0.0

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The metrics of all steps so far."""
        return self._lines

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.stop.training = True
        # The trainer deletes old checkpoints before the new one is marked as complete, and does not know which one is best.
        self._most, args.save_total_limit = args.save_total_limit, None
        self._progress(state)

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._started = time.perf_counter()
        follow_load()

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._seconds.append(time.perf_counter() - self._started)
        if self.processes.any(self.stop.asked):  # so that all processes end after the same step
            self.stop.asked = True
            control.should_save = True
            control.should_training_stop = True

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        if not logs or "loss" not in logs or not state.is_world_process_zero:
            return
        seconds, steps = sum(self._seconds), len(self._seconds)
        self._seconds.clear()
        line = {"kind": "step", "step": state.global_step, "time": time.time(), "step_seconds": seconds / max(1, steps)}
        line |= {key: value for key, value in logs.items() if not _is_nan(value)}
        if (seen := logs.get("num_tokens")) is not None:
            line["tokens_per_second"] = (seen - self._tokens_seen) / seconds if seconds else 0.0
            self._tokens_seen = seen
        elif (rate := logs.get("perf/forwarded_tok_s_wall_clock")) is not None:  # asynchronous training reports it so
            line["tokens_per_second"] = rate
        self._lines.append(line)
        self.folder.append_metrics(line)
        for name, text in warnings(self._lines).items():
            if name not in self._warned:  # once per run: nobody reads a warning that repeats
                self._warned.add(name)
                found = {"kind": "warning", "step": state.global_step, "time": time.time(), "name": name, "text": text}
                self.folder.append_metrics(found)
        self._progress(state)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.processes.barrier()  # until each process has written its part
        if state.is_world_process_zero:
            mark_complete(Path(args.output_dir) / f"checkpoint-{state.global_step}")
            self.folder.note_rows(state.global_step)
            if self._most is not None and self._most > 0:
                self.folder.keep_checkpoints(self._most)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.stop.training = False

    def _progress(self, state: Any) -> None:
        if state.is_world_process_zero:
            self.folder.set_status("running", phase="training", done=state.global_step, total=state.max_steps)


class PluginSteps(TrainerCallback):  # type: ignore[misc]
    """Tell the watch which step begins."""

    def __init__(self, watch: PluginWatch) -> None:
        self.watch = watch

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.watch.step = state.global_step + 1
        self.watch.seed_plugins(self.watch.step)


def resume_step(checkpoint: Path | None) -> int:
    return checkpoint_step(checkpoint) if checkpoint else 0


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)
