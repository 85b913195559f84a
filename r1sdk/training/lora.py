"""LoRA: adapters in place of the whole model (Hu et al. 2021, arXiv 2106.09685), by peft."""

import shutil
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..errors import R1Error
from ..recipe.key_groups import Lora


def lora_config(lora: Lora | None) -> Any:
    """Return the `peft_config` for TRL's trainers; None trains the whole model. Raises: R1Error if peft is missing."""
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


def merge_adapter(adapter: Path, base: Any, folder: Path) -> None:
    """Write the loaded model `base` with the adapter merged into its weights to `folder`: it loads without peft.

    Raises: R1Error where the adapter does not fit the base.
    """
    from peft import PeftModel

    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=r"(?s).*Found missing adapter keys")  # they would be random
        try:
            whole = PeftModel.from_pretrained(base, str(adapter))
        except (UserWarning, RuntimeError, ValueError, OSError) as error:
            raise R1Error(
                f"the adapter {adapter} does not fit its base: {' '.join(str(error).split()):.300}"
                "\n  copy the adapter again, or name its own base (base_model_name_or_path in adapter_config.json)"
            ) from error
    whole.merge_and_unload().save_pretrained(str(folder))


def write_merged(adapter: Path, base: str, load: Callable[[], Any], folder: Path) -> None:
    """Write the model that the adapter in a folder stands for, with its tokenizer, to `folder`; `load` loads its base.

    Raises: R1Error where peft is missing.
    """
    from transformers import AutoTokenizer

    if find_spec("peft") is None:
        raise R1Error(f"the model {adapter} is an adapter, which needs peft: pip install 'r1sdk[lora]'")
    print(f"merging the adapter {adapter} into its base {base}", file=sys.stderr, flush=True)
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    merge_adapter(adapter, load(), new)
    brings_tokenizer = (adapter / "tokenizer_config.json").is_file()
    AutoTokenizer.from_pretrained(str(adapter) if brings_tokenizer else base).save_pretrained(str(new))
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)
