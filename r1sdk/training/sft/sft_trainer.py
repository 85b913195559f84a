"""A `RunPlan` in, a model trained on demonstrations out: SFT on TRL's trainer, loss on the replies only."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from ...data.demonstrations import Demonstrations, FromHub
from ...errors import R1Error
from ...planning.run_plan import RunPlan
from ...storage.run_folder import RunFolder
from ..chat_tokenizer import settle_ending
from ..lora import lora_config
from ..monitor.token_count import counting
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..trainer_arguments import shared_arguments
from .sft_rows import Differences, demonstration_rows


def sft_trainer(
    run: RunPlan,
    model: Any,
    tokenizer: Any,
    folder: RunFolder,
    callbacks: list[Any],
    processes: ProcessGroup = SINGLE_PROCESS,
) -> Any:
    """TRL's SFTTrainer for `run` on its demonstrations, ready to `train()`. The tokenizer and the model learn how replies end."""
    from trl import SFTConfig, SFTTrainer

    from ..trl.length_batches import SFTTrainerByLength
    from ..trl.signatures import SFT, check_signatures

    check_signatures(SFT)

    settle_ending(tokenizer, model)
    arguments = SFTConfig(**sft_arguments(run, folder.checkpoints))
    tally = Differences()
    rows = demonstration_rows(demonstrations_of(run).train(), tokenizer, arguments.max_length, tally)
    columns = ("input_ids", "labels"), ("length",)
    dataset = saved_rows(rows, tally, "demonstration", columns, arguments.max_length, folder, processes)
    optimizer = None
    if run.recipe.optimizer == "muon":
        from ..optim import muon

        optimizer = muon(model, arguments.learning_rate, arguments.weight_decay)
    # Packed examples have one length; TRL packs them from these rows, labels included.
    kind = SFTTrainer if arguments.packing else SFTTrainerByLength
    return counting(
        kind(
            model=model,
            args=arguments,
            train_dataset=dataset.select_columns(["input_ids", "labels"]) if arguments.packing else dataset,
            processing_class=tokenizer,
            callbacks=callbacks,
            peft_config=lora_config(run.recipe.lora),
            optimizers=(optimizer, None),
        )
    )


def saved_rows(
    rows: Iterator[dict[str, Any] | None],
    tally: Differences,
    example: str,
    columns: tuple[Sequence[str], Sequence[str]],
    max_length: int | None,
    folder: RunFolder,
    processes: ProcessGroup,
) -> Any:
    """Write the rows to the run folder and return them as a dataset. Warn of those that are too long, or differ from the template.

    `example`: the word for a row. `columns`: those of token ids, and those of numbers. Raises: R1Error where no row fits.
    """
    from datasets import Dataset

    file = folder.path / "rows.arrow"
    left_out = processes.run_on_main(lambda: write_arrow(rows, file, *columns))
    dataset = Dataset.from_file(str(file))
    if processes.main:
        for text in tally.lines():
            warn(folder, "template", text)
    if left_out and processes.main:
        text = f"{left_out} of {left_out + len(dataset)} {example}s have more than {max_length} tokens (trainer.max_length) and are left out"
        warn(folder, "left_out", text)
    if not len(dataset):
        raise R1Error(f"no {example} fits trainer.max_length {max_length}: set it higher")
    return dataset


def warn(folder: RunFolder, name: str, text: str) -> None:
    """Print a warning and keep it with the run, once."""
    print(f"warning: {text}", flush=True)
    if not any(line["name"] == name and line["text"] == text for line in folder.metrics("warning")):
        folder.append_metrics({"kind": "warning", "step": 0, "name": name, "text": text})


def sft_arguments(run: RunPlan, checkpoints: Path) -> dict[str, Any]:
    """Return the arguments of SFTConfig: defaults for the machine < the recipe's `trainer:` < those that r1sdk owns."""
    arguments = shared_arguments(run.recipe, checkpoints)
    if not arguments.get("packing"):
        arguments["dataset_kwargs"] = {"skip_prepare_dataset": True}  # the rows are ready
    return arguments


def demonstrations_of(run: RunPlan) -> Demonstrations:
    """Return the demonstrations of `run`. Raises: R1Error."""
    assert run.demonstrations is not None
    if isinstance(run.demonstrations, FromHub):
        from .hub_rows import hub_rows

        return hub_rows(run.demonstrations)
    return run.demonstrations


def write_arrow(
    rows: Iterator[dict[str, Any] | None], file: Path, lists: Sequence[str], numbers: Sequence[str] = ()
) -> int:
    """Write the rows where a data set can lie on disk, not in memory: columns of token ids, and of numbers.

    Returns how many were None, and so left out.
    """
    import pyarrow as pa

    ids = pa.list_(pa.int32())
    schema = pa.schema([*((name, ids) for name in lists), *((name, pa.int32()) for name in numbers)])
    left_out = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # an older one may still be mapped: a new file, not new content
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        while some := list(islice(rows, 1000)):
            fitting = [row for row in some if row is not None]
            left_out += len(some) - len(fitting)
            writer.write_batch(pa.RecordBatch.from_pylist(fitting, schema=schema))
    return left_out
