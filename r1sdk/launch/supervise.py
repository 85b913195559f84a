"""Start a prepared run, show it until it ends, and report how it ended; or hand it to another launcher."""

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from ..doctor import Finding
from ..errors import Interrupted, RunError
from ..evaluation.best_checkpoint import best_checkpoint
from ..planning.batch import batch_sentence
from ..planning.run_plan import RunPlan
from ..plugins.registry import Registry
from ..progress.live import view_for, watch
from ..storage.run_folder import RunFolder
from .local_launch import interrupt, start
from .run_here import run_here
from .slurm import submit

INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Handover:
    """The outcome of a start: finished here, or handed to another launcher."""

    state: Literal["finished", "submitted", "prepared"]
    job: str | None = None  # the number of the Slurm job
    command: str | None = None  # launcher none: the command that starts the run


def supervise(folder: RunFolder, plan: RunPlan, show: bool = True, objects: Registry | None = None) -> Handover:
    """Run the folder's training to its end, or hand it over. `objects`: train in this process, with these plugins.

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
        code = watch(folder, worker.poll, lambda: interrupt(worker), view=view_for(show))
    status = folder.status()
    if status.get("state") == "finished":  # whatever the exit status: a reward may have called sys.exit
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
        raise Interrupted(f"stopped{done}; continue with: r1 train --resume {folder.path}")
    raise RunError(_failure(folder, code))


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


def _failure(folder: RunFolder, code: int) -> str:
    status = folder.status()
    if status.get("state") == "failed" and not status.get("traceback"):
        return str(status.get("message"))
    log = folder.log_file.read_text(encoding="utf-8", errors="replace").split("\n")[-16:-1]
    what = status.get("message") if status.get("state") == "failed" else f"the worker ended with status {code}"
    resume = f"continue with: r1 train --resume {folder.path}"
    return "\n  ".join([f"{what}; the end of {folder.log_file}:", *log, resume])


def say(line: str) -> None:
    """Print one line to stderr, where it does not mix with results."""
    print(line, file=sys.stderr, flush=True)


def warn(findings: Sequence[Finding], tell: Callable[[str], None] = say) -> None:
    """Tell the warnings among `findings`."""
    for finding in findings:
        if finding.status == "warning":
            tell(f"warning: {finding.name}: {finding.text}" + (f"; {finding.todo}" if finding.todo else ""))


def header(plan: RunPlan, origin: str, folder: RunFolder) -> list[str]:
    """Return the lines that open a run: its recipe, model, environment, rewards, engine, processes and folder."""
    recipe = plan.recipe
    lines = [f"recipe       {origin}", f"model        {recipe.model}", f"environment  {plan.summary}"]
    if recipe.data is not None:
        lines.append(f"data         {recipe.data.name}")
    lines.append(f"rewards      {', '.join(f'{r.name} x {r.weight:g}' for r in recipe.rewards)}")
    if batch := batch_sentence(recipe):
        lines.append(f"batch        {batch}")
    if recipe.method == "grpo" and plan.trains_here:
        lines.append(f"generation   {plan.backend}")
    if plan.accelerate is not None:
        launch = recipe.launch
        machines = f" on each of {launch.nodes} machines" if launch.nodes > 1 else ""
        lines.append(f"processes    {launch.processes}{machines}, {launch.accelerate}")
    return [*lines, f"run folder   {folder.path}"]
