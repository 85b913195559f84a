"""The page on algorithms has the losses and estimators of the code, and each loss is one that the installed TRL knows."""

import runpy
from pathlib import Path

import pytest

from r1sdk.planning.resolve import resolve
from r1sdk.planning.rules import rules
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.losses import LOSSES
from r1sdk.recipe.schema import load_recipe
from r1sdk.recipe.trl_fields import trainer_fields
from r1sdk.recipe.trl_values import allowed_values

ROOT = Path(__file__).parents[2]
GENERATOR = runpy.run_path(str(ROOT / "docs" / "_generate_algorithms.py"))


def test_the_page_has_the_tables_of_today():
    assert GENERATOR["PAGE"].read_text() == GENERATOR["page"](), "run python docs/_generate_algorithms.py"


def test_every_loss_of_trl_has_a_name():
    assert {loss.selects["loss_type"] for loss in LOSSES.values()} == set(allowed_values("grpo", "loss_type"))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_sets_keys_that_trl_has_and_passes_every_rule(name):
    assert set(LOSSES[name].settings) <= set(trainer_fields("grpo"))
    recipe = load_recipe(None, {"model": "tiny", "env": "countdown", "loss": name})
    assert recipe.trainer == LOSSES[name].settings
    assert [str(error) for error in rules(resolve(recipe, load_plugins(), draw=False))] == []


def test_no_two_losses_are_the_same_settings():
    assert len({tuple(sorted(loss.settings.items())) for loss in LOSSES.values()}) == len(LOSSES)


def test_an_unknown_loss_is_refused_with_the_nearest_name(r1):
    said = r1("train", "--env", "countdown", "--loss", "gpso", "--dry-run")
    assert said.code == 1 and "did you mean 'gspo'?" in said.err


def test_a_loss_shows_in_the_resolved_recipe(r1):
    said = r1("train", "--env", "countdown", "--loss", "cispo", "--dry-run")
    assert said.code == 0
    for line in ("loss: cispo", "  loss_type: cispo", "  epsilon_high: 5.0"):
        assert line in said.out.splitlines()


def test_a_key_that_makes_another_loss_is_a_conflict_and_one_that_tunes_it_is_not(r1):
    flags = ("train", "--env", "countdown", "--loss", "gspo", "--dry-run", "--set")
    said = r1(*flags, "trainer.importance_sampling_level=token")
    assert said.code == 1
    assert "'loss' is 'gspo', which is trainer.importance_sampling_level sequence" in said.err
    said = r1(*flags, "trainer.epsilon=0.001")
    assert said.code == 0 and "  epsilon: 0.001" in said.out.splitlines()


def test_the_flag_takes_the_place_of_a_recipes_own_loss(r1, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: tiny\nenv: countdown\ntrainer: {loss_type: dr_grpo, scale_rewards: none, beta: 0.01}\n")
    said = r1("train", str(file), "--loss", "dapo", "--dry-run")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert "  loss_type: dapo" in lines and "  beta: 0.01" in lines
    assert not any("scale_rewards" in line for line in lines)


def test_a_recipe_with_a_loss_reads_back_as_itself():
    from r1sdk.recipe.schema import Recipe

    recipe = load_recipe(None, {"model": "tiny", "env": "countdown", "loss": "dr_grpo", "advantage": "rloo"})
    import yaml

    assert Recipe.model_validate(yaml.safe_load(recipe.to_yaml())) == recipe
