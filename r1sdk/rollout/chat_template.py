"""Write a conversation as a tokenizer's chat template does: the prompt, and the text between two turns, as token ids.

The model's own turns are never rendered again: their tokens stay as they were sampled.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from ..errors import R1Error
from ..records import Message
from ..reply_format import opened_think
from .template_text import template_failure
from .tools import as_chat

_MARK = "@reply@"
_ASKED = {"role": "user", "content": "?"}
_REPLIED = {"role": "assistant", "content": _MARK}


class TurnWriter:
    """A writer of prompts and turns for one tokenizer. Raises: R1Error if its chat template cannot continue after a reply."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        added = getattr(tokenizer, "added_tokens_decoder", {}).values()
        special = {*tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        self._special = sorted((token for token in special if token), key=len, reverse=True)
        sentinel = "@answer@"
        if sentinel not in self._after_reply([{"role": "user", "content": sentinel}]):
            raise R1Error(
                "the chat template of this model drops a user turn after a reply, so it cannot be used for sessions"
            )

    def prompt(self, messages: Sequence[Message]) -> tuple[list[int], str]:
        """Return the ids of a prompt up to the start of the reply, and the `<think>` that the template has opened."""
        return self._ids(self._render(messages))

    def between_turns(self, messages: Sequence[Message]) -> tuple[list[int], str]:
        """Return the ids between two turns of the model, without the first one's end token, and the `<think>` as in `prompt`.

        The environment's text cannot open or end a turn: special tokens in it are split by a space.
        """
        chat = [{**message, "content": self._split_special_tokens(message["content"])} for message in as_chat(messages)]
        return self._ids(self._after_reply(chat))

    def read(self, ids: Sequence[int]) -> str:
        """Return the text of a turn."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def _after_reply(self, messages: Sequence[Message]) -> str:
        text = self._render([_ASKED, _REPLIED, *messages]).rpartition(_MARK)[2]
        end = next((token for token in self._special if text.startswith(token)), "")
        return text.removeprefix(end)

    def _render(self, messages: Sequence[Message]) -> str:
        return render(self.tokenizer, list(messages))

    def _ids(self, text: str) -> tuple[list[int], str]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"]), opened_think(text)

    def _split_special_tokens(self, text: str) -> str:
        return split_tokens(text, self._special)


def split_tokens(text: str, tokens: Iterable[str]) -> str:
    """Return `text` with a space inside each of the tokens, so that a tokenizer reads them as plain text."""
    for token in tokens:
        text = text.replace(token, f"{token[0]} {token[1:]}")
    return text


def render(tokenizer: Any, prompt: list[Message], tools: Sequence[Any] | None = None) -> str:
    """Return the chat prompt as the model reads it, up to where its reply begins. Raises: R1Error."""
    more = {"tools": list(tools)} if tools else {}
    try:
        return str(tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True, **more))
    except Exception as error:
        raise R1Error(template_failure(prompt, error)) from error
