"""Attempts of several turns in training: the turn loop of `rollout`, with TRL's generation as the policy.

TRL has its own tool loop (`environment_factory`). It continues only if the model calls a tool, through a chat template that knows
tools; it bounds neither the time nor the number of calls, does not answer a malformed call, and cannot play a game without tools.
So r1sdk uses its own loop, the same as in evaluation, and binds it by TRL's `rollout_func`, which is marked experimental.
`dynamic_sampling` swaps that function while it hands a batch over; nothing else touches it.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from ...contracts import Environment, ToolSession
from ...plugins.guard import plugin_calls
from ...recipe.key_groups import SessionLimits
from ...records import Message, Rollout, Task
from ...rollout.chat_template import TurnWriter
from ...rollout.episode import Episode
from ...rollout.loop import play
from ...rollout.policies import Sampled, TokenPolicy
from ...rollout.sessions import session_of
from ...scoring.blocking import run_blocking
from .reward_columns import task_row

_TASK = "task"  # the key of a prompt's last message that holds the task, because TRL gives a `rollout_func` only the prompts


def session_row(task: Task) -> dict[str, Any]:
    """Return a task as a row of TRL's dataset, for attempts of several turns."""
    row = task_row(task)
    *before, last = task.prompt
    return {**row, "prompt": [*before, {**last, _TASK: row["task"]}]}


class SessionRollouts:
    """A `rollout_func` that attempts each prompt of a batch in its own session."""

    __name__ = "sessions"

    def __init__(self, environment: Environment, limits: SessionLimits, tokenizer: Any, ends: frozenset[int]) -> None:
        """Raises: R1Error if the chat template cannot continue after a reply."""
        self.environment = environment
        self.limits = limits
        self.ends = ends
        self.writer = TurnWriter(tokenizer)

    def __call__(self, prompts: list[list[Message]], trainer: Any) -> dict[str, Any]:
        """Return the tokens of each attempt, a mask of those that the model sampled (`env_mask`), and the attempt (`rollout`)."""
        says_logps = False

        def sample(rows: list[list[int]], most: int) -> Sampled:
            nonlocal says_logps
            with _at_most(trainer, most):
                ids, logps = trainer._generate_single_turn(rows, None, {}, num_generations=1)
            says_logps = logps is not None
            return Sampled(ids, logps)

        with plugin_calls():
            episodes = [self._episode(prompt) for prompt in prompts]
        run_blocking(play(episodes, TokenPolicy(self.writer, sample, self.ends, trainer.max_completion_length)))
        traces = [episode.trace for episode in episodes]
        with plugin_calls():
            rollouts = [_rollout(episode) for episode in episodes]
        return {
            "prompt_ids": [trace.prompt for trace in traces],
            "completion_ids": [trace.ids for trace in traces],
            "env_mask": [trace.mask for trace in traces],
            "logprobs": [trace.logps for trace in traces] if says_logps else None,
            "rollout": rollouts,
        }

    def _episode(self, prompt: list[Message]) -> Episode:
        task = Task(**json.loads(prompt[-1][_TASK]))
        return Episode(task, session_of(self.environment, task) or _SINGLE, self.limits)


_SINGLE = ToolSession(())  # for a task without a session in a mixture: its first turn is its last


def _rollout(episode: Episode) -> Rollout:
    rollout = episode.rollout()
    return replace(rollout, session=None) if episode.session is _SINGLE else rollout


@contextmanager
def _at_most(trainer: Any, tokens: int) -> Iterator[None]:
    """Limit TRL to `tokens` new tokens per call inside this context."""
    if trainer.use_vllm:
        holder, name = trainer.vllm_generation, "max_completion_length"
    else:
        holder, name = trainer.generation_config, "max_new_tokens"
    before = getattr(holder, name)
    setattr(holder, name, tokens)
    try:
        yield
    finally:
        setattr(holder, name, before)
