"""Build the GRPO trainer of a run on TRL's GRPOTrainer (DeepSeekMath, arXiv 2402.03300, Eq. 3)."""

from pathlib import Path
from typing import Any

from ...planning.run_plan import RunPlan
from ...receipts import watch_sampler
from ...rollout.hf_model import end_tokens
from ...rollout.sessions import has_sessions
from ...scoring.estimate_advantages import AdvantageEstimator
from ...storage.run_folder import RunFolder
from ..lora import lora_config
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..trainer_arguments import sampling_arguments, shared_arguments
from ..vllm.sampler_engine import TRANSFORMERS, Sampler
from .reward_columns import RewardTable, task_row
from .rounds import RoundTable
from .session_rollouts import SessionRollouts, session_row
from .signatures import GRPO, check_signatures
from .task_parts import connect, reward_table, sampled_by, training_tasks
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
    arguments = sampled_by(sampler, grpo_arguments(run, folder.checkpoints), ends)
    tasks = training_tasks(run)
    sessions = has_sessions(run.environment, tasks)
    draws_tasks = recipe.dynamic_sampling is not None or recipe.curriculum is not None
    kind = RoundTable if draws_tasks else RewardTable
    table = reward_table(run, tokenizer, ends, recipe.generation.samples, folder.append_rollouts, processes, kind)
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
    connect(sampler, trainer, model, recipe.seed)
    if sampler.vllm and recipe.limits.receipts == "check":
        trainer.receipts = watch_sampler(trainer)
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
        **shared_arguments(run.recipe, checkpoints),
        **sampling_arguments(run.recipe),
        "num_generations": run.recipe.generation.samples,
        "reward_weights": [weight for _, weight in run.rewards.values()],
    }
