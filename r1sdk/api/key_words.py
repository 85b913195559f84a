"""Words of other tools' options as recipe keys, for a command line that answers them with its own."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..errors import R1Error
from ..recipe.key_hints import NOTES, exact_keys, known_words
from ..recipe.schema import Recipe
from ..recipe.trl_fields import trainer_fields
from .evaluation_setup import READ as READ_BY_EVALUATION
from .generating import READ as READ_BY_GENERATION

SWITCHED = {  # words that are switches elsewhere -> the value of their key here
    "use_vllm": "vllm",
    "load_in_4bit": "4bit",
    "load_in_8bit": "8bit",
    "bf16": "bfloat16",
    "use_peft": "16",
    "wandb": "wandb",
}


@dataclass(frozen=True, slots=True)
class KeyWord:
    """A word as a recipe has it."""

    word: str
    keys: tuple[str, ...]  # the likeliest first; empty: no key has this meaning
    note: str = ""  # what to know about it
    switched: str | None = None  # the value of the key, where the word is a switch


def key_word(word: str) -> KeyWord:
    """Return the recipe keys that a word of another tool stands for: `num_generations`, `lr`, `trainer.beta`."""
    return KeyWord(word, tuple(exact_keys(word, Recipe)), NOTES.get(word, ""), SWITCHED.get(word))


def near_key_words(word: str) -> list[KeyWord]:
    """Return the nearest word that has recipe keys, for a misspelt one."""
    return [key_word(close) for close in get_close_matches(word, known_words(Recipe), n=1, cutoff=0.8)]


def key_default(key: str) -> str | None:
    """Return the default of a recipe key as text; None if it has none to show."""
    value: Any = Recipe.model_validate({"model": "tiny", "env": "countdown"}).model_dump()
    try:
        value["trainer"] = trainer_fields("grpo")
    except R1Error:  # TRL is not installed
        return None
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float | str) else None


def is_read(key: str, command: str) -> bool:
    """True if a command of `r1` that takes settings reads the recipe key: train, eval, generate, ..."""
    read = {"eval": READ_BY_EVALUATION, "generate": READ_BY_GENERATION}.get(command)
    if read is None:
        return command in ("train", "doctor") or not key.startswith(("trainer.", "launch."))
    return any(f"{key}.".startswith(f"{name}.") for name in read)
