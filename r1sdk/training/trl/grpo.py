"""Build the GRPO trainer of a run on TRL's GRPOTrainer (DeepSeekMath, arXiv 2402.03300, Eq. 3)."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from ...planning.run_plan import RunPlan
from ...plugins.environment_calls import tasks_of
from ...receipts import watch_sampler
from ...recipe.schema import Recipe
from ...reply_format import opened_think
from ...rollout.chat_template import render
from ...rollout.compacting import generate
from ...rollout.hf_model import end_tokens
from ...rollout.sessions import has_sessions
from ...scoring.estimate_advantages import AdvantageEstimator
from ...storage.run_folder import RunFolder
from ..lora import lora_config
from ..models import holds_whole_model
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..vllm.sampler_engine import TRANSFORMERS, Sampler
from .reward_columns import RewardTable, task_row
from .rounds import RoundTable
from .session_rollouts import SessionRollouts, session_row
from .signatures import GRPO, check_signatures
from .task_sampler import task_sampler_of


def grpo_trainer(
    run: RunPlan,
    model: Any,
    tokenizer: Any,
    folder: RunFolder,
    callbacks: list[Any],
    processes: ProcessGroup = SINGLE_PROCESS,
    sampler: Sampler = TRANSFORMERS,
) -> Any:
    """Return TRL's GRPOTrainer (without its work on padding) for `run`, rewards bound, ready to `train()`."""
    from datasets import Dataset
    from trl import GRPOConfig

    from .sampler_check import CheckedSamplerTrainer

    check_signatures(GRPO)
    recipe, ends = run.recipe, frozenset(end_tokens(model, tokenizer))
    arguments = {**grpo_arguments(run, folder.checkpoints), **sampler.arguments}
    if sampler.vllm:  # vLLM only knows the end tokens in the model's files
        given = arguments.get("generation_kwargs") or {}
        given = json.loads(given) if isinstance(given, str) else given
        arguments["generation_kwargs"] = {"stop_token_ids": sorted(ends), **given}
    tasks = [task for at, task in enumerate(tasks_of(run.environment, "train")) if at not in run.left_out]
    sessions = has_sessions(run.environment, tasks)
    draws_tasks = recipe.dynamic_sampling is not None or recipe.curriculum is not None
    table = (RoundTable if draws_tasks else RewardTable)(
        run.environment,
        run.rewards,
        recipe.generation.samples,
        limits=recipe.limits,
        end_tokens=ends,
        opened_think=opened_think(render(tokenizer, [{"role": "user", "content": "?"}])),
        keep=folder.append_rollouts,
        processes=processes,
    )
    rows = [session_row(task) if sessions else task_row(task) for task in tasks]
    bound: dict[str, Any] = {
        "model": model,
        "args": GRPOConfig(**arguments),
        "reward_funcs": table.columns(),
        "processing_class": tokenizer,
        "callbacks": callbacks,
        "peft_config": lora_config(run.recipe.lora),
        "rollout_func": SessionRollouts(run.environment, recipe.sessions, tokenizer, ends) if sessions else None,
    }
    with sampler.making():
        if isinstance(table, RoundTable):
            from .dynamic_sampling import PLACE, DynamicSamplingTrainer

            trainer: Any = DynamicSamplingTrainer(
                train_dataset=Dataset.from_list([{**row, PLACE: at} for at, row in enumerate(rows)]),
                table=table,
                draws=task_sampler_of(run, rows),
                dynamic=recipe.dynamic_sampling,
                processes=processes,
                **bound,
            )
        else:
            trainer = CheckedSamplerTrainer(train_dataset=Dataset.from_list(rows), **bound)
    trainer.estimator, trainer.scored, trainer.together = estimator_of(run), table, processes
    trainer.sampler_limit = recipe.limits.sampler_difference
    if sampler.vllm:
        sampler.made(trainer, recipe.seed)
        if recipe.limits.receipts == "check":
            trainer.receipts = watch_sampler(trainer)
    elif holds_whole_model(trainer.accelerator):
        model.generate = partial(generate, model)  # the method that TRL calls
    return trainer


def estimator_of(run: RunPlan) -> AdvantageEstimator | None:
    """Return the estimator of advantages that the recipe names; None for TRL's own."""
    if run.recipe.advantage is None:
        return None
    weights = {name: weight for name, (_, weight) in run.rewards.items()}
    return AdvantageEstimator(run.recipe.advantage.name, run.advantage, weights, run.recipe.generation.samples)


def grpo_arguments(run: RunPlan, checkpoints: Path) -> dict[str, Any]:
    """Return the arguments of GRPOConfig: defaults for the machine < the recipe's `trainer:` < those that r1sdk owns."""
    return {
        **machine_arguments(run.recipe),
        **tracked_as(checkpoints),
        **run.recipe.trainer,
        **owned_arguments(run.recipe, checkpoints),
        "reward_weights": [weight for _, weight in run.rewards.values()],
    }


def owned_arguments(recipe: Recipe, checkpoints: Path) -> dict[str, Any]:
    """Return the recipe's generation settings by the names of TRL's GRPO trainers."""
    generation = recipe.generation
    return {
        "output_dir": str(checkpoints),
        "seed": recipe.seed,
        "num_generations": generation.samples,
        "max_completion_length": generation.max_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        "remove_unused_columns": False,
    }


def tracked_as(checkpoints: Path) -> dict[str, Any]:
    """Return the name of the run for trackers: that of its folder."""
    return {"project": "r1sdk", "run_name": checkpoints.parent.name}


def machine_arguments(recipe: Recipe | None = None) -> dict[str, Any]:
    """Return defaults for this machine. Nothing is reported to a tracker unless you ask for it."""
    import torch

    cuda = torch.cuda.is_available()
    return {
        "use_cpu": not cuda,
        "bf16": cuda and torch.cuda.is_bf16_supported() and not (recipe and recipe.trainer.get("fp16")),
        "gradient_checkpointing": cuda,
        "report_to": [],
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": 50,
        "save_total_limit": 2,
        "disable_tqdm": True,
        "dataloader_pin_memory": cuda,
        "ddp_find_unused_parameters": False,
        "ddp_broadcast_buffers": False,  # buffers are constants, and a forward pass of one process alone must not wait
    }
