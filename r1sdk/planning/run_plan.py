"""`RunPlan`: everything that is decided about a run before a model is loaded, in one frozen record."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..contracts import Environment
from ..data.demonstrations import Demonstrations, FromHub
from ..errors import R1Error
from ..plugins.environment_calls import call_method
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from ..records import Rollout, Task
from ..scoring.score_rollouts import Rewards
from .backend import Backend
from .disk import Room, room_for
from .hardware import Hardware
from .memory import MemoryEstimate, Shape, estimate
from .model_source import ModelSource
from .parallel import AccelerateConfig


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A recipe with everything it names found and built, and every decision about the run. `resolve` makes it."""

    recipe: Recipe  # with the number of processes filled in
    machine: Hardware
    trains_here: bool  # False: another machine trains, and decides its backend itself
    backend: Backend  # the engine that generates, and why
    dtype: str  # of the weights that are trained
    environment: Environment
    rewards: Rewards  # by name: the reward, which carries its isolation, and its weight
    model: ModelSource
    advantage: Any = None  # method grpo: the estimator that the recipe names; None: TRL's own
    accelerate: AccelerateConfig | None = None  # None: one process, without accelerate
    demonstrations: Demonstrations | FromHub | None = None  # methods sft and dpo
    first_tasks: Mapping[str, Task] = field(default_factory=dict)  # of each split that the run draws from
    has_sessions: bool = False  # attempts have several turns
    shape: Shape | None = None  # of the model; None: its files are not here, or do not say
    # Method distill: by part of the mixture, "" for one that teaches everything; empty also where an earlier stage makes one.
    teachers: Mapping[str, ModelSource] = field(default_factory=dict)
    teacher_shapes: tuple[Shape, ...] = ()  # of those whose files are here
    problems: tuple[R1Error, ...] = ()  # names that could not be found or built; `rules` adds the rest
    left_out: frozenset[int] = frozenset()  # places of training tasks, from 0, whose gold answers cannot be verified
    # For a curriculum: right and wrong completions of the tasks that were rated before, by id.
    pass_rates: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The environment in one line."""
        if getattr(self.environment, "summary", None) is None:
            return self.recipe.env.name
        return str(call_method(self.environment, "summary"))

    @property
    def memory(self) -> MemoryEstimate | None:
        """The memory that the run takes on each device; None where the model's size is unknown."""
        if self.shape is None:
            return None
        return estimate(self.shape, self.recipe, self.sharing, self.machine.cuda, self.teacher_shapes)

    @property
    def disk(self) -> Room | None:
        """The disk space that the run takes; None where the model's size is unknown, or nothing is trained."""
        if self.shape is None or self.recipe.method == "generate":
            return None
        return room_for(self.shape, self.recipe, self.sharing, self.machine.cuda)

    @property
    def sharing(self) -> Mapping[str, Any]:
        """The settings of accelerate by which several processes share the work; empty for one process."""
        return self.accelerate.settings if self.accelerate else {}

    @property
    def trains_on_vllm(self) -> bool:
        """True if vLLM takes memory or GPUs of this run; a server that was started before has its own."""
        recipe = self.recipe
        return METHODS[recipe.method].plays and self.backend.name == "vllm" and recipe.experimental_async is None


class NoEnvironment:
    """The environment of a run that learns from data only: nothing is verified."""

    def tasks(self, split: str) -> list[Task]:
        return []

    def verify(self, rollout: Rollout) -> None:
        return None

    def summary(self) -> str:
        return "none, so no accuracy is measured"
