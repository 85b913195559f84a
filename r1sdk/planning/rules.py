"""All rules about a planned run: `rules(plan)` returns every problem at once."""

import pickle
from itertools import islice

from ..errors import PluginError, R1Error, RecipeError
from ..plugins.environment_calls import tasks_of
from ..plugins.trl_functions import TrlReward, missing_columns
from ..recipe.asynchronous import KEY
from ..recipe.key_faults import NO_ENV, no_environment
from ..recipe.key_groups import Collect, OnCollapse
from ..recipe.methods import METHODS
from ..recipe.schema import Recipe
from ..records import Task
from ..scoring.isolation import unwrapped
from ..scoring.score_rollouts import Rewards
from .advantage_rules import advantage_rules
from .batch import prompts_of_a_batch, too_few_tasks
from .generation_rules import generation_rules
from .launch_rules import launch_rules
from .method_rules import distillation_rules, preference_rules
from .parallel import world
from .run_plan import RunPlan
from .template_rules import template_rules
from .trainer_rules import attention_rules, trainer_rules

SHARES_THE_MODEL = ("zero3", "fsdp2")


def rules(plan: RunPlan) -> list[R1Error]:
    """Return every problem of `plan`: plugins that could not be built, and settings that break a rule."""
    recipe, train = plan.recipe, plan.first_tasks.get("train")
    overlapped = recipe.experimental_async is not None
    return [
        *plan.problems,
        *_environment_rules(recipe),
        *_method_rules(recipe),
        *(distillation_rules(plan) if recipe.method == "distill" else []),
        *(preference_rules(recipe) if recipe.method == "dpo" else []),
        *(_async_rules(recipe) if overlapped else generation_rules(plan)),
        *attention_rules(recipe),
        *trainer_rules(recipe),
        *launch_rules(plan),
        *template_rules(plan),
        *(column_errors(plan.rewards, train) if train is not None else []),
        *_session_rules(plan),
        *_task_rules(plan),
        *advantage_rules(plan),
        *(_sending_rules(plan) if overlapped else []),
    ]


def _environment_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem if a recipe that does not learn from rows alone names no environment."""
    if recipe.env.name != NO_ENV or (METHODS[recipe.method].reads_rows and recipe.data is not None):
        return []
    return [RecipeError(no_environment(recipe.method))]


def _task_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem if the environment has fewer tasks than one batch takes. Reads no more tasks than that."""
    if "train" not in plan.first_tasks or not (most := prompts_of_a_batch(plan.recipe)):
        return []
    try:
        count = sum(1 for _ in islice(tasks_of(plan.environment, "train"), most))
    except R1Error as error:
        return [error]
    return too_few_tasks(plan.recipe, count)


def _session_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem for each setting that attempts of several turns cannot be trained with."""
    recipe = plan.recipe
    if recipe.method != "grpo" or not plan.has_sessions:
        return []
    errors: list[R1Error] = []
    if recipe.experimental_async is not None:
        errors.append(
            RecipeError(f"{KEY} generates one reply for each attempt: leave it out for attempts of several turns")
        )
    if recipe.launch.accelerate in SHARES_THE_MODEL:
        errors.append(
            RecipeError(
                f"launch.accelerate {recipe.launch.accelerate} shares the model out, so that all processes must generate in step, "
                "and attempts of several turns do not: use ddp or zero2"
            )
        )
    if world(recipe.launch) > 1 and plan.backend.name == "vllm":
        errors.append(
            RecipeError(
                "generation.backend vllm has several processes generate in step, and attempts of several turns do not: "
                "use one process, or generation.backend=transformers"
            )
        )
    if recipe.trainer.get("use_transformers_continuous_batching"):
        errors.append(
            RecipeError(
                "recipe key 'trainer.use_transformers_continuous_batching' is not for attempts of several turns"
            )
        )
    return errors


def _method_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem for each key that the method does not read."""
    keys = {
        "data": (recipe.data, None, ("sft", "dpo")),
        "distill": (recipe.distill, None, ("distill",)),
        "collect": (recipe.collect, Collect(), ("generate",)),
        "dynamic_sampling": (recipe.dynamic_sampling, None, ("grpo",)),
        "curriculum": (recipe.curriculum, None, ("grpo",)),
        "advantage": (recipe.advantage, None, ("grpo",)),
        "loss": (recipe.loss, None, ("grpo",)),
        "on_collapse": (recipe.on_collapse, OnCollapse(), ("grpo",)),
    }
    errors: list[R1Error] = [
        RecipeError(
            f"recipe key {key!r} is for method {' or '.join(methods)}, and this is {recipe.method}: --method {methods[0]}"
        )
        for key, (value, unset, methods) in keys.items()
        if recipe.method not in methods and value != unset
    ]
    if recipe.method == "generate" and recipe.launch.accelerate:
        errors.append(RecipeError("method generate is one process: for more, have a server generate (collect.server)"))
    if recipe.on_collapse.action == "rollback":
        several = recipe.launch.accelerate is not None
        if several or recipe.experimental_async is not None:
            what = "launch.accelerate" if several else KEY
            errors.append(
                RecipeError(f"recipe key 'on_collapse': rollback is for one process, and not for {what}: use warn")
            )
        if recipe.trainer.get("save_total_limit") == 1:
            errors.append(
                RecipeError(
                    "recipe key 'on_collapse': rollback needs two checkpoints: trainer.save_total_limit=2 or more"
                )
            )
        if recipe.trainer.get("save_strategy") == "no":
            errors.append(
                RecipeError("recipe key 'on_collapse': rollback needs checkpoints: leave out trainer.save_strategy=no")
            )
    rates = recipe.curriculum.pass_rates if recipe.curriculum else None
    if rates is not None and not rates.is_file():
        errors.append(
            RecipeError(f"recipe key 'curriculum.pass_rates': no file {rates}; r1 data difficulty writes one")
        )
    return errors


def _async_rules(recipe: Recipe) -> list[R1Error]:
    """Return a problem for each setting that asynchronous training cannot follow."""
    beside = {
        f"method {recipe.method}": recipe.method != "grpo",
        "lora": recipe.lora is not None,
        "quantize": recipe.quantize is not None,
        f"attention {recipe.attention}: it brings its own kernel": recipe.attention != "auto",
        "dynamic_sampling": recipe.dynamic_sampling is not None,
        "curriculum": recipe.curriculum is not None,
        f"loss {recipe.loss}: TRL's asynchronous trainer has one loss": recipe.loss is not None,
        f"optimizer {recipe.optimizer}": recipe.optimizer != "trainer",
        f"generation.backend {recipe.generation.backend}: a vLLM server generates": recipe.generation.backend
        == "transformers",
        "launch.accelerate: its one process trains, and the server has the other GPUs": recipe.launch.accelerate
        is not None,
    }
    return [RecipeError(f"recipe key {KEY!r} does not go with {what}") for what, found in beside.items() if found]


def _sending_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem for each judge that cannot be sent to the process in which asynchronous training judges."""
    errors: list[R1Error] = []
    for what, target in {
        "environment": plan.environment,
        **{f"reward {name!r}": one for name, (one, _) in plan.rewards.items()},
        **({} if plan.advantage is None else {"advantage": plan.advantage}),
    }.items():
        try:
            pickle.dumps(target)
        except Exception as error:  # noqa: BLE001 - whatever someone's object makes of being pickled
            errors.append(
                PluginError(
                    f"{what} is judged in a process of its own under {KEY}, and cannot be sent there: {error}\n"
                    "  make it a function or a frozen dataclass of a module, with options that can be pickled"
                )
            )
    return errors


def column_errors(rewards: Rewards, task: Task) -> list[R1Error]:
    """Return a problem for each function in TRL's signature that asks for a column which the tasks do not have."""
    return [
        PluginError(
            f"reward {name!r} needs {', '.join(map(repr, missing))} of each task; task {task.id or task.prompt!r:.60} has "
            f"{', '.join(task.info) or 'no info'}{'' if task.answer is None else ', answer, solution'}"
        )
        for name, (reward, _) in rewards.items()
        if isinstance(function := unwrapped(reward), TrlReward) and (missing := missing_columns(function, task))
    ]
