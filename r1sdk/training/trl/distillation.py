"""On-policy distillation on TRL's DistillationTrainer (arXiv 2306.13649): the model answers, the teacher says how likely each token was.

The loss needs no reward. The answers are judged and kept all the same, so that a run shows the accuracy of its rollouts.
"""

import json
from pathlib import Path
from typing import Any

import torch
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
    """TRL's trainer that has `table` judge and keep the completions of every batch, and that may have a teacher for each part."""

    table: RewardTable
    teachers: dict[str, Any]  # by part of the environment; one that teaches everything is under the empty name

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
        if len(self.teachers) > 1:
            parts = list(self.teachers)
            of = [parts.index(json.loads(row["task"])["info"]["env"]) for row in inputs]
            output["teacher"] = torch.tensor(of, device=output["completion_ids"].device)
        return output

    def _compute_loss(self, unwrapped_student: Any, inputs: Any, num_items_in_batch: Any) -> Any:
        """Return the loss, the sum of entropies and the number of tokens. With several teachers: sums over the rows of each."""
        if "teacher" not in inputs:
            return super()._compute_loss(unwrapped_student, inputs, num_items_in_batch)
        teacher = inputs["teacher"]
        counted = inputs["completion_mask"].sum() if num_items_in_batch is None else num_items_in_batch
        found = []
        for at, (name, model) in enumerate(self.teachers.items()):
            rows = (teacher == at).nonzero().squeeze(1)
            if not len(rows):
                continue
            of_it = {key: _rows(value, rows, len(teacher)) for key, value in inputs.items() if key != "teacher"}
            self.teacher_model = model
            loss, entropies, tokens = super()._compute_loss(unwrapped_student, of_it, counted)
            self._log_one(f"divergence/{name}", (loss.detach() * counted / tokens.clamp(min=1)).item())
            found.append((loss, entropies, tokens))
        return tuple(sum(parts) for parts in zip(*found, strict=True))

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
    where = processes.run_on_main(lambda: _locate_teachers(run, folder))
    teachers = {part: load_model(place, **training_options(run)) for part, place in where.items()}
    with sampler.making():
        trainer = JudgedDistillation(
            model=model,
            teacher_model=next(iter(teachers.values())),
            args=DistillationConfig(**arguments),
            train_dataset=Dataset.from_list([task_row(task) for task in training_tasks(run)]),
            processing_class=tokenizer,
            callbacks=callbacks,
            peft_config=lora_config(run.recipe.lora),
        )
    first, *others = teachers
    more = {part: trainer.accelerator.prepare_model(teachers[part], evaluation_mode=True) for part in others}
    trainer.teachers = {first: trainer.teacher_model, **more}
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


def _locate_teachers(run: RunPlan, folder: RunFolder) -> dict[str, str]:
    """Return where the teachers are, those that are made or merged as they were made at the start. Raises: R1Error."""
    from ..models import locate

    places = ["teacher_model", *(f"teacher_model_{number}" for number in range(2, 1 + len(run.teachers)))]
    return {
        part: locate(teacher, folder.path / place, run.recipe.seed)
        for place, (part, teacher) in zip(places, run.teachers.items(), strict=True)
    }


def _rows(value: Any, rows: torch.Tensor, size: int) -> Any:
    """Return the `rows` of a value that has one entry for each of `size` rows; any other value as it is."""
    return value[rows] if isinstance(value, torch.Tensor) and value.ndim and len(value) == size else value
