"""The model `small_blank`: its tokenizer, and the weights of `tiny` under it."""

import json
import runpy
import sys
from itertools import islice
from pathlib import Path

import pytest

import r1sdk
from r1_envs.countdown import Countdown
from r1_envs.guess import Guess
from r1_models import SMALL, TINY, small_blank

pytest.importorskip("transformers")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
LIMIT = 360  # trainer.max_length of the recipe small/sft


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(SMALL)


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    small_blank(folder, 0)
    return folder


def test_the_prompts_of_both_games_are_short_and_searches_fit_the_limit(tokenizer):
    tasks = [*islice(Countdown().tasks("train"), 100), *islice(Guess().tasks("train"), 100)]
    for task in tasks:
        prompt = tokenizer.apply_chat_template(task.prompt, tokenize=False, add_generation_prompt=True)
        assert len(tokenizer(prompt)["input_ids"]) <= 20
    lengths = [
        len(tokenizer(completion.text)["input_ids"])
        for _, completion in islice(Countdown(demonstrated="backward").demonstrations("train"), 500)
    ]
    assert sum(length > LIMIT - 20 for length in lengths) <= 2


def test_a_step_reads_back_unchanged_and_takes_one_token_for_each_part(tokenizer):
    step = "60+83=143, 74+25=99 no\n"
    ids = tokenizer(step)["input_ids"]
    parts = ["60", "+", "83", "=", "143", ", ", "74", "+", "25", "=", "99", " no\n"]
    assert [tokenizer.decode([one]) for one in ids] == parts


def test_tags_survive_decoding_without_special_tokens(tokenizer):
    text = "<think>\n27-10=17, 13+4=17 yes\n</think>\n<answer>(13+4)+10</answer><|im_end|>"
    decoded = tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True)
    assert r1sdk.parse_reply(decoded) is not None and decoded == text.removesuffix("<|im_end|>")


def test_the_start_of_its_sft_keeps_what_tiny_knows_of_numbers(blank, tokenizer):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    before, after = (AutoModelForCausalLM.from_pretrained(folder) for folder in (TINY, blank))
    known = AutoTokenizer.from_pretrained(TINY)
    for word in ("0", "7", "42", "200", "+", "</answer>"):
        old = before.get_input_embeddings().weight[known.convert_tokens_to_ids(word)]
        assert old.equal(after.get_input_embeddings().weight[tokenizer.convert_tokens_to_ids(word)])
    assert before.model.layers[2].mlp.up_proj.weight.equal(after.model.layers[2].mlp.up_proj.weight)
    phrase = after.get_input_embeddings().weight[tokenizer(" no\n")["input_ids"]]
    assert phrase.shape[0] == 1 and phrase.abs().max() > 0


def test_the_start_of_its_sft_is_the_same_each_time_and_loads_with_its_ending(blank, tmp_path, tokenizer):
    small_blank(tmp_path, 5)
    assert (tmp_path / "model.safetensors").read_bytes() == (blank / "model.safetensors").read_bytes()
    config = json.loads((blank / "config.json").read_text())
    assert config["eos_token_id"] == tokenizer.eos_token_id and config["pad_token_id"] == tokenizer.pad_token_id


@pytest.mark.slow
def test_the_builder_makes_the_shipped_tokenizer_again(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    maker = runpy.run_path(str(BENCHMARKS / "small_tokenizer.py"))
    maker["build_tokenizer"](maker["rendered"](), pieces=maker["PIECES"]).save_pretrained(tmp_path)
    assert json.loads((tmp_path / "tokenizer.json").read_text()) == json.loads((SMALL / "tokenizer.json").read_text())
