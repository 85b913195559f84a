"""The embedded models: `tiny`, trained to search for Countdown solutions, and `tiny_blank`, which it was trained from."""

from collections.abc import Callable
from pathlib import Path

import r1sdk

TINY = Path(__file__).parent / "tiny"


def tiny_blank(folder: Path, seed: int) -> None:
    """Random weights with the tokenizer of `tiny`: the start of its SFT (recipe tiny/sft)."""
    from .blank import write_blank

    write_blank(TINY, folder, seed)


@r1sdk.hookimpl
def r1_register_models(register: Callable[[str, Path | Callable[[Path, int], None]], None]) -> None:
    register("tiny", TINY)
    register("tiny_blank", tiny_blank)
