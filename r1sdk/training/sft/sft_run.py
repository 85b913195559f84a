"""What SFT adds to a run: how replies end, which prompts must fit, the loss on what is held out."""

from dataclasses import asdict
from itertools import islice
from typing import Any

from ...evaluation.statistics import estimate
from ...planning.run_plan import NoEnvironment, RunPlan
from ..process_group import ProcessGroup


def tokenizer_for(run: RunPlan, where: str) -> Any:
    """The tokenizer. SFT gives a model without a chat template one, and says how replies end."""
    from ..models import load_tokenizer
    from .chat_tokenizer import PLAIN_TEMPLATE, settle_ending

    if run.recipe.method != "sft":
        return load_tokenizer(where)
    tokenizer = load_tokenizer(where, PLAIN_TEMPLATE)
    before = tokenizer.eos_token
    if tokenizer.chat_template == PLAIN_TEMPLATE:
        print("the model has no chat template: it gets a plain one", flush=True)
    if (end := settle_ending(tokenizer)) != before:
        print(f"replies end with {end}, not with {before}", flush=True)
    return tokenizer


def check_run_lengths(run: RunPlan, tokenizer: Any, where: str) -> None:
    """Raises: R1Error where a prompt that is answered in this run does not fit the model with its answer."""
    from ..models import check_lengths, check_turns

    recipe = run.recipe
    if recipe.method == "sft" and (isinstance(run.environment, NoEnvironment) or not recipe.evaluation.tasks):
        return  # nothing is generated
    split = "train" if recipe.method == "grpo" or recipe.data is None else recipe.evaluation.split
    check_turns(run.environment, run.environment.tasks(split), tokenizer)
    check_lengths(run.environment.tasks(split), tokenizer, where, recipe.generation.max_tokens)


def measures_loss(run: RunPlan) -> bool:
    """Whether something is held out of what `run` learns from."""
    return run.recipe.method == "sft" and run.recipe.data is not None and run.recipe.data.held_out > 0


def held_out_part(run: RunPlan, model: Any, tokenizer: Any, processes: ProcessGroup) -> dict[str, Any]:
    """The loss on what is held out, as a part of an evaluation, on the main process; each does its share of the rows."""
    if not measures_loss(run):
        return {}
    from .held_out_loss import held_out_losses
    from .sft_trainer import demonstrations_of

    def share() -> list[float]:
        rows = islice(demonstrations_of(run).held_out(), processes.rank, None, processes.world)
        return held_out_losses(model, tokenizer, rows, run.recipe.trainer.get("max_length", 1024))

    losses = [loss for losses in processes.gather_on_main(share) for loss in losses]
    return {"loss": asdict(estimate([[loss] for loss in losses]))} if losses else {}
