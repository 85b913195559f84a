"""Resolve a recipe into its `RunPlan`: every name is looked up, every decision is made once."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..data.demonstrations import FromEnvironment
from ..errors import R1Error, RecipeError, raise_all
from ..plugins.registry import Registry
from ..recipe.key_faults import NO_ENV_GIVEN, no_environment
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from ..records import Task
from ..rollout.sessions import check_session
from .backend import backend_of
from .build import build_advantage, build_demonstrations, build_environment, build_rewards, first_task
from .hardware import Hardware
from .memory import dtype_of, read_shape
from .model_source import ModelSource, model_folder, resolve_model
from .parallel import accelerate_config, with_processes
from .rules import rules
from .run_plan import NoEnvironment, RunPlan


def plan_run(
    recipe: Recipe,
    registry: Registry,
    machine: Hardware | None = None,
    *,
    awaited: frozenset[str] = frozenset(),
    draw: bool = True,
    trains_here: bool | None = None,
) -> RunPlan:
    """Resolve `recipe` and check the plan. Raises: R1Error with every problem that can be known now."""
    plan = resolve(recipe, registry, machine, awaited=awaited, draw=draw, trains_here=trains_here)
    raise_all(rules(plan))
    return plan


@contextmanager
def and_of_the_rest(registry: Registry) -> Iterator[None]:
    """Add to an error in the keys of a recipe the problems of a run with its other keys, so that all are told at once."""
    try:
        yield
    except RecipeError as error:
        if error.rest is None:
            raise
        try:
            plan_run(error.rest, registry, awaited=frozenset() if error.rest.model else frozenset(["model"]))
        except R1Error as more:
            told = {no_environment(error.rest.method)} if NO_ENV_GIVEN in str(error) else set()
            raise_all([error, *(one for one in more.problems or (more,) if str(one) not in told)], RecipeError)
        raise


def resolve(
    recipe: Recipe,
    registry: Registry,
    machine: Hardware | None = None,
    *,
    awaited: frozenset[str] = frozenset(),
    draw: bool = True,
    trains_here: bool | None = None,
) -> RunPlan:
    """Find and build everything that `recipe` names, and decide the rest; `rules` returns the problems of the plan.

    `machine`: None is this one. `awaited`: those of "model", "data" and "teacher" that an earlier stage will make. `draw`: draw the first
    task of each split. `trains_here`: None reads the recipe's launcher.
    """
    machine = Hardware.here() if machine is None else machine
    here = recipe.launch.launcher == "local" if trains_here is None else trains_here
    problems: list[R1Error] = []

    def attempt(step: Callable[..., Any], *args: Any) -> Any:
        try:
            return step(*args)
        except R1Error as error:
            problems.append(error)

    backend = backend_of(recipe, machine)
    recipe = with_processes(recipe, backend, machine)
    env = recipe.env
    environment: Any = attempt(build_environment, registry, env.name, env.options, env.timeout_s) if env.name else None
    demonstrations = None
    reads_rows = METHODS[recipe.method].reads_rows
    if reads_rows and "data" not in awaited and (environment is not None or recipe.data is not None):
        demonstrations = attempt(build_demonstrations, registry, recipe, environment)
    if not env.name and isinstance(demonstrations, FromEnvironment):
        environment = demonstrations.environment
    rewards = attempt(build_rewards, registry, recipe)
    advantage = attempt(build_advantage, registry, recipe)
    elsewhere = "model" in awaited or (recipe.method == "generate" and recipe.collect.server is not None)
    model = None if elsewhere else attempt(resolve_model, registry, recipe.model)
    teachers: dict[str, ModelSource] = {}
    if recipe.distill is not None and "teacher" not in awaited:
        for part, name in recipe.distill.teachers.items():
            if (teacher := attempt(resolve_model, registry, name)) is not None:
                teachers[part] = teacher
    accelerate = attempt(accelerate_config, registry, recipe.launch)
    first: dict[str, Task] = {}
    has_sessions = False
    if draw and environment is not None:
        for split in _splits(recipe):
            task = attempt(first_task, environment, env.name, split)
            if task is not None:
                first[split] = task
                has_sessions |= bool(attempt(check_session, environment, task))
    folder = model_folder(model) if model else None
    teacher_folders = [found for teacher in teachers.values() if (found := model_folder(teacher))]
    return RunPlan(
        recipe=recipe,
        machine=machine,
        trains_here=here,
        backend=backend,
        dtype=dtype_of(recipe, machine.cuda or not here),
        environment=NoEnvironment() if environment is None else environment,
        rewards=rewards or {},
        advantage=advantage,
        model=model or ModelSource(recipe.model),
        accelerate=accelerate,
        demonstrations=demonstrations,
        first_tasks=first,
        has_sessions=has_sessions,
        shape=read_shape(folder) if folder else None,
        teachers=teachers,
        teacher_shapes=tuple(shape for found in teacher_folders if (shape := read_shape(found))),
        problems=tuple(problems),
    )


def _splits(recipe: Recipe) -> tuple[str, ...]:
    """Return the splits that a run of `recipe` draws tasks from."""
    if recipe.method == "generate":
        return (recipe.collect.split,)
    if METHODS[recipe.method].reads_rows and recipe.data is not None:
        return (recipe.evaluation.split,) if recipe.evaluation.tasks else ()
    return ("train", recipe.evaluation.split) if recipe.evaluation.tasks else ("train",)
