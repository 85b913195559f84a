"""A model's tokenizer: chat template, end and pad tokens, and whether prompts and completions fit."""

import contextlib
import io
from collections.abc import Iterator

from ..planning.model_source import ModelSource, model_folder
from ..planning.run_plan import RunPlan
from ..plugins.environment_calls import tasks_of
from ..recipe.schema import Chat
from ..reply_format import opened_think
from . import Finding


def check_model(source: ModelSource, chat: Chat | None = None) -> Iterator[Finding]:
    """Raises: R1Error where the model cannot be trained as it is."""
    if source.make is not None:
        yield Finding("model", "ok", f"{source.name} is made when the run begins")
        return
    from ..rollout.chat_template import render
    from ..rollout.template_text import check_prompt
    from ..training.chat_tokenizer import tokens_of
    from ..training.models import check_weights, load_tokenizer
    from ..training.sft.sft_rows import template_differences

    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        tokenizer = load_tokenizer(files_of(source), chat)
    if (folder := model_folder(source)) is not None:
        check_weights(source.name, folder, bool(chat and chat.trust_remote_code))
        yield Finding("weights", "ok", "whole, all numbers, and as config.json says")
    warning = check_prompt(str(tokenizer.chat_template), tokens_of(tokenizer))
    opened = opened_think(render(tokenizer, [{"role": "user", "content": "?"}]))
    yield Finding("chat template", "ok", "opens the think block itself" if opened else "there")
    for line in said.getvalue().splitlines():
        if line != warning:
            yield Finding("chat template", "ok", line)
    if warning:
        yield Finding("chat template", "warning", warning, "or name another one: --set chat_template=plain")
    for difference in template_differences(tokenizer):
        yield Finding("chat template", "warning", difference)
    yield Finding("end token", "ok", repr(tokenizer.eos_token))
    if tokenizer.pad_token_id == tokenizer.eos_token_id:
        yield Finding("pad token", "ok", "none of its own: the end token, which is masked")
    else:
        yield Finding("pad token", "ok", repr(tokenizer.pad_token))


def check_fit(plan: RunPlan) -> Iterator[Finding]:
    """Raises: R1Error where the longest prompts and their completions do not fit the model."""
    if plan.model.make is not None:
        return
    from ..training.models import check_lengths, load_tokenizer

    where, limit = files_of(plan.model), plan.recipe.generation.max_tokens
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = load_tokenizer(where, plan.recipe.chat)
    check_lengths(tasks_of(plan.environment, "train"), tokenizer, where, limit)
    yield Finding("lengths", "ok", f"the longest prompts and {limit} tokens of completion fit")


def files_of(source: ModelSource) -> str:
    """Return where a model's config and tokenizer are; of an adapter, those of its base."""
    return files_of(source.base) if source.base is not None else str(source.folder or source.hub_id)
