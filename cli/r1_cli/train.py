"""`r1 train`: a recipe and flags in, a trained model in a run folder out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from .complete import models, recipes_and_files
from .options import Backend, Env, Rewards, Seed, Sets
from .ui.lines import echo
from .ui.summary import summarize


def train(
    recipe: Annotated[
        str | None,
        typer.Argument(
            help="A recipe's name or file. Without one: the settings for ENV and MODEL.",
            autocompletion=recipes_and_files,
        ),
    ] = None,
    env: Env = None,
    rewards: Rewards = None,
    model: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="Model: a registered name, a folder, a run folder, a hub id.  [default: tiny]",
            autocompletion=models,
        ),
    ] = None,
    method: Annotated[
        str | None, typer.Option(rich_help_panel="Training", help="grpo, sft, dpo or distill.  [default: grpo]")
    ] = None,
    loss: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="GRPO's loss by name: grpo, dapo, dr_grpo, gspo, cispo, sapo, ...  [default: the recipe's]",
        ),
    ] = None,
    advantage: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="GRPO's advantages: rloo, dr_grpo, gdpo, ... (r1 plugins --kind advantage).  [default: TRL's own]",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="What SFT or DPO learns from: a file, an environment, a data set on the hub.",
        ),
    ] = None,
    teacher: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="Whom method distill learns from: a registered name, a folder, a run folder, a hub id.",
            autocompletion=models,
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Training", min=1, help="Optimizer steps (trainer.max_steps).  [default: the recipe's]"
        ),
    ] = None,
    seed: Seed = None,
    seeds: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="Train with each of these seeds, one after another, in one folder: 0,1,2. With --resume: add seeds.",
        ),
    ] = None,
    on_collapse: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Training",
            help="warn, or rollback: go back to the last healthy checkpoint with a lower learning rate.  [default: warn]",
        ),
    ] = None,
    lora: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Model and memory", min=1, help="Train adapters of this rank in place of the whole model."
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Model and memory", help="Quantize the base model to 4bit or 8bit (QLoRA); with --lora."
        ),
    ] = None,
    experimental_async: Annotated[
        bool,
        typer.Option(
            "--experimental-async",
            rich_help_panel="Generation",
            help="Generate while training, on a vLLM server that is running.",
        ),
    ] = False,
    dynamic_sampling: Annotated[
        bool | None,
        typer.Option(
            "--dynamic-sampling",
            rich_help_panel="Generation",
            help="Draw fresh prompts for groups that are all right or all wrong (DAPO).",
        ),
    ] = None,
    backend: Backend = None,
    vllm_mode: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Generation",
            help="colocate: vLLM in the training processes. server: in its own, which r1 starts and ends.",
        ),
    ] = None,
    vllm_url: Annotated[
        str | None, typer.Option(rich_help_panel="Generation", help="The URL of a vLLM server that is there already.")
    ] = None,
    accelerate: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Processes and machines",
            help="Train in several processes: ddp, zero2, zero3, fsdp2, or a config file of accelerate.",
        ),
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Processes and machines",
            min=1,
            help="Processes on each machine. [default: one for each GPU]",
        ),
    ] = None,
    launcher: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Processes and machines",
            help="local, slurm, or none: only prepare the run folder.  [default: local]",
        ),
    ] = None,
    nodes: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Processes and machines", min=1, help="Machines, with launcher slurm or none.  [default: 1]"
        ),
    ] = None,
    vllm_nodes: Annotated[
        int | None,
        typer.Option(
            rich_help_panel="Processes and machines",
            min=0,
            help="Extra machines for the vLLM server, with launcher slurm.",
        ),
    ] = None,
    settings: Sets = None,
    out: Annotated[
        Path | None, typer.Option(rich_help_panel="Run folder", help="Run folder.  [default: runs/ENV-MODEL-TIME]")
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            rich_help_panel="Run folder",
            help="Continue the run in this folder; 'last' is the newest in runs/. With --steps: make it longer.",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", rich_help_panel="Run folder", help="Replace the run folder if it exists.")
    ] = False,
    quick: Annotated[
        bool,
        typer.Option("--quick", help="A first try: evaluate on 16 held-out tasks (evaluation.tasks=16), not all."),
    ] = False,
    report_to: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Run folder",
            help="Trackers with commas: wandb, tensorboard, trackio, mlflow, ...  [default: none]",
        ),
    ] = None,
    push_to_hub: Annotated[
        str | None,
        typer.Option(
            rich_help_panel="Run folder", help="At the end upload the model as OWNER/NAME to the hub, private."
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything, print the resolved recipe (or the Slurm script), and stop."),
    ] = False,
) -> None:
    """Train a model with GRPO or SFT, or run the stages of a pipeline."""
    options: Any = {
        name: value
        for name, value in locals().items()
        if name not in ("recipe", "dry_run", "quick", "report_to", "push_to_hub")
    }
    options["settings"] = [
        *(["evaluation.tasks=16", "evaluation.during=4"] if quick else []),
        *([f"trainer.report_to=[{report_to}]"] if report_to else []),
        *(settings or []),
    ]
    import r1sdk.api

    if push_to_hub is not None:
        _check_push(push_to_hub, launcher, seeds)
    if dry_run and resume is None:
        echo(r1sdk.api.dry_run(recipe, **options), nl=False)
        return
    run = r1sdk.api.train(recipe, **options)
    if run.state == "finished":
        summarize(run)
        if push_to_hub is not None:
            if run.model_path is None:
                raise r1sdk.R1Error(f"no model to push: {run.folder} holds none")
            echo(f"pushed to {r1sdk.api.push_model(run.model_path, push_to_hub)}", err=True)
    elif run.job is not None:
        echo(run.job)
        echo(f"submitted; its logs: {run.folder / 'slurm'}", err=True)
    else:
        echo(run.command)
        machines = " on each machine, RANK from 0" if nodes is not None and nodes > 1 else ""
        echo(f"prepared; run this{machines}", err=True)


def _check_push(repository: str, launcher: str | None, seeds: str | None) -> None:
    """Raises: R1Error where the model could not be pushed at the end, before anything begins."""
    from r1sdk import R1Error
    from r1sdk.api import check_push

    if launcher not in (None, "local"):
        raise R1Error("--push-to-hub is for a run on this machine: push later with hf upload OWNER/NAME RUN/model")
    if seeds is not None:
        raise R1Error(
            "--push-to-hub is for one model, and --seeds makes several: push one with hf upload OWNER/NAME RUN/model"
        )
    check_push(repository)
