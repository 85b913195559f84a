"""`r1 generate`: many answers to each task, judged, chosen from, and written as a data set to train on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Backend, Env, Rewards, Seed, Sets
from .ui.lines import echo, tell, tell_next

if TYPE_CHECKING:
    from r1sdk.api import GeneratedData


def generate(
    model: Annotated[
        str | None,
        typer.Argument(help="A run folder, a model's name, its folder, a hub id; with --server: its name there."),
    ] = None,
    env: Env = None,
    rewards: Rewards = None,
    split: Annotated[str | None, typer.Option(help="Split of the environment: train or test.")] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="How many tasks.  [default: 100]")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Answers to each task.  [default: 1]")] = None,
    temperature: Annotated[float | None, typer.Option(min=0.0, help="0 is greedy.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Of one answer.")] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            help="Which answers to keep, parts with commas: correct, wrong or all; best=N, shortest=N or first=N "
            "of each task; pass_rate=A:B.  [default: all]"
        ),
    ] = None,
    duplicates: Annotated[bool | None, typer.Option("--duplicates", help="Keep answers that are the same.")] = None,
    pairs: Annotated[
        bool | None,
        typer.Option("--pairs", help="Write each right answer with a wrong one to the same task, for --method dpo."),
    ] = None,
    backend: Backend = None,
    server: Annotated[str | None, typer.Option(help="Ask the OpenAI-compatible server at this URL.")] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="The NAME of the environment variable that holds the server's key.")
    ] = None,
    concurrent: Annotated[
        int | None, typer.Option(min=1, help="Requests to the server at a time.  [default: 256]")
    ] = None,
    price: Annotated[
        str | None, typer.Option(help="What a million tokens cost, asked and answered, for the total: 0.5,1.5")
    ] = None,
    seed: Seed = None,
    out: Annotated[Path, typer.Option(help="The file to write, .jsonl or .parquet.")] = Path("rollouts.jsonl"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start over, and discard existing results.")] = False,
    push: Annotated[str | None, typer.Option(help="Upload the data set as OWNER/NAME to the hub, private.")] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: make the data set public.")] = False,
    sets: Sets = None,
) -> None:
    """Generate answers, verify them, and write the kept ones. After a stop or a kill the same command resumes."""
    from r1sdk import api

    options: Any = {
        "env": env,
        "rewards": rewards,
        "split": split,
        "tasks": tasks,
        "samples": samples,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "keep": keep,
        "duplicates": duplicates,
        "pairs": pairs,
        "backend": backend,
        "server": server,
        "api_key_env": api_key_env,
        "concurrent": concurrent,
        "price": _price(price),
        "seed": seed,
        "settings": sets or [],
        "out": out,
        "overwrite": overwrite,
    }
    if push:
        api.check_push(push)
    elif public:
        raise typer.BadParameter(
            "--public is for the data set that --push OWNER/NAME uploads: give that, or leave it out"
        )
    try:
        data = api.generate(model, **options)
    except api.IncompleteData as error:
        report(error.data, server is not None)
        raise
    report(data, server is not None)
    if push:
        echo(f"pushed to {api.push(data, push, public)}", err=True)
    start = "" if model is None or server is not None else f" --model {model}"
    tell_next(f"r1 train --method {'dpo' if pairs else 'sft'}{start} --data {out}")


def report(data: "GeneratedData", served: bool) -> None:
    """Print the kept rows to stdout, the rest to stderr. `served`: a server answered, which counts prompts and is asked again."""
    tell(f"kept {data.kept} of {data.answers} rollouts ({data.rule})")
    left_out = [(data.duplicates, "duplicates"), (data.empty, "empty answers")]
    said = "".join(f", {number} {what} left out" for number, what in left_out if number)
    tell(f"accuracy {data.accuracy} before choosing{said}", err=True)
    cost = "" if data.cost is None else f"; cost {data.cost:.4f}"
    # A model in this process counts no prompts: only what a server did not report is worth a word.
    reported = data.prompt_tokens or not data.completion_tokens
    unmetered = f" ({data.unmetered} answers without a count)" if data.unmetered and reported else ""
    asked, again = (f"{data.prompt_tokens:,} asked, ", f"; {data.retried} requests asked again") if served else ("", "")
    tell(f"tokens {asked}{data.completion_tokens:,} answered{unmetered}{cost}{again}", err=True)
    tell(f"written to {data.path}, card {data.card}, every answer in {data.work}", err=True)


def _price(text: str | None) -> tuple[float, float] | None:
    from r1sdk import RecipeError

    if text is None:
        return None
    try:
        prompt, completion = map(float, text.split(","))
    except ValueError:
        raise RecipeError(f"--price takes two numbers, as 0.5,1.5; got {text!r}") from None
    return prompt, completion
