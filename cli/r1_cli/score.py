"""`r1 score`: rewards and verdicts of completions that are there already. No model, no training."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Env, Json, Rewards, Sets, run_recipe

if TYPE_CHECKING:
    from r1sdk import Environment, Rollout, Score
    from r1sdk.evaluation.rescore import Tally
    from r1sdk.scoring.score_rollouts import Rewards as Built
    from r1sdk.storage.rollout_rows import Tokenize

SHOWN = 40  # characters of an answer or a reason in the table
HINTS = {  # what an error speaks of -> what to do about it here
    "no verdict": "nothing has judged it: name its environment with --env",
    "verify failed: KeyError": "the environment reads this from the task: give it with --info, or as a column of the file",
    "no token ids": "the file has no number of tokens: count them with --tokenizer MODEL, e.g. tiny",
}


def score(
    file: Annotated[
        Path | None, typer.Argument(help="Completions: JSON lines or parquet, or a run folder. Or else --text.")
    ] = None,
    env: Env = None,
    rewards: Rewards = None,
    text: Annotated[str | None, typer.Option(help="One completion, instead of a file.")] = None,
    prompt: Annotated[str, typer.Option(help="With --text: the prompt.")] = "",
    answer: Annotated[str | None, typer.Option(help="With --text: the gold answer.")] = None,
    info: Annotated[str, typer.Option(help="With --text: the task's info, as a JSON object.")] = "{}",
    prompt_column: Annotated[str | None, typer.Option(help="Column of the prompt. Usual: prompt.")] = None,
    completion_column: Annotated[str | None, typer.Option(help="Column of the completion. Usual: completion.")] = None,
    answer_column: Annotated[str | None, typer.Option(help="Column of the gold answer. Usual: answer.")] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="Count tokens with this model's tokenizer, for rewards on length.")
    ] = None,
    minimum: Annotated[
        list[str] | None, typer.Option("--min", help="Exit status 1 if a mean is lower: --min accuracy=0.5")
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="How many completions to list one by one.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="Also write every scored completion to this JSON lines file.")
    ] = None,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Try rewards on saved completions: each verdict with its reason, each reward, and their means."""
    from r1sdk.errors import R1Error, RewardError
    from r1sdk.evaluation.rescore import Tally, rescore
    from r1sdk.storage.rollout_rows import CompletionColumns, count_rows, read_groups
    from r1sdk.storage.run_folder import rollout_line

    from .ui.progress import progress

    if (file is None) == (text is None):
        raise typer.BadParameter("give a file of completions, or one with --text")
    environment, built = _build(file, env, rewards, sets)
    least = _minimums(minimum or [], [*built, "total"])
    tokenize = None if tokenizer is None else _tokenizer(tokenizer)
    if file is None:
        groups: Iterator[list[Rollout]] = iter([[_one(text or "", prompt, answer, info, tokenize)]])
        rows = 1
    else:
        file = file / "rollouts.jsonl" if file.is_dir() else file
        if not file.is_file():
            raise R1Error(f"no file {file}")
        if out is not None and out.exists() and out.samefile(file):
            raise R1Error(f"{out} is the file that is read: choose another --out")
        groups = read_groups(file, CompletionColumns(prompt_column, completion_column, answer_column), tokenize)
        rows = count_rows(file)
    tally = Tally()
    shown: list[dict[str, Any]] = []
    with ExitStack() as stack:
        written = stack.enter_context(out.open("w", encoding="utf-8", errors="backslashreplace")) if out else None
        bar = stack.enter_context(progress("scoring"))
        try:
            for some in rescore(groups, environment, built):
                for rollouts, scores in some:
                    tally.add(rollouts, scores)
                    for rollout, priced in zip(rollouts, scores, strict=True):
                        if len(shown) < show:
                            shown.append(_row(rollout, priced))
                        if written:
                            written.write(json.dumps(rollout_line(rollout, priced), ensure_ascii=False) + "\n")
                bar(tally.completions, rows)
        except RewardError as error:
            hint = next((hint for about, hint in HINTS.items() if about in str(error)), None)
            if hint is None:
                raise
            raise RewardError(f"{error}\n  {hint}") from error
    if not tally.completions:
        raise R1Error(f"{file} has no completions")
    _print(tally, shown, as_json)
    if out:
        typer.echo(f"written to {out}", err=True)
    if failed := [f"{name} {tally.mean(name)}" for name, value in least.items() if _is_below(tally, name, value)]:
        typer.echo("below --min: " + ", ".join(failed), err=True)
        raise typer.Exit(1)


def _build(
    file: Path | None, env: str | None, rewards: str | None, sets: list[str] | None
) -> "tuple[Environment | None, Built]":
    """The environment, if one is named, and the rewards. A run folder brings its own."""
    from r1sdk.errors import R1Error, raise_all
    from r1sdk.planning.build import build_environment, build_rewards
    from r1sdk.plugins.registry import load_plugins
    from r1sdk.recipe.layers import dotted
    from r1sdk.recipe.schema import load_recipe

    trained = run_recipe(str(file)) if file is not None and file.is_dir() else None
    if file is not None and file.is_dir() and trained is None:
        raise R1Error(f"{file} is no run folder: it has no recipe.yaml")
    nobody = {"model": "none", "env": {"name": ""}}  # a recipe names both, and here there may be neither
    layers: list[Mapping[str, Any]] = [trained.model_dump(mode="json") if trained else nobody]
    layers += [{"env": env}] if env is not None else []  # before --set, which may give its options
    layers += [*map(dotted, sets or []), *([{"rewards": rewards}] if rewards is not None else [])]
    recipe = load_recipe(None, *layers)
    registry = load_plugins()
    environment: Environment | None = None
    built: Built = {}
    errors: list[R1Error] = []
    try:
        named = recipe.env
        environment = build_environment(registry, named.name, named.options, named.timeout_s) if named.name else None
    except R1Error as error:
        errors.append(error)
    try:
        # What nobody has set is not known here: the completions came from a run with settings of its own.
        built = build_rewards(registry, recipe, recipe.model_dump(exclude_unset=True))
    except R1Error as error:
        errors.append(error)
    raise_all(errors)
    return environment, built


def _one(text: str, prompt: str, answer: str | None, info: str, tokenize: "Tokenize | None") -> "Rollout":
    from r1sdk import Completion, Rollout, Task

    try:
        known = json.loads(info)
    except ValueError as error:
        raise typer.BadParameter(f"--info is not JSON: {error}") from None
    if not isinstance(known, dict):
        raise typer.BadParameter(f"--info must be a JSON object, got {info}")
    asked = [{"role": "user", "content": prompt}] if prompt else []
    said = Completion([{"role": "assistant", "content": text}], tokenize(text) if tokenize else [])
    return Rollout(Task(asked, answer, known), said)


def _tokenizer(name: str) -> "Tokenize":
    """The tokenizer of a model, without the model. Its counts leave out the end of sequence."""
    from r1sdk.errors import R1Error
    from r1sdk.planning.model_source import resolve_model
    from r1sdk.plugins.registry import load_plugins

    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise R1Error("--tokenizer needs tokenizers: pip install 'r1sdk[train]'") from None
    source = resolve_model(load_plugins(), name)
    if source.make:
        raise R1Error(f"model {name!r} is made when it is trained: name a model that has its tokenizer in a folder")
    try:
        path = str(source.folder / "tokenizer.json") if source.folder else ""
        loaded = Tokenizer.from_file(path) if path else Tokenizer.from_pretrained(source.hub_id or name)
    except Exception as error:  # noqa: BLE001 - the library raises bare ones
        raise R1Error(f"no tokenizer of model {name!r}: {error}") from None
    return lambda text: list(loaded.encode(text, add_special_tokens=False).ids)


def _minimums(given: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    from r1sdk.errors import nearest

    least = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            least[name] = float(value)
        except ValueError:
            raise typer.BadParameter(f"--min takes NAME=NUMBER, e.g. --min accuracy=0.5; got {text!r}") from None
        if name not in known:
            raise typer.BadParameter(
                f"--min {text}: no reward {name!r}{nearest(name, known)}; there are {', '.join(known)}"
            )
    return least


def _is_below(tally: "Tally", name: str, value: float) -> bool:
    """What was never measured is below any minimum."""
    mean = tally.mean(name).mean
    return mean is None or mean < value


def _row(rollout: "Rollout", score: "Score") -> dict[str, Any]:
    verdict = rollout.verdict
    return {
        "task": rollout.task.id,
        "verdict": None if verdict is None else verdict.value,
        "status": None if verdict is None else verdict.status,
        "answer": None if verdict is None else verdict.extracted,
        "reason": "" if verdict is None else verdict.reason,
        "rewards": dict(score.rewards),
        "statuses": dict(score.statuses),
        "reasons": dict(score.reasons),
        "total": score.total,
    }


def _print(tally: "Tally", shown: Sequence[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**tally.to_json(), "rows": shown}, indent=2))
        return
    if shown:
        names = list(shown[0]["rewards"])
        header = ["row", "verdict", "answer", "reason", *names, "total"]
        lines = [
            [str(number), _verdict(row), _short(row["answer"]), _short(row["reason"])]
            + [row["statuses"].get(name) or _figure(value) for name, value in row["rewards"].items()]
            + [_figure(row["total"])]
            for number, row in enumerate(shown, 1)
        ]
        _table([header, *lines])
        if tally.completions > len(shown):
            typer.echo(f"... and {tally.completions - len(shown)} more: see them all with --out FILE")
    if tally.completions == len(shown) == 1:
        return
    if shown:
        typer.echo("")
    rows = [["reward", "mean", "least", "most", "none"]]
    for name in tally.values:
        spread = tally.spread(name)
        rows.append([name, str(tally.mean(name)), *map(_figure, (spread["min"], spread["max"])), str(spread["none"])])
    _table(rows)
    typer.echo(f"\n{tally.completions} completions of {tally.prompts} prompts; n counts prompts")
    typer.echo("verdicts: " + ", ".join(f"{count} {status}" for status, count in tally.statuses.items()))


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        typer.echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _verdict(row: dict[str, Any]) -> str:
    if row["status"] is None:
        return "-"
    return row["status"] if row["verdict"] is None else f"{row['verdict']:.3f} {row['status']}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _short(text: str | None) -> str:
    """A text that a model wrote, for one cell: cut, and without control characters."""
    shown = "".join(c if c.isprintable() else "·" for c in (text or "")[: SHOWN + 1])
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"
