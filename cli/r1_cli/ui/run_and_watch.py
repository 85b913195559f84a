"""A run that is started: shown until it ends, and what came of it; or handed over to whatever else starts it."""

import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from r1sdk.doctor import Finding
    from r1sdk.plugins.registry import Registry
    from r1sdk.storage.run_folder import RunFolder

INTERRUPTED = 130


def follow(folder: "RunFolder", registry: "Registry", resumed: bool = False, quiet: bool = False) -> None:
    """Start the worker, show it until it ends, and say what came of it, `quiet` only where it did not finish.

    Where it runs elsewhere, hand it over and say how.
    """
    from r1sdk.doctor.recipe_checks import before_training
    from r1sdk.errors import RunError
    from r1sdk.launch.local_launch import interrupt, start
    from r1sdk.planning.build import compose
    from r1sdk.storage.manifest import differences

    from .live import watch
    from .summary import summarize

    if resumed:
        folder.check()
        for text in differences(folder.manifest(), folder.recipe(), registry):
            typer.echo(f"warning: {text}", err=True)
        run = compose(folder.recipe(), registry)  # plugins may have changed since, and the machine
        warn(before_training(run, registry, folder.path))
    folder.lock()  # before the worker, so that two commands never start on one folder
    folder.unlock()
    if (launcher := folder.recipe().launch.launcher) != "local":
        _elsewhere(folder, launcher)
        return
    worker = start(folder)
    code = watch(folder, worker.poll, lambda: interrupt(worker))
    status = folder.status()
    if status.get("state") == "finished":  # whatever the exit status: a reward may have called sys.exit
        ours = code == 0 or status.get("pid") == worker.pid or folder.accelerate_file.is_file()
        if not ours:
            raise RunError(f"{folder.path} was finished by another process in the meantime: nothing is left to resume")
        if code != 0:  # killed when nothing but the page was left to make
            typer.echo(f"warning: the worker ended with status {code} while it wrote the report", err=True)
        if not quiet:
            summarize(folder)
        return
    if status.get("state") == "interrupted" or code in (INTERRUPTED, -signal.SIGINT):  # -SIGINT: before it could listen
        done = f" after step {status['done']}" if "done" in status else ""
        typer.echo(f"stopped{done}; continue with: r1 train --resume {folder.path}", err=True)
        raise typer.Exit(INTERRUPTED)
    typer.echo(f"error: {_failure(folder, code)}", err=True)
    raise typer.Exit(1)


def _elsewhere(folder: "RunFolder", launcher: str) -> None:
    if launcher == "slurm":
        from r1sdk.launch.slurm import submit

        typer.echo(submit(folder))
        typer.echo(f"submitted; its logs: {folder.path / 'slurm'}", err=True)
        return
    launch = folder.recipe().launch
    module = "r1sdk.train.processes" if launch.accelerate else "r1sdk.train.run"
    more = " --node-rank RANK --address FIRST_MACHINE:PORT" if launch.nodes > 1 else ""
    typer.echo(f"{sys.executable} -m {module} {folder.path.resolve()}{more}")
    typer.echo(
        "prepared; run this on each machine, RANK from 0" if launch.nodes > 1 else "prepared; run this", err=True
    )


def _failure(folder: "RunFolder", code: int) -> str:
    status = folder.status()
    if status.get("state") == "failed" and not status.get("traceback"):
        return str(status.get("message"))
    log = folder.log_file.read_text(encoding="utf-8", errors="replace").split("\n")[-16:-1]
    what = status.get("message") if status.get("state") == "failed" else f"the worker ended with status {code}"
    resume = f"continue with: r1 train --resume {folder.path}"
    return "\n  ".join([f"{what}; the end of {folder.log_file}:", *log, resume])


def warn(findings: "Sequence[Finding]") -> None:
    for finding in findings:
        if finding.status == "warning":
            text = f"warning: {finding.name}: {finding.text}" + (f"; {finding.todo}" if finding.todo else "")
            typer.echo(text, err=True)
