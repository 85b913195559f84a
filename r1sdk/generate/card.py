"""The card of a data set: what it holds, what it was made with, how to train on it; in the form that hubs read."""

from ..storage.atomic import replace_file
from .collected import Collected

COLUMNS = """| column | what |
|---|---|
| `prompt`, `completion` | chat messages; the completion is what to learn |
| `answer`, `id`, `info` | the gold answer of the task, its name, and what its judge needs |
| `sample` | which of the answers to this prompt it was |
| `correct` | the verdict of the environment, 0 to 1 |
| `rewards`, `total` | each reward, and their weighted sum |
| `tokens`, `finish` | its length, and whether it ended (`stop`) or was cut (`length`) |
| `model` | what wrote it |"""


def write_card(collected: Collected) -> None:
    """Write `collected.plan.card`."""
    replace_file(collected.plan.card, card(collected))


def card(collected: Collected) -> str:
    """The card as Markdown."""
    plan, meter, kept = collected.plan, collected.meter, collected.chosen.kept
    settings = plan.settings
    prompts = len({candidate.place for candidate in kept})
    facts = [
        ("rows", f"{len(kept)}, for {prompts} of {len(plan.tasks)} prompts"),
        ("kept by", f"`{plan.rule}`" + ("" if plan.keep.duplicates else f", {collected.chosen.duplicates} duplicates left out")),
        ("answers", f"{meter.done} of {meter.total}, {plan.sampling.samples} for each prompt"),
        ("right before choosing", str(collected.accuracy)),
        ("model", f"`{plan.model}`"),
        ("environment", f"`{settings['env']}`, split {settings['split']}" + _options(settings["env.options"])),
        ("sampling", f"temperature {plan.sampling.temperature:g}, top_p {plan.sampling.top_p:g}, at most {plan.sampling.max_tokens} tokens"),
        ("tokens", f"{meter.prompt_tokens:,} asked, {meter.completion_tokens:,} answered"),
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
            f"Answers of `{plan.model}`, judged by the environment `{settings['env']}` and chosen by a rule; made with r1sdk.",
            "",
            "| | |",
            "|---|---|",
            *lines,
            "",
            "## Columns",
            "",
            COLUMNS,
            "",
            "## Train on it",
            "",
            "```bash",
            f"r1 train --method sft --model MODEL --data {name}",
            "```",
            "",
            "The licence is that of the model's output and of the tasks: add it before you share this.",
            "",
        ]
    )


def _options(options: dict[str, object]) -> str:
    return f", with {', '.join(f'{key} {value}' for key, value in options.items())}" if options else ""
