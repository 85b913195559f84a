"""A Generator on vLLM: an engine in this process, on the GPUs if there are any."""

import os
from collections.abc import Sequence
from typing import Any

import torch

from ..errors import R1Error
from ..recipe.key_groups import VllmSettings
from ..records import Completion, Message
from ..reply_format import opened_think
from .chat_template import render
from .sampling import Sampling

MEMORY = 0.9  # share of the memory of a GPU that nothing else uses
_SEED_STEP = 1_000_003  # difference between the seeds of two calls


class VllmEngine:
    """Generates with vLLM's `LLM.generate`, which batches by itself. A completion depends on its seed and its place in a call."""

    def __init__(self, path: str, tokenizer: Any, ends: set[int], settings: VllmSettings | None = None) -> None:
        """Load the model at `path`. `ends`: the tokens that end a completion. Raises: R1Error if vLLM cannot load it."""
        self.tokenizer = tokenizer
        self.ends = frozenset(ends)
        self.llm = load_engine(path, settings or VllmSettings())

    def generate(self, prompts: Sequence[list[Message]], sampling: Sampling) -> list[list[Completion]]:
        """See `Generator`."""
        texts = [render(self.tokenizer, prompt) for prompt in prompts for _ in range(sampling.samples)]
        tokens = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        rows = self.sample(tokens, sampling)
        made = [self._completion(text, ids) for text, ids in zip(texts, rows, strict=True)]
        return [made[i : i + sampling.samples] for i in range(0, len(made), sampling.samples)]

    def sample(self, rows: Sequence[Sequence[int]], sampling: Sampling) -> list[list[int]]:
        """See `TokenGenerator`."""
        from vllm import SamplingParams, TokensPrompt

        outputs = self.llm.generate(
            [TokensPrompt(prompt_token_ids=list(ids)) for ids in rows],
            [
                SamplingParams(
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    top_k=sampling.top_k,
                    max_tokens=sampling.max_tokens,
                    seed=(sampling.seed * _SEED_STEP + place) % 2**63,  # otherwise equal prompts get equal answers
                    stop_token_ids=sorted(self.ends),
                    detokenize=False,
                )
                for place in range(len(rows))
            ],
            use_tqdm=False,
        )
        return [list(output.outputs[0].token_ids) for output in outputs]

    def _completion(self, prompt: str, ids: list[int]) -> Completion:
        text = opened_think(prompt) + self.tokenizer.decode(ids, skip_special_tokens=True)
        ended = bool(ids) and ids[-1] in self.ends
        return Completion([{"role": "assistant", "content": text}], ids, "stop" if ended else "length")


def load_engine(path: str, settings: VllmSettings, **more: Any) -> Any:
    """Load the model at `path` into vLLM's `LLM`, with `more` of its options. Raises: R1Error."""
    options: dict[str, Any] = {"tensor_parallel_size": settings.tensor_parallel_size}
    memory = settings.gpu_memory_utilization
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")  # stdout is for results
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    if torch.cuda.is_available():
        options["gpu_memory_utilization"] = memory or MEMORY
    else:
        from . import vllm_cpu_engine

        vllm_cpu_engine.prepare()
        os.environ.setdefault(*vllm_cpu_engine.ONE_PROCESS)
        options |= {**vllm_cpu_engine.ENGINE, "gpu_memory_utilization": memory or vllm_cpu_engine.MEMORY}
    try:
        from vllm import LLM
    except ImportError as error:
        raise R1Error(f"vllm cannot be imported: {error}; see r1 doctor, or use --backend transformers") from error
    try:
        return LLM(path, max_model_len=settings.max_model_len, **{**options, **more})
    except (ValueError, RuntimeError, OSError, NotImplementedError) as error:
        raise R1Error(
            f"vllm cannot load model {path!r}: {str(error).strip()[:800]}\n"
            "  try other values of generation.vllm.gpu_memory_utilization and generation.vllm.max_model_len, or --backend transformers"
        ) from error
