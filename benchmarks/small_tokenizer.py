"""The tokenizer of `small`: that of `tiny` for searches that go backwards from the target, and for games of `guess`.

`python benchmarks/small_tokenizer.py FOLDER` made it, and writes the same files again.
"""

import random
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tiny_tokenizer import build_tokenizer, chats

import r1sdk
from r1_envs.countdown import Countdown
from r1_envs.guess import Guess

# As in `tiny_tokenizer`, but a phrase may end a line: " no" with its line break is one token.
_TEXT = r"(?: [+\-*/](?= )| </?(?:think|answer)>|[^\d+\-*/=()<>\n])"
PIECES = "|".join(
    (
        r"</think>\n<answer>",
        r"\n</think>\n<answer>",
        r"<think>\n",
        r"</?(?:think|answer)>",
        r"\d{1,3}",
        rf"(?:system|user|assistant)\n{_TEXT}*",
        rf"{_TEXT}+\n?",
        r"\n",
        r".",
    )
)


def rendered() -> Iterator[str]:
    """Rendered chats of each kind that `small` is trained on."""
    yield from chats(islice(countdown("full").demonstrations("train"), 3000))
    yield from chats(islice(countdown("easy").demonstrations("train"), 500))
    yield from chats(islice(games(), 500))


def countdown(level: Any) -> Countdown:
    return Countdown(level=level, demonstrated="backward", seed=1, train_size=10**9)


def games() -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
    """Games of many sizes."""
    rng = random.Random("sizes 1")
    for at in range(10**9):
        low = rng.choice((0, 20, 60))
        game = Guess(
            numbers=rng.randint(5, 40), guesses=rng.randint(3, 7), lowest=(low, low + 60), train_size=8, seed=1 + at
        )
        yield from game.demonstrations("train")


if __name__ == "__main__":
    build_tokenizer(rendered(), pieces=PIECES).save_pretrained(Path(sys.argv[1]))
