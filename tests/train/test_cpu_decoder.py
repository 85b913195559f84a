"""Fast generation on a CPU: the tokens of transformers' own `generate`, for each family, greedy and sampled."""

from inspect import unwrap
from types import MethodType

import pytest

torch = pytest.importorskip("torch")

from r1sdk.rollout import compacting
from r1sdk.rollout.cpu_decoder import decode, refusal

WIDTH, ROWS, VOCABULARY = 9, 13, 300
SIZES = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "head_dim": 12,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,  # so that the tokens depend on what came before
    "bos_token_id": None,
    "eos_token_id": 5,
}
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 5000.0,
    "factor": 4.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "rope_theta": 5000.0, "factor": 2.0, "original_max_position_embeddings": 64}
KINDS = {
    "llama, tied": ("Llama", {"num_key_value_heads": 4, "tie_word_embeddings": True}),
    "llama, grouped queries": ("Llama", {"num_key_value_heads": 2}),
    "llama, biases": ("Llama", {"num_key_value_heads": 2, "attention_bias": True, "mlp_bias": True}),
    "llama, rope of llama 3": ("Llama", {"num_key_value_heads": 1, "rope_parameters": LLAMA3}),
    "llama, yarn": ("Llama", {"num_key_value_heads": 4, "rope_parameters": YARN}),
    "qwen2, tied": ("Qwen2", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen2, untied": ("Qwen2", {"num_key_value_heads": 4}),
    "qwen3": ("Qwen3", {"num_key_value_heads": 2, "tie_word_embeddings": True}),
    "qwen3, biases": ("Qwen3", {"num_key_value_heads": 4, "attention_bias": True}),
    "qwen3, another head size": ("Qwen3", {"num_key_value_heads": 2, "head_dim": 16}),
}


def make(family, **more):
    import transformers

    config = getattr(transformers, f"{family}Config")(**{**SIZES, **more})
    torch.manual_seed(1)
    model = getattr(transformers, f"{family}ForCausalLM")(config).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():  # norms and biases start as ones and zeros
            if name.endswith("bias") or "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def prompts(rows=ROWS, padded=True):
    generator = torch.Generator().manual_seed(2)
    ids = torch.randint(10, VOCABULARY, (rows, WIDTH), generator=generator)
    ids[rows // 2] = ids[0]  # an equal prompt
    left = torch.tensor([0, 3, 6] * rows)[:rows, None] if padded else 0
    mask = (torch.arange(WIDTH) >= left).long().expand(rows, WIDTH)
    return ids * mask, mask.contiguous()


def settings(tokens=100, **more):
    from transformers import GenerationConfig

    sampled = {"do_sample": True, "top_k": 0, "pad_token_id": 0, "eos_token_id": list(range(1, 7))}
    return GenerationConfig(max_new_tokens=tokens, **{**sampled, **more})


def both(model, ids, mask, config, seed=7):
    """Return the tokens of this decoder and of transformers, each with the state of the random numbers after it."""
    made = []
    for generate in (compacting.generate, _by_transformers):
        torch.manual_seed(seed)
        with torch.no_grad():
            made.append((generate(model, ids, mask, config), torch.get_rng_state()))
    return made


def _by_transformers(model, ids, mask, config):
    with compacting._own_settings_hidden(model):
        return compacting._generate(model, ids, mask, config)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "sampling", [{"do_sample": False}, {"temperature": 0.8, "top_p": 0.9}], ids=["greedy", "sampled"]
)
def test_tokens_are_those_of_transformers(kind, sampling):
    family, more = KINDS[kind]
    model, config = make(family, **more), settings(**sampling)
    assert refusal(model, config) is None
    (ours, state), (theirs, expected) = both(model, *prompts(), config)
    assert torch.equal(ours, theirs)
    assert torch.equal(state, expected)
    assert len(set(ours[:, WIDTH:].flatten().tolist())) > 20, "the text must vary for the comparison to mean anything"


@pytest.mark.parametrize("more", [{}, {"top_k": 5}, {"top_k": None}, {"min_p": 0.1}, {"temperature": 1.7}], ids=str)
def test_sampling_settings_are_those_of_transformers(more):
    (ours, state), (theirs, expected) = both(make("Llama", **KINDS["llama, tied"][1]), *prompts(), settings(**more))
    assert torch.equal(ours, theirs)
    assert torch.equal(state, expected)


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 33])
@pytest.mark.parametrize("padded", [True, False])
def test_any_number_of_rows_with_and_without_padding(rows, padded):
    model = make("Qwen3", **KINDS["qwen3"][1])
    (ours, _), (theirs, _) = both(model, *prompts(rows, padded), settings(70))
    assert torch.equal(ours, theirs)


def test_one_end_token_that_never_comes_fills_the_limit():
    model = make("Llama", **KINDS["llama, grouped queries"][1])
    (ours, _), (theirs, _) = both(model, *prompts(), settings(130, eos_token_id=VOCABULARY - 1, do_sample=False))
    assert torch.equal(ours, theirs)
    assert ours.size(1) == WIDTH + 130


def test_bfloat16_follows_transformers():
    model = make("Qwen2", **KINDS["qwen2, tied"][1]).to(torch.bfloat16)
    config = settings(40, do_sample=False, eos_token_id=VOCABULARY - 1)
    assert refusal(model, config) is None
    (ours, _), (theirs, _) = both(model, *prompts(12), config)
    same = (ours == theirs).all(1).float().mean()
    assert same >= 0.75, "bfloat16 has ties that the shape of a product may break, but not in most rows"


def test_a_row_does_not_depend_on_the_rows_beside_it():
    model = make("Llama", **KINDS["llama, tied"][1])
    ids, mask = prompts(16)
    config = settings(60, do_sample=False)
    whole, some = decode(model, ids, mask, config, 32), decode(model, ids[4:12], mask[4:12], config, 32)
    assert torch.equal(whole[4:12, : some.size(1)], some)


def test_the_number_of_threads_changes_no_token():
    model, made = make("Qwen3", **KINDS["qwen3"][1]), []
    threads = torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(3)
            made.append(decode(model, *prompts(32), settings(60), 32))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*made)


def test_a_probability_that_is_not_a_number_is_an_error():
    model = make("Llama", **KINDS["llama, tied"][1])
    with torch.no_grad():
        model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(RuntimeError, match="nan"):
        decode(model, *prompts(), settings(), 32)


REFUSED = {
    "sliding window": ("Qwen3", {"use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1}),
    "dynamic": ("Llama", {"rope_parameters": {"rope_type": "dynamic", "rope_theta": 5000.0, "factor": 2.0}}),
    "Mistral": ("Mistral", {}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_it_does_not_compute_is_left_to_transformers(reason):
    family, more = REFUSED[reason]
    model = make(family, **{"num_key_value_heads": 2, **more})
    assert reason in refusal(model, settings())
    (ours, _), (theirs, _) = both(model, *prompts(), settings(20))
    assert torch.equal(ours, theirs)


def test_settings_hooks_and_adapters_are_left_to_transformers():
    import peft

    model = make("Llama", **KINDS["llama, tied"][1])
    assert "repetition_penalty" in refusal(model, settings(repetition_penalty=1.2))
    assert refusal(model, settings(repetition_penalty=1.0)) is None
    hook = model.model.register_forward_hook(lambda *_: None)
    assert "hooked" in refusal(model, settings())
    hook.remove()
    model.forward = MethodType(unwrap(type(model).forward), model)  # as accelerate leaves it
    assert refusal(model, settings()) is None
    model.forward = lambda *_, **__: None
    assert "replaced" in refusal(model, settings())
    del model.forward
    with torch.autocast("cpu"):
        assert "autocast" in refusal(model, settings())
    assert "float64" in refusal(make("Llama", **KINDS["llama, tied"][1]).double(), settings())
    adapted = peft.get_peft_model(model, peft.LoraConfig(target_modules=["q_proj"])).get_base_model()
    assert "q_proj" in refusal(adapted, settings())


def test_the_forward_pass_that_trl_sets_is_no_reason():
    from trl.trainer import utils

    model, config = make("Llama", **KINDS["llama, tied"][1]), settings(20)
    utils.add_fused_lm_head(model)
    assert "forward" in vars(model)
    assert refusal(model, config) is None
    (ours, _), (theirs, _) = both(model, *prompts(), config)
    assert torch.equal(ours, theirs)


def test_the_reason_is_said_once(capsys):
    compacting._said.clear()
    model = make("Llama", **KINDS["llama, tied"][1])
    for _ in range(2):
        compacting.generate(model, *prompts(), settings(4, repetition_penalty=1.3))
    assert capsys.readouterr().err.count("generation setting repetition_penalty") == 1


def test_made_tokens_may_be_trained_on():
    model = make("Llama", **KINDS["llama, tied"][1])
    made = compacting.generate(model, *prompts(), settings(10))
    model(made).logits.sum().backward()
    assert model.model.embed_tokens.weight.grad is not None
