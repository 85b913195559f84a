"""The parts that TRL's trainers on tasks share: the tasks, the table that judges completions, and the sampler."""

import json
from collections.abc import Iterable
from functools import partial
from typing import Any

from ...planning.run_plan import RunPlan
from ...plugins.environment_calls import tasks_of
from ...records import Task
from ...reply_format import opened_think
from ...rollout.chat_template import render
from ...rollout.compacting import generate
from ..models import holds_whole_model
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..vllm.sampler_engine import Sampler
from .reward_columns import Keep, RewardTable


def training_tasks(run: RunPlan) -> list[Task]:
    """Return the tasks to train on: without those whose gold answers cannot be verified."""
    return [task for at, task in enumerate(tasks_of(run.environment, "train")) if at not in run.left_out]


def reward_table(
    run: RunPlan,
    tokenizer: Any,
    ends: Iterable[int],
    group_size: int,
    keep: Keep,
    processes: ProcessGroup = SINGLE_PROCESS,
    kind: type[RewardTable] = RewardTable,
) -> RewardTable:
    """Return the table that judges, scores and keeps the completions of `run`. `ends`: the tokens that end a completion."""
    return kind(
        run.environment,
        run.rewards,
        group_size,
        limits=run.recipe.limits,
        end_tokens=frozenset(ends),
        opened_think=opened_think(render(tokenizer, [{"role": "user", "content": "?"}])),
        keep=keep,
        processes=processes,
    )


def sampled_by(sampler: Sampler, arguments: dict[str, Any], ends: Iterable[int]) -> dict[str, Any]:
    """Return a trainer's `arguments` with those of the sampler. vLLM only knows the end tokens in the model's files."""
    arguments = {**arguments, **sampler.arguments}
    if sampler.vllm:
        given = arguments.get("generation_kwargs") or {}
        given = json.loads(given) if isinstance(given, str) else given
        arguments["generation_kwargs"] = {"stop_token_ids": sorted(ends), **given}
    return arguments


def connect(sampler: Sampler, trainer: Any, model: Any, seed: int) -> None:
    """Have a `trainer` that was built generate by `sampler`; without vLLM by r1sdk's own loop, if it holds the whole model."""
    if sampler.vllm:
        sampler.made(trainer, seed)
    elif holds_whole_model(trainer.accelerator):
        model.generate = partial(generate, model)  # the method that TRL calls
