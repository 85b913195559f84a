"""Use an environment and rewards with TRL's own GRPOTrainer: its dataset, reward functions and weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from typing import Any, NamedTuple

from ...contracts import takes_group
from ...errors import R1Error, RewardError, raise_all
from ...planning.build import build_environment, build_rewards, first_task
from ...planning.rules import column_errors
from ...plugins.environment_calls import tasks_of
from ...plugins.loading import load_plugins
from ...recipe.schema import load_recipe
from ...records import Completion, Message, Score, Task
from ...reply_format import opened_think
from ...rollout.sessions import has_sessions
from ...scoring.isolation import unwrapped
from .reward_columns import Column, RewardTable, task_row


class ForTRL(NamedTuple):
    """The arguments for GRPOTrainer and GRPOConfig."""

    train_dataset: Any  # a `datasets.Dataset`; an eval_dataset with split="test"
    reward_funcs: list[Column]
    reward_weights: list[float]  # GRPOConfig(reward_weights=...)


def for_trl(
    environment: str,
    rewards: str | Sequence[str | Mapping[str, Any]] = "accuracy,format",
    *,
    options: Mapping[str, Any] | None = None,
    split: str = "train",
    tasks: int | None = None,
    tokenizer: Any = None,
    num_generations: int | None = None,
    limits: Mapping[str, float] | None = None,
) -> ForTRL:
    """Return `environment` with `options` and `rewards`, given as in a recipe, for plain TRL:

        dataset, reward_funcs, weights = r1sdk.for_trl("countdown", "accuracy,format=0.2")
        config = GRPOConfig(reward_weights=weights)
        GRPOTrainer("Qwen/Qwen2.5-0.5B-Instruct", reward_funcs, config, dataset).train()

    Completions are judged and priced by the code of `r1 train`, and a batch of which more than `limits` (a recipe's `limits`)
    could not be judged stops the training. `tasks`: the first so many. `tokenizer`, the trainer's: needed where its chat template
    opens the think block itself, and to tell completions that were cut; without it none counts as cut. `num_generations`,
    as in GRPOConfig: needed by rewards that compare the completions of a prompt.

    Raises: R1Error with every problem that can be known now.
    """
    written = rewards if isinstance(rewards, str) else list(rewards)
    recipe = load_recipe(
        None,
        {"model": "none", "env": {"name": environment, "options": dict(options or {})}, "rewards": written},
        {"limits": dict(limits or {})},
    )
    errors: list[R1Error] = []
    registry, built, prices, first = load_plugins(), None, None, None
    try:
        built = build_environment(registry, recipe.env.name, recipe.env.options)
        first = first_task(built, recipe.env.name, split)
    except R1Error as error:
        errors.append(error)
    try:
        prices = build_rewards(registry, recipe, keys={})
        errors += column_errors(prices, first) if first is not None else []
        grouped = [name for name, (reward, _) in prices.items() if takes_group(unwrapped(reward))]
        if grouped and num_generations is None:
            errors.append(
                R1Error(
                    f"reward {grouped[0]!r} compares the completions of one prompt: give for_trl the number of them, "
                    "num_generations, as in GRPOConfig"
                )
            )
    except R1Error as error:
        errors.append(error)
    raise_all(errors)
    assert built is not None and prices is not None
    table = PlainTable(built, prices, num_generations or 1, recipe.limits, expected=num_generations)
    if tokenizer is not None:
        from ...rollout.chat_template import render

        table.opened_think = opened_think(render(tokenizer, [{"role": "user", "content": "?"}]))
        table.end_tokens = frozenset({tokenizer.eos_token_id} - {None})
    drawn = list(islice(tasks_of(built, split), tasks))
    if has_sessions(built, drawn):
        raise R1Error(f"environment {environment!r} has tools or several turns: train on it with r1 train")
    return ForTRL(_dataset(drawn), table.columns(), [weight for _, weight in prices.values()])


def _dataset(tasks: Sequence[Task]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([task_row(task) for task in tasks])


@dataclass
class PlainTable(RewardTable):
    """A `RewardTable` for a trainer that r1sdk did not configure: it reads the group size off the batch."""

    expected: int | None = None

    def scores(
        self,
        completions: Sequence[list[Message]],
        completion_ids: Sequence[list[int]],
        task: Sequence[str],
        *arguments: Any,
        **others: Any,
    ) -> list[Score]:
        """See `RewardTable.scores`. Raises: RewardError where the groups are not of the expected size."""
        found = math.gcd(*(len(list(same)) for _, same in groupby(task)))
        if self.expected is not None and found % self.expected:
            raise RewardError(
                f"for_trl was given num_generations={self.expected}, and the trainer has groups of {found} on this process: "
                "give both the same number, and each process whole groups"
            )
        self.group_size = self.expected or found
        return super().scores(completions, completion_ids, task, *arguments, **others)

    def _completion(self, messages: list[Message], ids: list[int]) -> Completion:
        completion = super()._completion(messages, ids)
        return completion if self.end_tokens else Completion(completion.messages, completion.token_ids)
