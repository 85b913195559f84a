"""`r1 train`: a recipe and flags in, a trained model in a run folder out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import Backend, Env, Rewards, Seed, Sets, resolve
from .resuming import resume_run
from .ui.run_and_watch import follow, warn


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
    from r1sdk.doctor.recipe_checks import before_training
    from r1sdk.launch.prepare import RUNS, default_name, prepare
    from r1sdk.launch.slurm import require_sbatch, script
    from r1sdk.planning.backend import backend_of
    from r1sdk.planning.build import compose
    from r1sdk.planning.parallel import settled
    from r1sdk.plugins.registry import load_plugins
    from r1sdk.recipe.layers import overlay, under

    from .pipeline import pipeline_file, resume_pipeline, resumed_pipeline, start_pipeline

    registry = load_plugins()
    given: dict[str, tuple[Any, str]] = {  # what was said, and the recipe's key for it
        "--env": (env, "env"),
        "--rewards": (rewards, "rewards"),
        "--model": (model, "model"),
        "--method": (method, "method"),
        "--data": (data, "data"),
        "--steps": (steps, "trainer.max_steps"),
        "--seed": (seed, "seed"),
        "--lora": (lora, "lora"),
        "--quantize": (quantize, "quantize"),
        "--experimental-async": ({} if experimental_async else None, "experimental_async"),
        "--dynamic-sampling": (
            {} if dynamic_sampling else None,
            "dynamic_sampling",
        ),  # what the recipe says of it stays
        "--backend": (backend, "generation.backend"),
        "--vllm-mode": (vllm_mode, "generation.vllm.mode"),
        "--vllm-url": (vllm_url, "generation.vllm.url"),
        "--accelerate": (accelerate, "launch.accelerate"),
        "--processes": (processes, "launch.processes"),
        "--launcher": (launcher, "launch.launcher"),
        "--nodes": (nodes, "launch.nodes"),
        "--vllm-nodes": (vllm_nodes, "launch.vllm_nodes"),
    }
    said = [flag for flag, (value, _) in given.items() if value is not None]
    whole = {"recipe": recipe, "--out": out, "--overwrite": overwrite or None}
    if resume is not None:
        said = [name for name, value in whole.items() if value is not None] + said
        if (pipeline := resumed_pipeline(resume)) is not None:
            resume_pipeline(pipeline, registry, [*said, *(["--set"] if sets else [])])
        else:
            resume_run(resume, registry, [flag for flag in said if flag != "--steps"], steps, sets or [])
        return
    if recipe is not None and (stages := pipeline_file(recipe, registry)) is not None:
        start_pipeline(stages, registry, sets, said, out, overwrite, dry_run)
        return
    flags: dict[str, Any] = {"output_dir": None if out is None else str(out)}
    for value, key in given.values():
        if value is not None:
            flags = overlay(flags, under(key, value))
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
    follow(folder, registry)
