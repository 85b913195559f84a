"""A GRPOTrainer that chooses the tasks of a batch: dynamic sampling (DAPO, arXiv 2503.14476, section 3.2) and a curriculum.

Every round goes through TRL's own generation and scoring, with any backend. All processes make the same number of rounds with the
same number of whole groups. The final batch is then handed to TRL as if it had just been generated, so the rest (advantages,
log-probabilities, metrics, buffers) is TRL's own too. Held-out evaluations do not pass through here.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...errors import R1Error
from ...recipe.key_groups import DynamicSampling
from ..process_group import ProcessGroup
from .advantage_trainer import REWARDED
from .rounds import Batch, Group, RoundTable
from .sampler_check import CheckedSamplerTrainer
from .task_sampler import TaskSampler

PLACE = "place"  # the column of the training data with a task's index in it
STATE = "draws.json"  # in a checkpoint
Sample = dict[str, Any]
"""One completion as TRL's `rollout_func` returns it: prompt and completion tokens, log-probabilities or None, `env_mask` if some
tokens are not the model's, and further columns for the rewards."""


@dataclass(frozen=True)
class RoundResult:
    """One round of generation."""

    tasks: Sequence[int]  # [N]
    samples: dict[int, list[Sample]]  # by group, [G] each; of this process or of all
    rewards: Tensor  # [N x G, K], of all processes


@dataclass
class HandedOver:
    """The final batch while TRL takes it over."""

    rewards: Tensor  # [N x G, K], of all processes
    taken: int = 0  # how often TRL asked for the completions and for these rewards


class DynamicSamplingTrainer(CheckedSamplerTrainer):
    """Choose the tasks of a batch by `draws`; with `dynamic` also replace zero-variance groups by fresh ones."""

    rollout_func: Any  # TRL's attribute: generates in place of TRL

    def __init__(
        self,
        *args: Any,
        table: RoundTable,
        draws: TaskSampler,
        dynamic: DynamicSampling | None,
        processes: ProcessGroup,
        **more: Any,
    ) -> None:
        super().__init__(*args, **more)
        self.table, self.draws, self.dynamic, self.processes = table, draws, dynamic, processes
        self._handed_over: HandedOver | None = None

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        figures = {name: list(values) for name, values in self._metrics["train"].items()}
        rounds = [self._generate_round(self._first(inputs))]
        batch = Batch.of(self._has_variance(rounds[0]))
        while self.dynamic and batch.lacking and len(rounds) <= self.dynamic.max_rounds:
            if not (tasks := self._fresh(len(batch.lacking), rounds)):
                break
            rounds.append(self._with_all_processes(self._generate_round(tasks)))
            batch.refill(self._has_variance(rounds[-1]))
        self._record(batch)
        # Drop what TRL logged for each round, except the token count: TRL logs the final batch next.
        seen = self.state.num_input_tokens_seen
        self._metrics["train"].clear()
        self._metrics["train"].update(figures)
        found = self._hand_over(batch, rounds)
        self.state.num_input_tokens_seen = seen
        self._metrics["train"]["num_tokens"] = [seen]
        return found

    def _first(self, inputs: Sequence[dict[str, Any]]) -> list[int]:
        """Return the first tasks of the batch, over all processes."""
        own = [row[PLACE] for row in inputs[:: self.num_generations]]
        drawn = self.processes.run_on_main(lambda: self.draws.first(len(own) * self.processes.world))
        return drawn or [task for tasks in self.processes.all_gather(own) for task in tasks]

    def _fresh(self, wanted: int, rounds: Sequence[RoundResult]) -> list[int]:
        """Return tasks that this batch has not tried, equally many per process; empty if none are left."""
        world = self.processes.world
        tried = {task for one in rounds for task in one.tasks}
        tasks = self.processes.run_on_main(lambda: self.draws.fresh(-(-wanted // world) * world, tried))
        return tasks[: len(tasks) // world * world]

    def _own(self, count: int) -> range:
        """Return the indices of this process's groups among `count`; processes own consecutive ranges."""
        each = count // self.processes.world
        return range(self.processes.rank * each, (self.processes.rank + 1) * each)

    def _rows(self, tasks: Sequence[int]) -> list[dict[str, Any]]:
        """Return the inputs of a batch as TRL's sampler makes them: each task repeated once per attempt."""
        return [dict(row) for task in tasks for row in [self.train_dataset[task]] * self.num_generations]

    def _generate_round(self, tasks: Sequence[int]) -> RoundResult:
        """Generate a group for each task, each process its share, and score them."""
        own = self._own(len(tasks))
        rows = self._rows([tasks[at] for at in own])
        prompts = [row["prompt"] for row in rows]
        self.table.tasks = tasks
        prompt_ids, ids, mask, completions, logprobs, extra, *_ = self._generate(prompts)
        for at, row in enumerate(rows):
            row.update({name: values[at] for name, values in extra.items()})
        rewards = super()._calculate_rewards(rows, prompts, completions, ids)
        if self.estimator is not None:
            extra = {**extra, REWARDED: [row[REWARDED] for row in rows]}
        columns = {"prompt_ids": prompt_ids, "completion_ids": ids, "logprobs": logprobs, "env_mask": mask, **extra}
        samples = [{name: values and values[at] for name, values in columns.items()} for at in range(len(rows))]
        size = self.num_generations
        return RoundResult(tasks, {at: samples[i * size : (i + 1) * size] for i, at in enumerate(own)}, rewards)

    def _with_all_processes(self, made: RoundResult) -> RoundResult:
        """Return the round with the completions of all processes, since another process may need a fresh group."""
        return RoundResult(
            made.tasks,
            {at: s for some in self.processes.all_gather(made.samples) for at, s in some.items()},
            made.rewards,
        )

    def _has_variance(self, made: RoundResult) -> list[bool]:
        """Return for each group of a round whether it has something to learn from. Shapes: -> [N].

        That is reward variance, or with an estimator of advantages of a group, an advantage that differs from 0.
        """
        by_accuracy = self.dynamic is not None and self.dynamic.metric == "accuracy"
        if self.estimator is not None and not by_accuracy:
            own = [sample[REWARDED] for at in self._own(len(made.tasks)) for sample in made.samples[at]]
            signal = self.estimator.has_signal(own)
            if signal is not None:
                return [has for some in self.processes.all_gather(signal) for has in some]
        # An estimator over the batch may treat each reward apart, as GDPO does.
        aggregation = self.multi_objective_aggregation if self.estimator is None else "normalize_then_sum"

        def found() -> list[bool]:
            if by_accuracy:
                return [len({value for value in group if value is not None}) > 1 for group in self.table.verdicts()]
            return has_reward_variance(made.rewards, self.reward_weights, self.num_generations, aggregation)

        return self.processes.run_on_main(found)

    def _record(self, batch: Batch) -> None:
        """Log and keep everything generated, and update the task sampler."""

        def settle() -> None:
            outcomes = self.table.settle(self.state.global_step + 1, batch, self._log_metric)
            for name, value in self.draws.learn(outcomes).items():
                self._log_metric(name, value)

        self.processes.run_on_main(settle)

    def _hand_over(self, batch: Batch, rounds: Sequence[RoundResult]) -> dict[str, Any]:
        """Hand the final batch to TRL and return what TRL computes from it."""

        def rewards(group: Group) -> Tensor:
            return rounds[group.round].rewards[group.at * self.num_generations : (group.at + 1) * self.num_generations]

        own = [batch.groups[at] for at in self._own(len(batch.groups))]
        samples = [sample for group in own for sample in rounds[group.round].samples[group.at]]
        self._handed_over = settled = HandedOver(torch.cat([rewards(group) for group in batch.groups]))

        def generated(prompts: Any, trainer: Any) -> Sample:
            settled.taken += 1
            columns = {name: [sample[name] for sample in samples] for name in samples[0]}
            return {name: None if all(v is None for v in values) else values for name, values in columns.items()}

        generates, self.rollout_func = self.rollout_func, generated
        try:
            rows = self._rows([rounds[group.round].tasks[group.at] for group in own])
            found: dict[str, Any] = super()._generate_and_score_completions(rows)
        finally:
            self.rollout_func, self._handed_over = generates, None
        if settled.taken != 2:
            raise R1Error("TRL did not take over the prepared batch: r1sdk cannot use this version of TRL")
        return found

    def _calculate_rewards(self, *args: Any, **more: Any) -> Any:
        if self._handed_over is None:
            return super()._calculate_rewards(*args, **more)
        self._handed_over.taken += 1
        return self._handed_over.rewards

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.processes.main:
            folder = Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}"
            (folder / STATE).write_text(json.dumps(self.draws.state()), encoding="utf-8")

    def train(self, resume_from_checkpoint: str | None = None, **more: Any) -> Any:
        """Train as TRL does, with the task sampler restored from the checkpoint. Raises: R1Error."""
        if resume_from_checkpoint:
            file = Path(resume_from_checkpoint) / STATE
            try:
                self.draws.restore(json.loads(file.read_text(encoding="utf-8")))
            except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
                raise R1Error(
                    f"cannot resume the task sampler from {file}: {error}; remove {file.parent} to resume from the checkpoint before it"
                ) from None
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **more)


def has_reward_variance(
    rewards: Tensor, weights: Tensor, group_size: int, aggregation: str = "sum_then_normalize"
) -> list[bool]:
    """Return for each group whether GRPO has anything to learn from it: its completions differ in the weighted total, or, where TRL
    normalizes each reward separately, in any reward. Shapes: [N x G, K], [K] -> [N]. Completions without any reward (NaN) are left out.
    """
    weights = weights.to(rewards.device)
    priced = ~torch.isnan(rewards).all(dim=1, keepdim=True)  # [N x G, 1]
    if aggregation == "sum_then_normalize":
        compared = torch.where(priced, (rewards * weights).nansum(dim=1, keepdim=True), torch.nan)
    else:
        compared = rewards[:, weights != 0]
    groups = compared.view(-1, group_size, compared.size(1))
    highest = groups.nan_to_num(nan=-torch.inf).amax(dim=1)
    lowest = groups.nan_to_num(nan=torch.inf).amin(dim=1)
    differs = (highest > lowest) & ~torch.isclose(highest, lowest, rtol=0.0, atol=1e-8)
    found: list[bool] = differs.any(dim=1).tolist()
    return found
