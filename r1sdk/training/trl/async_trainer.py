"""Train while a vLLM server generates: TRL's AsyncGRPOTrainer (experimental) with r1sdk's scoring.

A child process requests the completions, scores them by the same `RewardTable` as any other run, and passes them on. The trainer
steps on those that are recent enough and sends its weights to the server. Everything the child process needs is pickled.
"""

import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trl.experimental.async_grpo import AsyncGRPOConfig, AsyncGRPOTrainer
from trl.experimental.async_grpo.async_rollout_worker import (
    AsyncRolloutWorker,
    TurnRecord,
    _AsyncRolloutLoop,
    _chain_to_sequences,
)

from ...errors import R1Error, RewardError
from ...planning.run_plan import RunPlan
from ...recipe.asynchronous import does_anyway
from ...records import Rollout, Score
from ...rollout.chat_template import render
from ...scoring.estimate_advantages import AdvantageEstimator
from ...storage.run_folder import RunFolder
from ..trainer_arguments import sampling_arguments, shared_arguments
from .advantage_trainer import weighted_totals
from .grpo import estimator_of
from .reward_columns import Column, RewardTable, task_row
from .signatures import ASYNC, check_signatures
from .task_parts import reward_table, training_tasks

TRIES = 6  # per request to the server, where TRL makes 30: about a minute if it refuses


@dataclass(frozen=True)
class KeepRollouts:
    """Append rollouts to a run folder. Unlike the folder object it can be pickled."""

    path: Path

    def __call__(self, step: int, rollouts: list[Rollout], scores: list[Score]) -> None:
        RunFolder(self.path).append_rollouts(step, rollouts, scores)


@dataclass
class WeightedColumn(Column):
    """A reward times its weight. TRL's asynchronous trainer adds rewards up without weights."""

    weight: float = 1.0

    def __call__(self, **batch: Any) -> list[float | None]:
        return [None if price is None else self.weight * price for price in super().__call__(**batch)]


@dataclass(frozen=True)
class Version:
    """A stand-in for the trainer's state: the step of the policy that began a group."""

    global_step: int


class JudgedLoop(_AsyncRolloutLoop):  # type: ignore[misc]
    """The loop in the child process: one turn per prompt, scored in whole groups, with the text as it was generated."""

    def __init__(
        self, *, table: RewardTable, estimator: AdvantageEstimator | None, processing_class: Any, **more: Any
    ) -> None:
        # TRL would look up the format of tool calls, which it only knows for some templates. Nothing is parsed here.
        processing_class.response_template = {}
        columns = [WeightedColumn(table, name, weight) for name, (_, weight) in table.rewards.items()]
        super().__init__(reward_funcs=columns, processing_class=processing_class, **more)
        self.table, self.estimator = table, estimator

    async def _generate_one(self, prompt: Any, tool_dict: Any, tools: Any, group_id: int = 0) -> Any:
        started = time.monotonic()
        asked = self.tokenizer(render(self.tokenizer, prompt), add_special_tokens=False)["input_ids"]
        ids, logprobs = await self._generate_one_turn(asked)
        sequences, tally = _chain_to_sequences([TurnRecord(asked, ids, logprobs)], uuid.uuid4().hex, 0)
        self._push_rollout_metrics(
            turns=1,
            sequences=len(sequences),
            completion_ids=ids,
            tally=tally,
            loop_exhausted=False,
            duration_s=time.monotonic() - started,
        )
        text = self.tokenizer.decode(ids, skip_special_tokens=True)
        return [{"role": "assistant", "content": text}], ids, sequences, 0, 0, None

    async def _score_group(self, group: Any) -> Any:
        import asyncio

        metrics: dict[str, float] = {}
        # Score the batch once here; each column then finds it scored.
        scores = await asyncio.to_thread(
            self.table.scores,
            completions=group.completions,
            completion_ids=group.completions_ids,
            task=group.reward_kwargs["task"],
            trainer_state=Version(max(0, group.model_version - 1)),
            log_metric=metrics.__setitem__,
        )
        samples = await super()._score_group(group)
        spread = {score.total for score in scores}
        metrics["frac_reward_zero_std"] = float(len(spread) == 1)
        metrics["staleness/version"] = float(group.model_version)
        # An empty completion yields no sample.
        priced_by = [score for score, rows in zip(scores, group.completions_sequences, strict=True) for _ in rows]
        if self.estimator is not None:
            found = group_advantages(self.table, self.estimator)
            of_samples = [one for one, rows in zip(found, group.completions_sequences, strict=True) for _ in rows]
            for sample, advantage in zip(samples, of_samples, strict=True):
                sample.advantage = advantage
        for sample, score in zip(samples, priced_by, strict=True):
            told = {key: value for key, value in sample.metrics.items() if not key.startswith("rewards/")}
            priced = {
                f"rewards/{name}/mean": float("nan") if price is None else price
                for name, price in score.rewards.items()
            }
            sample.metrics = {**told, **priced, **metrics}
        return samples

    async def _retry(self, coro_factory: Any, *, label: str, max_attempts: int = 1) -> Any:
        return await super()._retry(coro_factory, label=label, max_attempts=min(max_attempts, TRIES))


def group_advantages(table: RewardTable, estimator: AdvantageEstimator) -> list[Any]:
    """Return the advantages of the group that `table` has just scored, [G]. Raises: PluginError."""
    import torch

    rewards = torch.tensor(
        [
            [torch.nan if unjudged or price is None else price for price in score.rewards.values()]
            for score, unjudged in zip(table.own_scores, table.unjudged, strict=True)
        ]
    )
    totals = weighted_totals(rewards, torch.tensor(list(estimator.weights.values()))).tolist()
    return list(estimator.of_batch(estimator.rewarded(table.rollouts, table.own_scores, totals)))


class JudgedWorker(AsyncRolloutWorker):  # type: ignore[misc]
    """Start the child process. An error that ends it is raised here with its own type."""

    _loop_cls = JudgedLoop

    def check_health(self, stale_after_s: float) -> None:
        try:
            super().check_health(stale_after_s)
        except RuntimeError as error:
            raise R1Error(_reason(error)) from error


def _reason(error: RuntimeError) -> str:
    """Return the child's error message without its traceback."""
    told = str(error.__cause__ or error).partition("\nTraceback")[0]
    kind, colon, message = told.partition(": ")
    if kind in (RewardError.__name__, R1Error.__name__) and colon:
        return message
    return f"the process that generates and scores has failed: {told}"


def async_trainer(
    run: RunPlan,
    where: str,
    tokenizer: Any,
    ends: list[int],
    folder: RunFolder,
    callbacks: list[Any],
    transfer: Any = None,
) -> Any:
    """Return TRL's AsyncGRPOTrainer for `run`, ready to `train()`. It loads the model at `where` itself.

    `ends`: the tokens that end a completion. `transfer`: how weights go to the server; None: over NCCL.
    """
    from datasets import Dataset

    check_signatures(ASYNC)
    recipe, settings = run.recipe, run.recipe.experimental_async
    assert settings is not None
    arguments = AsyncGRPOConfig(**async_arguments(run, folder.checkpoints))
    table = reward_table(run, tokenizer, ends, recipe.generation.samples, KeepRollouts(folder.path))
    rows = Dataset.from_list([task_row(task) for task in training_tasks(run)])
    a_step = arguments.per_device_train_batch_size * arguments.gradient_accumulation_steps
    worker = JudgedWorker(
        table=table,
        estimator=estimator_of(run),
        model_name=where,
        dataset=rows,
        processing_class=tokenizer,
        eos_token_ids=ends,
        num_generations=arguments.num_generations,
        max_inflight_tasks=max(1, settings.max_staleness) * a_step,
        queue_maxsize=arguments.queue_maxsize,
        vllm_server_url=settings.url,
        max_tokens=arguments.max_completion_length,
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        top_k=arguments.top_k,
        request_timeout=settings.request_timeout_s,
    )
    return AsyncGRPOTrainer(
        model=where,
        args=arguments,
        train_dataset=rows,
        processing_class=tokenizer,
        callbacks=callbacks,
        rollout_worker=worker,
        weight_transfer=transfer,
    )


def async_arguments(run: RunPlan, checkpoints: Path) -> dict[str, Any]:
    """Return the arguments of AsyncGRPOConfig: defaults for the machine < the recipe's `trainer:` < those that r1sdk owns."""
    recipe, settings = run.recipe, run.recipe.experimental_async
    assert settings is not None
    trainer = {key: value for key, value in recipe.trainer.items() if not does_anyway(key, value)}
    return {
        **shared_arguments(recipe, checkpoints, trainer),
        **sampling_arguments(recipe),
        "num_generations": recipe.generation.samples,
        "max_staleness": settings.max_staleness,
        "weight_sync_steps": settings.sync_every,
        "weight_sync_timeout": settings.sync_timeout_s,
        "vllm_server_base_url": settings.url,
        "vllm_server_timeout": settings.start_timeout_s,
        "request_timeout": settings.request_timeout_s,
    }
