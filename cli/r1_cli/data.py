"""`r1 data`: check data, find benchmarks in it, and rate its difficulty."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Env, Json, Sets
from .ui.lines import echo

if TYPE_CHECKING:
    from r1sdk.data import DataReport, RatedRow, SplitReport

SHOWN = 5  # of each kind

data = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Check data, find benchmarks in it, filter it by difficulty."
)
Out = Annotated[Path, typer.Option(help="The JSON lines file to write: rows as they were read.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")]


@data.command(epilog="Try: r1 data check --env file --set env.options.source=problems.jsonl")
def check(
    env: Env = None,
    split: Annotated[str, typer.Option(help="Splits, with commas.")] = "train,test",
    tasks: Annotated[int | None, typer.Option(min=1, help="Of each split, only the first.")] = None,
    model: Annotated[str | None, typer.Option(help="Count the prompts' tokens as this model has them.")] = None,
    max_tokens: Annotated[int, typer.Option(min=0, help="With --model: room for the reply.")] = 256,
    gold: Annotated[bool, typer.Option(help="Judge every gold answer against itself.")] = True,
    data_file: Annotated[
        str | None, typer.Option("--data", help="Check the rows of this file or folder for SFT instead.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="sft or dpo: the method that --data is for.")] = None,
    skip_bad: Annotated[int, typer.Option(min=0, help="With --data: so many bad rows are allowed.")] = 0,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Duplicates, gold answers that cannot be verified, lengths, empty cells, leakage; with --data, rows that SFT cannot learn from. Exit status 1 where something is wrong."""
    from r1sdk.api import load_environment, model_tokens, split_names
    from r1sdk.data import check_data, splits_of

    if data_file is not None or method is not None:
        _check_rows(data_file, method, env, model, skip_bad, as_json, sets or [])
        return
    environment, _, _ = load_environment(env, sets or [])
    lengths, room = model_tokens(model, max_tokens) if model else (None, None)
    splits = splits_of(environment, split_names(split))
    report = check_data(environment, splits, tasks, lengths, room, gold)
    if as_json:
        echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        _print(report)
    if not report.is_clean:
        raise typer.Exit(1)


@data.command(epilog="Try: r1 data decontaminate --env openr1_math --against math_500,aime24 --out clean.jsonl")
def decontaminate(
    out: Out,
    env: Env = None,
    against: Annotated[
        str, typer.Option(help="Environments, with commas, whose test tasks must not be in the data.")
    ] = "",
    option: Annotated[list[str] | None, typer.Option(help="An option of one of those: math_500.source=FOLDER")] = None,
    split: Annotated[str, typer.Option(help="Split of the data.")] = "train",
    ngram: Annotated[int, typer.Option(min=1, help="Words in a row that make an overlap.")] = 8,
    report: Annotated[Path | None, typer.Option(help="Write every match to this JSON lines file.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Remove overlap with benchmarks: N words in a row, or the whole of a shorter problem."""
    from collections import Counter
    from collections.abc import Iterator

    from r1sdk import R1Error
    from r1sdk.api import load_environment, split_names
    from r1sdk.data import Overlap, items, write_rows

    names = split_names(against)
    if not names:
        raise R1Error("--against: name the environments whose test tasks must not be in the data, e.g. math_500,aime24")
    environment, name, _ = load_environment(env, sets or [])
    overlap = Overlap(ngram)
    sizes = {
        other: overlap.add(other, ((item.task.id, item.problem) for item in items(benchmark, "test")))
        for other, benchmark in _benchmarks(names, option or []).items()
    }
    matches: list[dict[str, str]] = []
    seen = 0

    def kept() -> Iterator[Any]:
        nonlocal seen
        for item in items(environment, split):
            seen += 1
            match = overlap.find(item.problem)
            if match is None:
                yield item.row
            else:
                matches.append(
                    {"task": item.task.id, "benchmark": match.benchmark, "its_task": match.task, "words": match.words}
                )

    written = write_rows(kept(), out, overwrite)
    if report:
        write_rows(matches, report, overwrite)
    by = Counter(match["benchmark"] for match in matches)
    if as_json:
        echo(json.dumps({"tasks": seen, "written": written, "benchmarks": sizes, "matches": matches}, indent=2))
        return
    echo(f"{len(matches)} of {seen} tasks of {name}, split {split}, overlap by {ngram} words in a row")
    for other, size in sizes.items():
        echo(f"  {other:16}  {by[other]} overlap with its {size} tasks")
    for match in matches[:SHOWN]:
        echo(f"  {match['task']} with {match['benchmark']} {match['its_task']}: {match['words']:.100}")
    if len(matches) > SHOWN:
        echo(f"  and {len(matches) - SHOWN} more" + ("" if report else ": see them all with --report FILE"))
    echo(f"{written} rows written to {out}", err=True)


@data.command(epilog="Try: r1 data difficulty evals/pass-rates --least 0.2 --most 0.8 --out fitting.jsonl")
def difficulty(
    evaluation: Annotated[Path, typer.Argument(help="The folder of an r1 eval with several samples.")],
    out: Out,
    model: Annotated[str | None, typer.Option(help="Which of its models.  [default: the only one]")] = None,
    env: Annotated[str | None, typer.Option(help="Which of its environments.  [default: the only one]")] = None,
    least: Annotated[float, typer.Option(min=0.0, max=1.0, help="Keep pass rates from here.")] = 0.0,
    most: Annotated[float, typer.Option(min=0.0, max=1.0, help="Keep pass rates up to here.")] = 1.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the rows of an evaluated environment with each one's pass rate, those within bounds."""
    from r1sdk import R1Error
    from r1sdk.api import evaluated_environment
    from r1sdk.data import items, rate, write_rows

    if least > most:
        raise R1Error(f"--least {least:g} is above --most {most:g}")
    found = evaluated_environment(evaluation, model, env)
    model, env = found.model, found.env
    rated = list(rate(items(found.environment, found.split), found.lines))
    kept = [one for one in rated if one.pass_rate is not None and least <= one.pass_rate <= most]
    write_rows((one.line for one in kept), out, overwrite)
    counts = _histogram(rated)
    if as_json:
        echo(json.dumps({"rated": len(rated), "kept": len(kept), "pass_rates": counts}, indent=2))
        return
    echo(f"pass rate of {model} on {env}, split {found.split}: {len(rated)} tasks")
    widest = max(counts.values(), default=0) or 1
    for label, count in counts.items():
        echo(f"  {label:12}  {count:6}  {'#' * round(40 * count / widest)}".rstrip())
    echo(f"kept {len(kept)} with pass rates from {least:g} to {most:g}")
    echo(f"written to {out}", err=True)


def _check_rows(
    file: str | None,
    method: str | None,
    env: str | None,
    model: str | None,
    skip_bad: int,
    as_json: bool,
    sets: list[str],
) -> None:
    from r1sdk import R1Error
    from r1sdk.api import check_demonstrations

    if method not in (None, "sft", "dpo") or file is None or env is not None:
        raise R1Error("r1 data check takes --env, or --data FILE with --method sft or dpo")
    report = check_demonstrations(file, sets, model, "dpo" if method == "dpo" else "sft")
    if as_json:
        echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
    else:
        echo(report.columns)
        echo(
            f"{report.rows} rows, {report.demonstrations} {'pairs' if method == 'dpo' else 'demonstrations'}, {len(report.bad)} bad rows"
        )
        for text in (*report.bad, *report.differs):
            echo(f"  {text.partition(chr(10))[0] if text in report.bad else text}")
        echo("clean" if not report.bad and not report.differs else "not clean")
    if len(report.bad) > skip_bad:
        raise typer.Exit(1)


def _benchmarks(names: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    from r1sdk import R1Error
    from r1sdk.api import load_environment, options_by_env, raise_all

    given = options_by_env(names, options)
    built: dict[str, Any] = {}
    errors: list[R1Error] = []
    for name in names:
        try:
            built[name], _, _ = load_environment(name, [f"env.options.{option}" for option in given.get(name, [])])
        except R1Error as error:
            errors.append(error)
    raise_all(errors)
    return built


def _histogram(rated: "Sequence[RatedRow]") -> dict[str, int]:
    """Tasks by pass rate; none and all by themselves, since they teach GRPO nothing."""
    inner = {"(0, 0.2]": 0.2, "(0.2, 0.4]": 0.4, "(0.4, 0.6]": 0.6, "(0.6, 0.8]": 0.8, "(0.8, 1)": 1.0}
    counts = dict.fromkeys(["0", *inner, "1", "not judged"], 0)
    for one in rated:
        if one.pass_rate is None:
            counts["not judged"] += 1
        elif one.pass_rate in (0.0, 1.0):
            counts[f"{one.pass_rate:g}"] += 1
        else:
            counts[next(label for label, edge in inner.items() if one.pass_rate <= edge)] += 1
    return counts


def _print(report: "DataReport") -> None:
    for split in report.splits:
        _print_split(split)
    _listed("in two splits", report.leaked)
    echo("clean" if report.is_clean else "not clean")


def _print_split(split: "SplitReport") -> None:
    echo(f"{split.split}: {split.tasks} tasks, {split.checked} gold answers checked, {split.unanswered} without one")
    if split.why_empty:
        echo(f"  {split.why_empty}")
    if split.prompt_tokens:
        echo("  prompt tokens: " + ", ".join(f"{name} {count}" for name, count in split.prompt_tokens.items()))
    _listed("  rows that make no task", split.grouped_faults, len(split.unreadable))
    _listed(
        f"  tasks that come again, which is intended ({split.repeats})" if split.repeats else "  duplicates",
        split.duplicates,
    )
    _listed("  duplicates that disagree", split.disagreeing)
    _listed("  gold answers that cannot be verified", [str(fault) for fault in split.gold])
    _listed("  gold answers that pay a wrong answer too", [str(suspect) for suspect in split.suspects])
    _listed("  prompts that leave no room for the reply", split.too_long)
    if split.empty:
        echo("  empty cells: " + ", ".join(f"{name} {count}" for name, count in split.empty.items()))


def _listed(what: str, found: Sequence[str], count: int | None = None) -> None:
    """Print the first lines of `found` under a heading with their number, or `count`."""
    if found:
        indent = " " * (len(what) - len(what.lstrip()) + 2)
        echo(f"{what}: {len(found) if count is None else count}")
        for line in found[:SHOWN]:
            echo(indent + line.replace("\n", " "))
        if len(found) > SHOWN:
            echo(f"{indent}and {len(found) - SHOWN} more: see them all with --json")
