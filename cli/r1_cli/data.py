"""`r1 data`: what is wrong with data, what of a benchmark is in it, and how hard it is."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Env, Json, Sets

if TYPE_CHECKING:
    from r1sdk.data import DataReport, Rated, SplitReport
    from r1sdk.plugins.registry import Registry

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
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Duplicates, gold answers that cannot be verified, lengths, empty cells, leakage. Exit status 1 where something is wrong."""
    from r1sdk.data import check_data
    from r1sdk.data.row_faults import splits_of
    from r1sdk.plugins.registry import load_plugins

    registry = load_plugins()
    environment, _ = _environment(registry, env, sets)
    lengths, room = _lengths(registry, model, max_tokens) if model else (None, None)
    splits = splits_of(environment, [name.strip() for name in split.split(",") if name.strip()])
    report = check_data(environment, splits, tasks, lengths, room, gold)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
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
    """Leave out what overlaps with benchmarks: N words in a row, or the whole of a shorter problem."""
    from collections import Counter
    from collections.abc import Iterator

    from r1sdk.data import Overlap, items, write_rows
    from r1sdk.errors import R1Error
    from r1sdk.plugins.registry import load_plugins

    names = [name.strip() for name in against.split(",") if name.strip()]
    if not names:
        raise R1Error("--against: name the environments whose test tasks must not be in the data, e.g. math_500,aime24")
    registry = load_plugins()
    environment, name = _environment(registry, env, sets)
    overlap = Overlap(ngram)
    sizes = {
        other: overlap.add(other, ((item.task.id, item.problem) for item in items(benchmark, "test")))
        for other, benchmark in _benchmarks(registry, names, option or []).items()
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
        typer.echo(json.dumps({"tasks": seen, "written": written, "benchmarks": sizes, "matches": matches}, indent=2))
        return
    typer.echo(f"{len(matches)} of {seen} tasks of {name}, split {split}, overlap by {ngram} words in a row")
    for other, size in sizes.items():
        typer.echo(f"  {other:16}  {by[other]} overlap with its {size} tasks")
    for match in matches[:SHOWN]:
        typer.echo(f"  {match['task']} with {match['benchmark']} {match['its_task']}: {match['words']:.100}")
    if len(matches) > SHOWN:
        typer.echo(f"  and {len(matches) - SHOWN} more" + ("" if report else ": see them all with --report FILE"))
    typer.echo(f"{written} rows written to {out}", err=True)


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
    from r1sdk.data import items, rate, write_rows
    from r1sdk.errors import R1Error
    from r1sdk.evaluation.evaluation_folder import part_of, read_lines, read_plan
    from r1sdk.planning.build import build_environment
    from r1sdk.plugins.registry import load_plugins

    if least > most:
        raise R1Error(f"--least {least:g} is above --most {most:g}")
    plan = read_plan(evaluation)
    model, env = _only(model, plan["models"], "--model"), _only(env, plan["envs"], "--env")
    named = plan["envs"][env]
    environment = build_environment(load_plugins(), named["name"], named["options"], named.get("timeout_s"))
    lines = read_lines(part_of(evaluation, model, env) / "rollouts.jsonl")
    rated = list(rate(items(environment, named["split"]), lines))
    kept = [one for one in rated if one.pass_rate is not None and least <= one.pass_rate <= most]
    write_rows((one.line for one in kept), out, overwrite)
    counts = _histogram(rated)
    if as_json:
        typer.echo(json.dumps({"rated": len(rated), "kept": len(kept), "pass_rates": counts}, indent=2))
        return
    typer.echo(f"pass rate of {model} on {env}, split {named['split']}: {len(rated)} tasks")
    widest = max(counts.values(), default=0) or 1
    for label, count in counts.items():
        typer.echo(f"  {label:12}  {count:6}  {'#' * round(40 * count / widest)}".rstrip())
    typer.echo(f"kept {len(kept)} with pass rates from {least:g} to {most:g}")
    typer.echo(f"written to {out}", err=True)


def _environment(registry: "Registry", env: str | None, sets: Sequence[str] | None) -> tuple[Any, str]:
    """The environment of `--env` and `--set`. Raises: R1Error."""
    from r1sdk.errors import R1Error
    from r1sdk.planning.build import build_environment
    from r1sdk.recipe.layers import dotted
    from r1sdk.recipe.schema import load_recipe

    layers = [{"model": "none"}, *([{"env": env}] if env else []), *map(dotted, sets or [])]
    if not any("env" in layer for layer in layers):
        raise R1Error("name the environment with --env, e.g. --env file --set env.options.source=problems.jsonl")
    named = load_recipe(None, *layers).env
    return build_environment(registry, named.name, named.options, named.timeout_s), named.name


def _benchmarks(registry: "Registry", names: Sequence[str], options: Sequence[str]) -> dict[str, Any]:
    from r1sdk.errors import R1Error, raise_all

    from .benches import options_by_env

    given = options_by_env(names, options)
    built: dict[str, Any] = {}
    errors: list[R1Error] = []
    for name in names:
        try:
            built[name], _ = _environment(registry, name, [f"env.options.{option}" for option in given.get(name, [])])
        except R1Error as error:
            errors.append(error)
    raise_all(errors)
    return built


def _lengths(registry: "Registry", model: str, max_tokens: int) -> tuple[Any, int | None]:
    """A function of tasks to their prompts' lengths in tokens, and how many a prompt may have beside the reply."""
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from r1sdk.planning.model_source import resolve_model
    from r1sdk.train.models import context_length, load_tokenizer, locate, prompt_lengths

    source = resolve_model(registry, model)
    with TemporaryDirectory(prefix="r1-") as folder:
        where = locate(source, Path(folder), 0)
        tokenizer, context = load_tokenizer(where), context_length(where)
    return (lambda tasks: prompt_lengths(tasks, tokenizer)), None if context is None else context - max_tokens


def _only(given: str | None, there: Sequence[str], flag: str) -> str:
    from r1sdk.errors import R1Error, nearest

    names = list(there)
    if given is None and len(names) == 1:
        return names[0]
    if given not in names:
        hint = nearest(given, names) if given else ""
        raise R1Error(f"{flag}: one of {', '.join(names)}{f', got {given!r}' if given else ''}{hint}")
    return given


def _histogram(rated: "Sequence[Rated]") -> dict[str, int]:
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
    typer.echo("clean" if report.is_clean else "not clean")


def _print_split(split: "SplitReport") -> None:
    typer.echo(
        f"{split.split}: {split.tasks} tasks, {split.checked} gold answers checked, {split.unanswered} without one"
    )
    if split.prompt_tokens:
        typer.echo("  prompt tokens: " + ", ".join(f"{name} {count}" for name, count in split.prompt_tokens.items()))
    _listed("  rows that make no task", split.unreadable)
    _listed("  duplicates", split.duplicates)
    _listed("  duplicates that disagree", split.disagreeing)
    _listed("  gold answers that cannot be verified", [str(fault) for fault in split.gold])
    _listed("  prompts that leave no room for the reply", split.too_long)
    if split.empty:
        typer.echo("  empty cells: " + ", ".join(f"{name} {count}" for name, count in split.empty.items()))


def _listed(what: str, found: Sequence[str]) -> None:
    if found:
        indent = " " * (len(what) - len(what.lstrip()) + 2)
        typer.echo(f"{what}: {len(found)}")
        for line in found[:SHOWN]:
            typer.echo(indent + line.replace("\n", " "))
        if len(found) > SHOWN:
            typer.echo(f"{indent}and {len(found) - SHOWN} more: see them all with --json")
