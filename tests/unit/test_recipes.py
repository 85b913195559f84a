"""The shipped recipes: each composes against the installed TRL, opens with what it is for, and can be shown and copied."""

import json

import pytest

from r1sdk.planning.resolve import plan_run
from r1sdk.planning.stages import check_stages, is_pipeline, load_stages
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe import trl_values
from r1sdk.recipe.key_groups import Launch
from r1sdk.recipe.schema import load_recipe

REGISTRY = load_plugins()
NAMES = [name for name in REGISTRY.names("recipe") if name != "default"]  # that one leaves the environment to the user


def target(name):
    return REGISTRY.get("recipe", name).target


def here(recipe):
    """The recipe without its processes: whether this machine has deepspeed, or GPUs, is not what is asked."""
    if recipe.launch.accelerate is not None:
        REGISTRY.get("accelerate", recipe.launch.accelerate)
    return recipe.model_copy(update={"launch": Launch()})


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_recipe_composes(name, monkeypatch):
    """Data on a hub are not drawn from, since the tests have no network; nor is it asked if bitsandbytes is installed."""
    found = trl_values.find_spec
    monkeypatch.setattr(trl_values, "find_spec", lambda package: package == "bitsandbytes" or found(package))
    if is_pipeline(target(name)):
        stages = load_stages(target(name), [], target)
        check_stages([type(stage)(stage.name, here(stage.recipe)) for stage in stages], REGISTRY, draw=False)
    else:
        plan_run(here(load_recipe(target(name))), REGISTRY, draw=False)


@pytest.mark.parametrize("name", [*NAMES, "default"])
def test_a_shipped_recipe_opens_with_what_it_trains_the_command_and_what_was_measured(name):
    head = [line for line in target(name).read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    asked_for_by_name = f"#   r1 train {name}" if name != "countdown/tiny" else "#   r1 train --env countdown"
    assert head[1].startswith(asked_for_by_name)
    opening = " ".join(head)
    assert name == "default" or any(word in opening for word in ("Hardware: ", "CPU cores"))
    measured = ("reached", "measured", "estimate", "Not run here", "README")
    assert any(word in opening for word in measured), "say what it reached, or that it was not measured"
    if name.partition("/")[0] in ("open-r1", "tinyzero", "simplerl"):
        assert "Settings of" in opening and "github.com/" in opening and "at " in opening


def test_the_recipes_that_were_asked_for_are_there():
    assert len([name for name in NAMES if name.startswith("open-r1/")]) == 8
    assert {"r1-zero/tiny", "r1/tiny", "tinyzero/countdown-3b", "simplerl/qwen2.5-7b"} <= set(NAMES)
    for size in ("1.5b", "7b"):
        assert {f"r1-zero/qwen2.5-{size}", f"r1/qwen2.5-{size}"} <= set(NAMES)
    assert {"qwen2.5-0.5b/sft", "qwen2.5-0.5b/grpo"} <= set(NAMES)


@pytest.mark.heavy
def test_recipes_are_listed_shown_and_copied(r1, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = r1("recipes")
    assert said.code == 0 and "countdown/tiny" in said.out and "GRPO from the embedded model" in said.out
    assert {row["name"] for row in json.loads(r1("recipes", "--json").out)["recipes"]} == {*NAMES, "default"}
    assert r1("recipes", "show", "r1/tiny").out == target("r1/tiny").read_text(encoding="utf-8")
    assert r1("recipes", "copy", "r1/tiny").out == "tiny.yaml\n"
    copied, original = ((path).read_text(encoding="utf-8") for path in (tmp_path / "tiny.yaml", target("r1/tiny")))
    schema = target("r1/tiny").parent.parent / "recipe.schema.json"
    assert copied == original.replace("../recipe.schema.json", str(schema)), "an editor finds the schema from anywhere"
    assert "--overwrite" in r1("recipes", "copy", "r1/tiny").err
    assert r1("train", "tiny.yaml", "--dry-run").code == 0
    said = r1("recipes", "show", "r1/tny")
    assert said.code == 1 and "did you mean 'r1/tiny'" in said.err
