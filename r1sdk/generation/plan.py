"""`Plan`: the answers that a run of method generate must collect, and the settings to make them with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import R1Error, RecipeError
from ..planning.run_plan import RunPlan
from ..plugins.environment_calls import tasks_of
from ..recipe.key_groups import SessionLimits
from ..recipe.schema import Recipe
from ..records import Task
from ..rollout.sampling import Sampling
from ..scoring.score_rollouts import Rewards
from ..servers import Server
from .keep import Keep


@dataclass(frozen=True, slots=True)
class Plan:
    """`sampling.samples` answers to each of `tasks`, verified by `environment`, selected by `keep`, written to `out`."""

    tasks: Sequence[Task]
    environment: Environment
    rewards: Rewards
    sampling: Sampling
    keep: Keep
    out: Path  # .jsonl or .parquet
    model: str
    settings: Mapping[str, Any]  # must be unchanged for an earlier call's answers to be reused
    limits: SessionLimits = field(default_factory=SessionLimits)  # of attempts of several turns
    rule: str = "all"  # `keep` as the user wrote it
    price: tuple[float, float] | None = None  # per million tokens: prompt, completion

    @property
    def work(self) -> Path:
        """The folder next to `out` that holds every answer."""
        return self.out.with_name(self.out.name + ".work")

    @property
    def card(self) -> Path:
        return self.out.with_name(self.out.name + ".md")  # beside rows.jsonl there may be rows.parquet


def plan_of(run: RunPlan, out: Path) -> Plan:
    """Return the plan of `run`. Raises: R1Error with every problem that can be found without a model or a server."""
    recipe, collect = run.recipe, run.recipe.collect
    if out.suffix not in (".jsonl", ".parquet"):
        raise RecipeError(f"--out must end in .jsonl or .parquet, got {out}")
    if collect.pairs and recipe.generation.samples < 2:
        raise RecipeError("a pair needs two answers to one task: use --samples 8, or another number from 2")
    tasks = list(islice(tasks_of(run.environment, collect.split), collect.tasks))
    if not tasks:
        raise R1Error(f"environment {recipe.env.name!r} has no tasks in split {collect.split!r}")
    return Plan(
        tasks,
        run.environment,
        run.rewards,
        Sampling(
            samples=recipe.generation.samples,
            max_tokens=recipe.generation.max_tokens,
            temperature=recipe.generation.temperature,
            top_p=recipe.generation.top_p,
            top_k=recipe.generation.top_k,
            seed=recipe.seed,
        ),
        Keep.parse(collect.keep, collect.duplicates, collect.pairs),
        out,
        recipe.model,
        _settings(recipe),
        recipe.sessions,
        f"{collect.keep}, in pairs" if collect.pairs else collect.keep,
        collect.server.price if collect.server else None,
    )


def server_of(recipe: Recipe) -> Server:
    """Return the server that `recipe` requests its answers from. Raises: R1Error."""
    given = recipe.collect.server
    assert given is not None
    sampling: dict[str, Any] = {
        "max_tokens": recipe.generation.max_tokens,
        "temperature": recipe.generation.temperature,
        "top_p": recipe.generation.top_p,
        **({"top_k": recipe.generation.top_k} if recipe.generation.top_k else {}),
    }
    try:
        return Server(
            base_url=given.url,
            model=recipe.model,
            api_key_env=given.api_key_env,
            timeout_s=given.timeout_s,
            retries=given.retries,
            backoff_s=given.backoff_s,
            max_wait_s=given.max_wait_s,
            max_concurrent=given.concurrent,
            body=tuple({**sampling, **recipe.chat.request, **given.body}.items()),
            max_body_bytes=64_000_000,
        )
    except ValueError as error:
        raise RecipeError(f"recipe key 'collect.server': {error}") from None


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Return the settings that answers depend on. Not the numbers of tasks and samples, nor the server: these may change."""
    generation = recipe.generation
    server = recipe.collect.server
    return {
        "model": recipe.model,
        "env": recipe.env.name,
        "env.options": recipe.env.options,
        "split": recipe.collect.split,
        "max_tokens": generation.max_tokens,
        "temperature": generation.temperature,
        "top_p": generation.top_p,
        "top_k": generation.top_k,
        **({"body": server.body} if server else {"seed": recipe.seed}),
        **recipe.chat.plan,
        **({} if recipe.sessions == SessionLimits() else {"sessions": recipe.sessions.model_dump()}),
    }
