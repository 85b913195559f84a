"""Chat templates as text: the two that are shipped, and the adjustments that make any template fit a run.

Nothing here imports transformers, so that `--dry-run` can try a template in milliseconds. An adjusted template is an
ordinary one: whoever loads the trained model gets the same conversation, TRL and vLLM included.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import R1Error, nearest
from ..records import Message

# Both use no token but the tokenizer's own begin and end, so they fit any vocabulary.
PLAIN_TEMPLATE = (
    "{% if bos_token is defined and bos_token %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'User:\n' + message['content'] + '\n\n' }}"
    "{% else %}{{ 'Assistant:\n' + message['content'] + eos_token + '\n\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:\n' }}{% endif %}"
)
# The form of DeepSeek-R1-Zero (arXiv 2501.12948, Table 1): plain text that a base model continues, the thinking begun.
R1_ZERO_TEMPLATE = (
    "{% if bos_token is defined and bos_token %}{{ bos_token }}{% endif %}"
    "{{ 'A user puts a question to an assistant, and the assistant solves it.' }}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ ' ' + message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '\nUser: ' + message['content'] }}"
    "{% else %}{{ '\nAssistant: ' + message['content'] + eos_token }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '\nAssistant: <think>\n' }}{% endif %}"
)
SHIPPED = {"plain": PLAIN_TEMPLATE, "r1_zero": R1_ZERO_TEMPLATE}

_FOLD = (
    "{%- if messages and messages[0]['role'] == 'system' %}"
    "{%- if messages | length > 1 and messages[1]['role'] == 'user' %}"
    "{%- set messages = [{'role': 'user', 'content': messages[0]['content'] + '\n\n' + messages[1]['content']}]"
    " + messages[2:] %}"
    "{%- else %}"
    "{%- set messages = [{'role': 'user', 'content': messages[0]['content']}] + messages[1:] %}"
    "{%- endif %}{%- endif %}"
)
_NAME = re.compile(r"[A-Za-z_]\w*")
_GENERATION = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")


@dataclass(frozen=True, slots=True)
class Tokens:
    """The special tokens that templates write by name."""

    bos: str = ""
    eos: str = ""
    pad: str = ""
    unk: str = ""


def find_template(name: str) -> str:
    """Return the template that a recipe's `chat_template` names: a shipped one, or a file. Raises: R1Error."""
    if name in SHIPPED:
        return SHIPPED[name]
    path = Path(name).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise R1Error(
            f"recipe key 'chat_template' is {name!r}{nearest(name, SHIPPED)}: the shipped ones are {', '.join(SHIPPED)}, "
            f"and the file {path} cannot be read: {error}"
        ) from None


def with_arguments(template: str, arguments: Mapping[str, Any]) -> str:
    """Return `template` with defaults for its arguments; a caller that gives one of them still has its way."""
    lines = []
    for name, value in arguments.items():
        if not _NAME.fullmatch(name):
            raise R1Error(f"recipe key 'template_args' takes names, got {name!r}")
        lines.append(f"{{%- if {name} is not defined %}}{{%- set {name} = {_literal(value)} %}}{{%- endif %}}")
    return "".join(lines) + template


def _literal(value: Any) -> str:
    """Return `value` as Jinja writes it."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {_literal(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)


def with_folded_system(template: str) -> str:
    """Return `template` with the system message written at the head of the first turn of the user."""
    return _FOLD + template


def render_text(
    template: str,
    messages: Sequence[Message],
    tokens: Tokens,
    *,
    add_generation_prompt: bool = True,
    tools: Sequence[Any] | None = None,
) -> str:
    """Render as transformers does. Raises: R1Error with the template's message."""
    try:
        return str(
            _compiled(template).render(
                messages=list(messages),
                tools=tools,
                documents=None,
                add_generation_prompt=add_generation_prompt,
                bos_token=tokens.bos,
                eos_token=tokens.eos,
                pad_token=tokens.pad,
                unk_token=tokens.unk,
            )
        )
    except Exception as error:  # noqa: BLE001 - a template may raise anything
        raise R1Error(template_failure(messages, error)) from None


def template_failure(messages: Sequence[Message], error: Exception) -> str:
    """Return the error for a template that cannot write `messages`."""
    roles = ", ".join(str(message.get("role")) for message in messages) or "nothing"
    return f"the chat template of this model cannot write {roles}: {type(error).__name__}: {error}"


def check_prompt(template: str, tokens: Tokens) -> str:
    """Return a warning if a prompt leaves the beginning of the model's turn to the model, else "".

    Raises: R1Error where the template does not write the text of the user.
    """
    asked: Message = {"role": "user", "content": "@asked@"}
    try:
        prompt = render_text(template, [asked], tokens)
    except R1Error:  # tried on the messages of the run, which may have what this one lacks
        return ""
    if "@asked@" not in prompt:
        raise R1Error(
            "the chat template of this model does not write the text of the user, so the model would see no question: "
            "use another one, e.g. --set chat_template=plain, or a file"
        )
    if prompt != render_text(template, [asked], tokens, add_generation_prompt=False):
        return ""
    try:
        answered = render_text(template, [asked, {"role": "assistant", "content": "@reply@"}], tokens)
    except R1Error:
        return ""
    opening, found, _ = answered.removeprefix(prompt).partition("@reply@")
    if not answered.startswith(prompt) or not found or not opening.strip():
        return ""
    return (
        f"the chat template has no generation prompt: replies begin with {opening!r}, and a prompt ends before it, so the "
        "model must write that itself; add it under {% if add_generation_prompt %}"
    )


def needs_folding(template: str, tokens: Tokens) -> bool:
    """True if the template writes a turn of the user, but refuses or drops a system message in front of it."""
    asked: Message = {"role": "user", "content": "@asked@"}
    try:
        if "@asked@" not in render_text(template, [asked], tokens):
            return False
    except R1Error:
        return False
    try:
        return "@told@" not in render_text(template, [{"role": "system", "content": "@told@"}, asked], tokens)
    except R1Error:
        return True


def adjusted(template: str, arguments: Mapping[str, Any], tokens: Tokens) -> tuple[str, bool]:
    """Return the template with its arguments set, and whether the system message is now folded. Raises: R1Error."""
    template = with_arguments(template, arguments)
    folds = needs_folding(template, tokens)
    return (with_folded_system(template) if folds else template), folds


def template_in(folder: Path) -> tuple[str | None, Tokens]:
    """Return the chat template and special tokens in a model's folder; None where it has no template, or not in files.

    Raises: R1Error where the files are no JSON.
    """
    file = folder / "tokenizer_config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        written = folder / "chat_template.jinja"
        template = written.read_text(encoding="utf-8") if written.is_file() else config.get("chat_template")
    except (OSError, ValueError) as error:
        raise R1Error(f"cannot read {file}: {error}") from None
    if isinstance(template, list):  # several, by name
        template = next((one.get("template") for one in template if one.get("name") == "default"), None)
    return template, Tokens(*(_token(config.get(f"{name}_token")) for name in ("bos", "eos", "pad", "unk")))


def _token(value: Any) -> str:
    return str((value.get("content") if isinstance(value, dict) else value) or "")


@cache
def _compiled(template: str) -> Any:
    from jinja2 import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: Any = None, **more: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **more)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment.from_string(_GENERATION.sub("", template))
