"""`r1 score`: rewards and verdicts of completions that are there already. No model, no training."""

import json
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Env, Json, Rewards, Sets
from .outputs import written_file
from .ui.lines import echo

if TYPE_CHECKING:
    from r1sdk import Rollout, Score
    from r1sdk.api import Tally

SHOWN = 40  # characters of an answer or a reason in the table
REASONS = 3  # different reasons for missing scores that are printed in full


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
    from r1sdk import R1Error
    from r1sdk.api import rollout_line, score_file
    from r1sdk.progress import progress

    if (file is None) == (text is None):
        raise typer.BadParameter("give a file of completions, or one with --text")
    columns = {"prompt": prompt_column, "completion": completion_column, "answer": answer_column}
    opened = score_file(
        _one(text or "", prompt, answer, info) if file is None else file,
        env=env,
        rewards=rewards,
        settings=sets or [],
        columns=columns,
        tokenizer=tokenizer,
    )
    least = _minimums(minimum or [], [*opened.names, "total"])
    if out is not None and opened.file is not None and out.exists() and out.samefile(opened.file):
        raise R1Error(f"{out} is the file that is read: choose another --out")
    tally = opened.tally
    shown: list[dict[str, Any]] = []
    reasons: dict[str, None] = {}  # each once, in order
    with ExitStack() as stack:
        written = stack.enter_context(written_file(out)) if out else None
        bar = stack.enter_context(progress("scoring"))
        for rollouts, scores in opened:
            for rollout, priced in zip(rollouts, scores, strict=True):
                if len(shown) < show:
                    shown.append(_row(rollout, priced))
                if len(reasons) < REASONS:
                    reasons.update(dict.fromkeys(_unscored(rollout, priced)))
                if written:
                    written.write(json.dumps(rollout_line(rollout, priced), ensure_ascii=False) + "\n")
            bar(tally.completions, opened.rows)
    if not tally.completions:
        raise R1Error(f"{opened.file} has no completions")
    _print(tally, shown, as_json)
    for reason in list(reasons)[:REASONS]:
        echo(f"not scored: {reason}", err=True)
    if reasons and text is not None and (needed := _needed(opened.environment, answer, info)):
        echo(f"  give what the task needs with {needed.partition(' ')[0]}, e.g. {needed}", err=True)
    if out:
        echo(f"written to {out}", err=True)
    if failed := [f"{name} {tally.mean(name)}" for name, value in least.items() if _is_below(tally, name, value)]:
        echo("below --min: " + ", ".join(failed), err=True)
        raise typer.Exit(1)


def _unscored(rollout: "Rollout", score: "Score") -> Iterator[str]:
    """Yield why the verdict or a reward of a rollout is missing."""
    if rollout.verdict is not None and rollout.verdict.status in ("error", "unverifiable"):
        yield f"verdict {rollout.verdict.status}: {rollout.verdict.reason or 'no reason given'}"
    for name, status in score.statuses.items():
        yield f"{name} {status}: {score.reasons.get(name) or 'no reason given'}"


def _needed(environment: Any, answer: str | None, info: str) -> str:
    """Return the option that a task of the environment has a value for and that was not given, with the value of its first task."""
    from r1sdk import R1Error
    from r1sdk.api import first_task

    try:
        task = None if environment is None else first_task(environment, "", "test")
    except R1Error:
        return ""
    if task is not None and task.answer is not None and answer is None:
        return f"--answer {shlex.quote(task.answer)}"
    if task is not None and task.info and info == "{}":
        return f"--info {shlex.quote(json.dumps(task.info, default=str))}"
    return ""


def _one(text: str, prompt: str, answer: str | None, info: str) -> "Rollout":
    from r1sdk import Completion, Rollout, Task

    try:
        known = json.loads(info)
    except ValueError as error:
        raise typer.BadParameter(f"--info is not JSON: {error}") from None
    if not isinstance(known, dict):
        raise typer.BadParameter(f"--info must be a JSON object, got {info}")
    asked = [{"role": "user", "content": prompt}] if prompt else []
    return Rollout(Task(asked, answer, known), Completion([{"role": "assistant", "content": text}], []))


def _minimums(given: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    from r1sdk.api import nearest

    least = {}
    for text in given:
        name, _, value = text.rpartition("=")
        try:
            least[name] = float(value)
            if not isfinite(least[name]):
                raise ValueError
        except ValueError:
            raise typer.BadParameter(f"--min takes NAME=NUMBER, e.g. --min accuracy=0.5; got {text!r}") from None
        if name not in known:
            raise typer.BadParameter(
                f"--min {text}: no reward {name!r}{nearest(name, known)}; there are {', '.join(known)}"
            )
    return least


def _is_below(tally: "Tally", name: str, value: float) -> bool:
    """True if a mean is below its minimum. A mean that was never measured is below any."""
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
        echo(json.dumps({**tally.to_json(), "rows": shown}, indent=2))
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
            echo(f"... and {tally.completions - len(shown)} more: see them all with --out FILE")
    if tally.completions == len(shown) == 1:
        return
    if shown:
        echo("")
    rows = [["reward", "mean", "least", "most", "none"]]
    for name in tally.values:
        spread = tally.distribution(name)
        rows.append([name, str(tally.mean(name)), *map(_figure, (spread["min"], spread["max"])), str(spread["none"])])
    _table(rows)
    echo(f"\n{tally.completions} completions of {tally.prompts} prompts; n counts prompts")
    echo("verdicts: " + ", ".join(f"{count} {status}" for status, count in tally.statuses.items()))


def _table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        echo("  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip())


def _verdict(row: dict[str, Any]) -> str:
    if row["status"] is None:
        return "-"
    return row["status"] if row["verdict"] is None else f"{row['verdict']:.3f} {row['status']}"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _short(text: str | None) -> str:
    """A text that a model wrote, for one cell: cut, and without control characters."""
    from r1sdk.report import visible

    shown = visible((text or "")[: SHOWN + 1], lines=False)
    return shown if len(shown) <= SHOWN else shown[:SHOWN] + "…"
