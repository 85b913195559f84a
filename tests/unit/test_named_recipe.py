"""One order of layers in every command: defaults, the recipe, `--set`, flags; and the options of an environment stay with its name."""

import pytest

from r1sdk.errors import R1Error
from r1sdk.planning.named_recipe import resolve_recipe, without_none
from r1sdk.plugins.loading import load_plugins

REGISTRY = load_plugins()
GUESS = {"model": "tiny", "env": {"name": "guess", "options": {"guesses": 3}}}


@pytest.mark.parametrize(
    ("start", "sets", "env", "name", "options"),
    [
        (GUESS, ["env=guess"], "countdown", "countdown", {}),  # a flag wins over --set, as --set over the recipe
        (GUESS, ["env=countdown"], None, "countdown", {}),
        (
            GUESS,
            ["env.options.level=easy"],
            "countdown",
            "countdown",
            {"level": "easy"},
        ),  # of the environment that is named
        (GUESS, ["env.options.guesses=5"], None, "guess", {"guesses": 5}),
        (GUESS, ["env.options.low=1"], "guess", "guess", {"guesses": 3, "low": 1}),
        (GUESS, ["env.options.level=easy", "env=countdown"], None, "countdown", {"level": "easy"}),
        ("countdown/tiny", ["env=guess", "env.options.guesses=4"], "countdown", "countdown", None),
    ],
)
def test_env_as_a_flag_goes_over_set_and_takes_the_options_that_are_given(start, sets, env, name, options):
    recipe, _ = resolve_recipe(REGISTRY, start, sets, {"env": env})
    assert recipe.env.name == name
    assert "guesses" not in recipe.env.options if options is None else recipe.env.options == options


def test_what_was_not_given_is_left_out_and_an_empty_group_stays():
    keys = {"a": None, "b": {"c": None}, "d": {}, "e": {"f": 0, "g": None}}
    assert without_none(keys) == {"d": {}, "e": {"f": 0}}


def test_a_recipe_with_stages_is_refused_where_one_run_is_meant(tmp_path):
    file = tmp_path / "two.yaml"
    file.write_text("stages: [{name: one, env: countdown, model: tiny}]\n")
    with pytest.raises(R1Error, match="has stages, and this takes one run"):
        resolve_recipe(REGISTRY, file)
