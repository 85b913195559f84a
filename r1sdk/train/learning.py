"""What SFT adds to a run: how replies end, which prompts must fit, the loss on what is held out."""

from dataclasses import asdict
from typing import Any

from ..compose import NoEnvironment, Run


def tokenizer_for(run: Run, where: str) -> Any:
    """The tokenizer. SFT gives a model without a chat template one, and says how replies end."""
    from .chat import PLAIN_TEMPLATE, settle_ending
    from .models import load_tokenizer

    if run.recipe.method != "sft":
        return load_tokenizer(where)
    tokenizer = load_tokenizer(where, PLAIN_TEMPLATE)
    before = tokenizer.eos_token
    if tokenizer.chat_template == PLAIN_TEMPLATE:
        print("the model has no chat template: it gets a plain one", flush=True)
    if (end := settle_ending(tokenizer)) != before:
        print(f"replies end with {end}, not with {before}", flush=True)
    return tokenizer


def check_run_lengths(run: Run, tokenizer: Any, where: str) -> None:
    """Raises: R1Error where a prompt that is answered in this run does not fit the model with its answer."""
    from .models import check_lengths

    recipe = run.recipe
    if recipe.method == "sft" and (isinstance(run.environment, NoEnvironment) or not recipe.evaluation.tasks):
        return  # nothing is generated
    split = "train" if recipe.method == "grpo" or recipe.data is None else recipe.evaluation.split
    check_lengths(run.environment.tasks(split), tokenizer, where, recipe.generation.max_tokens)


def held_out_part(run: Run, model: Any, tokenizer: Any) -> dict[str, Any]:
    """The loss on what is held out of the demonstrations, as a part of an evaluation; nothing where nothing is."""
    if run.recipe.method != "sft":
        return {}
    from .held_out import held_out_loss
    from .sft import demonstrations_of

    loss = held_out_loss(
        model, tokenizer, demonstrations_of(run).held_out(), run.recipe.trainer.get("max_length", 1024)
    )
    return {"loss": asdict(loss)} if loss.n else {}
