"""The card of a data set, as Markdown that hubs read: its contents, its origin, and the command to train on it."""

from ..storage.atomic import replace_file
from .collected import Collected

COLUMNS = """| column | content |
|---|---|
| `prompt`, `completion` | chat messages; train on the completion |
| `answer`, `id`, `info` | the gold answer of the task, its name, and the data its verifier needs |
| `sample` | number of the answer among those to its prompt |
| `correct` | the verdict of the environment, 0 to 1 |
| `rewards`, `total` | each reward, and their weighted sum |
| `tokens`, `finish` | its length; `stop` if it ended by itself, `length` if it was truncated, `filtered` if the server withheld or cut it, `unknown` if the server did not say |
| `model` | the model that wrote it |"""
PAIR_COLUMNS = """| column | content |
|---|---|
| `prompt`, `chosen`, `rejected` | chat messages: a right answer, and a wrong one to the same prompt |
| `answer`, `id`, `info` | the gold answer of the task, its name, and the data its verifier needs |
| `samples` | numbers of the two answers among those to their prompt |
| `totals` | the weighted sums of their rewards |
| `tokens` | their lengths |
| `model` | the model that wrote both |"""


def write_card(collected: Collected) -> None:
    """Write `collected.plan.card`."""
    replace_file(collected.plan.card, card(collected))


def card(collected: Collected) -> str:
    """Return the card as Markdown."""
    plan, meter, kept = collected.plan, collected.meter, collected.chosen.kept
    settings = plan.settings
    prompts = len({candidate.place for candidate in kept})
    facts = [
        ("rows", f"{len(kept) // 2 if plan.keep.pairs else len(kept)}, for {prompts} of {len(plan.tasks)} prompts"),
        ("kept by", f"`{plan.rule}`" + ("" if plan.keep.duplicates else f", {collected.chosen.duplicates} duplicates left out")),
        ("answers", f"{meter.done} of {meter.total}, {plan.sampling.samples} for each prompt"),
        ("correct before selection", str(collected.accuracy)),
        ("model", f"`{plan.model}`"),
        ("environment", f"`{settings['env']}`, split {settings['split']}" + _options(settings["env.options"])),
        ("sampling", f"temperature {plan.sampling.temperature:g}, top_p {plan.sampling.top_p:g}, at most {plan.sampling.max_tokens} tokens"),
        ("tokens", f"{meter.prompt_tokens:,} in prompts, {meter.completion_tokens:,} in completions"),
    ]  # fmt: skip
    if collected.cost is not None:
        facts.append(("cost", f"{collected.cost:.2f}"))
    lines = [f"| {name} | {value} |" for name, value in facts]
    name = plan.out.name
    return "\n".join(
        [
            "---",
            "task_categories: [text-generation]",
            "tags: [r1sdk, synthetic, reasoning]",
            "configs:",
            f"- {{config_name: default, data_files: [{{split: train, path: {name}}}]}}",
            "---",
            "",
            f"# {plan.out.stem}",
            "",
            f"Answers of `{plan.model}`, verified by the environment `{settings['env']}` and selected by a rule; made with r1sdk.",
            "",
            "| | |",
            "|---|---|",
            *lines,
            "",
            "## Columns",
            "",
            PAIR_COLUMNS if plan.keep.pairs else COLUMNS,
            "",
            "## Train on it",
            "",
            "```bash",
            f"r1 train --method {'dpo' if plan.keep.pairs else 'sft'} --data {name}",
            "```",
            "",
            "The licence depends on the model's output and on the tasks: add it before you share this.",
            "",
        ]
    )


def _options(options: dict[str, object]) -> str:
    return f", with {', '.join(f'{key} {value}' for key, value in options.items())}" if options else ""
