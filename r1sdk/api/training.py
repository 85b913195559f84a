"""`train`: a recipe in, a trained model in a run folder out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack

from ..doctor.recipe_checks import before_training
from ..errors import RecipeError, nearest, raise_all
from ..evaluation.evaluation_summary import Evaluation
from ..evaluation.seed_spread import SeedSpread, seed_accuracy
from ..launch.pipelines import (
    is_pipeline_folder,
    pipeline_file,
    read_stages,
    resumed_folder,
    run_stages,
    stages_again,
    start_pipeline,
)
from ..launch.prepare import RUNS, Prepared, default_name, prepare
from ..launch.resuming import resume_run
from ..launch.run_here import check_objects
from ..launch.seed_runs import check_seed_recipe, extend_seeds, read_seeds, run_seeds, start_seeds
from ..launch.slurm import require_sbatch, script
from ..launch.supervise import header, say, supervise, warn
from ..planning.named_recipe import named_in, pipeline_for, resolve_recipe
from ..planning.resolve import and_of_the_rest, plan_run
from ..planning.stages import to_yaml
from ..plugins.loading import load_plugins
from ..plugins.registry import Registry
from ..recipe.layers import overlay, under
from ..recipe.schema import Recipe
from ..storage.run_folder import RunFolder
from ..storage.seed_folder import SeedFolder, is_seed_folder
from .naming import Objects, Rewards, Sets, as_sets, as_start, take_objects


class TrainOptions(TypedDict, total=False):
    """The options of `train`. Each is the flag of `r1 train` of that name; None is as if it were not given."""

    env: Any  # environment: a name, a mapping, or an object with tasks and verify
    rewards: Rewards | None  # "accuracy,format=0.2", a list, or {name: weight or function}
    model: str | None  # a registered name (tiny), a folder, a run folder, a hub id
    method: str | None  # grpo, sft, dpo, distill or generate
    loss: str | None  # a loss of GRPO by name: dapo, dr_grpo, gspo, ... (docs/algorithms.md)
    advantage: str | None  # a registered advantage estimator: rloo, gdpo, ...; default: TRL's own
    data: str | None  # what SFT or DPO learns from: a file, an environment, a data set on the hub
    teacher: str | None  # method distill: a registered name, a folder, a run folder, a hub id
    steps: int | None  # optimizer steps (trainer.max_steps)
    seed: int | None  # of sampling and of the order of the data
    seeds: str | Sequence[int] | None  # train once with each of these, one after another, in one folder
    lora: int | None  # train adapters of this rank instead of the whole model
    quantize: str | None  # hold the weights under the adapters in 4bit or 8bit
    experimental_async: bool  # generate beside training, by a vLLM server that is running
    dynamic_sampling: bool | None  # draw fresh prompts for groups that are all right or all wrong
    on_collapse: str | None  # warn, or rollback: go back to the last healthy checkpoint
    backend: str | None  # transformers, vllm or auto
    vllm_mode: str | None  # colocate or server
    vllm_url: str | None  # of a vLLM server that is running
    accelerate: str | None  # ddp, zero2, zero3, fsdp2, or a config file of accelerate
    processes: int | None  # on each machine; default: one for each GPU
    launcher: str | None  # local, slurm, or none: only prepare the run folder
    nodes: int | None  # machines, with launcher slurm or none
    vllm_nodes: int | None  # machines beside them for the vLLM server
    settings: Sets | None  # any recipe key: {"generation.max_tokens": 256}
    out: str | Path | None  # the run folder; default: runs/ENV-MODEL-TIME
    overwrite: bool  # replace the run folder if it exists
    resume: str | Path | None  # continue the run in this folder; "last" is the newest in runs/
    progress: bool  # show the run as it goes, on stderr or below the cell; default True


KEYS = {  # option -> recipe key
    "env": "env",
    "rewards": "rewards",
    "model": "model",
    "method": "method",
    "loss": "loss",
    "advantage": "advantage",
    "data": "data",
    "teacher": "distill.teacher",
    "steps": "trainer.max_steps",
    "seed": "seed",
    "lora": "lora",
    "quantize": "quantize",
    "experimental_async": "experimental_async",
    "dynamic_sampling": "dynamic_sampling",
    "on_collapse": "on_collapse.action",
    "backend": "generation.backend",
    "vllm_mode": "generation.vllm.mode",
    "vllm_url": "generation.vllm.url",
    "accelerate": "launch.accelerate",
    "processes": "launch.processes",
    "launcher": "launch.launcher",
    "nodes": "launch.nodes",
    "vllm_nodes": "launch.vllm_nodes",
}
SWITCHES = (
    "experimental_async",
    "dynamic_sampling",
)  # True turns the group of keys on; the recipe's own settings stay


@dataclass(frozen=True, slots=True)
class TrainedRun:
    """A run of `train`: its folder, the held-out evaluations before and after, and the trained model."""

    folder: Path  # the run folder, or the pipeline's
    state: Literal["finished", "submitted", "prepared"]  # submitted: to Slurm; prepared: `command` starts it
    before: Evaluation | None  # None: not evaluated, or several seeds: see `seeds` and `over_seeds`
    after: Evaluation | None  # None: not evaluated, or not trained yet
    model_path: Path | None  # the model in Hugging Face form; None: nothing was trained, or not yet
    env: str = ""  # the environment's name; "" for a run that learns from data alone
    data_path: Path | None = None  # method generate: the kept answers
    collected: Mapping[str, Any] | None = None  # method generate: how many answers were kept, by which rule
    job: str | None = None  # the number of the Slurm job
    command: str | None = None  # launcher none: the command that starts the run on each machine
    stages: tuple["TrainedRun", ...] = ()  # of a pipeline, in order
    seeds: Mapping[int, "TrainedRun"] = field(default_factory=dict)  # several seeds: the run of each
    over_seeds: Mapping[str, SeedSpread] = field(default_factory=dict)  # "before" and "after": the accuracy over seeds


def train(recipe: str | Path | Mapping[str, Any] | Recipe | None = None, **options: Unpack[TrainOptions]) -> TrainedRun:
    """Train a model with GRPO or SFT, or run the stages of a pipeline.

        run = r1sdk.train("countdown/tiny", rewards=["accuracy", "format"], steps=20)
        run = r1sdk.train(env="countdown", rewards={"accuracy": 1.0, "mine": my_function}, out="runs/mine")
        run = r1sdk.train(resume=run.folder, steps=40)
        run = r1sdk.train("countdown/tiny", seeds=[0, 1, 2]); print(run.over_seeds["after"])

    `recipe`: a registered name, a file, a mapping of recipe keys, or None for the settings of `env` and `model`. The training
    runs in a process of its own, which a script needs no `if __name__` for. With a reward or an environment that is an object
    of your program, this process trains.

    Raises: R1Error with every problem that can be known before a model is loaded; Interrupted where you stopped it; RunError
    where the training failed.
    """
    asked = _Asked.of(recipe, options)
    registry = load_plugins().with_objects(asked.objects)
    tell = say if asked.progress else _silent
    if asked.resume is not None:
        return _resume(asked, registry, tell)
    asked = _in_stages(asked, registry, tell)
    if asked.names_file and (pipeline := pipeline_file(str(asked.recipe), registry)) is not None:
        asked = asked.for_pipeline(pipeline)
        stages = read_stages(pipeline, registry, asked.sets)
        root = start_pipeline(pipeline, stages, asked.out, asked.overwrite)
        return _pipeline_record(root, run_stages(stages, root, registry, asked.progress, tell))
    with and_of_the_rest(registry):
        resolved, origin = resolve_recipe(registry, as_start(asked.recipe), asked.sets, asked.flags)
    if asked.objects:
        check_objects(plan_run(resolved, registry), [name for _, name in asked.objects])
    if asked.seeds:
        plan = check_seed_recipe(resolved, registry)
        seeds = start_seeds(resolved, asked.seeds, asked.overwrite)
        for line in header(plan, origin, seeds.path):
            tell(line)
        return _run_seeds(seeds, asked, registry, tell)
    if resolved.launch.launcher == "slurm":
        require_sbatch()
    ready = prepare(resolved, registry, asked.overwrite)
    for line in header(ready.plan, origin, ready.folder.path):
        tell(line)
    warn(ready.findings, tell)
    return _run(ready, asked, registry)


def dry_run(recipe: str | Path | Mapping[str, Any] | Recipe | None = None, **options: Unpack[TrainOptions]) -> str:
    """Check everything that `train` would, and return the resolved recipe as YAML, or the Slurm script. Raises: R1Error."""
    asked = _Asked.of(recipe, options)
    registry = load_plugins().with_objects(asked.objects)
    asked = _in_stages(asked, registry, say if asked.progress else _silent)
    if asked.names_file and (pipeline := pipeline_file(str(asked.recipe), registry)) is not None:
        asked = asked.for_pipeline(pipeline)
        return to_yaml(read_stages(pipeline, registry, asked.sets))
    with and_of_the_rest(registry):
        resolved, _ = resolve_recipe(registry, as_start(asked.recipe), asked.sets, asked.flags)
    plan = plan_run(resolved, registry)
    if asked.objects:
        check_objects(plan, [name for _, name in asked.objects])
    if asked.seeds:
        check_seed_recipe(resolved, registry)
    before_training(plan, resolved.output_dir or RUNS)
    if resolved.launch.launcher == "slurm":
        return script(plan.recipe, resolved.output_dir or RUNS / default_name(resolved))
    return resolved.to_yaml()


@dataclass(frozen=True)
class _Asked:
    """The options of one call, read."""

    recipe: Any
    flags: Mapping[str, Any]  # recipe keys
    said: list[str]  # the options that stand for recipe keys, as flags
    objects: Objects
    sets: Sequence[str]
    steps: int | None
    seeds: tuple[int, ...]  # empty: one run
    out: Path | None
    overwrite: bool
    resume: Path | None
    progress: bool

    @classmethod
    def of(cls, recipe: Any, options: Mapping[str, Any]) -> "_Asked":
        """Read the options. Raises: RecipeError for every unknown one."""
        known = list(TrainOptions.__annotations__)
        raise_all(
            [
                RecipeError(f"train has no option {name!r}{nearest(name, known)}")
                for name in options
                if name not in known
            ]
        )
        env, rewards, objects = take_objects(options.get("env"), options.get("rewards"))
        given = {**options, "env": env, "rewards": rewards}
        given |= {name: {} if given.get(name) else None for name in SWITCHES}
        out = options.get("out")
        flags: dict[str, Any] = {"output_dir": None if out is None else str(out)}
        for name, key in KEYS.items():
            if given.get(name) is not None:
                flags = overlay(flags, under(key, given[name]))
        resume, seeds = options.get("resume"), options.get("seeds")
        if seeds is not None and options.get("seed") is not None:
            raise RecipeError("--seed is for one run and --seeds for several: leave one of them out")
        return cls(
            recipe,
            flags,
            [f"--{name.replace('_', '-')}" for name in KEYS if given.get(name) is not None],
            objects,
            as_sets(options.get("settings") or ()),
            options.get("steps"),
            () if seeds is None else read_seeds(seeds),
            None if out is None else Path(out),
            bool(options.get("overwrite")),
            None if resume is None else Path(resume),
            options.get("progress", True),
        )

    @property
    def names_file(self) -> bool:
        """True if the recipe is given by a name or a file."""
        return isinstance(self.recipe, (str, Path))

    def for_pipeline(self, path: Path) -> "_Asked":
        """Return the options for the pipeline at `path`: `--seed` is the seed of all its stages.

        Raises: RecipeError where another option would be for one stage.
        """
        if self.seeds:
            raise RecipeError(
                f"{path.name} has stages, and --seeds is for a recipe without: start it once for each seed, with --seed N"
            )
        if said := [flag for flag in self.said if flag != "--seed"]:
            raise RecipeError(
                f"{path.name} has stages: {', '.join(said)} would be for one; use --set stages.NAME.KEY=..., "
                "or --set KEY=... for all"
            )
        seed = self.flags.get("seed")
        return self if seed is None else replace(self, sets=[*self.sets, f"seed={seed}"])

    @property
    def not_resumed(self) -> list[str]:
        """The options that no resumed run takes. Objects are given again, since no folder can hold them."""
        whole = {"recipe": self.recipe, "--out": self.out, "--overwrite": self.overwrite or None}
        again = {f"--{'env' if kind == 'environment' else 'rewards'}" for kind, _ in self.objects}
        return [name for name, value in whole.items() if value is not None] + [n for n in self.said if n not in again]


def _in_stages(asked: _Asked, registry: Registry, tell: Callable[[str], None]) -> _Asked:
    """Take the pipeline that was made for the environment and the model, if nothing else is asked for; or name it."""
    if asked.recipe is not None or asked.objects:
        return asked
    env, model, method = (named_in(asked.flags, key) for key in ("env", "model", "method"))
    pair = pipeline_for(registry, env, model) if method in (None, "grpo") else None
    if pair is None:
        return asked
    others = [
        *(flag for flag in asked.said if flag not in ("--env", "--model", "--seed")),
        *(["--seeds"] if asked.seeds else []),
    ]
    others += [f"--set {text}" for text in asked.sets if not text.startswith(("evaluation.", "trainer.report_to="))]
    given = asked.flags.get("env")
    if others or (isinstance(given, Mapping) and set(given) - {"name"}):
        tell(f"note: {pair.rpartition('/')[2]} learns {env} in stages: r1 train {pair}")
        return asked
    tell(f"recipe       {pair}, made for this environment and model")
    return replace(asked, recipe=pair, said=[flag for flag in asked.said if flag == "--seed"])


def _resume(asked: _Asked, registry: Registry, tell: Callable[[str], None]) -> TrainedRun:
    assert asked.resume is not None
    beside, root = asked.not_resumed, resumed_folder(asked.resume)
    if is_seed_folder(root):
        if extra := [*(flag for flag in beside if flag != "--steps"), *(["--set"] if asked.sets else [])]:
            raise RecipeError(f"--resume continues the seeds as they were: leave out {', '.join(extra)}")
        folder = extend_seeds(SeedFolder.open(root), asked.seeds, asked.steps)
        check_seed_recipe(folder.recipe, registry)
        return _run_seeds(folder, asked, registry, tell)
    if asked.seeds:
        raise RecipeError(f"--seeds with --resume adds seeds to a folder of several, and {asked.resume} is none")
    if is_pipeline_folder(root):
        if extra := [*beside, *(["--set"] if asked.sets else [])]:
            raise RecipeError(f"--resume continues the pipeline as it was: leave out {', '.join(extra)}")
        stages = stages_again(root, registry)
        return _pipeline_record(root, run_stages(stages, root, registry, asked.progress, tell))
    if extra := [flag for flag in beside if flag != "--steps"]:
        raise RecipeError(f"--resume continues the run as it was: leave out {', '.join(extra)}")
    ready = resume_run(asked.resume, registry, asked.steps, asked.sets)
    warn(ready.findings, tell)
    return _run(ready, asked, registry)


def _run_seeds(folder: SeedFolder, asked: _Asked, registry: Registry, tell: Callable[[str], None]) -> TrainedRun:
    done = run_seeds(folder, registry, asked.progress, tell, objects=bool(asked.objects))
    measured = {moment: seed_accuracy(folder, moment) for moment in ("before", "after")}
    return TrainedRun(
        folder.path,
        "finished",
        None,
        None,
        None,
        folder.recipe.env.name,
        seeds={seed: _record(run) for seed, run in done},
        over_seeds={moment: found for moment, found in measured.items() if found is not None},
    )


def _run(ready: Prepared, asked: _Asked, registry: Registry) -> TrainedRun:
    ended = supervise(ready.folder, ready.plan, asked.progress, registry if asked.objects else None)
    return _record(ready.folder, ended.state, ended.job, ended.command)


def _record(
    folder: RunFolder,
    state: Literal["finished", "submitted", "prepared"] = "finished",
    job: str | None = None,
    command: str | None = None,
) -> TrainedRun:
    before, after = (_evaluation(folder, name) for name in ("before", "after"))
    finished, recipe = state == "finished", folder.recipe()
    generates = recipe.method == "generate"
    return TrainedRun(
        folder.path,
        state,
        before,
        after,
        folder.model if finished and not generates else None,
        recipe.env.name,
        folder.data if finished and generates else None,
        folder.evaluation("collected"),
        job,
        command,
    )


def _evaluation(folder: RunFolder, name: str) -> Evaluation | None:
    found, rollouts = folder.evaluation(name), folder.evaluation_file(name)
    return None if found is None else Evaluation.from_json(found, rollouts if rollouts.is_file() else None)


def _pipeline_record(root: Path, done: Sequence[tuple[str, RunFolder]]) -> TrainedRun:
    stages = tuple(_record(folder) for _, folder in done)
    models = [run for run in stages if run.model_path is not None]
    return TrainedRun(
        root,
        "finished",
        next((run.before for run in stages if run.before), None),
        models[-1].after if models else None,
        models[-1].model_path if models else None,
        stages=stages,
    )


def _silent(line: str) -> None:
    pass
