"""The hint on an unknown key or value: the full key to type, for the words that other trainers use."""

import pytest
import yaml

from r1sdk import RecipeError, load_plugins
from r1sdk.planning.batch import batch_sentence
from r1sdk.planning.named_recipe import resolve_recipe
from r1sdk.planning.trainer_rules import OWNED, trainer_rules
from r1sdk.recipe.key_hints import WORDS, recipe_keys, value_hint
from r1sdk.recipe.schema import Recipe, load_recipe
from r1sdk.recipe.trl_fields import trainer_fields

RECIPE = {"model": "tiny", "env": "countdown"}


def refusal(key, value="1", env="countdown"):
    with pytest.raises(RecipeError) as caught:
        resolve_recipe(load_plugins(), {**RECIPE, "env": env}, [f"{key}={value}"])
    return str(caught.value)


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("learning_rate", "trainer.learning_rate"),
        ("lr", "trainer.learning_rate"),
        ("learnin_rate", "trainer.learning_rate"),
        ("Learning-Rate", "trainer.learning_rate"),
        ("generation.learning_rate", "trainer.learning_rate"),
        ("max_steps", "trainer.max_steps"),
        ("temperature", "generation.temperature or evaluation.temperature"),
        ("batch_size", "trainer.per_device_train_batch_size"),
        ("num_generations", "generation.samples"),
        ("level", "env.options.level"),
        ("env.level", "env.options.level"),
        ("source", "env.options.source"),
        ("warmup_ratio", "trainer.warmup_steps"),
        ("epochs", "trainer.num_train_epochs"),
        ("generation.max_new_tokens", "generation.max_tokens"),
        ("lora_alpha", "lora.alpha"),
        ("tensor_parallel_size", "generation.vllm.tensor_parallel_size"),
        ("evaluation.max_tokens", "generation.max_tokens"),
    ],
)
def test_a_leaf_name_is_answered_with_the_full_key(typed, key):
    assert f"recipe has no key {typed!r}; did you mean {key}?" in refusal(typed)


def test_a_typo_within_its_group_keeps_the_nearest_name():
    assert "no key 'generation.sampels'; did you mean 'samples'?" in refusal("generation.sampels")


def test_prompts_have_no_limit_and_the_message_says_so():
    assert "prompts are never cut" in refusal("max_prompt_length")


def test_every_word_of_the_table_leads_to_a_key_that_a_recipe_takes():
    options = {"env.options.source", "env.options.level"}
    keys = {
        *recipe_keys(Recipe),
        *options,
        *(f"trainer.{name}" for name in {*trainer_fields("grpo"), *trainer_fields("sft")} - OWNED.keys()),
    }
    assert set(WORDS.values()) <= keys


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("lr", "trainer.learning_rate"),
        ("batch_size", "trainer.per_device_train_batch_size"),
        ("max_step", "'max_steps'"),
        ("max_tokens", "generation.max_tokens"),
        ("warmup_ratio", "trainer.warmup_steps"),
    ],
)
def test_a_word_under_trainer_is_answered_with_the_full_key(typed, hint):
    (error,) = trainer_rules(load_recipe(None, RECIPE, {"trainer": {typed: 3}}))
    assert f"no key 'trainer.{typed}'; did you mean {hint}?" in str(error)


@pytest.mark.parametrize(
    ("key", "value", "written"),
    [
        ("dtype", "bf16", "bfloat16"),
        ("dtype", "BFloat16", "bfloat16"),
        ("dtype", "fp32", "float32"),
        ("quantize", "4", "4bit"),
        ("generation.backend", "hf", "transformers"),
        ("method", "ppo", "grpo"),
    ],
)
def test_a_value_is_answered_in_the_form_that_the_key_takes(key, value, written):
    said = refusal(key, value)
    assert said.endswith(f"; write {written}")
    load_recipe(None, RECIPE, yaml.safe_load(f"{key.replace('.', ': {')}: {written}{'}' * key.count('.')}"))


def test_a_value_without_a_near_form_gets_no_hint():
    assert value_hint("zzz", "input should be 'grpo', 'sft' or 'generate'") == ""


def test_a_file_is_no_environment_and_the_message_names_the_command(tmp_path):
    with pytest.raises(RecipeError, match=r"--env file --set env\.options\.source=rows\.jsonl"):
        resolve_recipe(load_plugins(), None, [], {"env": "rows.jsonl", "model": "tiny"})


@pytest.mark.parametrize(
    ("start", "flags", "said"),
    [
        (None, {}, "no environment given: use --env NAME"),
        (None, {"data": "my.jsonl"}, "r1 train --method sft --data my.jsonl"),
        (None, {"data": "my.jsonl"}, "r1 train --env file --set env.options.source=my.jsonl"),
        ("rows.jsonl", {}, "r1 train --env file --set env.options.source=rows.jsonl"),
        ("countdown", {}, "that is an environment: write --env countdown"),
        ("tiny", {}, "that is a model: write --model tiny"),
    ],
)
def test_a_command_that_lacks_something_is_answered_with_the_command_that_does_it(start, flags, said):
    with pytest.raises(RecipeError) as caught:
        resolve_recipe(load_plugins(), start, [], flags)
    assert said in str(caught.value)


def test_a_recipe_without_its_ending_is_found_beside_you(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("model: tiny\nenv: countdown\n")
    with pytest.raises(RecipeError, match="did you mean the file mine.yaml"):
        resolve_recipe(load_plugins(), "mine", [])


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (
            {"trainer": {"per_device_train_batch_size": 128}},
            "one step: 16 prompts x 8 completions = 128 rollouts, 1 update",
        ),
        (
            {"trainer": {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}},
            "one step: 4 prompts x 8 completions = 32 rollouts (8 at a time x 4 accumulated), 1 update",
        ),
        (
            {
                "trainer": {"per_device_train_batch_size": 8},
                "launch": {"accelerate": "ddp", "processes": 2, "nodes": 2},
            },
            "one step: 4 prompts x 8 completions = 32 rollouts (4 processes x 8 at a time), 1 update",
        ),
        (
            {"trainer": {"per_device_train_batch_size": 8, "steps_per_generation": 4}},
            "4 steps: 4 prompts x 8 completions = 32 rollouts; each step is 1 update on 8 rollouts",
        ),
        (
            {"trainer": {"per_device_train_batch_size": 8, "num_iterations": 2}},
            "2 steps: 1 prompt x 8 completions = 8 rollouts; each step is 1 update on 8 rollouts, each rollout used 2 times",
        ),
        (
            {"method": "sft", "trainer": {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2}},
            "one step: 8 demonstrations (4 at a time x 2 accumulated), 1 update",
        ),
        ({"method": "generate"}, ""),
    ],
)
def test_the_batch_is_said_in_one_sentence(keys, sentence):
    assert batch_sentence(load_recipe(None, RECIPE, keys)) == sentence


def test_an_option_may_be_given_by_the_name_of_its_plugin():
    sets = ["countdown.level=easy", "length_penalty.limit=10", "seed=3"]
    recipe, _ = resolve_recipe(load_plugins(), {**RECIPE, "rewards": "accuracy,length_penalty=0.2"}, sets)
    assert recipe.env.options == {"level": "easy"} and recipe.seed == 3
    assert [(r.name, r.weight, r.options) for r in recipe.rewards] == [
        ("accuracy", 1.0, {}),
        ("length_penalty", 0.2, {"limit": 10}),
    ]


def test_an_option_by_name_keeps_what_the_recipe_says_of_the_plugin():
    start = {"model": "tiny", "env": {"name": "countdown", "options": {"train_size": 5}}}
    recipe, _ = resolve_recipe(load_plugins(), start, ["countdown.level=easy"])
    assert recipe.env.options == {"train_size": 5, "level": "easy"}


def test_an_option_of_a_plugin_that_the_recipe_does_not_use_is_refused():
    with pytest.raises(RecipeError, match="does not use maths; it uses countdown, accuracy, format"):
        resolve_recipe(load_plugins(), RECIPE, ["maths.file=x"])
