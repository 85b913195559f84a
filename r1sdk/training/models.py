"""Load tokenizers and models from a `ModelSource`, with the checks that only need the tokenizer."""

import logging
import shutil
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from ..contracts import Environment
from ..errors import R1Error
from ..planning.model_files import check_files, tensor_files
from ..planning.model_source import HUB_ID, ModelSource, model_folder
from ..planning.run_plan import RunPlan
from ..plugins.guard import call
from ..recipe.schema import Chat
from ..records import Task
from ..rollout.chat_template import render
from ..rollout.compacting import suggested_sampling
from ..rollout.loaded_weights import check_finite, check_loaded, without_report
from ..rollout.sessions import has_sessions
from ..servers.hub import reach_hub
from ..storage.atomic import replace_folder
from .chat_tokenizer import fit_template, settle_ending
from .lora import write_merged


def locate(source: ModelSource, folder: Path, seed: int) -> str:
    """Return the argument for `from_pretrained`.

    A model that is made, or an adapter merged into its base, is written to `folder` first, unless it is there.
    """
    if source.adapter is not None:
        if not (folder / "config.json").is_file():
            assert source.base is not None
            base = locate(source.base, folder.parent / f"{folder.name}.base", seed)
            write_merged(source.adapter, base, lambda: load_model(base, dtype="auto"), folder)
        return str(folder)
    if source.make is not None:
        if not (folder / "config.json").is_file():
            new = folder.with_name(f".{folder.name}.new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            call(f"model {source.name!r}", source.make, new, seed, loads=True)
            replace_folder(new, folder)  # whole or not there: a kill may come while it is made
        return str(folder)
    return str(source.folder or source.hub_id)


def load_tokenizer(where: str, chat: Chat | None = None, fallback: str | None = None) -> Any:
    """Load the tokenizer, with the chat template, the end of a reply and the padding settled. Print the changes.

    `chat`: None leaves the model's own template as it is. `fallback`: the template of a model that has none. Raises: R1Error.
    """
    from transformers import AutoTokenizer

    chat = chat or Chat()
    tokenizer = _from_pretrained(AutoTokenizer, where, trust_remote_code=chat.trust_remote_code)
    said = fit_template(tokenizer, chat, where, fallback)
    if tokenizer.eos_token_id is None:
        raise R1Error(f"model {where!r} has no end-of-sequence token, so a reply would never end")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    before = tokenizer.eos_token
    if (end := settle_ending(tokenizer)) != before:
        said.append(f"replies end with {end}, not with {before}")
    for line in said:
        print(line, file=sys.stderr, flush=True)
    return tokenizer


def training_options(plan: RunPlan) -> dict[str, Any]:
    """Return the arguments with which `load_model` loads the weights that the plan trains."""
    import torch

    recipe, dtype, kernel = plan.recipe, plan.dtype, plan.recipe.attention
    options = {"dtype": getattr(torch, dtype), "trust_remote_code": recipe.trust_remote_code}
    if kernel == "auto":  # flash-attn takes no float32, in which weights are that are trained as a whole
        flash = plan.machine.cuda and dtype != "float32" and find_spec("flash_attn")
        if flash and _takes_flash(plan.model, recipe.trust_remote_code):
            options["attn_implementation"] = "flash_attention_2"
    else:
        options["attn_implementation"] = kernel
    if recipe.quantize is not None:
        options["quantization_config"] = _quantization(recipe.quantize, dtype)
    return options


def _takes_flash(source: ModelSource, trust_remote_code: bool) -> bool:
    """False for a model whose class says that flash attention cannot compute it, such as gpt-oss with its sinks."""
    from transformers import AutoConfig, AutoModelForCausalLM

    if (folder := model_folder(source)) is None:
        return True
    config = _from_pretrained(AutoConfig, str(folder), trust_remote_code=trust_remote_code)
    kind = AutoModelForCausalLM._model_mapping.get(type(config), None)
    return kind is None or bool(getattr(kind, "_supports_flash_attn", True))


def _quantization(kind: str, dtype: str) -> Any:
    """Return the quantization for bitsandbytes: NF4 with quantized constants as in QLoRA (arXiv 2305.14314), or LLM.int8()."""
    from transformers import BitsAndBytesConfig

    if kind == "8bit":
        # It warns at every multiplication that it casts its inputs.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


def load_model(where: str, place: str | None = None, **options: Any) -> Any:
    """Load the causal language model to `place`, or to the GPU where there is one. Says which of its settings are not used.

    Raises: R1Error, also where a weight is missing, has another shape, or is no number.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.integrations.deepspeed import unset_hf_deepspeed_config
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()
    unset_hf_deepspeed_config()  # after a training under ZeRO-3 this process would load the weights in pieces
    cuda = torch.cuda.is_available()
    options.setdefault("dtype", "auto" if cuda else torch.float32)
    with without_report():
        model, loading = _from_pretrained(
            AutoModelForCausalLM,
            where,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that `loading` has all of them
            **{"trust_remote_code": False, **options},
        )
    check_loaded(where, model, loading)
    if unused := suggested_sampling(model.generation_config):
        print(
            f"the model's generation_config suggests {unused}: not used, the recipe says how completions are sampled",
            file=sys.stderr,
            flush=True,
        )
    if cuda and "quantization_config" not in options:  # packed as they are loaded, where they are to be
        model = model.to(place or "cuda")
    check_finite(where, model.named_parameters())
    return model


def check_weights(name: str, folder: Path, trust_remote_code: bool = False) -> None:
    """Read the weights of the model in `folder` without building it. Raises: R1Error as `load_model` does."""
    from safetensors import safe_open
    from transformers import AutoModelForCausalLM

    check_files(name, folder)
    if "quantization_config" not in _config_values(folder):  # the kernels of packed weights may be missing here
        with without_report():
            model, loading = _from_pretrained(
                AutoModelForCausalLM,
                str(folder),
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                trust_remote_code=trust_remote_code,
                device_map="meta",
            )
        check_loaded(name, model, loading)
    for file in tensor_files(folder):
        with safe_open(file, framework="pt") as stored:
            check_finite(name, ((key, stored.get_tensor(key)) for key in stored.keys()))  # noqa: SIM118 - it is no mapping


def holds_whole_model(accelerator: Any) -> bool:
    """True if each process holds the whole model, not a shard of it (ZeRO-3, FSDP)."""
    plugin = accelerator.state.deepspeed_plugin
    return getattr(accelerator.state, "fsdp_plugin", None) is None and (plugin is None or plugin.zero_stage < 3)


def check_lengths(tasks: Iterable[Task], tokenizer: Any, where: str, max_tokens: int, look_at: int = 4096) -> None:
    """Raises: R1Error where a prompt and its completion do not fit the model. Looks at the longest prompts by text."""
    limit = getattr(_config(where), "max_position_embeddings", None)
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
    """Return the most tokens of prompt and reply together; None if the config does not say. Raises: R1Error."""
    limit = getattr(_config(where), "max_position_embeddings", None)
    return limit if isinstance(limit, int) else None


def end_tokens_of(where: str, tokenizer: Any) -> set[int]:
    """The tokens that end a completion of the model at `where`, which need not be loaded. Raises: R1Error."""
    from transformers import GenerationConfig

    try:
        configured = GenerationConfig.from_pretrained(where).eos_token_id
    except OSError:  # a model may have none
        configured = _config(where).eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return {token for token in (*ends, tokenizer.eos_token_id) if token is not None}


def prompt_lengths(tasks: Iterable[Task], tokenizer: Any) -> list[int]:
    """The length of each task's prompt in tokens, as the model reads it."""
    texts = [render(tokenizer, task.prompt) for task in tasks]
    return [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]] if texts else []


def _config(where: str) -> Any:
    """Return the model's config; for a model with its own code, the plain values. Raises: R1Error."""
    from transformers import AutoConfig, PretrainedConfig

    values = _config_values(Path(where))
    if "auto_map" in values:
        return PretrainedConfig.from_dict(values)
    return _from_pretrained(AutoConfig, where)


def _config_values(folder: Path) -> dict[str, Any]:
    from transformers import PretrainedConfig

    return dict(PretrainedConfig.get_config_dict(str(folder))[0]) if folder.is_dir() else {}


def _from_pretrained(kind: Any, where: str, **options: Any) -> Any:
    import torch

    away = reach_hub(where) if HUB_ID.fullmatch(where) and not Path(where).exists() else None
    try:
        return kind.from_pretrained(where, **options)
    except (R1Error, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # whatever a damaged file makes the library raise
        if Path(where).is_dir():
            check_files(where, Path(where))  # says which file it is
        text = str(error).strip() or type(error).__name__
        if "trust_remote_code" in text:
            reason = (
                "it comes with Python files that would run on this machine; read them, and if you trust them "
                "--set trust_remote_code=true"
            )
        elif "attn_implementation" in text:
            asked = options.get("attn_implementation")
            reason = f"it cannot be computed with attention {asked}: use --set attention=auto, or eager"
        elif "backend tokenizer" in text:
            reason = "it has no tokenizer: copy its tokenizer.json to the model"
        else:
            reason = f"{away}, and its cache does not have it all" if away else text.partition("\n")[0]
        raise R1Error(f"cannot load model {where!r}: {reason}") from error
