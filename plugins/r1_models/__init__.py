"""The embedded model `tiny`, which searches for Countdown solutions, and the models that SFT begins with."""

from collections.abc import Callable
from pathlib import Path

import r1sdk

TINY = Path(__file__).parent / "tiny"

# Texts of `maths_tools` that are one token each for `tools_blank`. `tiny` writes a call byte by byte, in about 75 tokens.
TOOL_PHRASES = (
    '\n\nTools:\ncalculator(expression)\n<tool_call>\n{"name": "calculator", "arguments": {"expression": "..."}}\n</tool_call>',
    "user\nWhat is ",
    '\n</think>\n<tool_call>\n{"name": "calculator", "arguments": {"expression": "',
    '"}}\n</tool_call>',
    "user\n<tool_response>\n",
    "\n</tool_response>",
    " + ",
    " - ",
    " * ",
)


def tiny_blank(folder: Path, seed: int) -> None:
    """Random weights with the tokenizer of `tiny`: the start of its SFT (recipe tiny/sft)."""
    from .blank import write_blank

    write_blank(TINY, folder, seed)


def tools_blank(folder: Path, seed: int) -> None:
    """The weights of `tiny` under a tokenizer with short tool calls: the start of the recipe maths_tools/tiny. Takes no seed: nothing is random."""
    from .blank import write_with_phrases

    write_with_phrases(TINY, folder, TOOL_PHRASES)


@r1sdk.hookimpl
def r1_register_models(register: Callable[[str, Path | Callable[[Path, int], None]], None]) -> None:
    register("tiny", TINY)
    register("tiny_blank", tiny_blank)
    register("tools_blank", tools_blank)
