"""`r1 train`: a recipe and flags in, a trained model in a run folder out."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Backend, Env, Rewards, Seed, Sets, resolve

if TYPE_CHECKING:
    from r1sdk.doctor import Finding
    from r1sdk.plugins import Registry
    from r1sdk.runs import RunFolder

INTERRUPTED = 130


def train(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's name or file. Without one: the settings for ENV and MODEL.")
    ] = None,
    env: Env = None,
    rewards: Rewards = None,
    model: Annotated[
        str | None, typer.Option(help="Model: a registered name (tiny), a folder, a run folder, a hub id.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="grpo or sft.")] = None,
    data: Annotated[
        str | None, typer.Option(help="What SFT learns from: a file, an environment, a data set on the hub.")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Optimizer steps (trainer.max_steps).")] = None,
    seed: Seed = None,
    lora: Annotated[
        int | None, typer.Option(min=1, help="Train adapters of this rank in place of the whole model.")
    ] = None,
    quantize: Annotated[
        str | None, typer.Option(help="Hold the weights under the adapters in 4bit or 8bit; with --lora.")
    ] = None,
    experimental_async: Annotated[
        bool, typer.Option("--experimental-async", help="Generate beside training, by a vLLM server that is running.")
    ] = False,
    dynamic_sampling: Annotated[
        bool | None,
        typer.Option(
            "--dynamic-sampling", help="Draw fresh prompts for groups that are all right or all wrong (DAPO)."
        ),
    ] = None,
    backend: Backend = None,
    vllm_mode: Annotated[
        str | None,
        typer.Option(help="colocate: vLLM in the processes that train. server: beside them; r1 starts and ends it."),
    ] = None,
    vllm_url: Annotated[str | None, typer.Option(help="The URL of a vLLM server that is there already.")] = None,
    accelerate: Annotated[
        str | None,
        typer.Option(help="Train in several processes: ddp, zero2, zero3, fsdp2, or a config file of accelerate."),
    ] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Processes on each machine. Default: one for each GPU.")
    ] = None,
    launcher: Annotated[str | None, typer.Option(help="local, slurm, or none: only prepare the run folder.")] = None,
    nodes: Annotated[int | None, typer.Option(min=1, help="Machines, with launcher slurm or none.")] = None,
    vllm_nodes: Annotated[
        int | None, typer.Option(min=0, help="Machines beside them for the vLLM server, with launcher slurm.")
    ] = None,
    sets: Sets = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: runs/ENV-MODEL-TIME.")] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            help="Continue the run in this folder; 'last' is the newest in runs/. With --steps: make it longer."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run folder if it exists.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, print the resolved recipe (or the Slurm script), and stop."),
    ] = False,
) -> None:
    """Train a model with GRPO or SFT, or run the stages of a pipeline."""
    from r1sdk.backend import backend_of
    from r1sdk.compose import compose
    from r1sdk.doctor.recipe import before_training
    from r1sdk.errors import RecipeError
    from r1sdk.launch.prepare import RUNS, default_name, prepare
    from r1sdk.launch.slurm import require_sbatch, script
    from r1sdk.parallel import settled
    from r1sdk.plugins import load_plugins

    from .pipeline import pipeline_file, resume_pipeline, resumed_pipeline, start_pipeline

    registry = load_plugins()
    one: dict[str, Any] = {"--env": env, "--rewards": rewards, "--model": model, "--method": method, "--data": data}
    one |= {"--steps": steps, "--seed": seed, "--accelerate": accelerate, "--processes": processes}
    one |= {"--launcher": launcher, "--nodes": nodes, "--vllm-nodes": vllm_nodes}
    one |= {"--backend": backend, "--vllm-mode": vllm_mode, "--vllm-url": vllm_url}
    one |= {"--dynamic-sampling": dynamic_sampling}
    if resume is not None and (pipeline := resumed_pipeline(resume)) is not None:
        given_beside = {**one, "recipe": recipe, "--set": sets, "--out": out, "--overwrite": overwrite or None}
        resume_pipeline(pipeline, registry, [name for name, value in given_beside.items() if value is not None])
        return
    if resume is None and recipe is not None and (stages := pipeline_file(recipe, registry)) is not None:
        start_pipeline(stages, registry, sets, one, out, overwrite, dry_run)
        return
    if resume is not None:
        given = {
            "recipe": recipe,
            "--env": env,
            "--rewards": rewards,
            "--model": model,
            "--method": method,
            "--data": data,
            "--seed": seed,
            "--lora": lora,
            "--quantize": quantize,
            "--experimental-async": experimental_async or None,
            "--dynamic-sampling": dynamic_sampling,
            "--backend": backend,
            "--vllm-mode": vllm_mode,
            "--vllm-url": vllm_url,
            "--accelerate": accelerate,
            "--processes": processes,
            "--launcher": launcher,
            "--nodes": nodes,
            "--vllm-nodes": vllm_nodes,
            "--out": out,
            "--overwrite": overwrite or None,
        }
        if extra := [name for name, value in given.items() if value is not None]:
            raise RecipeError(f"--resume continues the run as it was: leave out {', '.join(extra)}")
        folder = _to_resume(resume, longer=steps is not None)
        if steps is not None or sets:
            _extend(folder, registry, steps, sets or [])
        run_folder(folder, registry, resumed=True)
        return
    flags: dict[str, Any] = {
        "env": env,
        "rewards": rewards,
        "model": model,
        "method": method,
        "data": data,
        "seed": seed,
        "lora": lora,
        "quantize": quantize,
        "experimental_async": {} if experimental_async else None,
    }
    flags["dynamic_sampling"] = {} if dynamic_sampling else None  # what the recipe says of it stays
    flags["output_dir"] = None if out is None else str(out)
    flags["trainer"] = None if steps is None else {"max_steps": steps}
    vllm = {key: value for key, value in {"mode": vllm_mode, "url": vllm_url}.items() if value is not None}
    generation = {"backend": backend, "vllm": vllm or None}
    flags["generation"] = {key: value for key, value in generation.items() if value is not None} or None
    launch = {"accelerate": accelerate, "processes": processes, "launcher": launcher, "nodes": nodes}
    launch["vllm_nodes"] = vllm_nodes
    flags["launch"] = {key: value for key, value in launch.items() if value is not None} or None
    resolved, origin = resolve(registry, recipe, sets, flags)
    if dry_run:
        before_training(compose(settled(resolved), registry), registry, resolved.output_dir or RUNS)
        if resolved.launch.launcher == "slurm":
            typer.echo(script(settled(resolved), resolved.output_dir or RUNS / default_name(resolved)), nl=False)
        else:
            typer.echo(resolved.to_yaml(), nl=False)
        return
    if resolved.launch.launcher == "slurm":
        require_sbatch()
    run, folder, findings = prepare(resolved, registry, overwrite)
    summary = getattr(run.environment, "summary", lambda: resolved.env.name)()
    typer.echo(f"recipe       {origin}", err=True)
    typer.echo(f"model        {resolved.model}", err=True)
    typer.echo(f"environment  {summary}", err=True)
    if resolved.data is not None:
        typer.echo(f"data         {resolved.data.name}", err=True)
    typer.echo(f"rewards      {', '.join(f'{r.name} x {r.weight:g}' for r in resolved.rewards)}", err=True)
    if resolved.method == "grpo" and resolved.launch.launcher == "local":
        typer.echo(f"generation   {backend_of(resolved)}", err=True)
    if folder.accelerate_file.is_file():
        made = folder.recipe().launch
        machines = f" on each of {made.nodes} machines" if made.nodes > 1 else ""
        typer.echo(f"processes    {made.processes}{machines}, {made.accelerate}", err=True)
    typer.echo(f"run folder   {folder.path}", err=True)
    warn(findings)
    run_folder(folder, registry)


def warn(findings: "Sequence[Finding]") -> None:
    for finding in findings:
        if finding.status == "warning":
            text = f"warning: {finding.name}: {finding.text}" + (f"; {finding.todo}" if finding.todo else "")
            typer.echo(text, err=True)


def _to_resume(path: Path, longer: bool) -> "RunFolder":
    from r1sdk.errors import RunError
    from r1sdk.launch.prepare import RUNS
    from r1sdk.runs import RunFolder, latest_run

    folder = latest_run(RUNS) if str(path) == "last" and not path.exists() else RunFolder.open(path)
    if folder.status().get("state") == "finished" and not longer:
        raise RunError(
            f"{folder.path} is finished: nothing to resume; look at it with r1 eval {folder.path}, "
            "or make it longer with --steps"
        )
    return folder


def _extend(folder: "RunFolder", registry: "Registry", steps: int | None, sets: list[str]) -> None:
    """Change how long the run goes on, and how. What it has been trained on stays. Raises: R1Error."""
    from r1sdk.compose import compose
    from r1sdk.errors import RecipeError, RunError
    from r1sdk.layers import dotted
    from r1sdk.recipe import load_recipe

    layers = [*map(dotted, sets), {"trainer": {"max_steps": steps}} if steps else {}]
    recipe, before = load_recipe(folder.recipe_file, *layers), folder.recipe()
    changeable = {"trainer", "evaluation", "limits"}
    if other := [
        key
        for key in type(recipe).model_fields
        if key not in changeable and getattr(recipe, key) != getattr(before, key)
    ]:
        raise RecipeError(
            f"--resume continues the run as it was: {', '.join(other)} cannot change, {', '.join(sorted(changeable))} can"
        )
    done = folder.status().get("done") or 0
    if steps is not None and steps <= done:
        raise RunError(f"{folder.path} has come to step {done}: --steps must be more")
    compose(recipe, registry)
    folder.extend(recipe, sys.argv)


def run_folder(folder: "RunFolder", registry: "Registry", resumed: bool = False, quiet: bool = False) -> None:
    """Start the worker, show it until it ends, and say what came of it, `quiet` only where it did not finish.

    Where it runs elsewhere, hand it over and say how.
    """
    from r1sdk.compose import compose
    from r1sdk.doctor.recipe import before_training
    from r1sdk.launch.local import interrupt, start

    from .live import watch

    if resumed:
        run = compose(folder.recipe(), registry)  # plugins may have changed since, and the machine
        warn(before_training(run, registry, folder.path))
    folder.lock()  # before the worker, so that two commands never start on one folder
    folder.unlock()
    if (launcher := folder.recipe().launch.launcher) != "local":
        _elsewhere(folder, launcher)
        return
    worker = start(folder)
    code = watch(folder, worker.poll, lambda: interrupt(worker))
    if code == 0:
        if not quiet:
            _summary(folder)
        return
    status = folder.status()
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
    module = "r1sdk.train.processes" if launch.accelerate else "r1sdk.train.worker"
    more = " --node-rank RANK --address FIRST_MACHINE:PORT" if launch.nodes > 1 else ""
    typer.echo(f"{sys.executable} -m {module} {folder.path.resolve()}{more}")
    typer.echo(
        "prepared; run this on each machine, RANK from 0" if launch.nodes > 1 else "prepared; run this", err=True
    )


def _failure(folder: "RunFolder", code: int) -> str:
    status = folder.status()
    if status.get("state") == "failed" and not status.get("traceback"):
        return str(status.get("message"))
    log = folder.log_file.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    what = status.get("message") if status.get("state") == "failed" else f"the worker ended with status {code}"
    resume = f"continue with: r1 train --resume {folder.path}"
    return "\n  ".join([f"{what}; the end of {folder.log_file}:", *log, resume])


def _summary(folder: "RunFolder") -> None:
    """The held-out figures before and after on stdout, and what to do next on stderr."""
    before, after = folder.evaluation("before"), folder.evaluation("after")
    if after:
        rows = {"accuracy": ("accuracy",), **{f"reward {name}": ("rewards", name) for name in after["rewards"]}}
        generated = after["accuracy"]["n"]
        shown = (rows if generated else {}) | ({"loss": ("loss",)} if "loss" in after else {})
        width = max([14, *map(len, shown)])
        typer.echo(f"{'held out':{width}}{'before':>18}{'after':>18}")
        for label, path in shown.items():
            typer.echo(f"{label:{width}}{_estimate(before, path):>18}{_estimate(after, path):>18}")
        if generated:
            typer.echo(f"{'tokens':{width}}{_figure(before, 'tokens'):>18}{_figure(after, 'tokens'):>18}")
            typer.echo(
                f"n = {generated} tasks that were never trained on, "
                f"sampled at temperature {after['settings']['temperature']:g}; ± one standard error"
            )
        if "loss" in after:
            typer.echo(
                f"loss per token of {after['loss']['n']} replies that were never trained on; ± one standard error"
            )
    if made := folder.evaluation("collected"):
        typer.echo(f"kept {made['kept']} of {made['answers']} answers ({made['rule']})")
        typer.echo(f"data      {folder.data}", err=True)
        return
    typer.echo(f"model     {folder.model}\nrollouts  {folder.rollouts_file}\nmetrics   {folder.metrics_file}", err=True)
    _tell_report(folder)
    env = "" if folder.recipe().env.name else " --env ENV"
    typer.echo(f"next: r1 view {folder.path}, r1 eval {folder.path}{env} --samples 8", err=True)


def _tell_report(folder: "RunFolder") -> None:
    """Where the page of the run is, or how to have one."""
    from r1sdk.report import PAGE

    page = folder.path / PAGE
    told = str(page) if page.is_file() else f"none: pip install 'r1sdk[report]' && r1 report {folder.path}"
    typer.echo(f"report    {told}", err=True)


def _estimate(evaluation: dict[str, Any] | None, path: tuple[str, ...]) -> str:
    value: Any = evaluation
    for key in path:
        value = (value or {}).get(key)
    if not value or value["mean"] is None:
        return "-"
    return f"{value['mean']:.3f}" + (f" ± {value['stderr']:.3f}" if value["stderr"] is not None else "")


def _figure(evaluation: dict[str, Any] | None, key: str) -> str:
    return f"{evaluation[key]:.1f}" if evaluation else "-"
