"""The tokenizer of `tiny`: byte-level BPE in which whole phrases, and numbers up to 200, are single tokens.

`python benchmarks/tiny_tokenizer.py FOLDER` made it, and writes the same files again.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

END, START, PAD = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
LARGEST_NUMBER = 200  # that is one token; larger ones are two or three

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

_TEXT = r"(?: [+\-*/](?= )| </?(?:think|answer)>|[^\d+\-*/=()<>\n])"  # with the signs and tags that it mentions

# Merges never cross the borders of these pieces. Spaces are none of them, so a phrase of many words becomes one token.
PIECES = "|".join(
    (
        r"\n\d+\. ",  # the number of an attempt
        r"\n</think>\n<answer>",
        r"</?(?:think|answer)>",
        r"\d{1,3}",
        rf"(?:system|user|assistant)\n{_TEXT}*",
        rf"{_TEXT}+",
        r"\n",
        r".",
    )
)


def build_tokenizer(texts: Iterable[str], pieces: str = PIECES) -> Any:
    """A tokenizer whose merges were learnt from rendered chats, `texts`; no merge crosses the borders of `pieces`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    split = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = split
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        min_frequency=20,
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    learner.train_from_iterator(_words(texts, pieces), trainer)
    learnt = json.loads(learner.to_str())["model"]
    vocabulary, merges = dict(learnt["vocab"]), [tuple(pair) for pair in learnt["merges"]]
    for number in map(str, range(10, LARGEST_NUMBER + 1)):
        vocabulary.setdefault(number, len(vocabulary))
        # Both ways to halve three digits: which two of them meet first depends on the other merges.
        merges += [
            pair for pair in ((number[:-1], number[-1]), (number[0], number[1:])) if vocabulary.keys() >= {*pair}
        ]
    merges = list(dict.fromkeys(merges))

    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in (PAD, START, END)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        padding_side="left",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def _words(texts: Iterable[str], pieces: str) -> Iterator[str]:
    """The pieces of `texts` but for numbers, whose merges are not a matter of frequency."""
    for chat in texts:
        for text in re.split(r"<\|\w+\|>", chat):
            yield from (piece for piece in re.findall(pieces, text) if not piece.isdigit())


def countdown_chats(count: int = 4000) -> Iterator[str]:
    """Rendered demonstrations of Countdown, both levels."""
    from r1_envs.countdown import Countdown

    return chats(islice(Countdown(level="mixed").demonstrations("train"), count))


def chats(demonstrations: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Demonstrations, rendered with the chat template."""
    for task, completion in demonstrations:
        messages = [*task.prompt, *completion.messages]
        yield "".join(f"{START}{m['role']}\n{m['content']}{END}\n" for m in messages)


if __name__ == "__main__":
    build_tokenizer(countdown_chats()).save_pretrained(Path(sys.argv[1]))
