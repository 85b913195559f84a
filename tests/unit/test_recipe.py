"""Recipes: what overrides what, and that nothing in one is silently ignored."""

import re

import pytest

from r1sdk import RecipeError
from r1sdk.recipe.layers import dotted, read_layer
from r1sdk.recipe.schema import Recipe, load_recipe

BASE = {"model": "tiny", "env": "countdown"}


def test_each_layer_overrides_the_one_below_it(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: a\nenv: countdown\nseed: 1\ntrainer: {max_steps: 1, beta: 0.1}\n")
    recipe = load_recipe(file, dotted("seed=2"), dotted("trainer.max_steps=2"), {"seed": 3})
    assert (recipe.model, recipe.seed) == ("a", 3)
    assert recipe.trainer == {"max_steps": 2, "beta": 0.1}


def test_a_bare_name_reads_as_the_long_form():
    short = load_recipe(None, {"model": "tiny", "env": "countdown", "rewards": ["accuracy", "format"]})
    long = load_recipe(
        None,
        {
            "model": "tiny",
            "env": {"name": "countdown"},
            "rewards": [{"name": "accuracy"}, {"name": "format", "weight": 1}],
        },
    )
    assert short == long


@pytest.mark.parametrize("rewards", ["accuracy,format=0.2", " accuracy , format=0.2", ["accuracy", "format=0.2"]])
def test_rewards_carry_their_weights(rewards):
    read = load_recipe(None, BASE, {"rewards": rewards}).rewards
    assert [(reward.name, reward.weight) for reward in read] == [("accuracy", 1.0), ("format", 0.2)]


def test_a_reward_is_listed_once():
    with pytest.raises(RecipeError, match="format twice"):
        load_recipe(None, BASE, {"rewards": "format,accuracy,format=2"})


def test_every_problem_is_reported_at_once_each_with_the_nearest_key():
    wrong = {
        "modle": "tiny",
        "env": {"name": "countdown", "option": {}},
        "generation": {"sampels": 4, "temperature": -1},
        "rewards": [{"name": "format", "wieght": 2}],
        "method": "ppo",
    }
    with pytest.raises(RecipeError) as caught:
        load_recipe(None, wrong)
    message = str(caught.value)
    assert message.startswith("7 problems:")
    for part in (
        "no model given",
        "no key 'modle'; did you mean 'model'?",
        "no key 'env.option'; did you mean 'options'?",
        "no key 'generation.sampels'; did you mean 'samples'?",
        "'generation.temperature': input should be greater than or equal to 0, got -1",
        "wieght'; did you mean 'weight'?",
        "'method': input should be 'grpo', 'sft', 'dpo', 'distill' or 'generate', got 'ppo'",
    ):
        assert part in message


def test_a_recipe_reads_back_from_its_own_yaml(tmp_path):
    recipe = load_recipe(
        None,
        BASE,
        {
            "output_dir": "runs/ä b",
            "rewards": "accuracy=0.5",
            "env": {"options": {"level": "easy", "numbers": [3, 4], "text": "1e-6", "no": "no", "empty": None}},
            "trainer": {"learning_rate": 1e-06, "bf16": False, "names": ["1", "1e5", "~"]},
        },
    )
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.to_yaml(), encoding="utf-8")
    assert load_recipe(file) == recipe
    assert set(read_layer(file)) == set(Recipe.model_fields) - {"data", "collect", "distill"}  # of the other methods


@pytest.mark.parametrize("number", ["1e-6", "1E-6", "+1e-6", "1.0e-6", ".1e-5", "0.000001"])
def test_a_number_in_scientific_notation_is_a_number_in_files_and_assignments(tmp_path, number):
    file = tmp_path / "mine.yaml"
    file.write_text(f"trainer: {{learning_rate: {number}}}\n")
    assert read_layer(file) == dotted(f"trainer.learning_rate={number}") == {"trainer": {"learning_rate": 1e-6}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10", 10),
        ("true", True),
        ("[3, 4]", [3, 4]),
        ("easy", "easy"),
        ("'10'", "10"),
        ("'1e5'", "1e5"),
        ("", None),
        ("3B", "3B"),
        ("a=b", "a=b"),
    ],
)
def test_an_assigned_value_is_read_as_yaml(text, value):
    assert dotted(f"env.options.x={text}") == {"env": {"options": {"x": value}}}


@pytest.mark.parametrize("assignment", ["", "seed", "=3", "a..b=3", ".a=3", "a.=3", "seed=[", "seed={a"])
def test_an_assignment_that_cannot_be_read_is_an_error(assignment):
    with pytest.raises(RecipeError, match="--set"):
        dotted(assignment)


def test_another_environment_drops_the_options_of_the_one_below():
    under = {"model": "m", "env": {"name": "countdown", "options": {"level": "easy"}}}
    assert load_recipe(None, under, {"env": "maths"}).env.options == {}
    assert load_recipe(None, under, {"env": "countdown"}).env.options == {"level": "easy"}
    assert load_recipe(None, under, dotted("env.options.seed=3")).env.options == {"level": "easy", "seed": 3}


def test_options_may_be_set_before_the_environment_is_named():
    recipe = load_recipe(None, {"model": "m"}, dotted("env.options.level=easy"), {"env": "countdown"})
    assert (recipe.env.name, recipe.env.options) == ("countdown", {"level": "easy"})


@pytest.mark.parametrize("value", [None, 3, [], ["countdown"], {}])
def test_an_environment_without_a_name_is_an_error_and_no_crash(value):
    with pytest.raises(RecipeError, match="env"):
        load_recipe(None, {"model": "m", "env": value})
    with pytest.raises(RecipeError, match="env"):
        load_recipe(None, BASE, {"env": value} if value != {} else {"env": {"name": None}})


@pytest.mark.parametrize(
    "value", [None, 3, {"name": "format"}, [3], [None], ["format=much"], "format=", [{"weight": 1}]]
)
def test_rewards_that_are_no_list_of_names_are_an_error(value):
    with pytest.raises(RecipeError, match="rewards"):
        load_recipe(None, BASE, {"rewards": value})


@pytest.mark.parametrize(
    "content", [b"a: [", b"- a\n- b\n", b"text", b"\xff\xfe\x00", b"!!python/object:os.system {}", b"a: &x [*x"]
)
def test_a_file_that_is_no_recipe_is_an_error_that_names_it(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(RecipeError, match="mine.yaml"):
        read_layer(file)


def test_a_missing_file_is_an_error_that_names_it_and_an_empty_one_is_an_empty_layer(tmp_path):
    with pytest.raises(RecipeError, match="none.yaml"):
        read_layer(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing yet\n")
    assert read_layer(tmp_path / "empty.yaml") == {}


def test_a_recipe_cannot_be_changed():
    recipe = load_recipe(None, BASE)
    with pytest.raises(ValueError):
        recipe.seed = 3


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
@pytest.mark.parametrize(
    "key",
    [
        "generation.temperature",
        "limits.error",
        "lora.alpha",
        "on_collapse.rate_factor",
        "env.options.ratio",
        "trainer.lr_scheduler_kwargs.min_lr",
        "collect.server.timeout_s",
    ],
)
def test_a_number_that_is_not_finite_is_refused_with_its_key(key, number):
    with pytest.raises(RecipeError, match=re.escape(f"recipe key '{key}' takes a finite number")):
        load_recipe(None, {"model": "m", "env": "countdown"}, dotted(f"{key}={number}"))


@pytest.mark.parametrize("rewards", ["format,accuracy=nan", "format,accuracy=inf", "format,accuracy=-inf"])
def test_a_weight_that_is_not_finite_is_refused_with_its_reward(rewards):
    with pytest.raises(RecipeError, match=r"'rewards.1.weight' \(accuracy\) takes a finite number"):
        load_recipe(None, {"model": "m", "env": "countdown", "rewards": rewards})


@pytest.mark.parametrize("text", ["accuracy:0.5", "accuracy 0.5", "accuracy: 0.5", "accuracy*0.5"])
def test_a_weight_in_another_form_is_refused_with_the_right_one(text):
    with pytest.raises(RecipeError, match="follows its reward as accuracy=0.5"):
        load_recipe(None, {"model": "m", "env": "countdown", "rewards": text})


def test_spaces_and_a_last_comma_do_not_matter_in_a_list_of_rewards():
    recipe = load_recipe(None, {"model": "m", "env": "countdown", "rewards": "accuracy, format = 0.5,"})
    assert [(reward.name, reward.weight) for reward in recipe.rewards] == [("accuracy", 1.0), ("format", 0.5)]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("lora", True, "'lora' is a group of keys (rank, alpha, dropout, targets), got True; write lora: 16"),
        ("rewards", {"accuracy": 1.0}, "'rewards' takes a list, got {'accuracy': 1.0}; write rewards: [accuracy=1.0]"),
        ("rewards", 5, "'rewards' takes a list, got 5"),
        ("generation", 5, "'generation' is a group of keys (backend, vllm, samples, max_tokens, ...), got 5"),
        ("trainer", None, "'trainer' is empty: leave it out for its default"),
        ("trainer", [], "'trainer' is a group of keys, got []"),
        ("chat_template", {"{x}": None}, "'chat_template' takes a text"),
        ("attention", 2, "'attention' takes a text, got 2; write it in quotes"),
    ],
)
def test_a_value_of_the_wrong_kind_is_answered_in_plain_words(key, value, said):
    with pytest.raises(RecipeError) as caught:
        load_recipe(None, {"model": "m", "env": "countdown", key: value})
    assert said in str(caught.value)


def test_an_error_in_some_keys_holds_the_recipe_of_the_others():
    given = {"model": "m", "env": "countdown", "seed": -1, "rewardz": 1, "trainer": {"max_stepz": 1}}
    with pytest.raises(RecipeError) as caught:
        load_recipe(None, {**given, "rewards": ["accuracy", {"name": "format", "wieght": 2}]})
    rest = caught.value.rest
    assert (rest.model, rest.seed, rest.trainer) == ("m", 0, {"max_stepz": 1})
    assert [reward.name for reward in rest.rewards] == ["accuracy", "format"]
