"""Set up an evaluation: a recipe without training for each environment, checked before any model is loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any

from ..contracts import Environment
from ..errors import R1Error, nearest, raise_all
from ..planning.backend import Backend, choose
from ..planning.build import build_environment, build_rewards
from ..planning.generation_rules import missing_backend
from ..planning.hardware import Hardware
from ..planning.model_source import ModelSource, resolve_model
from ..planning.named_recipe import resolve_rest
from ..plugins.environment_calls import tasks_of
from ..plugins.registry import Registry
from ..recipe.key_groups import ServerSettings
from ..recipe.layers import dotted
from ..recipe.schema import Recipe
from ..records import Task
from ..rollout.sampling import Generator, Sampling
from ..rollout.server_model import ServerModel
from ..scoring.score_rollouts import Rewards
from ..servers import Server
from ..training.generation_source import TOGETHER, load_local
from .naming import run_recipe, unread_keys

NO_ENVIRONMENT = (
    "no environment given: use --env NAME (countdown, maths, file, ...; r1 plugins --kind environment lists them); "
    "a run folder brings its own\n  a first one: r1 eval tiny --env countdown --tasks 200"
)


@dataclass(frozen=True)
class Bench:
    """One environment, with its tasks and how they are sampled."""

    name: str
    recipe: Recipe
    environment: Environment
    rewards: Rewards
    tasks: list[Task]
    sampling: Sampling
    split: str
    asked: int | None = None  # how many tasks the caller asked for

    @property
    def notes(self) -> list[str]:
        """Sentences on what you asked for and do not get: fewer tasks, or samples that are all the same."""
        found = []
        if self.asked is not None and self.asked > len(self.tasks):
            size = f"{self.split}_size"
            more = f"; make more with --set {self.name}.{size}={self.asked}" if hasattr(self.environment, size) else ""
            there = f"split {self.split} of {self.name} has {len(self.tasks)}{more}"
            found.append(f"{self.asked} tasks asked for, and {there}")
        return found + greedy_note(self.sampling)

    @property
    def summary(self) -> str:
        """Return one line: the tasks and their sampling."""
        said = getattr(self.environment, "summary", lambda: self.name)()
        s = self.sampling
        return (
            f"{self.name}: {said}; {len(self.tasks)} tasks of split {self.split}, {s.samples} samples at temperature "
            f"{s.temperature:g}, top-p {s.top_p:g}, {s.max_tokens} tokens"
        )


@dataclass(frozen=True)
class Setup:
    """Everything that was named, found and checked."""

    models: dict[str, ModelSource | Server]
    benches: list[Bench]
    seed: int
    chunk: int  # completions that are made together
    backend: Backend | None = None  # None: a server generates

    @property
    def plan(self) -> dict[str, Any]:
        """Return everything that decides the figures, as JSON: a resumed evaluation must have the same."""
        return {
            "models": list(self.models),
            **({"backend": self.backend.name} if self.backend else {}),
            **self.benches[0].recipe.chat.plan,
            "servers": sorted({model.base_url for model in self.models.values() if hasattr(model, "base_url")}),
            "envs": {
                bench.name: {
                    **bench.recipe.env.model_dump(mode="json"),
                    "split": bench.split,
                    "tasks": len(bench.tasks),
                    "sampling": asdict(bench.sampling),
                    "rewards": [reward.model_dump(mode="json") for reward in bench.recipe.rewards],
                }
                for bench in self.benches
            },
        }


def greedy_note(sampling: Sampling) -> list[str]:
    """Return a sentence where several samples of a task are one and the same; pass@k then says nothing."""
    if sampling.temperature or sampling.samples == 1:
        return []
    return [
        f"temperature 0 is greedy: the {sampling.samples} samples of a task are the same, and pass@k is the accuracy"
    ]


READ = (  # recipe keys that an evaluation reads
    *("env", "rewards", "model", "seed", "sessions", "limits", "evaluation.split", "evaluation.tasks"),
    *("evaluation.samples", "evaluation.temperature", "evaluation.top_p", "generation.max_tokens"),
    *("generation.backend", "generation.vllm", "chat_template", "template_args", "trust_remote_code"),
)
INSTEAD = {  # keys of training -> the flags of an evaluation
    "generation.samples": "--samples",
    "generation.temperature": "--temperature",
    "generation.top_p": "--top-p",
    "output_dir": "--out",
    "collect.tasks": "--tasks",
    "collect.split": "--split",
    "method": "nothing: r1 eval trains no model",
}


def set_up(
    registry: Registry,
    models: Sequence[str],
    envs: Sequence[str],
    sets: Sequence[str],
    options: Sequence[str],
    flags: Mapping[str, Any],
    asked: Mapping[str, Any],
    server: Mapping[str, Any] | None = None,
) -> Setup:
    """Everything checked, nothing loaded. `asked`: split, tasks, samples, temperature and top_p where flags give them.

    A run folder brings its own environment, rewards and limits. With `server`, the settings of one, the models are what it
    calls them. Raises: R1Error with everything at fault.
    """
    errors: list[R1Error] = unread_keys("r1 eval", sets, READ, INSTEAD)
    given = options_by_env(envs, options)
    if len(envs) > 1 and any(text.startswith(("env.", "env=")) for text in sets):
        raise R1Error(f"--set env.… is for one environment; with several name it: --set {envs[0]}.KEY=VALUE")
    benches: list[Bench] = []
    names = list(dict.fromkeys(models))
    wanted: list[str | None] = [*envs] or [None]
    for env in wanted:
        try:
            others = tuple(f"{other}." for other in envs if other != env)
            own = [text for text in sets if not text.startswith(others)]
            benches.append(
                _bench(registry, names[0] if names else None, env, own, given.get(env or "", []), flags, asked)
            )
        except R1Error as error:
            errors.append(error)
    if server is not None and any(bench.recipe.chat_template for bench in benches):
        errors.append(R1Error("recipe key 'chat_template' is not for a server, which has a template of its own"))
    if server is not None and not names:
        errors.append(R1Error("--server: name the model as the server calls it"))
    sources: dict[str, ModelSource | Server] = {}
    machine = Hardware.here()
    for model in names or [bench.recipe.model for bench in benches[:1]]:
        try:
            sources[model] = resolve_model(registry, model) if server is None else _server(model, server)
        except R1Error as error:
            errors.append(error)
    if server is None and benches:
        errors += missing_backend(choose(benches[0].recipe.generation, machine), machine)
    raise_all(errors)
    recipe = benches[0].recipe
    if server is not None:
        return Setup(sources, benches, recipe.seed, 4 * int(server["concurrent"]))
    backend = choose(recipe.generation, machine)
    return Setup(sources, benches, recipe.seed, TOGETHER[backend.name], backend)


def load_generator(source: ModelSource | Server, setup: Setup) -> Generator:
    """The model, after a look whether the tasks and the token limits fit it; or its server. Raises: R1Error."""

    if isinstance(source, Server):
        asked = {**setup.benches[0].recipe.chat.request, **dict(source.body)}
        return ServerModel(replace(source, body=tuple(asked.items())))
    wanted = [(bench.tasks, bench.sampling.max_tokens) for bench in setup.benches]
    recipe = setup.benches[0].recipe
    return load_local(source, setup.seed, wanted, None, setup.backend, recipe.generation, recipe.chat)


def _server(model: str, settings: Mapping[str, Any]) -> Server:
    """Raises: R1Error."""

    given = ServerSettings.model_validate({key: value for key, value in settings.items() if value is not None})
    try:
        return Server(
            base_url=given.url,
            model=model,
            api_key_env=given.api_key_env,
            timeout_s=given.timeout_s,
            retries=given.retries,
            backoff_s=given.backoff_s,
            max_wait_s=given.max_wait_s,
            max_concurrent=given.concurrent,
            max_body_bytes=64_000_000,
        )
    except ValueError as error:
        raise R1Error(f"--server: {error}") from None


def _bench(
    registry: Registry,
    model: str | None,
    env: str | None,
    sets: Sequence[str],
    options: Sequence[str],
    flags: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> Bench:
    named = {**flags, "env": env, "model": model, "evaluation": asked}
    trained = run_recipe(model)
    sets = [*sets, *(f"env.options.{option}" for option in options)]
    if env is None and trained is None and not any(text.startswith(("env=", "env.name=")) for text in sets):
        raise R1Error(NO_ENVIRONMENT)
    errors: list[R1Error] = []
    recipe = resolve_rest(errors, registry, trained, sets, named)
    built: list[Any] = []
    for step in (
        lambda: build_environment(registry, recipe.env.name, recipe.env.options, recipe.env.timeout_s),
        lambda: build_rewards(registry, recipe),
    ):
        try:
            built.append(step())
        except R1Error as error:
            errors.append(error)
    raise_all(errors)
    environment, rewards = built
    own = {} if trained is not None and env is None else dict(getattr(environment, "sampling", {}))
    settings = {
        **recipe.evaluation.model_dump(),
        **({"tasks": None} if own else {}),  # a benchmark is taken whole
        **own,
        **{key: getattr(recipe.evaluation, key) for key in _given_evaluation(sets, asked)},
    }
    tasks = list(islice(tasks_of(environment, settings["split"]), settings["tasks"]))
    if not tasks:
        raise R1Error(f"environment {recipe.env.name!r} has no tasks in split {settings['split']!r}")
    sampling = Sampling(
        samples=settings["samples"],
        max_tokens=recipe.generation.max_tokens,
        temperature=settings["temperature"],
        top_p=settings["top_p"],
        seed=recipe.seed,
    )
    return Bench(recipe.env.name, recipe, environment, rewards, tasks, sampling, settings["split"], asked.get("tasks"))


def _given_evaluation(sets: Sequence[str], asked: Mapping[str, Any]) -> set[str]:
    """Return the keys that are given by `--set evaluation.…` or by flags, which override those that an environment suggests."""
    found = {key for key, value in asked.items() if value is not None}
    for text in sets:
        layer = dotted(text).get("evaluation")
        found |= set(layer) if isinstance(layer, dict) else set()
    return found


def options_by_env(envs: Sequence[str], options: Sequence[str]) -> dict[str, list[str]]:
    """`gsm8k.source=FOLDER` by environment. Raises: R1Error for one that is not evaluated."""

    found: dict[str, list[str]] = {}
    for option in options:
        name, dot, rest = option.partition(".")
        if not dot or "=" not in rest or name not in envs:
            raise R1Error(f"--option takes ENV.KEY=VALUE with one of --env, got {option!r}{nearest(name, envs)}")
        found.setdefault(name, []).append(rest)
    return found
