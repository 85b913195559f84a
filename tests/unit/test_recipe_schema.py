"""The JSON Schema of recipes: right recipes pass it, typos do not, and editors find options and descriptions in it."""

import json
import re
import runpy
from pathlib import Path

import pytest

from r1sdk import load_plugins
from r1sdk.api import recipe_schema
from r1sdk.recipe.layers import read_layer, read_yaml
from r1sdk.recipe.schema import load_recipe

pytestmark = pytest.mark.heavy

jsonschema = pytest.importorskip("jsonschema")

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "recipes" / "r1_recipes"
FILES = [path for path in sorted(RECIPES.rglob("*.yaml")) if path.parent.name != "accelerate"]


@pytest.fixture(scope="module")
def validator():
    schema = recipe_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(RECIPES).as_posix())
def test_every_shipped_recipe_passes_and_names_the_schema(validator, path):
    assert [error.message for error in validator.iter_errors(read_layer(path))] == []
    named = re.search(r"(?m)^# yaml-language-server: \$schema=(\S+)$", path.read_text())
    assert named and (path.parent / named[1]).resolve() == RECIPES / "recipe.schema.json"


def test_a_resolved_recipe_passes(validator):
    whole = load_recipe(None, {"model": "tiny", "env": "countdown", "rewards": "accuracy,format=0.2"}).to_yaml()
    assert [error.message for error in validator.iter_errors(read_yaml(whole))] == []


@pytest.mark.parametrize(
    "text",
    [
        "modle: tiny",
        "method: ppo",
        "generation: {sampels: 4}",
        "generation: {samples: many}",
        "generation: {samples: 0}",
        "env: {name: countdown, options: {levle: easy}}",
        "env: {name: countdown, options: {level: hardest}}",
        "env: {name: countdown, options: {train_size: many}}",
        "env: 3",
        "rewards: [{name: format, wieght: 1}]",
        "rewards: [{weight: 1}]",
        "rewards: [{name: format, options: {strict_newline: true}}]",
        "trainer: {learning_rat: 1.0e-5}",
        "trainer: {max_steps: ten}",
        "trainer: {lr_scheduler_type: cosin}",
        "trainer: {num_generations: 4}",
        "stages: []",
        "stages: [{recipe: countdown/tiny}]",
        "stages: [{name: a, modle: tiny}]",
        "evaluation: {temperature: -1}",
    ],
)
def test_a_mistake_is_found(validator, text):
    assert list(validator.iter_errors(read_yaml(text)))


@pytest.mark.parametrize(
    "text",
    [
        "env: countdown",
        "env: my_own_environment",
        "env: {options: {anything: 1}}",
        "rewards: accuracy,format=0.2",
        "rewards: [accuracy, 'my_module:reward', {name: format, weight: 0.2}]",
        "lora: 16",
        "lora: {rank: 8}",
        "dynamic_sampling: true",
        "curriculum: {target: 0.4}",
        "data: rows.jsonl",
        "data: {name: rows.jsonl, held_out: 5}",
        "trainer: {save_strategy: no, learning_rate: 1e-6, report_to: [wandb]}",
        "collect: {server: 'http://localhost:8000/v1'}",
    ],
)
def test_every_form_that_a_recipe_takes_passes(validator, text):
    assert [error.message for error in validator.iter_errors(read_yaml(text))] == []


def test_options_have_descriptions_and_defaults():
    schema = recipe_schema()
    cases = {case["if"]["properties"]["name"]["const"]: case for case in schema["$defs"]["Environment"]["allOf"]}
    assert cases.keys() == set(load_plugins().names("environment"))
    options = cases["countdown"]["then"]["properties"]["options"]["properties"]
    assert options["test_size"]["default"] == 500
    assert schema["$defs"]["Generation"]["properties"]["samples"]["description"].startswith("completions per prompt")


def test_the_shipped_schema_is_that_of_today():
    generator = runpy.run_path(str(ROOT / "docs" / "_generate_schema.py"))
    shipped = (RECIPES / "recipe.schema.json").read_text(encoding="utf-8")
    assert json.loads(shipped) == json.loads(generator["text"]()), "run python docs/_generate_schema.py"
    assert str(ROOT) not in shipped, "a path of one machine"


def test_the_command_writes_it_and_a_copied_recipe_finds_it(r1, tmp_path):
    assert r1("recipes", "schema", "--out", tmp_path / "s.json").code == 0
    assert json.loads((tmp_path / "s.json").read_text())["title"] == "Recipe of r1sdk"
    r1("recipes", "copy", "countdown/tiny", tmp_path / "mine.yaml")
    named = re.search(r"\$schema=(\S+)", (tmp_path / "mine.yaml").read_text())
    assert named and Path(named[1]).is_file()
