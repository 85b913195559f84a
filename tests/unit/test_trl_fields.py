"""The arguments of TRL's configs, read from source, are those that the classes have."""

import dataclasses

import pytest

from r1sdk.planning.trainer_rules import OWNED
from r1sdk.recipe.trl_fields import trainer_fields


def config(method):
    trl = pytest.importorskip("trl")
    return {"grpo": trl.GRPOConfig, "sft": trl.SFTConfig}[method]


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["grpo", "sft"])
def test_the_names_are_those_that_the_config_takes(method):
    assert {*trainer_fields(method)} == {field.name for field in dataclasses.fields(config(method)) if field.init}


@pytest.mark.heavy
@pytest.mark.parametrize("method", ["grpo", "sft"])
def test_every_default_that_is_read_is_the_one_that_the_config_has(method):
    defaults = {field.name: field.default for field in dataclasses.fields(config(method)) if field.init}
    read = {name: value for name, value in trainer_fields(method).items() if value is not None}
    assert read == {name: defaults[name] for name in read}
    literal = {name for name, value in defaults.items() if type(value) in (bool, int, float)}
    assert literal <= {*read}
    assert read["per_device_train_batch_size"] == 8


def test_what_r1sdk_owns_are_arguments_that_exist():
    assert {*OWNED} <= {*trainer_fields("grpo")} | {*trainer_fields("sft")}
