"""Start a prepared run, show it until it ends, and report how it ended; or hand it to another launcher."""

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..doctor import Finding
from ..errors import Interrupted, RunError
from ..evaluation.best_checkpoint import best_checkpoint
from ..planning.batch import batch_sentence
from ..planning.run_plan import NoEnvironment, RunPlan
from ..planning.trainer_rules import settings_of_loss
from ..plugins.call_marker import unfinished_calls
from ..plugins.guard import overrun_text
from ..plugins.registry import Registry
from ..plugins.watchdog import GRACE_S
from ..progress.live import view_for, watch
from ..storage.run_folder import RunFolder
from ..terminal_text import columns_of, fitted
from .leftovers import drop_live_files
from .local_launch import interrupt, start
from .run_here import run_here
from .slurm import submit

INTERRUPTED = 130
_LABEL = re.compile(r"\w+(?: \w+)? {2,}")  # of a line of the header: its text is a column


@dataclass(frozen=True, slots=True)
class Handover:
    """The outcome of a start: finished here, or handed to another launcher."""

    state: Literal["finished", "submitted", "prepared"]
    job: str | None = None  # the number of the Slurm job
    command: str | None = None  # launcher none: the command that starts the run


def supervise(
    folder: RunFolder,
    plan: RunPlan,
    show: bool = True,
    objects: Registry | None = None,
    resume: Path | None = None,
) -> Handover:
    """Run the folder's training to its end, or hand it over. `objects`: train in this process, with these plugins.

    `resume`: the folder to name to the user who resumes, where it is not this one.

    Raises: Interrupted where it was stopped, RunError where it failed.
    """
    folder.lock()  # before the training process, so that two commands never start on one folder
    folder.unlock()
    if plan.recipe.launch.launcher != "local":
        return _hand_over(folder, plan)
    if objects is not None:
        code = run_here(folder, objects, show)
    else:
        worker = start(folder, plan)
        overrun = OverrunCheck(folder, worker, plan.recipe.limits.plugin_timeout_s)
        code = watch(folder, overrun.poll, lambda: interrupt(worker), view=view_for(show))
    status = folder.status()
    if status.get("state") == "finished":  # whatever the exit status: a reward may have called sys.exit
        drop_live_files(folder)
        if objects is None and code != 0:
            if status.get("pid") != worker.pid and not folder.accelerate_file.is_file():
                raise RunError(
                    f"{folder.path} was finished by another process in the meantime: nothing is left to resume"
                )
            say(
                f"warning: the training process ended with status {code} while it wrote the report; "
                f"make it with: r1 report {folder.path}"
            )
        for line in notes(folder):
            say(line)
        return Handover("finished")
    if status.get("state") == "interrupted" or code in (INTERRUPTED, -signal.SIGINT):  # -SIGINT: before it could listen
        done = f" after step {status['done']}" if "done" in status else ""
        raise Interrupted(f"stopped{done}; continue with: r1 train --resume {resume or folder.path}")
    raise RunError(_failure(folder, code, resume or folder.path))


class OverrunCheck:
    """Ends a training process that a plugin holds beyond the recipe's limit, where the process cannot do so itself.

    A call that holds the interpreter, such as one huge power, stops every thread of that process.
    """

    def __init__(self, folder: RunFolder, worker: "subprocess.Popen[bytes]", limit_s: float | None) -> None:
        self.folder = folder
        self.worker = worker
        self.limit_s = limit_s

    def poll(self) -> int | None:
        """Return the exit status of the process, or None while it runs."""
        code = self.worker.poll()
        if code is not None or self.limit_s is None:
            return code
        most = self.limit_s + 2 * GRACE_S
        for call in unfinished_calls(self.folder.path):
            if not call.waits and not call.loads and call.seconds > most:
                self.worker.kill()
                self.folder.set_status("failed", message=overrun_text(call.label, self.limit_s))
                return self.worker.wait()
        return None


def notes(folder: RunFolder) -> list[str]:
    """Return sentences on a finished run that you should not miss: rollbacks, and a checkpoint better than its end."""
    lines = [f"note: {rollback.text}" for rollback in folder.rollbacks()]
    best = best_checkpoint(folder)
    if best is not None and best.is_better_than_the_end:
        lines.append(
            f"note: the checkpoint of step {best.step} is better than the end of the run: accuracy at the end minus there "
            f"{best.end_minus_best}; it is in {best.path}"
        )
    return lines


def _hand_over(folder: RunFolder, plan: RunPlan) -> Handover:
    launch = plan.recipe.launch
    if launch.launcher == "slurm":
        return Handover("submitted", job=submit(folder))
    module = "r1sdk.training.processes" if plan.accelerate else "r1sdk.training.run"
    more = " --node-rank RANK --address FIRST_MACHINE:PORT" if launch.nodes > 1 else ""
    return Handover("prepared", command=f"{sys.executable} -m {module} {folder.path.resolve()}{more}")


def _failure(folder: RunFolder, code: int, resume: Path) -> str:
    status = folder.status()
    if status.get("state") == "failed" and not status.get("traceback"):
        return str(status.get("message"))
    log = folder.log_file.read_text(encoding="utf-8", errors="replace").split("\n")[-16:-1]
    inside = [call.label for call in unfinished_calls(folder.path) if not call.waits]
    where = f" inside {inside[0]}" if inside else ""
    what = status.get("message") if status.get("state") == "failed" else f"the worker ended with status {code}{where}"
    again = f"continue with: r1 train --resume {resume}"
    return "\n  ".join([f"{what}; the end of {folder.log_file}:", *log, again])


def say(line: str) -> None:
    """Print one line to stderr, where it does not mix with results."""
    label = _LABEL.match(line)
    print(fitted(line, columns_of(sys.stderr), label.end() if label else 2), file=sys.stderr, flush=True)


def warn(findings: Sequence[Finding], tell: Callable[[str], None] = say) -> None:
    """Tell the warnings among `findings`."""
    for finding in findings:
        if finding.status == "warning":
            tell(f"warning: {finding.name}: {finding.text}" + (f"; {finding.todo}" if finding.todo else ""))


def header(plan: RunPlan, origin: str, folder: Path) -> list[str]:
    """Return the lines that open a run: its recipe, model, environment, rewards, engine, processes and folder."""
    recipe = plan.recipe
    lines = [f"recipe       {origin}", f"model        {recipe.model}", f"environment  {plan.summary}"]
    if recipe.data is not None:
        lines.append(f"data         {recipe.data.name}")
    if recipe.rewards and not isinstance(plan.environment, NoEnvironment):
        lines.append(f"rewards      {', '.join(f'{r.name} x {r.weight:g}' for r in recipe.rewards)}")
    if recipe.loss is not None:
        lines.append(
            f"loss         {recipe.loss}: {', '.join(f'{k} {v}' for k, v in settings_of_loss(recipe).items())}"
        )
    if recipe.advantage is not None:
        options = "".join(f", {key} {value}" for key, value in recipe.advantage.options.items())
        lines.append(f"advantage    {recipe.advantage.name}{options}")
    if batch := batch_sentence(recipe):
        lines.append(f"batch        {batch}")
    if recipe.method == "grpo" and plan.trains_here:
        lines.append(f"generation   {plan.backend}")
    if plan.accelerate is not None:
        launch = recipe.launch
        machines = f" on each of {launch.nodes} machines" if launch.nodes > 1 else ""
        lines.append(f"processes    {launch.processes}{machines}, {launch.accelerate}")
    return [*lines, f"run folder   {folder}"]
