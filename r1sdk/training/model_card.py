"""The card of a trained model, `model/README.md`: what trained it, how right it is on held-out tasks, how to load it."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..evaluation.run_verdicts import run_verdicts
from ..evaluation.statistics import Difference, Estimate, difference
from ..planning.batch import batch_sentence
from ..planning.model_source import HUB_ID
from ..planning.run_plan import RunPlan
from ..recipe.layers import read_yaml, write_yaml
from ..recipe.methods import METHODS
from ..storage.atomic import replace_file
from ..storage.run_folder import RunFolder

CARD = "README.md"  # the name that hubs read
VERSIONS = ("r1sdk", "trl", "transformers", "torch", "peft", "vllm")


def without_trainers_card(trainer: Any) -> None:
    """Keep `trainer` from writing a model card beside its checkpoints, because it knows neither the data nor the figures."""
    trainer.create_model_card = _no_card


def _no_card(*_: Any, **__: Any) -> None:
    return None


def write_model_cards(plan: RunPlan, folder: RunFolder, where: str, steps: int) -> None:
    """Write the card into `model/` and, for LoRA, `adapter/`. `where`: the folder of the base model.

    `steps`: those that it was trained for.
    """
    text = card(plan, folder, where, steps)
    for place in (folder.model, folder.adapter):
        if place.is_dir():
            replace_file(place / CARD, text)


def card(plan: RunPlan, folder: RunFolder, where: str, steps: int) -> str:
    """Return the card as Markdown with the front matter that hubs read."""
    recipe, manifest = plan.recipe, folder.manifest()
    name = folder.path.resolve().name
    base = recipe.model if HUB_ID.fullmatch(recipe.model) and not Path(recipe.model).exists() else None
    licence = licence_of(Path(where))
    front: dict[str, Any] = {
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "license": licence or "unknown",
        "tags": ["r1sdk", "trl", recipe.method, *(["lora"] if recipe.lora else [])],
        **({"base_model": base} if base else {}),
    }
    data = f"`{recipe.data.name}`" if recipe.data else f"environment `{recipe.env.name}`" + _options(recipe.env.options)
    facts = [
        ("base model", f"`{recipe.model}`"),
        ("method", METHODS[recipe.method].title + (f", LoRA of rank {recipe.lora.rank}" if recipe.lora else "")),
        ("data", data),
        *([("rewards", ", ".join(f"`{r.name}` x {r.weight:g}" for r in recipe.rewards))] if recipe.method == "grpo" else []),
        ("steps", str(steps)),
        ("batch", batch_sentence(recipe)),
        ("seed", str(recipe.seed)),
        ("made with", ", ".join(f"{one} {manifest['versions'][one]}" for one in VERSIONS if manifest.get("versions", {}).get(one))),
    ]  # fmt: skip
    return "\n".join(
        [
            "---",
            write_yaml(front).strip(),
            "---",
            "",
            f"# {name}",
            "",
            f"`{recipe.model}`, trained with {METHODS[recipe.method].title} by r1sdk.",
            "",
            _table(facts),
            "",
            "## Held-out evaluation",
            "",
            *_evaluation(plan, folder),
            "",
            "## Load it",
            "",
            "```python",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            f'model = AutoModelForCausalLM.from_pretrained("{name}")  # this folder, or the name that you give it on the hub',
            f'tokenizer = AutoTokenizer.from_pretrained("{name}")',
            "```",
            "",
            "Or measure it again, or serve it:",
            "",
            "```bash",
            f"r1 eval {name}{f' --env {recipe.env.name}' if recipe.env.name else ''}",
            f"vllm serve {name}",
            "```",
            "",
            "## Licence",
            "",
            f"The base model says `{licence}`. " if licence else "The licence of the base model is not known here: fill in the field `license` above. ",
            "Its terms and those of the training data apply to this model too.",
            "",
            "## Recipe",
            "",
            "`r1 train recipe.yaml` with this file trains it again:",
            "",
            "```yaml",
            _recipe(plan).strip(),
            "```",
            "",
        ]
    )  # fmt: skip


def _recipe(plan: RunPlan) -> str:
    """Return the recipe without its run folder, which is a path of the machine that trained."""
    keys = read_yaml(plan.recipe.to_yaml())
    keys.pop("output_dir", None)
    return write_yaml(keys)


def _options(options: Mapping[str, Any]) -> str:
    return f" with {', '.join(f'{key} {value}' for key, value in options.items())}" if options else ""


def _table(rows: list[tuple[str, str]]) -> str:
    return "\n".join(
        ["| | |", "|---|---|", *(f"| {name} | {value.replace('|', chr(92) + '|')} |" for name, value in rows if value)]
    )


def _evaluation(plan: RunPlan, folder: RunFolder) -> list[str]:
    before, after = folder.evaluation("before"), folder.evaluation("after")
    if not after or not isinstance(after.get("accuracy"), dict) or after["accuracy"].get("mean") is None:
        return ["Not measured."]
    settings = plan.recipe.evaluation
    rows = ["| | before | after |", "|---|---|---|", f"| accuracy | {_estimate(before)} | {_estimate(after)} |"]
    if before and all(isinstance(one.get("tokens"), int | float) for one in (before, after)):
        rows.append(f"| tokens per completion | {before['tokens']:.1f} | {after['tokens']:.1f} |")
    gap = _gap(folder)
    return [
        (
            f"Split `{settings.split}` of `{plan.recipe.env.name}`, which was not trained on; {settings.samples} completion"
            f"{'' if settings.samples == 1 else 's'} per task at temperature {settings.temperature:g}; ± is one standard error over tasks."
        ),
        "",
        *rows,
        *(["", f"Difference on the same tasks, with the 95% confidence interval: {gap}."] if gap else []),
        "",
        f"One run with seed {plan.recipe.seed}: another seed gives other figures, and the errors above do not include that.",
    ]


def _estimate(found: Mapping[str, Any] | None) -> str:
    return "not measured" if not found else str(Estimate(**found["accuracy"]))


def _gap(folder: RunFolder) -> Difference | None:
    before, after = (run_verdicts(folder, name) for name in ("before", "after"))
    return difference(before, after) if before and after else None


def licence_of(base: Path) -> str | None:
    """Return the field `license` of the card in the folder of a model; None if it has none."""
    try:
        text = (base / CARD).read_text(encoding="utf-8", errors="replace")[:20_000]
    except OSError:
        return None
    found = re.match(
        r"---\s*\n(?:.*\n)*?license:\s*['\"]?([A-Za-z0-9][\w.+-]*)['\"]?\s*\n", text.partition("\n---")[0] + "\n"
    )
    return found[1] if found else None
