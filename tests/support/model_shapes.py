"""Shapes of real models, configs of accelerate, and a recipe to estimate their memory with."""

from r1sdk.recipe.schema import Recipe

QWEN_1_5B = {
    "hidden_size": 1536,
    "num_hidden_layers": 28,
    "num_attention_heads": 12,
    "num_key_value_heads": 2,
    "intermediate_size": 8960,
    "vocab_size": 151936,
    "tie_word_embeddings": True,
}
QWEN_7B = {
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
    "tie_word_embeddings": False,
}
ZERO3 = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 3}}
ZERO2 = {"distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 2}}


def recipe(**more):
    return Recipe.model_validate({"model": "m", "env": "countdown", **more})
