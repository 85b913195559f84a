"""The model `tools_blank`: the tokenizer that writes a tool call in a few tokens, and the weights of `tiny` under it."""

import re
from itertools import islice

import pytest
import yaml

from r1_models import TINY, TOOL_PHRASES, tools_blank
from r1sdk.planning.build import build_environment
from r1sdk.plugins.loading import load_plugins
from r1sdk.rollout.tools import as_chat

pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("blank")
    tools_blank(folder, 0)
    return folder


@pytest.fixture(scope="module")
def tokenizer(blank):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(blank)


@pytest.fixture(scope="module")
def recipe():
    return yaml.safe_load(load_plugins().get("recipe", "maths_tools/tiny").target.read_text(encoding="utf-8"))


def test_every_phrase_is_one_token_that_reads_back_unchanged(tokenizer):
    for phrase in TOOL_PHRASES:
        ids = tokenizer(phrase)["input_ids"]
        assert len(ids) == 1 and tokenizer.decode(ids, skip_special_tokens=True) == phrase


def test_the_demonstrations_of_the_recipe_use_the_phrases_and_fit_its_limit(tokenizer, recipe):
    environment = build_environment(load_plugins(), "maths_tools", recipe["env"]["options"])
    lengths, calls = [], []
    for task, completion in islice(environment.demonstrations("train"), 300):
        messages = as_chat([*task.prompt, *completion.messages])
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.decode(ids) == text
        lengths.append(len(ids))
        if len(completion.messages) > 1:
            call = completion.messages[0]["content"]
            calls.append(len(tokenizer(call[call.index("\n</think>") :])["input_ids"]))
            numbers = re.findall(r"\d+|[()]| [-+*] ", call[call.index('expression": "') :])
            assert calls[-1] == len(numbers) + 2  # the start of the call, its expression, its end
    assert calls and max(lengths) <= recipe["stages"][0]["trainer"]["max_length"]
    prompt = tokenizer.apply_chat_template(task.prompt, tokenize=False, add_generation_prompt=True)
    assert len(tokenizer(prompt)["input_ids"]) < 25


def test_it_keeps_what_tiny_knows_and_a_phrase_begins_as_the_mean_of_its_parts(blank, tokenizer):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    before, after = (AutoModelForCausalLM.from_pretrained(folder) for folder in (TINY, blank))
    old, new = (model.get_input_embeddings().weight for model in (before, after))
    known = AutoTokenizer.from_pretrained(TINY)
    for word in ("0", "42", "200", "</answer>"):
        assert old[known.convert_tokens_to_ids(word)].equal(new[tokenizer.convert_tokens_to_ids(word)])
    phrase = TOOL_PHRASES[2]
    parts = old[known(phrase)["input_ids"]]
    assert len(parts) > 40 and parts.mean(0).allclose(new[tokenizer(phrase)["input_ids"][0]])
    assert before.model.layers[2].mlp.up_proj.weight.equal(after.model.layers[2].mlp.up_proj.weight)


def test_it_is_the_same_each_time(blank, tmp_path):
    tools_blank(tmp_path, 5)
    for name in ("model.safetensors", "tokenizer.json"):
        assert (tmp_path / name).read_bytes() == (blank / name).read_bytes()
