"""LoRA: adapters in place of the whole model (Hu et al. 2021, arXiv 2106.09685), by peft."""

from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..recipe.key_groups import Lora


def lora_config(lora: Lora | None) -> Any:
    """What TRL's trainers take as `peft_config`; None trains the whole model. Raises: R1Error where peft is missing."""
    if lora is None:
        return None
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise R1Error(f"lora needs peft ({error}): pip install 'r1sdk[lora]'") from error
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        task_type="CAUSAL_LM",
    )


def merge_adapter(adapter: Path, base: str, folder: Path, dtype: Any, place: str | None = None) -> None:
    """Write the model with the adapter merged into its weights to `folder`: it loads as any other, without peft."""
    from peft import PeftModel

    from .models import load_model

    model = PeftModel.from_pretrained(load_model(base, place, dtype=dtype), str(adapter))
    model.merge_and_unload().save_pretrained(str(folder))
