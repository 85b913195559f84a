"""Rules about the model's chat template and code: tried on the first tasks, without loading a tokenizer."""

import json
from importlib.util import find_spec
from pathlib import Path

from ..errors import R1Error, RecipeError
from ..rollout.template_text import adjusted, check_prompt, find_template, render_text, template_in
from .model_source import model_folder
from .run_plan import RunPlan


def template_rules(plan: RunPlan) -> list[R1Error]:
    """Return a problem where the template cannot be found, or cannot write the tasks of the run."""
    recipe = plan.recipe
    if recipe.method == "generate" and recipe.collect.server is not None:
        if recipe.chat_template is None:
            return []
        return [RecipeError("recipe key 'chat_template' is not for a server, which has a template of its own")]
    try:
        template = None if recipe.chat_template is None else find_template(recipe.chat_template)
    except R1Error as error:
        return [RecipeError(str(error))]
    folder = model_folder(plan.model)
    if folder is None or not folder.is_dir():
        return []  # on the hub: tried once it is here
    errors = _code_rules(plan, folder)
    try:
        own, tokens = template_in(folder)
        template = template or own
        if template is None:
            return [*errors, *_without(plan, folder)]
        text, _ = adjusted(template, recipe.template_args, tokens)
        check_prompt(text, tokens)
        for task in plan.first_tasks.values():
            render_text(text, task.prompt, tokens)
    except R1Error as error:
        errors.append(RecipeError(f"model {recipe.model!r}: {error}"))
    return errors


def _without(plan: RunPlan, folder: Path) -> list[R1Error]:
    """The problem of a model without a template, which SFT alone gives one."""
    if plan.recipe.method == "sft" or not (folder / "tokenizer_config.json").is_file():
        return []
    return [
        RecipeError(
            f"model {plan.recipe.model!r} has no chat template, so a prompt cannot be put to it: give it one with --set "
            "chat_template=r1_zero (or plain, or a file), use its instruct version, or train it first by method sft"
        )
    ]


def _code_rules(plan: RunPlan, folder: Path) -> list[R1Error]:
    """The problem of a model that only its own Python files can build."""
    if not needs_code(folder) or plan.recipe.trust_remote_code:
        return []
    return [
        RecipeError(
            f"model {plan.recipe.model!r} comes with Python files that would run on this machine; read them, and if you "
            "trust them --set trust_remote_code=true"
        )
    ]


def needs_code(folder: Path) -> bool:
    """True if the model in a folder brings its code, and the installed transformers has none for it."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    spec = find_spec("transformers")
    if not isinstance(config, dict) or "AutoModelForCausalLM" not in (config.get("auto_map") or {}) or spec is None:
        return False
    kind = str(config.get("model_type") or "").replace("-", "_")
    return not kind or not any(
        (Path(root) / "models" / kind).is_dir() for root in spec.submodule_search_locations or ()
    )
