"""On-policy distillation on TRL's DistillationTrainer (arXiv 2306.13649): the model answers, the teacher says how likely each token was.

The loss needs no reward. The answers are judged and kept all the same, so that a run shows the accuracy of its rollouts.
"""

from pathlib import Path
from typing import Any

from trl import DistillationTrainer

from ...planning.run_plan import RunPlan
from ...rollout.hf_model import end_tokens
from ...storage.run_folder import RunFolder
from ..lora import lora_config
from ..models import load_model, training_options
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..trainer_arguments import sampling_arguments, shared_arguments
from ..vllm.sampler_engine import TRANSFORMERS, Sampler
from .reward_columns import RewardTable, task_row
from .signatures import DISTILLATION, check_signatures
from .task_parts import connect, reward_table, sampled_by, training_tasks


class JudgedDistillation(DistillationTrainer):  # type: ignore[misc]
    """TRL's trainer that has `table` judge and keep the completions of every batch."""

    table: RewardTable

    def _generate(self, prompts: Any) -> Any:
        found = super()._generate(prompts)
        self._answered = found[1]
        return found

    def _generate_and_score_completions(self, inputs: Any) -> Any:
        output = super()._generate_and_score_completions(inputs)
        ids: list[list[int]] = self._answered
        texts = self.processing_class.batch_decode(ids, skip_special_tokens=True)
        self.table.scores(
            [[{"role": "assistant", "content": text}] for text in texts],
            ids,
            [row["task"] for row in inputs],
            trainer_state=self.state,
            log_metric=self._log_one,
        )
        return output

    def _log_one(self, name: str, value: float) -> None:
        self._metrics["train"][name].append(value)


def distillation_trainer(
    run: RunPlan,
    model: Any,
    tokenizer: Any,
    folder: RunFolder,
    callbacks: list[Any],
    processes: ProcessGroup = SINGLE_PROCESS,
    sampler: Sampler = TRANSFORMERS,
) -> Any:
    """Return the trainer of `run` with its teacher loaded, ready to `train()`."""
    from datasets import Dataset
    from trl import DistillationConfig

    check_signatures(DISTILLATION)
    ends = frozenset(end_tokens(model, tokenizer))
    arguments = sampled_by(sampler, distillation_arguments(run, folder.checkpoints), ends)
    where = processes.run_on_main(lambda: _locate_teacher(run, folder))
    teacher = load_model(where, **training_options(run))
    with sampler.making():
        trainer = JudgedDistillation(
            model=model,
            teacher_model=teacher,
            args=DistillationConfig(**arguments),
            train_dataset=Dataset.from_list([task_row(task) for task in training_tasks(run)]),
            processing_class=tokenizer,
            callbacks=callbacks,
            peft_config=lora_config(run.recipe.lora),
        )
    trainer.table = reward_table(run, tokenizer, ends, 1, folder.append_rollouts, processes)
    connect(sampler, trainer, model, run.recipe.seed)
    return trainer


def distillation_arguments(run: RunPlan, checkpoints: Path) -> dict[str, Any]:
    """Return the arguments of DistillationConfig: defaults for the machine < the recipe's `trainer:` < those that r1sdk owns."""
    recipe = run.recipe
    assert recipe.distill is not None
    return {
        **shared_arguments(recipe, checkpoints),
        **sampling_arguments(recipe),
        "beta": recipe.distill.beta,
    }


def _locate_teacher(run: RunPlan, folder: RunFolder) -> str:
    """Return where the teacher is, one that is made or merged as it was made at the start. Raises: R1Error."""
    from ..models import locate

    assert run.teacher is not None
    return locate(run.teacher, folder.path / "teacher_model", run.recipe.seed)
