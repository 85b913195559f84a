"""The embedded model: its tokenizer, its fresh weights, and the folder that is shipped."""

import json
import runpy
from itertools import islice
from pathlib import Path

import pytest

import r1sdk
from r1_envs.countdown import Countdown
from r1_models import TINY, r1_register_models, tiny_blank, tools_blank

pytest.importorskip("transformers")

LIMIT = 256  # generation.max_tokens of the countdown recipes


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(TINY)


def test_the_embedded_models_are_registered():
    found = {}
    r1_register_models(found.__setitem__)
    assert found == {"tiny": TINY, "tiny_blank": tiny_blank, "tools_blank": tools_blank}


def test_numbers_to_200_are_one_token_each(tokenizer):
    assert all(len(tokenizer(str(n))["input_ids"]) == 1 for n in range(201))


@pytest.mark.parametrize(
    "text", ["1234 + 5", "naïve 数学 🙂\n\n  <think>", "a<b>c</answer>\r\n\t12. ", "systematic users"]
)
def test_any_text_reads_back_unchanged(tokenizer, text):
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_prompts_are_short_and_demonstrations_fit_the_limit(tokenizer):
    for task, completion in islice(Countdown(level="mixed").demonstrations("train"), 500):
        prompt = tokenizer.apply_chat_template(task.prompt, tokenize=False, add_generation_prompt=True)
        assert len(tokenizer(prompt)["input_ids"]) <= 20
        assert len(tokenizer(completion.text)["input_ids"]) < LIMIT


def test_tags_survive_decoding_without_special_tokens(tokenizer):
    ids = tokenizer("<think>\n1. 3+4=7; target 7? yes\n</think>\n<answer>3+4</answer><|im_end|>")["input_ids"]
    assert r1sdk.parse_reply(tokenizer.decode(ids, skip_special_tokens=True)) is not None


@pytest.mark.slow
def test_the_builder_makes_the_shipped_tokenizer_again(tokenizer, tmp_path):
    maker = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "tiny_tokenizer.py"))
    maker["build_tokenizer"](maker["countdown_chats"]()).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text()) == json.loads((TINY / "tokenizer.json").read_text())


def test_fresh_weights_depend_on_the_seed_alone(tmp_path):
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        tiny_blank(tmp_path / name, seed)
    first, again, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "again", "other"))
    assert first == again != other


def test_fresh_weights_leave_the_random_numbers_of_others_alone(tmp_path):
    import torch

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    tiny_blank(tmp_path, 0)
    assert torch.equal(torch.rand(3), expected)


def test_numbers_near_each_other_start_out_alike(tmp_path, tokenizer):
    import torch
    from transformers import AutoModelForCausalLM

    tiny_blank(tmp_path, 0)
    embeddings = AutoModelForCausalLM.from_pretrained(tmp_path).get_input_embeddings().weight

    def alike(a, b):
        rows = (embeddings[tokenizer.convert_tokens_to_ids(str(n))] for n in (a, b))
        return torch.cosine_similarity(*rows, dim=0).item()

    assert alike(60, 61) > alike(60, 93)


@pytest.mark.parametrize("level", ["easy", "full"])
def test_the_shipped_model_keeps_the_format_and_solves_some_but_far_from_all(level):
    from r1sdk.rollout.hf_model import HFModel
    from r1sdk.rollout.sampling import Sampling
    from r1sdk.training.models import load_model, load_tokenizer

    env = Countdown(level=level)
    tasks = list(islice(env.tasks("test"), 128))
    model = HFModel(load_model(str(TINY)), load_tokenizer(str(TINY)))
    sampling = Sampling(samples=1, max_tokens=LIMIT, temperature=1.0, seed=0)
    replies = [found[0] for found in model.generate([task.prompt for task in tasks], sampling)]
    assert sum(r1sdk.parse_reply(reply.text) is not None for reply in replies) / len(replies) > 0.95
    solved = sum(env.verify(r1sdk.Rollout(*pair)).value for pair in zip(tasks, replies, strict=True)) / len(tasks)
    assert 0.1 < solved < 0.6


def test_the_shipped_weights_are_small():
    assert (TINY / "model.safetensors").stat().st_size < 8 * 2**20
