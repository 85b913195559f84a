"""A tokenizer as it was published in, one that can hold a conversation and end its replies out.

A base model often has a chat template whose turns end with one token (`<|im_end|>`) and another as its end of sequence
(`<|endoftext|>`): trained and run as it stands, its replies never end. Some have no template at all.
"""

from typing import Any

from ...errors import R1Error

# No tokens of its own, so that it fits any vocabulary; each reply ends with the end of sequence.
PLAIN_TEMPLATE = (
    "{% if bos_token is defined and bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'User:\n' + message['content'] + '\n\n' }}"
    "{% else %}{{ 'Assistant:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\n' }}{% endif %}"
)
_MARK = "@reply@"


def settle_ending(tokenizer: Any, model: Any | None = None) -> str:
    """The token that ends a reply, which the tokenizer and the model's generation then know as the end of sequence.

    It is the special token that the chat template puts behind a reply, or else the end of sequence as it was. Raises: R1Error.
    """
    end = _behind_a_reply(tokenizer) or tokenizer.eos_token
    if end != tokenizer.eos_token:
        tokenizer.eos_token = end
    if model is not None:
        _end_generation(model, tokenizer.convert_tokens_to_ids(end))
    return str(end)


def _behind_a_reply(tokenizer: Any) -> str | None:
    """The special token that the template puts directly behind a reply."""
    talk = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
    try:
        text = str(tokenizer.apply_chat_template(talk, tokenize=False))
    except Exception as error:
        raise R1Error(f"the chat template of this model fails on a reply: {type(error).__name__}: {error}") from error
    behind = text.rpartition(_MARK)[2].lstrip()
    special = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    found = [token for token in {*special, *tokenizer.all_special_tokens} if token and behind.startswith(token)]
    return max(found, key=len, default=None)


def _end_generation(model: Any, end: int) -> None:
    """Have the model stop at `end`, beside where it stopped before."""
    config = model.generation_config
    before = config.eos_token_id
    known = list(before) if isinstance(before, (list, tuple)) else [] if before is None else [before]
    if end not in known:
        config.eos_token_id = [end, *known] if known else end
