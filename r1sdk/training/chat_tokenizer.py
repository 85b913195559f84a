"""Fit a tokenizer and its model to a run: the chat template, its arguments, and the token that ends a reply.

A base model often has a chat template whose turns end with one token (`<|im_end|>`) and another as its end of sequence
(`<|endoftext|>`): trained and run as it stands, its replies never end. Some have no template at all.
"""

from typing import Any

from ..errors import R1Error
from ..recipe.schema import Chat
from ..rollout.template_text import Tokens, adjusted, check_prompt, find_template, template_failure

_MARK = "@reply@"


def fit_template(tokenizer: Any, chat: Chat, where: str, fallback: str | None = None) -> list[str]:
    """Give the tokenizer the template of the recipe, or `fallback` where it has none. Return a note about it.

    Raises: R1Error where there is no template, or one that writes no question.
    """
    said = []
    if chat.template is not None:
        tokenizer.chat_template = find_template(chat.template)
    elif not tokenizer.chat_template and fallback is not None:
        tokenizer.chat_template = fallback
        said.append("the model has no chat template: it gets a plain one")
    template = tokenizer.chat_template
    if isinstance(template, dict):  # several, by name: the one for plain conversations
        template = template.get("default")
    if not template:
        raise R1Error(
            f"model {where!r} has no chat template, so a prompt cannot be put to it: give it one with "
            "--set chat_template=r1_zero (or plain, or a file), use its instruct version, or train it first by method sft"
        )
    text, folds = adjusted(template, chat.arguments, tokens_of(tokenizer))
    if folds:
        said.append(
            "the chat template has no system role: a system message is written at the head of the first user turn"
        )
    if text != template or tokenizer.chat_template != template:
        tokenizer.chat_template = text
    if warning := check_prompt(text, tokens_of(tokenizer)):
        said.append(warning)
    return said


def tokens_of(tokenizer: Any) -> Tokens:
    """Return the special tokens that the tokenizer's template writes."""
    return Tokens(*(str(getattr(tokenizer, f"{name}_token", None) or "") for name in ("bos", "eos", "pad", "unk")))


def settle_ending(tokenizer: Any, model: Any | None = None) -> str:
    """Return the token that ends a reply, after telling the tokenizer and the model's generation that it does.

    It is the special token that the chat template puts behind a reply, or else the end of sequence as it was. Raises: R1Error.
    """
    end = _behind_a_reply(tokenizer) or tokenizer.eos_token
    if end != tokenizer.eos_token:
        tokenizer.eos_token = end
    if model is not None:
        _end_generation(model, tokenizer.convert_tokens_to_ids(end))
    return str(end)


def _behind_a_reply(tokenizer: Any) -> str | None:
    """Return the special token that the template puts directly behind a reply."""
    talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
    try:
        text = str(tokenizer.apply_chat_template(talk, tokenize=False))
    except Exception as error:
        raise R1Error(template_failure(talk, error)) from error
    behind = text.rpartition(_MARK)[2].lstrip()
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    found = [token for token in {*special, *tokenizer.all_special_tokens} if token and behind.startswith(token)]
    return max(found, key=len, default=None)


def _end_generation(model: Any, end: int) -> None:
    """Have the model stop at `end` as well as where it stopped before."""
    config = model.generation_config
    before = config.eos_token_id
    known = list(before) if isinstance(before, (list, tuple)) else [] if before is None else [before]
    if end not in known:
        config.eos_token_id = [end, *known] if known else end
