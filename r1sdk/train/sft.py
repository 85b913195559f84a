"""A `Run` in, a model trained on its environment's demonstrations out: SFT on TRL's trainer, loss on the replies only."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from ..compose import Run
from ..contracts import Demonstrator
from ..errors import R1Error
from ..generation.hf_model import render
from ..records import Completion, Task
from ..runs import RunFolder
from .adapters import lora_config
from .grpo import machine_arguments, tracked_as

IGNORED = -100  # the label of a token that carries no loss


def sft_trainer(run: Run, model: Any, tokenizer: Any, folder: RunFolder, callbacks: list[Any]) -> Any:
    """TRL's SFTTrainer for `run` on the demonstrations of its environment, ready to `train()`."""
    from datasets import Dataset
    from trl import SFTConfig

    from .lengths import SFTTrainerByLength

    assert isinstance(run.environment, Demonstrator)
    arguments = SFTConfig(**sft_arguments(run, folder.checkpoints))
    rows = list(demonstration_rows(run.environment.demonstrations("train"), tokenizer, arguments.max_length))
    if not rows:
        raise R1Error(f"environment {run.recipe.env.name!r} gave no demonstration that fits trainer.max_length")
    optimizer = None
    if run.recipe.optimizer == "muon":
        from .optim import muon

        optimizer = muon(model, arguments.learning_rate, arguments.weight_decay)
    return SFTTrainerByLength(
        model=model,
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=callbacks,
        peft_config=lora_config(run.recipe.lora),
        optimizers=(optimizer, None),
    )


def sft_arguments(run: Run, checkpoints: Path) -> dict[str, Any]:
    """The arguments of SFTConfig: what suits the machine < the recipe's `trainer:` < what r1sdk owns."""
    return {
        **machine_arguments(),
        **tracked_as(checkpoints),
        **run.recipe.trainer,
        "output_dir": str(checkpoints),
        "seed": run.recipe.seed,
        "dataset_kwargs": {"skip_prepare_dataset": True},  # the rows are ready
    }


def demonstration_rows(
    demonstrations: Iterable[tuple[Task, Completion]], tokenizer: Any, max_length: int | None
) -> Iterator[dict[str, Any]]:
    """Each demonstration as `input_ids` and `labels`, [T] each, and its `length`; those over `max_length` are left out.

    A reply ends with the end-of-sequence token, and it alone carries loss.
    """
    source = iter(demonstrations)
    while some := list(islice(source, 1000)):  # the tokenizer is quick in batches
        prompts = [render(tokenizer, task.prompt) for task, _ in some]
        replies = [completion.text + tokenizer.eos_token for _, completion in some]
        asked, told = (tokenizer(texts, add_special_tokens=False)["input_ids"] for texts in (prompts, replies))
        for prompt, reply in zip(asked, told, strict=True):
            length = len(prompt) + len(reply)
            if max_length is None or length <= max_length:
                yield {"input_ids": prompt + reply, "labels": [IGNORED] * len(prompt) + reply, "length": length}
