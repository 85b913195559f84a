"""A `RunPlan` in, a model trained on preferences out: DPO (arXiv 2305.18290, Eq. 7) on TRL's trainer."""

from typing import Any

from ...planning.run_plan import RunPlan
from ...storage.run_folder import RunFolder
from ..chat_tokenizer import settle_ending
from ..lora import lora_config
from ..models import load_model, training_options
from ..monitor.token_count import counting
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..sft.sft_rows import Differences
from ..sft.sft_trainer import demonstrations_of, saved_rows
from ..trainer_arguments import shared_arguments
from .preference_rows import preference_rows

_COLUMNS = ("prompt_ids", "chosen_ids", "rejected_ids")


def preference_trainer(
    run: RunPlan,
    where: str,
    model: Any,
    tokenizer: Any,
    folder: RunFolder,
    callbacks: list[Any],
    processes: ProcessGroup = SINGLE_PROCESS,
) -> Any:
    """Return TRL's DPOTrainer for `run` on its pairs, ready to `train()`. The reference is the model at `where`, as it began."""
    from trl import DPOConfig, DPOTrainer

    from ..trl.signatures import DPO, check_signatures

    check_signatures(DPO)

    class ReadyRows(DPOTrainer):  # type: ignore[misc]
        """TRL's trainer on rows that are token ids already."""

        def _prepare_dataset(self, dataset: Any, processing_class: Any, args: Any, dataset_name: str) -> Any:
            return dataset

    settle_ending(tokenizer, model)
    arguments = DPOConfig(**shared_arguments(run.recipe, folder.checkpoints))
    tally = Differences()
    rows = preference_rows(demonstrations_of(run).train(), tokenizer, arguments.max_length, tally)
    dataset = saved_rows(rows, tally, "pair", (_COLUMNS, ()), arguments.max_length, folder, processes)
    needs_reference = run.recipe.lora is None and not arguments.precompute_ref_log_probs
    reference = load_model(where, **training_options(run)) if needs_reference else None
    if reference is not None:
        settle_ending(tokenizer, reference)
    return counting(
        ReadyRows(
            model=model,
            ref_model=reference,
            args=arguments,
            train_dataset=dataset,
            processing_class=tokenizer,
            callbacks=callbacks,
            peft_config=lora_config(run.recipe.lora),
        )
    )
