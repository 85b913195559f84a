"""Check that a transformers model got all of its weights, by the lists that `output_loading_info=True` returns."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ..errors import R1Error

_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_SHOWN = 3
FIT_AGAIN = "download the model again, or put back the config.json that belongs to these weights"


def check_loaded(name: str, model: Any, loading: Mapping[str, Any]) -> None:
    """Raises: R1Error that names the tensors which are missing, have another shape, or are unexpected.

    `loading` is the second result of `from_pretrained(..., output_loading_info=True, ignore_mismatched_sizes=True)`.
    transformers would fill the missing ones with random numbers. An unexpected tensor outside the model, such as a value
    head or a vision tower, is no fault; one inside a layer of the model, or of a layer too many, is.
    """
    shapes = [f"{key} is {list(own)}, not {list(asked)}" for key, own, asked in loading["mismatched_keys"]]
    missing, unexpected = loading["missing_keys"], loading["unexpected_keys"]
    packed = getattr(model, "hf_quantizer", None) is not None  # with scales whose names only its kernels know
    if not missing:
        unexpected = [] if packed else _inside(model, unexpected)
    found = {"missing": missing, "of another shape": shapes, "unexpected": unexpected}
    if lines := [f"\n  {fault}: {listed(names)}" for fault, names in found.items() if names]:
        raise R1Error(f"the weights of model {name!r} do not fit its config.json{''.join(lines)}\n  {FIT_AGAIN}")


def check_finite(name: str, tensors: Iterable[tuple[str, Any]]) -> None:
    """Raises: R1Error that names the tensors with a value that is no finite number."""
    import torch

    kinds = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
    broken = [
        key
        for key, tensor in tensors
        if tensor.dtype in kinds
        and not tensor.is_meta
        # A sum needs no second tensor of that size; it may overflow, so every value is looked at where it is not finite.
        and not (tensor.detach().sum(dtype=torch.float32).isfinite() or tensor.detach().isfinite().all())
    ]
    if broken:
        raise R1Error(
            f"the weights of model {name!r} have values that are no numbers (NaN or infinite): {listed(broken)}"
            "\n  use an earlier checkpoint, or download the model again"
        )


@contextmanager
def without_report() -> Iterator[None]:
    """Keep the table of missing and unexpected weights that transformers logs off the screen: `check_loaded` reads the lists."""
    logger = logging.getLogger("transformers.modeling_utils")
    hides: Callable[[logging.LogRecord], bool] = lambda record: "LOAD REPORT" not in record.getMessage()
    logger.addFilter(hides)
    try:
        yield
    finally:
        logger.removeFilter(hides)


def listed(names: Iterable[str]) -> str:
    """Return the first names in a line, and the number of the others."""
    names = sorted(names)
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _inside(model: Any, names: Iterable[str]) -> list[str]:
    """Return the tensors whose place is in a layer of the model, or in a module that has weights."""
    if not names:
        return []
    modules = {_NUMBER.sub("*", name): module for name, module in model.named_modules()}

    def belongs(name: str) -> bool:
        parent = _NUMBER.sub("*", name).rpartition(".")[0]
        while parent and parent not in modules:
            parent = parent.rpartition(".")[0]
        return "*" in parent or (parent != "" and any(True for _ in modules[parent].parameters(recurse=False)))

    return [name for name in names if belongs(name)]
