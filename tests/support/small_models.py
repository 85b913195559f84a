"""Random-weight models of two layers, whose tokenizers, templates and endings behave as those of published ones.

    build("qwen3", folder)

The templates are written for these tests: they do to thinking, roles, tools and ends what the real ones do.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

CHATML = (
    "{%- if messages[0].role != 'system' %}{{ '<|im_start|>system\nHelp.<|im_end|>\n' }}{%- endif %}"
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
# Thinking of earlier turns is dropped; of the last one it is written, empty where there is none. Tools and calls as Hermes has them.
QWEN3 = (
    "{%- set last = namespace(user=0) %}{%- for m in messages %}{%- if m.role == 'user' %}{%- set last.user = loop.index0 %}{%- endif %}{%- endfor %}"
    "{%- if tools %}{{ '<|im_start|>system\nTools:' }}{%- for t in tools %}{{ '\n' + (t | tojson) }}{%- endfor %}{{ '<|im_end|>\n' }}{%- endif %}"
    "{%- for m in messages %}"
    "{%- if m.role == 'assistant' %}"
    "{%- set thought = '' %}{%- set said = m.content %}"
    "{%- if m.reasoning_content is string %}{%- set thought = m.reasoning_content %}"
    "{%- elif '</think>' in said %}{%- set thought = said.split('</think>')[0].split('<think>')[-1] %}{%- set said = said.split('</think>')[-1] %}{%- endif %}"
    "{{ '<|im_start|>assistant\n' }}"
    "{%- if loop.index0 > last.user %}{{ '<think>\n' + thought.strip() + '\n</think>\n\n' }}{%- endif %}"
    "{{ said.strip() }}"
    "{%- for c in m.tool_calls or [] %}{{ '\n<tool_call>\n' + ({'name': c.function.name, 'arguments': c.function.arguments} | tojson) + '\n</tool_call>' }}{%- endfor %}"
    "{{ '<|im_end|>\n' }}"
    "{%- elif m.role == 'tool' %}{{ '<|im_start|>user\n<tool_response>\n' + m.content + '\n</tool_response><|im_end|>\n' }}"
    "{%- else %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endif %}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}OPENING{%- endif %}"
)
HYBRID = "{%- if enable_thinking is defined and not enable_thinking %}{{ '<think>\n\n</think>\n\n' }}{%- endif %}"
LLAMA3 = (
    "{{ bos_token }}{%- for m in messages %}{{ '<|start_header_id|>' + m.role + '<|end_header_id|>\n\n' + (m.content | trim) + '<|eot_id|>' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
)
GEMMA2 = (
    "{{ bos_token }}{%- for m in messages %}"
    "{%- if m.role == 'system' %}{{ raise_exception('a system turn is not supported') }}{%- endif %}"
    "{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('user and model alternate') }}{%- endif %}"
    "{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\n' + (m.content | trim) + '<end_of_turn>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{%- endif %}"
)
GEMMA3 = (
    "{{ bos_token }}{%- set head = '' %}{%- set turns = messages %}"
    "{%- if messages[0].role == 'system' %}{%- set head = messages[0].content + '\n\n' %}{%- set turns = messages[1:] %}{%- endif %}"
    "{%- for m in turns %}{{ '<start_of_turn>' + ('model' if m.role == 'assistant' else 'user') + '\n' + (head if loop.first else '') + (m.content | trim) + '<end_of_turn>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{%- endif %}"
)
# The system text stands in the last turn of the user only, so a prompt changes once it is answered.
MISTRAL = (
    "{{ bos_token }}{%- set head = '' %}{%- set turns = messages %}"
    "{%- if messages[0].role == 'system' %}{%- set head = messages[0].content + '\n\n' %}{%- set turns = messages[1:] %}{%- endif %}"
    "{%- for m in turns %}{%- if m.role == 'user' %}{{ '[INST] ' + (head if loop.last else '') + m.content + '[/INST]' }}"
    "{%- else %}{{ ' ' + m.content + eos_token }}{%- endif %}{%- endfor %}"
)
PHI3 = (
    "{%- for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + '<|end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{%- else %}{{ eos_token }}{%- endif %}"
)
SMOLLM3 = (
    "{%- set mode = '/think' %}{%- if enable_thinking is defined and not enable_thinking %}{%- set mode = '/no_think' %}{%- endif %}"
    "{%- set told = '' %}{%- set turns = messages %}{%- if messages[0].role == 'system' %}{%- set told = messages[0].content %}{%- set turns = messages[1:] %}{%- endif %}"
    "{{ '<|im_start|>system\nReasoning: ' + mode + '\n' + told + '<|im_end|>\n' }}"
    "{%- for m in turns %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- if mode == '/no_think' %}{{ '<think>\n\n</think>\n' }}{%- endif %}{%- endif %}"
)
OLMO2 = (
    "{{ bos_token }}{%- for m in messages %}{%- if m.role == 'assistant' %}{{ '<|assistant|>\n' + m.content + eos_token + ('' if loop.last else '\n') }}"
    "{%- else %}{{ '<|' + m.role + '|>\n' + m.content + '\n' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{%- endif %}"
)
# The thinking of every reply is dropped, and the prompt opens a think block.
R1_DISTILL = (
    "{{ bos_token }}{%- for m in messages %}{%- if m.role == 'system' %}{{ m.content }}{%- elif m.role == 'user' %}{{ '<｜User｜>' + m.content }}"
    "{%- else %}{{ '<｜Assistant｜>' + m.content.split('</think>')[-1] + eos_token }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{%- endif %}"
)
GPT_OSS = (
    "{{ '<|start|>system<|message|>Channels: analysis, commentary, final.<|end|>' }}"
    "{%- for m in messages %}{%- if m.role in ['system', 'developer'] %}{{ '<|start|>developer<|message|>' + m.content + '<|end|>' }}"
    "{%- elif m.role == 'user' %}{{ '<|start|>user<|message|>' + m.content + '<|end|>' }}"
    "{%- else %}{%- if m.thinking and loop.last %}{{ '<|start|>assistant<|channel|>analysis<|message|>' + m.thinking + '<|end|>' }}{%- endif %}"
    "{{ '<|start|>assistant<|channel|>final<|message|>' + m.content + ('<|return|>' if loop.last and not add_generation_prompt else '<|end|>') }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|start|>assistant' }}{%- endif %}"
)
IM = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
L3 = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>")
GEMMA = ("<pad>", "<eos>", "<bos>", "<start_of_turn>", "<end_of_turn>")
HARMONY = (
    "<|startoftext|>",
    "<|endoftext|>",
    "<|return|>",
    "<|channel|>",
    "<|start|>",
    "<|end|>",
    "<|message|>",
    "<|call|>",
)
DEEPSEEK = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>")


@dataclass(frozen=True)
class Kind:
    """A published model, as far as training it depends on its files."""

    published: str  # the models that behave so
    config: str  # of transformers
    specials: Sequence[str]
    template: str | None
    eos: str
    bos: str | None = None
    pad: str | None = None
    adds_bos: bool = False
    sampling: Mapping[str, Any] = field(default_factory=dict)  # in generation_config.json
    ends: Sequence[str] = ()  # in generation_config.json
    more: Mapping[str, Any] = field(default_factory=dict)  # in config.json


_QWEN = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.1}
KINDS = {
    "qwen25_base": Kind("Qwen2.5 base", "Qwen2Config", IM, CHATML, "<|endoftext|>", pad="<|endoftext|>"),
    "qwen25": Kind("Qwen2.5 instruct", "Qwen2Config", IM, CHATML, "<|im_end|>", pad="<|endoftext|>", sampling=_QWEN, ends=IM[::2], more={"tie_word_embeddings": True}),
    "qwen3": Kind("Qwen3 hybrid", "Qwen3Config", IM, QWEN3.replace("OPENING", HYBRID), "<|im_end|>", pad="<|endoftext|>", sampling={"do_sample": True, "temperature": 0.6}, ends=IM[::2]),
    "qwen3_thinking": Kind("Qwen3 thinking", "Qwen3Config", IM, QWEN3.replace("OPENING", "{{ '<think>\n' }}"), "<|im_end|>", pad="<|endoftext|>"),
    "r1_distill": Kind("DeepSeek-R1-Distill", "Qwen2Config", DEEPSEEK, R1_DISTILL, DEEPSEEK[1], DEEPSEEK[0], DEEPSEEK[1], adds_bos=True),
    "llama3_base": Kind("Llama 3 base", "LlamaConfig", L3, None, "<|end_of_text|>", L3[0], adds_bos=True),
    "llama3": Kind("Llama 3 instruct", "LlamaConfig", L3, LLAMA3, "<|eot_id|>", L3[0], adds_bos=True, ends=("<|end_of_text|>", "<|eom_id|>", "<|eot_id|>")),
    "gemma2": Kind("Gemma 2", "Gemma2Config", GEMMA, GEMMA2, "<eos>", "<bos>", "<pad>", adds_bos=True, more={"sliding_window": 128, "query_pre_attn_scalar": 16}),
    "gemma3": Kind("Gemma 3", "Gemma3TextConfig", GEMMA, GEMMA3, "<eos>", "<bos>", "<pad>", adds_bos=True, ends=("<eos>", "<end_of_turn>"), more={"sliding_window": 128, "query_pre_attn_scalar": 16}),
    "mistral": Kind("Mistral", "MistralConfig", ("<unk>", "<s>", "</s>", "[INST]", "[/INST]"), MISTRAL, "</s>", "<s>", adds_bos=True, more={"sliding_window": None}),
    "phi3": Kind("Phi-3", "Phi3Config", ("<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"), PHI3, "<|endoftext|>", "<|endoftext|>", "<|endoftext|>"),
    "smollm3": Kind("SmolLM3", "SmolLM3Config", IM, SMOLLM3, "<|im_end|>", pad="<|im_end|>"),
    "olmo2": Kind("OLMo 2", "Olmo2Config", ("<|endoftext|>", "<|pad|>"), OLMO2, "<|endoftext|>", "<|endoftext|>", "<|pad|>"),
    "qwen3_moe": Kind("Qwen3-MoE", "Qwen3MoeConfig", IM, QWEN3.replace("OPENING", HYBRID), "<|im_end|>", pad="<|endoftext|>", more={"moe_intermediate_size": 32, "num_experts": 4, "num_experts_per_tok": 2}),
    "gpt_oss": Kind("gpt-oss", "GptOssConfig", HARMONY, GPT_OSS, "<|return|>", HARMONY[0], "<|endoftext|>", ends=("<|return|>", "<|endoftext|>", "<|call|>"), more={"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 128}),
    "gpt2": Kind("GPT-2", "GPT2Config", ("<|endoftext|>",), None, "<|endoftext|>", "<|endoftext|>", more={"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 1024}),
}  # fmt: skip
SMALL = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "max_position_embeddings": 1024,
}


@cache
def _words() -> str:
    """A byte-level vocabulary, trained once, as JSON."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    told = [
        "use",
        "each",
        "number",
        "once",
        "to",
        "make",
        "the",
        "target",
        "think",
        "inside",
        "give",
        "only",
        "final",
        "answer",
        "left",
        "plus",
        "minus",
        "that",
        "is",
        "not",
        "it",
    ]
    draw = random.Random(0)
    texts = [
        " ".join(draw.choices(told, k=10)) + f" {n % 100}+{n % 7}\n<think>\n</think>\n<answer>" for n in range(600)
    ]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    tokenizer.train_from_iterator(
        texts, trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    )
    return tokenizer.to_str()


def tokenizer_of(name: str) -> Any:
    """The tokenizer of a kind, as its files have it."""
    from tokenizers import AddedToken, Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    kind = KINDS[name]
    inner = Tokenizer.from_str(_words())
    inner.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in kind.specials])
    if kind.adds_bos:
        at = inner.token_to_id(kind.bos)
        inner.post_processor = processors.TemplateProcessing(
            single=f"{kind.bos} $A", pair=f"{kind.bos} $A $B", special_tokens=[(kind.bos, at)]
        )
    named = {"eos_token": kind.eos, "bos_token": kind.bos, "pad_token": kind.pad}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
        **{key: token for key, token in named.items() if token},
    )
    if kind.template:
        tokenizer.chat_template = kind.template
    return tokenizer


def build(name: str, folder: Path) -> Path:
    """Write the model `name` to `folder`, unless it is there."""
    import torch
    import transformers

    if (folder / "config.json").is_file():
        return folder
    kind, tokenizer = KINDS[name], tokenizer_of(name)
    ids = {
        "eos_token_id": tokenizer.eos_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    config = getattr(transformers, kind.config)(**{**SMALL, "vocab_size": len(tokenizer), **ids, **kind.more})
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(config)
    ends = [tokenizer.convert_tokens_to_ids(token) for token in kind.ends] or tokenizer.eos_token_id
    model.generation_config = transformers.GenerationConfig(
        **{key: value for key, value in {**ids, "eos_token_id": ends, **kind.sampling}.items() if value is not None}
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
