"""`evaluate` one model on one environment, `compare` several: accuracy with its uncertainty, rewards, pass@k, differences."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import Interrupted, R1Error, RecipeError, nearest
from ..evaluation.evaluation_folder import EvaluationFolder
from ..evaluation.evaluation_summary import Evaluation
from ..evaluation.seed_spread import SeedDifference, SeedSpread, seed_difference, seed_spread
from ..evaluation.statistics import Difference, difference
from ..launch.supervise import say
from ..plugins.loading import load_plugins
from ..progress.bars import progress as bar
from ..rollout.sampling import Generator
from ..storage.lock import claim_folder
from ..storage.seed_folder import SeedFolder, is_seed_folder, run_paths
from .evaluation_setup import Setup, load_generator, set_up
from .naming import Rewards, Sets, as_sets, take_objects

CATEGORIES = ("env", "category")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The evaluations of several models on several environments, and how each other model differs from the first."""

    folder: Path  # the figures and every rollout
    results: Mapping[str, Mapping[str, Evaluation]]  # by model and environment
    differences: Mapping[
        str, Mapping[str, Difference | SeedDifference]
    ]  # by model and environment: minus the first model, on the same tasks, or over seeds where both have several
    first: str  # the model, or the folder of seeds, that the others are compared with
    over_seeds: Mapping[str, Mapping[str, SeedSpread]] = field(
        default_factory=dict
    )  # by folder of seeds and environment

    def to_json(self) -> dict[str, Any]:
        """All figures, in one object."""
        return {
            "results": {
                model: {env: found.to_json() for env, found in by.items()} for model, by in self.results.items()
            },
            "over_seeds": {
                folder: {env: found.to_json() for env, found in by.items()} for folder, by in self.over_seeds.items()
            },
            "differences": {
                "from": self.first,
                "to": {
                    model: {env: found.to_json() for env, found in by.items()} for model, by in self.differences.items()
                },
            },
        }


def evaluate(
    model: str | Path,
    *,
    env: Any = None,
    rewards: Rewards | None = None,
    split: str | None = None,
    tasks: int | None = None,
    samples: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    backend: str | None = None,
    server: str | None = None,
    api_key_env: str | None = None,
    concurrent: int = 256,
    by: Sequence[str] = CATEGORIES,
    settings: Sets = (),
    out: str | Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Measure how often a model is right on held-out tasks.

        found = r1sdk.evaluate("tiny", env="countdown", tasks=200, samples=4)
        print(found.accuracy, found.pass_at[4])

    `model`: a run folder, which brings its environment, rewards and limits, a registered name, a folder, a hub id; with
    `server`, the URL of an OpenAI-compatible server, its name there. `env` and the `rewards` may be objects of your program.
    `out`: the folder for figures and rollouts (default: evals/ENV-MODEL-TIME); an interrupted evaluation resumes in it.

    Raises: R1Error with every problem that can be known before a model is loaded.
    """
    if is_seed_folder(Path(model)):
        raise RecipeError(f"{model} holds several seeds: use r1sdk.api.compare(['{model}']), or name one of its runs")
    env, rewards, objects = take_objects(env, rewards)
    if env is not None and not isinstance(env, str):
        raise RecipeError("env must be a name or an object: give options by settings={'env.options.KEY': VALUE}")
    comparison = compare(
        [str(model)],
        [] if env is None else [env],
        rewards=rewards,
        split=split,
        tasks=tasks,
        samples=samples,
        temperature=temperature,
        top_p=top_p,
        seed=seed,
        backend=backend,
        server=server,
        api_key_env=api_key_env,
        concurrent=concurrent,
        by=by,
        settings=settings,
        out=out,
        progress=progress,
        objects=objects,
    )
    (by_env,) = comparison.results.values()
    (found,) = by_env.values()
    return found


def compare(
    models: Sequence[str],
    envs: Sequence[str] = (),
    *,
    rewards: Any = None,
    split: str | None = None,
    tasks: int | None = None,
    samples: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    backend: str | None = None,
    server: str | None = None,
    api_key_env: str | None = None,
    concurrent: int = 256,
    by: Sequence[str] = CATEGORIES,
    options: Sequence[str] = (),
    settings: Sets = (),
    out: str | Path | None = None,
    progress: bool = True,
    objects: Mapping[tuple[str, str], Any] | None = None,
) -> Comparison:
    """Evaluate each of `models` on each of `envs`, as `evaluate` does, and compare the models on the same tasks.

    A folder of several seeds stands for the model of each; their accuracies are also summed up over seeds.
    `options`: of one of several environments, ENV.KEY=VALUE. `by`: keys of a task's info to group the accuracy by.
    """
    registry = load_plugins().with_objects(objects or {})
    asked = {"split": split, "tasks": tasks, "samples": samples, "temperature": temperature, "top_p": top_p}
    at = None if server is None else {"url": server, "api_key_env": api_key_env, "concurrent": concurrent}
    flags = {"rewards": rewards, "seed": seed, "generation": {"backend": backend}}
    groups = {str(Path(model)) if is_seed_folder(Path(model)) else model: _models_of(model) for model in models}
    setup = set_up(
        registry,
        [model for group in groups.values() for model in group],
        envs,
        as_sets(settings),
        options,
        flags,
        asked,
        at,
    )
    _check_groups(setup, by)
    if progress:
        for bench in setup.benches:
            say(bench.summary)
            for note in bench.notes:
                say(f"note: {note}")
        if setup.backend is not None:
            say(f"generation by {setup.backend}")
    folder = EvaluationFolder.open(Path(out) if out else claim_folder(default_folder(setup)), setup.plan)
    try:
        results = _results(folder, setup, by, progress)
        groups = groups or {model: [model] for model in setup.models}
        spreads = {name: _over_seeds(group, folder, results) for name, group in groups.items() if _has_seeds(name)}
        differences = _differences(groups, folder, spreads, [bench.name for bench in setup.benches])
        comparison = Comparison(folder.path, results, differences, next(iter(groups)), spreads)
        folder.write_summary(comparison.to_json())
    except R1Error:
        if out is None:
            folder.remove_if_unused()
        raise
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped; the attempts so far are in {folder.path}: resume with the same command and --out {folder.path}"
        ) from None
    finally:
        folder.close()
    return comparison


def _check_groups(setup: Setup, by: Sequence[str]) -> None:
    """Raises: RecipeError where tasks are to be grouped by a key that none of them has."""
    there = {key: None for bench in setup.benches for task in bench.tasks for key in task.info}
    if missing := [key for key in by if key not in there and key not in CATEGORIES]:
        raise RecipeError(
            f"--by {','.join(missing)}: no task has that in its info{nearest(missing[0], there)}; "
            f"there is {', '.join(there) or 'nothing'}"
        )


def _models_of(model: str) -> list[str]:
    """Return the models that a name stands for: those of a folder of several seeds, or itself. Raises: R1Error."""
    if not is_seed_folder(Path(model)):
        return [model]
    folder = SeedFolder.open(Path(model))
    waiting = [seed for seed in folder.seeds if folder.run(seed).status().get("state") != "finished"]
    if waiting:
        raise RecipeError(
            f"model {model!r}: seeds {', '.join(map(str, waiting))} are not finished: r1 train --resume {model}, or name "
            f"those that are: {model}/seed-N"
        )
    return [str(run) for run in run_paths(Path(model))]


def _has_seeds(name: str) -> bool:
    return is_seed_folder(Path(name))


def _over_seeds(
    group: Sequence[str], folder: EvaluationFolder, results: Mapping[str, Mapping[str, Evaluation]]
) -> dict[str, SeedSpread]:
    """Return the accuracy over the seeds of one folder, by environment."""
    seeds = {int(Path(model).name.removeprefix("seed-")): model for model in group}
    return {
        env: seed_spread(
            {seed: folder.verdicts([model], env) for seed, model in seeds.items()},
            {seed: results[model][env].accuracy for seed, model in seeds.items()},
        )
        for env in results[group[0]]
    }


def _differences(
    groups: Mapping[str, Sequence[str]],
    folder: EvaluationFolder,
    spreads: Mapping[str, Mapping[str, SeedSpread]],
    envs: Sequence[str],
) -> dict[str, dict[str, Difference | SeedDifference]]:
    """Return how each other model, or folder of seeds, differs from the first: on the same tasks, or over seeds."""
    first, *others = groups
    found: dict[str, dict[str, Difference | SeedDifference]] = {}
    for other in others:
        for env in envs:
            if first in spreads and other in spreads:
                gap: Difference | SeedDifference = seed_difference(spreads[first][env], spreads[other][env])
            else:
                gap = difference(folder.verdicts(groups[first], env), folder.verdicts(groups[other], env))
            found.setdefault(other, {})[env] = gap
    return found


def _results(
    folder: EvaluationFolder, setup: Setup, by: Sequence[str], progress: bool
) -> dict[str, dict[str, Evaluation]]:
    results: dict[str, dict[str, Evaluation]] = {}
    for model, source in setup.models.items():
        loaded: list[Generator] = []

        def generator(source: Any = source, loaded: list[Generator] = loaded) -> Generator:
            loaded[:] = loaded or [load_generator(source, setup)]
            return loaded[0]

        for bench in setup.benches:
            with bar(f"{model} on {bench.name}", progress) as show:
                found = folder.evaluate(
                    model,
                    bench.name,
                    bench.tasks,
                    bench.environment,
                    bench.rewards,
                    generator,
                    bench.sampling,
                    by,
                    show,
                    setup.chunk,
                    bench.recipe.sessions,
                )
            file = folder.part(model, bench.name) / "rollouts.jsonl"
            results.setdefault(model, {})[bench.name] = replace(found, rollouts_file=file)
    return results


def default_folder(setup: Setup) -> Path:
    """evals/ENV-MODEL-TIME."""
    name = "-".join(
        [*(bench.name for bench in setup.benches[:3]), *list(setup.models)[:3], time.strftime("%m%d-%H%M%S")]
    )
    return Path("evals") / re.sub(r"[^A-Za-z0-9._-]+", "-", name)[-120:].lstrip("-.")
