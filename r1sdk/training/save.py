"""The trained model, written to the run folder in Hugging Face form: whole, or not there."""

import shutil
from pathlib import Path
from typing import Any

from ..planning.run_plan import RunPlan
from ..storage.atomic import replace_folder
from ..storage.run_folder import RunFolder
from .process_group import ProcessGroup


def save(run: RunPlan, trainer: Any, tokenizer: Any, base: str, folder: RunFolder, processes: ProcessGroup) -> None:
    """`model/`; and for LoRA `adapter/`, merged into the weights of `base` to make `model/`. All processes take part."""
    new = folder.path / ".model.new"
    trained = new if run.recipe.lora is None else folder.path / ".adapter.new"
    if processes.main:
        for path in (new, trained):
            shutil.rmtree(path, ignore_errors=True)
    processes.barrier()
    trainer.save_model(str(trained))
    processes.barrier()
    processes.run_on_main(lambda: _finish(run, trained, new, tokenizer, base, folder, trainer.model))


def _finish(run: RunPlan, trained: Path, new: Path, tokenizer: Any, base: str, folder: RunFolder, model: Any) -> None:
    if trained != new:
        from .lora import merge_adapter
        from .models import load_model, training_options

        # Quantized weights are packed: the adapter is merged into those that they were made from, which may not fit the GPU.
        place = None if run.recipe.quantize is None else "cpu"
        dtype = model.dtype if place is None else training_options(run)["dtype"]
        options = {"dtype": dtype, "trust_remote_code": run.recipe.trust_remote_code}
        merge_adapter(trained, load_model(base, place, **options), new)
        model.generation_config.save_pretrained(str(new))  # where replies end may have changed
        _put(trained, folder.adapter)
    tokenizer.save_pretrained(str(new))
    _put(new, folder.model)
    folder.note_folder(folder.model)


def _put(new: Path, place: Path) -> None:
    (new / "training_args.bin").unlink(missing_ok=True)  # a pickle: nobody should have to load one
    replace_folder(new, place)
