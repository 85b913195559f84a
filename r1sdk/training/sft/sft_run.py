"""The SFT parts of a run: the end of replies, the check of prompt lengths, the loss on held-out data."""

import sys
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...data.demonstrations import FromFile
from ...evaluation.statistics import estimate
from ...planning.model_source import ModelSource
from ...planning.run_plan import NoEnvironment, RunPlan
from ...plugins.environment_calls import tasks_of
from ...recipe.methods import METHODS
from ...recipe.schema import Recipe
from ...rollout.template_text import PLAIN_TEMPLATE
from ..process_group import ProcessGroup

if TYPE_CHECKING:
    from .sft_rows import Differences

LOOK_AT = 256  # examples that are written before a model is loaded


def tokenizer_for(run: RunPlan, where: str) -> Any:
    """Load the tokenizer. SFT gives a model without a chat template a plain one."""
    from ..models import load_tokenizer

    return load_tokenizer(where, run.recipe.chat, PLAIN_TEMPLATE if run.recipe.method == "sft" else None)


def check_run_lengths(run: RunPlan, tokenizer: Any, where: str) -> None:
    """Raises: R1Error where a prompt that is answered in this run does not fit the model with its answer."""
    from ..models import check_lengths, check_turns

    recipe, method = run.recipe, METHODS[run.recipe.method]
    if method.reads_rows:
        check_examples(run, tokenizer)
    if method.reads_rows and (isinstance(run.environment, NoEnvironment) or not recipe.evaluation.tasks):
        return  # nothing is generated
    split = "train" if method.plays or recipe.data is None else recipe.evaluation.split
    check_turns(run.environment, tasks_of(run.environment, split), tokenizer)
    check_lengths(tasks_of(run.environment, split), tokenizer, where, recipe.generation.max_tokens)


def check_examples(run: RunPlan, tokenizer: Any) -> None:
    """Read every row and write the first ones, so that a bad one is found before a model is loaded. Raises: R1Error."""
    from ..dpo.preference_rows import preference_rows
    from .sft_rows import demonstration_rows
    from .sft_trainer import demonstrations_of

    if isinstance(run.demonstrations, FromFile):
        print(run.demonstrations.describe(), flush=True)
    rows = demonstrations_of(run).train()
    write = preference_rows if METHODS[run.recipe.method].learns_from == "pairs" else demonstration_rows
    for _ in write(islice(rows, LOOK_AT), tokenizer, None):
        pass
    if run.recipe.data is not None:  # an environment makes its own, and they are right
        for _ in rows:
            pass


def template_report(source: ModelSource, recipe: Recipe, rows: FromFile) -> "Differences":
    """Return how the good rows of a file differ from the rendering of the model's chat template. Raises: R1Error."""
    from tempfile import TemporaryDirectory

    from ..dpo.preference_rows import preference_rows
    from ..models import load_tokenizer, locate
    from .sft_rows import Differences, demonstration_rows

    tally = Differences()
    with TemporaryDirectory(prefix="r1-") as folder:
        tokenizer = load_tokenizer(locate(source, Path(folder) / "model", 0), recipe.chat, PLAIN_TEMPLATE)
    write = preference_rows if rows.columns.learns == "pairs" else demonstration_rows
    for _ in write(replace(rows, skip_bad=sys.maxsize).train(), tokenizer, None, tally):
        pass
    return tally


def measures_loss(run: RunPlan) -> bool:
    """True if `run` holds out part of its data."""
    return run.recipe.method == "sft" and run.recipe.data is not None and run.recipe.data.held_out > 0


def held_out_part(run: RunPlan, model: Any, tokenizer: Any, processes: ProcessGroup) -> dict[str, Any]:
    """Return the loss on held-out rows, as part of an evaluation, on the main process; each does its share of the rows."""
    if not measures_loss(run):
        return {}
    from .held_out_loss import held_out_losses
    from .sft_trainer import demonstrations_of

    def share() -> list[float]:
        rows = islice(demonstrations_of(run).held_out(), processes.rank, None, processes.world)
        return held_out_losses(model, tokenizer, rows, run.recipe.trainer.get("max_length", 1024))

    losses = [loss for losses in processes.gather_on_main(share) for loss in losses]
    return {"loss": asdict(estimate([[loss] for loss in losses]))} if losses else {}
