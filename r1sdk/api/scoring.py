"""`score`: rewards and verdicts of replies that exist already. No model, no training."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..data.table_files import is_table
from ..errors import R1Error, RewardError, raise_all
from ..evaluation.rescore import Tally, rescore
from ..planning.build import build_environment, build_rewards
from ..planning.model_source import resolve_model
from ..planning.named_recipe import resolve_rest
from ..plugins.loading import load_plugins
from ..records import Completion, Rollout, Score, Task
from ..scoring.score_rollouts import Rewards as BuiltRewards
from ..storage.rollout_rows import CompletionColumns, Tokenize, count_rows, read_groups
from .naming import Rewards, Sets, as_sets, run_recipe, take_objects

HINTS = {  # a word in an error -> the advice
    "no verdict": "nothing has judged it: name its environment with --env",
    "verify failed: KeyError": "the environment reads this from the task: give it with --info, or as a column of the file",
    "no token ids": "the file has no number of tokens: count them with --tokenizer MODEL, e.g. tiny",
}
NOBODY = {"model": "none", "env": {"name": ""}}  # a recipe names both, and here there may be neither


@dataclass(frozen=True)
class ScoredFile:
    """Completions that are scored as they are iterated over: each prompt's rollouts with their scores."""

    file: Path | None  # None: one completion, or replies in a list
    rows: int
    names: tuple[str, ...]  # of the rewards
    groups: Iterable[Sequence[Rollout]]
    environment: Environment | None
    rewards: BuiltRewards
    tally: Tally  # filled as it goes

    def __iter__(self) -> Iterator[tuple[list[Rollout], list[Score]]]:
        """Yield the rollouts of one prompt and their scores, in order. Raises: RewardError with a hint."""
        try:
            for some in rescore(self.groups, self.environment, self.rewards):
                for rollouts, scores in some:
                    self.tally.add(rollouts, scores)
                    yield rollouts, scores
        except RewardError as error:
            hint = next((hint for about, hint in HINTS.items() if about in str(error)), None)
            if hint is None:
                raise
            raise RewardError(f"{error}\n  {hint}") from error


def score(
    replies: str | Path | Sequence[str] | Sequence[Rollout],
    *,
    env: Any = None,
    rewards: Rewards | None = None,
    tasks: Sequence[Task] | None = None,
    settings: Sets = (),
) -> list[Score]:
    """Score replies with rewards, after the environment's verdict on each. Returns one `Score` for each, in order.

        tasks = list(r1sdk.environment("countdown").tasks("test"))[:2]
        r1sdk.score(["<think>..</think><answer>1+2</answer>"] * 2, env="countdown", rewards=["accuracy"], tasks=tasks)
        r1sdk.score("runs/mine", rewards="format,repetition_penalty")

    `replies`: texts, each of the task in the same place of `tasks`; rollouts; or a run folder, or a JSON lines or parquet file
    of completions, as a path or a string that names one. Rollouts that follow each other and answer the same task are a group.

    Raises: R1Error.
    """
    if isinstance(replies, (str, Path)):
        if tasks is not None:
            raise R1Error("tasks are for replies in a list: a file has its own")
        opened = score_file(Path(replies), env=env, rewards=rewards, settings=settings)
    else:
        rollouts = _rollouts(replies, tasks)
        environment, built = build_judges(None, env, rewards, as_sets(settings))
        opened = ScoredFile(None, len(rollouts), tuple(built), list(_grouped(rollouts)), environment, built, Tally())
    return [score for _, scores in opened for score in scores]


def score_file(
    file: Path | Rollout,
    *,
    env: Any = None,
    rewards: Rewards | None = None,
    settings: Sets = (),
    columns: Mapping[str, str | None] | None = None,
    tokenizer: str | None = None,
) -> ScoredFile:
    """Open completions for scoring: a file, a run folder, which brings its environment and rewards, or one rollout.

    `columns`: the file's names for prompt, completion and answer. `tokenizer`: a model, to count the tokens that the file does
    not say. Raises: R1Error with every problem that can be known before the first one is scored.
    """
    environment, built = build_judges(file if isinstance(file, Path) else None, env, rewards, as_sets(settings))
    tokenize = None if tokenizer is None else load_tokenize(tokenizer)
    if isinstance(file, Rollout):
        if tokenize is not None:
            ids = tokenize(file.completion.text)
            file = Rollout(file.task, Completion(file.completion.messages, ids))
        return ScoredFile(None, 1, tuple(built), [[file]], environment, built, Tally())
    file = file / "rollouts.jsonl" if file.is_dir() else file
    if not file.is_file():
        raise R1Error(f"no file {file}")
    if is_table(file) and not {".jsonl", ".json", ".parquet"} & set(file.suffixes):
        raise R1Error(
            f"{file}: r1 score reads JSON lines (.jsonl) and parquet: convert the file, one row for each completion"
        )
    named = columns or {}
    groups = read_groups(
        file, CompletionColumns(named.get("prompt"), named.get("completion"), named.get("answer")), tokenize
    )
    return ScoredFile(file, count_rows(file), tuple(built), groups, environment, built, Tally())


def build_judges(
    file: Path | None, env: Any, rewards: Any, sets: Sequence[str]
) -> tuple[Environment | None, BuiltRewards]:
    """Build the environment, if one is named, and the rewards. A run folder brings its own. Raises: R1Error."""
    env, rewards, objects = take_objects(env, rewards)
    trained = run_recipe(file) if file is not None and file.is_dir() else None
    if file is not None and file.is_dir() and trained is None:
        raise R1Error(f"{file} is no run folder: it has no recipe.yaml")
    registry = load_plugins().with_objects(objects)
    environment: Environment | None = None
    built: BuiltRewards = {}
    errors: list[R1Error] = []
    recipe = resolve_rest(errors, registry, trained or NOBODY, sets, {"env": env, "rewards": rewards})
    try:
        named = recipe.env
        environment = build_environment(registry, named.name, named.options, named.timeout_s) if named.name else None
    except R1Error as error:
        errors.append(error)
    try:
        # A default is no answer here: the completions came from a run with its own settings.
        built = build_rewards(registry, recipe, recipe.model_dump(exclude_unset=True))
    except R1Error as error:
        errors.append(error)
    raise_all(errors)
    return environment, built


def load_tokenize(name: str) -> Tokenize:
    """Return the tokenizer of a model, without the model. Its counts leave out the end of sequence. Raises: R1Error."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise R1Error("--tokenizer needs tokenizers: pip install 'r1sdk[train]'") from None
    source = resolve_model(load_plugins(), name, loads=False)
    if source.make:
        raise R1Error(f"model {name!r} is made when it is trained: name a model that has its tokenizer in a folder")
    try:
        path = str(source.folder / "tokenizer.json") if source.folder else ""
        loaded = Tokenizer.from_file(path) if path else Tokenizer.from_pretrained(source.hub_id or name)
    except Exception as error:  # noqa: BLE001 - the library raises bare ones
        raise R1Error(f"no tokenizer of model {name!r}: {error}") from None
    tokenize: Callable[[str], list[int]] = lambda text: list(loaded.encode(text, add_special_tokens=False).ids)
    return tokenize


def _rollouts(replies: Sequence[Any], tasks: Sequence[Task] | None) -> list[Rollout]:
    """The replies as rollouts. Raises: R1Error where a text has no task."""
    if all(isinstance(reply, Rollout) for reply in replies):
        return list(replies)
    if tasks is None or len(tasks) != len(replies) or not all(isinstance(reply, str) for reply in replies):
        raise R1Error(
            f"score needs a task for each text: {len(replies)} replies, "
            f"{'no tasks' if tasks is None else f'{len(tasks)} tasks'}; give tasks=[...] with as many, or rollouts"
        )
    return [
        Rollout(task, Completion([{"role": "assistant", "content": reply}], []))
        for task, reply in zip(tasks, replies, strict=True)
    ]


def _grouped(rollouts: Sequence[Rollout]) -> Iterator[list[Rollout]]:
    group: list[Rollout] = []
    for rollout in rollouts:
        if group and rollout.task != group[0].task:
            yield group
            group = []
        group.append(rollout)
    if group:
        yield group
