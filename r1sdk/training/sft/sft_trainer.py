"""A `RunPlan` in, a model trained on demonstrations out: SFT on TRL's trainer, loss on the replies only."""

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from ...data.demonstrations import Demonstrations, FromHub
from ...errors import R1Error
from ...planning.run_plan import RunPlan
from ...records import Completion, Task
from ...rollout.chat_template import TurnWriter
from ...rollout.hf_model import render
from ...storage.run_folder import RunFolder
from ..lora import lora_config
from ..process_group import SINGLE_PROCESS, ProcessGroup
from ..trl.grpo import machine_arguments, tracked_as
from .chat_tokenizer import settle_ending

IGNORED = -100  # the label of a token that carries no loss


def sft_trainer(
    run: RunPlan,
    model: Any,
    tokenizer: Any,
    folder: RunFolder,
    callbacks: list[Any],
    processes: ProcessGroup = SINGLE_PROCESS,
) -> Any:
    """TRL's SFTTrainer for `run` on its demonstrations, ready to `train()`. The tokenizer and the model learn how replies end."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from ..trl.length_batches import SFTTrainerByLength
    from ..trl.signatures import SFT, check_signatures

    check_signatures(SFT)

    settle_ending(tokenizer, model)
    arguments = SFTConfig(**sft_arguments(run, folder.checkpoints))
    rows = demonstration_rows(demonstrations_of(run).train(), tokenizer, arguments.max_length)
    file = folder.path / "rows.arrow"
    left_out = processes.run_on_main(lambda: _write(rows, file))
    dataset = Dataset.from_file(str(file))
    if left_out and processes.main:
        text = f"{left_out} of {left_out + len(dataset)} demonstrations have more than {arguments.max_length} tokens (trainer.max_length) and are left out"
        print(f"warning: {text}", flush=True)
        if not any(line["name"] == "left_out" for line in folder.metrics("warning")):
            folder.append_metrics({"kind": "warning", "step": 0, "name": "left_out", "text": text})
    if not len(dataset):
        raise R1Error(f"no demonstration fits trainer.max_length {arguments.max_length}: set it higher")
    optimizer = None
    if run.recipe.optimizer == "muon":
        from ..optim import muon

        optimizer = muon(model, arguments.learning_rate, arguments.weight_decay)
    # Packed examples have one length; TRL packs them from these rows, labels included.
    kind = SFTTrainer if arguments.packing else SFTTrainerByLength
    return kind(
        model=model,
        args=arguments,
        train_dataset=dataset.select_columns(["input_ids", "labels"]) if arguments.packing else dataset,
        processing_class=tokenizer,
        callbacks=callbacks,
        peft_config=lora_config(run.recipe.lora),
        optimizers=(optimizer, None),
    )


def sft_arguments(run: RunPlan, checkpoints: Path) -> dict[str, Any]:
    """The arguments of SFTConfig: what suits the machine < the recipe's `trainer:` < what r1sdk owns."""
    arguments = {
        **machine_arguments(),
        **tracked_as(checkpoints),
        **run.recipe.trainer,
        "output_dir": str(checkpoints),
        "seed": run.recipe.seed,
    }
    if not arguments.get("packing"):
        arguments["dataset_kwargs"] = {"skip_prepare_dataset": True}  # the rows are ready
    return arguments


def demonstrations_of(run: RunPlan) -> Demonstrations:
    """What `run` learns from. Raises: R1Error."""
    assert run.demonstrations is not None
    if isinstance(run.demonstrations, FromHub):
        from .hub_rows import hub_rows

        return hub_rows(run.demonstrations)
    return run.demonstrations


def demonstration_rows(
    demonstrations: Iterable[tuple[Task, Completion]], tokenizer: Any, max_length: int | None
) -> Iterator[dict[str, Any] | None]:
    """Each demonstration as `input_ids` and `labels`, [T] each, and its `length`; None for one over `max_length`.

    A reply ends with the end-of-sequence token, and it alone carries loss; of several turns, each of the model's does.
    """
    source = iter(demonstrations)
    while some := list(islice(source, 1000)):  # the tokenizer is quick in batches
        if any(len(completion.messages) > 1 for _, completion in some):
            yield from (_dialogue_row(task, completion, tokenizer, max_length) for task, completion in some)
            continue
        prompts = [render(tokenizer, task.prompt) for task, _ in some]
        replies = [_reply(prompt, completion.text) for prompt, (_, completion) in zip(prompts, some, strict=True)]
        asked = tokenizer(prompts, add_special_tokens=False)["input_ids"]
        told = tokenizer([reply + tokenizer.eos_token for reply in replies], add_special_tokens=False)["input_ids"]
        for prompt, reply in zip(asked, told, strict=True):
            length = len(prompt) + len(reply)
            if max_length is None or length <= max_length:
                yield {"input_ids": prompt + reply, "labels": [IGNORED] * len(prompt) + reply, "length": length}
            else:
                yield None


def _dialogue_row(task: Task, completion: Completion, tokenizer: Any, max_length: int | None) -> dict[str, Any] | None:
    """A demonstration of several turns, written as it would be played: what the environment says carries no loss."""
    writer = TurnWriter(tokenizer)
    ids, opened = writer.prompt(task.prompt)
    labels = [IGNORED] * len(ids)
    for spoken, turn in groupby(completion.messages, key=lambda message: message["role"] == "assistant"):
        if not spoken:
            told, opened = writer.between_turns(list(turn))
            ids, labels = ids + told, labels + [IGNORED] * len(told)
            continue
        for message in turn:
            text = _reply(opened, message["content"]) + tokenizer.eos_token
            reply = tokenizer(text, add_special_tokens=False)["input_ids"]
            ids, labels = ids + reply, labels + reply
    return None if max_length and len(ids) > max_length else {"input_ids": ids, "labels": labels, "length": len(ids)}


def _reply(prompt: str, text: str) -> str:
    """What is to be learnt of `text`: where the template opens the think block itself, not that `<think>` again."""
    from ...reply_format import opened_think

    opened = opened_think(prompt)
    if opened and text.lstrip().startswith("<think>"):
        return text.lstrip().removeprefix(opened.rstrip()).removeprefix("\n" if opened.endswith("\n") else "")
    return text


def _write(rows: Iterator[dict[str, Any] | None], file: Path) -> int:
    """The rows, written where a data set can lie on disk, not in memory. Returns how many were left out."""
    import pyarrow as pa

    numbers = pa.list_(pa.int32())
    schema = pa.schema([("input_ids", numbers), ("labels", numbers), ("length", pa.int32())])
    left_out = 0
    file.parent.mkdir(parents=True, exist_ok=True)
    file.unlink(missing_ok=True)  # an older one may still be mapped: a new file, not new content
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
        while some := list(islice(rows, 1000)):
            fitting = [row for row in some if row is not None]
            left_out += len(some) - len(fitting)
            writer.write_batch(pa.RecordBatch.from_pylist(fitting, schema=schema))
    return left_out
