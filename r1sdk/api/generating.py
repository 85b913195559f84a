"""`generate`: many answers to each task, judged, chosen from, and written as a data set to train on."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ..errors import Interrupted, R1Error, raise_all
from ..evaluation.statistics import Estimate
from ..generation import Collected, Plan, collect, plan_of
from ..generation.push import push as upload
from ..generation.work import discard
from ..launch.supervise import say
from ..planning.named_recipe import resolve_recipe
from ..planning.resolve import and_of_the_rest, plan_run
from ..plugins.loading import load_plugins
from ..progress.bars import metered
from ..training.generation_source import source_of
from .evaluation_setup import greedy_note
from .naming import Rewards, Sets, as_sets, run_recipe, take_objects, unread_keys

DEFAULTS = {"method": "generate", "generation": {"samples": 1}, "collect": {"tasks": 100}}

READ = (  # recipe keys that a generation reads
    *("method", "model", "env", "rewards", "seed", "sessions", "limits", "generation", "collect"),
    *("chat_template", "template_args", "trust_remote_code"),
)
INSTEAD = {  # keys of an evaluation -> the flags of a generation
    "evaluation.split": "--split",
    "evaluation.tasks": "--tasks",
    "evaluation.samples": "--samples",
    "evaluation.temperature": "--temperature",
    "output_dir": "--out",
}


@dataclass(frozen=True, slots=True)
class GeneratedData:
    """The data that `generate` wrote, and the figures of it."""

    path: Path  # .jsonl or .parquet
    card: Path  # a page that says how it was made
    work: Path  # the folder that holds every answer
    rule: str  # that selected the kept answers
    kept: int  # answers in the file
    answers: int  # received, kept or not
    wanted: int  # answers requested in all
    duplicates: int  # left out
    empty: int  # answers without text, left out
    accuracy: Estimate  # before selection
    prompt_tokens: int  # as reported by the server
    completion_tokens: int  # of all answers
    unmetered: int  # answers whose server reported no or impossible numbers of tokens
    retried: int  # number of retries
    cost: float | None  # in the currency of `price`
    unjudged: int  # answers that could not be judged
    failures: Mapping[str, int]  # by reason: answers that did not come

    def problem(self) -> str | None:
        """Return a sentence on the answers or verdicts that are missing; None where all are there."""
        missing = self.wanted - self.answers
        if missing:
            reasons = "\n".join(f"  {number} x {reason}" for reason, number in list(self.failures.items())[:5])
            return f"{missing} of {self.wanted} answers did not come; the same command asks for them again\n{reasons}"
        if self.unjudged:
            return f"{self.unjudged} answers could not be judged; the same command judges them again"
        return None


class IncompleteData(R1Error):
    """Answers or verdicts are missing. `data`: what there is, written all the same."""

    def __init__(self, message: str, data: GeneratedData) -> None:
        super().__init__(message)
        self.data = data


def generate(
    model: str | Path | None = None,
    *,
    env: Any = None,
    rewards: Rewards | None = None,
    split: str | None = None,
    tasks: int | None = None,
    samples: int | None = None,
    temperature: float | None = None,
    max_tokens: int | None = None,
    keep: str | None = None,
    duplicates: bool | None = None,
    pairs: bool | None = None,
    backend: str | None = None,
    server: str | None = None,
    api_key_env: str | None = None,
    concurrent: int | None = None,
    price: tuple[float, float] | None = None,
    seed: int | None = None,
    settings: Sets = (),
    out: str | Path = "rollouts.jsonl",
    overwrite: bool = False,
    progress: bool = True,
) -> GeneratedData:
    """Generate answers to the tasks of an environment, judge them, and write the kept ones.

        data = r1sdk.generate("tiny", env="countdown", tasks=100, samples=4, keep="correct", out="right.jsonl")
        r1sdk.train(method="sft", model="tiny", data=str(data.path), steps=50)

    `model`: as for `evaluate`. `keep`: correct, wrong or all; best=N, shortest=N or first=N of each task; pass_rate=A:B.
    `pairs`: write each right answer with a wrong one to the same task, for `train(method="dpo", data=...)`.
    `price`: of a million tokens, asked and answered. The same call resumes where an earlier one was stopped.

    Raises: R1Error with every problem that can be known before a model is loaded; IncompleteData where answers are missing;
    Interrupted where you stopped it.
    """
    env, rewards, objects = take_objects(env, rewards)
    flags: dict[str, Any] = {
        "method": "generate",
        "model": None if model is None else str(model),
        "env": env,
        "rewards": rewards,
        "seed": seed,
        "generation": {
            "backend": backend,
            "samples": samples,
            "temperature": temperature,
            "max_tokens": max_tokens,
        },
        "collect": {
            "split": split,
            "tasks": tasks,
            "keep": keep,
            "duplicates": duplicates,
            "pairs": pairs,
            "server": {
                "url": server,
                "api_key_env": api_key_env,
                "concurrent": concurrent,
                "price": None if price is None else list(price),
            },
        },
    }
    out = Path(out)
    registry = load_plugins().with_objects(objects)
    trained = None if server else run_recipe(model)
    raise_all(unread_keys("r1 generate", as_sets(settings), READ, INSTEAD))
    with and_of_the_rest(registry):
        recipe, _ = resolve_recipe(registry, trained, as_sets(settings), flags, DEFAULTS)
    run = plan_run(recipe, registry)
    plan = plan_of(run, out)
    if overwrite:
        discard(plan)
    elif out.exists() and not plan.work.is_dir():
        raise R1Error(f"{out} exists: choose another --out, or replace it with --overwrite")
    if progress:
        say(f"{plan.model} on {run.summary}; {len(plan.tasks)} tasks of split {run.recipe.collect.split}")
        for note in greedy_note(plan.sampling):
            say(f"note: {note}")
        if run.recipe.collect.server is None:
            say(f"generation by {run.backend}")
    _check_writable(plan.work)
    try:
        source = source_of(run, plan)
        with metered("generating", progress) as show:
            collected = collect(plan, source, show)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; what came is in {plan.work}, and the same command goes on from there") from None
    data = _record(plan, collected)
    if problem := data.problem():
        raise IncompleteData(problem, data)
    return data


def _check_writable(work: Path) -> None:
    """Raises: OSError if nothing can be written to the folder `work`, before a model is loaded."""
    new = not work.is_dir()
    work.mkdir(parents=True, exist_ok=True)
    try:
        with TemporaryFile(dir=work) as file:
            file.write(b"-" * 4096)
    finally:
        if new:
            work.rmdir()


def push(data: GeneratedData, repository: str, public: bool = False) -> str:
    """Upload the rows and their card to the data set `OWNER/NAME`, private unless `public`. Returns its address. Raises: R1Error."""
    return upload(data.path, data.card, repository, public)


def _record(plan: Plan, collected: Collected) -> GeneratedData:
    meter, chosen = collected.meter, collected.chosen
    return GeneratedData(
        path=plan.out,
        card=plan.card,
        work=plan.work,
        rule=plan.rule,
        kept=len(chosen.kept),
        answers=meter.done,
        wanted=meter.total,
        duplicates=chosen.duplicates,
        empty=collected.empty,
        accuracy=collected.accuracy,
        prompt_tokens=meter.prompt_tokens,
        completion_tokens=meter.completion_tokens,
        unmetered=meter.unmetered,
        retried=meter.retried,
        cost=collected.cost,
        unjudged=collected.unjudged,
        failures=dict(collected.failures.most_common()),
    )
