"""A `ModelSource` in, a tokenizer and a model out, with the checks that need the tokenizer only."""

import logging
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import R1Error
from ..planning.model_source import HUB_ID, ModelSource
from ..planning.run_plan import RunPlan
from ..records import Task
from ..rollout.hf_model import render
from ..rollout.sessions import has_sessions
from ..servers.hub import reach_hub
from ..storage.atomic import replace_folder


def locate(source: ModelSource, folder: Path, seed: int) -> str:
    """What `from_pretrained` takes. A model that is made is written to `folder` first, unless it is there."""
    if source.make is not None:
        if not (folder / "config.json").is_file():
            new = folder.with_name(f".{folder.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            source.make(new, seed)
            replace_folder(new, folder)  # whole or not there: a kill may come while it is made
        return str(folder)
    return str(source.folder or source.hub_id)


def load_tokenizer(where: str, template: str | None = None) -> Any:
    """The tokenizer, with a chat template (`template`, where it has none) and a pad token. Raises: R1Error."""
    from transformers import AutoTokenizer

    tokenizer = _from_pretrained(AutoTokenizer, where)
    if not tokenizer.chat_template and template is not None:
        tokenizer.chat_template = template
    if not tokenizer.chat_template:
        raise R1Error(
            f"model {where!r} has no chat template, so a prompt cannot be put to it: use its instruct version, "
            "or train it first by method sft, which gives it one"
        )
    if tokenizer.eos_token_id is None:
        raise R1Error(f"model {where!r} has no end-of-sequence token, so a reply would never end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def training_options(plan: RunPlan) -> dict[str, Any]:
    """Return the arguments with which `load_model` loads the weights that the plan trains."""
    import torch

    recipe, dtype, kernel = plan.recipe, plan.dtype, plan.recipe.attention
    if kernel == "auto":  # flash-attn takes no float32, in which weights are that are trained as a whole
        flash = plan.machine.cuda and dtype != "float32" and find_spec("flash_attn")
        kernel = "flash_attention_2" if flash else "sdpa"
    quantized = {} if recipe.quantize is None else {"quantization_config": _quantization(recipe.quantize, dtype)}
    return {"dtype": getattr(torch, dtype), "attn_implementation": kernel, **quantized}


def _quantization(kind: str, dtype: str) -> Any:
    """How bitsandbytes holds the weights: NF4 with quantized constants as in QLoRA (arXiv 2305.14314), or LLM.int8()."""
    from transformers import BitsAndBytesConfig

    if kind == "8bit":
        # It says of every multiplication that it casts what it is given.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def load_model(where: str, place: str | None = None, **options: Any) -> Any:
    """The causal language model, at `place` or on the GPU where there is one. Raises: R1Error."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    unset_hf_deepspeed_config()  # after a training under ZeRO-3 this process would load the weights in pieces
    cuda = torch.cuda.is_available()
    options.setdefault("dtype", "auto" if cuda else torch.float32)
    model = _from_pretrained(AutoModelForCausalLM, where, **options)
    if "quantization_config" in options:
        return model  # packed as they are loaded, where they are to be
    return model.to(place or "cuda") if cuda else model


def holds_whole_model(accelerator: Any) -> bool:
    """Whether each process has all of the model that is trained, rather than a share of it (ZeRO-3, FSDP)."""
    plugin = accelerator.state.deepspeed_plugin
    return getattr(accelerator.state, "fsdp_plugin", None) is None and (plugin is None or plugin.zero_stage < 3)


def check_lengths(tasks: Iterable[Task], tokenizer: Any, where: str, max_tokens: int, look_at: int = 4096) -> None:
    """Raises: R1Error where a prompt and its completion do not fit the model. Looks at the longest prompts by text."""
    from transformers import AutoConfig

    limit = getattr(_from_pretrained(AutoConfig, where), "max_position_embeddings", None)
    texts = sorted((render(tokenizer, task.prompt) for task in islice(tasks, look_at)), key=len)[-32:]
    if not texts:
        raise R1Error("the environment has no tasks in this split")
    longest = max(len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"])
    if limit and longest + max_tokens > limit:
        raise R1Error(
            f"the longest prompt has {longest} tokens, and with generation.max_tokens {max_tokens} that makes "
            f"{longest + max_tokens}: more than the {limit} positions of model {where!r}; "
            + (f"set generation.max_tokens to {limit - longest} or less" if longest < limit else "shorten the prompts")
        )


def check_turns(environment: Environment, tasks: Iterable[Task], tokenizer: Any) -> None:
    """Raises: R1Error where the tasks are attempted in several turns, and the chat template cannot go on after a reply."""
    from ..rollout.chat_template import TurnWriter

    if has_sessions(environment, islice(tasks, 64)):
        TurnWriter(tokenizer)


def context_length(where: str) -> int | None:
    """How many tokens the model holds, prompt and reply together; None where its config does not say. Raises: R1Error."""
    from transformers import AutoConfig

    limit = getattr(_from_pretrained(AutoConfig, where), "max_position_embeddings", None)
    return limit if isinstance(limit, int) else None


def end_tokens_of(where: str, tokenizer: Any) -> set[int]:
    """The tokens that end a completion of the model at `where`, which need not be loaded. Raises: R1Error."""
    from transformers import AutoConfig, GenerationConfig

    try:
        configured = GenerationConfig.from_pretrained(where).eos_token_id
    except OSError:  # a model may have none
        configured = _from_pretrained(AutoConfig, where).eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}


def prompt_lengths(tasks: Iterable[Task], tokenizer: Any) -> list[int]:
    """The length of each task's prompt in tokens, as the model reads it."""
    texts = [render(tokenizer, task.prompt) for task in tasks]
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []


def _from_pretrained(kind: Any, where: str, **options: Any) -> Any:
    away = reach_hub(where) if HUB_ID.fullmatch(where) and not Path(where).exists() else None
    try:
        return kind.from_pretrained(where, **options)
    except (OSError, ValueError, ImportError) as error:
        reason = f"{away}, and its cache does not have it all" if away else _first_line(error)
        raise R1Error(f"cannot load model {where!r}: {reason}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
