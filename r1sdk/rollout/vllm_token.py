"""Generate one token with vLLM and random weights, to test that it works on this machine. Run it in a separate process."""

import json
import tempfile
from pathlib import Path

_MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 128,
    "hidden_size": 128,
    "intermediate_size": 128,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "torch_dtype": "float32",
}


def main() -> None:
    """Generate the token. Raises: any exception of vLLM."""
    from ..recipe.key_groups import VllmSettings
    from .vllm_engine import load_engine

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "config.json").write_text(json.dumps(_MODEL), encoding="utf-8")
        settings = VllmSettings(gpu_memory_utilization=0.2, max_model_len=64)
        engine = load_engine(folder, settings, load_format="dummy", skip_tokenizer_init=True, enforce_eager=True)
        from vllm import SamplingParams, TokensPrompt

        params = SamplingParams(max_tokens=1, detokenize=False)
        made = engine.generate([TokensPrompt(prompt_token_ids=[1, 2, 3])], params, use_tqdm=False)
        assert len(made[0].outputs[0].token_ids) == 1
