"""Talk to a model, and attempt tasks of an environment by hand or by the model: the verbs behind `r1 chat`."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from ..contracts import Environment
from ..errors import R1Error
from ..planning.backend import Backend, choose
from ..planning.build import build_environment, build_rewards
from ..planning.generation_rules import missing_backend
from ..planning.hardware import Hardware
from ..planning.model_source import ModelSource, resolve_model
from ..planning.named_recipe import resolve_recipe
from ..plugins.environment_calls import tasks_of
from ..plugins.loading import load_plugins
from ..recipe.schema import Recipe
from ..records import Completion, Message, Rollout, Score, Task
from ..reply_format import TAGS, reply_with
from ..rollout.chat_template import render
from ..rollout.loop import attempt_all
from ..rollout.policies import Reply
from ..rollout.sampling import Generator, Sampling
from ..rollout.tools import CALL
from ..scoring.score_rollouts import Rewards, score
from .naming import Sets, as_sets, run_recipe

Ask = Callable[[Sequence[Message]], str]
"""Called with the conversation so far; returns the next turn that a person typed."""


@dataclass
class ModelChat:
    """A model to talk to, loaded at the first reply, and an environment whose tasks it or a person attempts."""

    recipe: Recipe
    sampling: Sampling
    source: ModelSource | None = None  # None: no model was named
    environment: Environment | None = None
    rewards: Rewards = field(default_factory=dict)
    backend: Backend | None = None
    _generator: Generator | None = None
    _turns: Iterator[int] = field(default_factory=count)

    def reply(self, messages: Sequence[Message]) -> str:
        """Return the model's next turn. Each call samples anew. Raises: R1Error where the conversation is too long for it."""
        task = Task(list(messages), None)
        self._check_room([task])
        ((completion,),) = self._model().generate([list(messages)], self._next_sampling())
        return completion.text

    def attempt(self, task: Task) -> tuple[Rollout, Score]:
        """Have the model attempt `task`, and verify and score it. Raises: R1Error."""
        self._check_room([task])
        return self._played(task, self._model())

    def attempt_by_hand(self, task: Task, ask: Ask) -> tuple[Rollout, Score]:
        """Have a person attempt `task`, turn by turn, and verify and score it as a model's attempt. Raises: R1Error."""
        return self._played(task, _Person(ask))

    def tasks(self, split: str) -> Iterator[Task]:
        """Return the tasks of `split`. Raises: R1Error."""
        if self.environment is None:
            raise R1Error("no environment given: use --env NAME")
        yield from tasks_of(self.environment, split)

    def _played(self, task: Task, generator: Any) -> tuple[Rollout, Score]:
        assert self.environment is not None
        rollouts = attempt_all([task], self.environment, generator, self._next_sampling(), self.recipe.sessions)
        (rollout,), (scored,) = score(rollouts, self.environment, self.rewards, 1)
        return rollout, scored

    def _next_sampling(self) -> Sampling:
        return replace(self.sampling, seed=self.sampling.seed * 1_000_003 + next(self._turns))

    def _model(self) -> Generator:
        if self.source is None:
            raise R1Error("no model given: r1 chat MODEL, with a registered model (tiny), a run folder or a hub id")
        if self._generator is None:
            from ..training.generation_source import load_local

            recipe = self.recipe
            self._generator = load_local(
                self.source, recipe.seed, [], None, self.backend, recipe.generation, recipe.chat
            )
        return self._generator

    def _check_room(self, tasks: Sequence[Task]) -> None:
        generator: Any = self._model()
        limit = getattr(getattr(getattr(generator, "model", None), "config", None), "max_position_embeddings", None)
        if not isinstance(limit, int):
            return
        texts = [render(generator.tokenizer, task.prompt) for task in tasks]
        longest = max(len(ids) for ids in generator.tokenizer(texts, add_special_tokens=False)["input_ids"])
        if longest + self.sampling.max_tokens > limit:
            raise R1Error(
                f"the conversation has {longest} tokens, and a reply may take {self.sampling.max_tokens}: more than the "
                f"{limit} positions of the model"
            )


class _Person:
    """A generator whose turns a person types."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator`."""
        return [[self._turn(prompt)] for prompt in prompts]

    @asynccontextmanager
    async def connect(self, sampling: Sampling) -> AsyncIterator[Reply]:
        """See `ChatModel`."""

        async def reply(messages: list[Message], most: int | None) -> Completion:
            return self._turn(messages)

        yield reply

    def _turn(self, messages: Sequence[Message]) -> Completion:
        return Completion([{"role": "assistant", "content": as_reply(self.ask(messages))}], [])


def as_reply(typed: str) -> str:
    """Return what a person typed as a reply: text without any tag is taken as the answer."""
    tags = [*(f"<{tag}>" for tag in TAGS), CALL]
    return typed if any(tag in typed for tag in tags) else reply_with(typed)


def open_chat(
    model: str | None = None,
    *,
    env: str | None = None,
    rewards: Any = None,
    settings: Sets = (),
    temperature: float | None = None,
    max_tokens: int | None = None,
    seed: int | None = None,
    backend: str | None = None,
) -> ModelChat:
    """Return a chat with `model`, on the tasks of `env`, checked as far as that goes before the model is loaded.

    `model`: a registered name, a folder, a run folder, a hub id; None where a person answers. Raises: R1Error.
    """
    registry = load_plugins()
    start = run_recipe(model) or {"model": model or "none", "env": {"name": ""}}
    flags = {
        "env": env,
        "model": model,
        "rewards": rewards,
        "seed": seed,
        "generation": {"backend": backend, "max_tokens": max_tokens, "temperature": temperature},
    }
    recipe, _ = resolve_recipe(registry, start, as_sets(settings), flags)
    source = None if model is None else resolve_model(registry, model)
    environment: Environment | None = None
    used: Rewards = {}
    if env is not None:
        environment = build_environment(registry, recipe.env.name, recipe.env.options, recipe.env.timeout_s)
        used = build_rewards(registry, recipe)
    chosen = None
    if source is not None:
        machine = Hardware.here()
        chosen = choose(recipe.generation, machine)
        for problem in missing_backend(chosen, machine):
            raise problem
    generation = recipe.generation
    sampling = Sampling(1, generation.max_tokens, generation.temperature, generation.top_p, seed=recipe.seed)
    return ModelChat(recipe, sampling, source, environment, used, chosen)
