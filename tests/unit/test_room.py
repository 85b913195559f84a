"""How much of the disk a run will take, and what is said where it has less."""

import json
import shutil

import pytest
from model_shapes import QWEN_1_5B, ZERO2

from r1sdk.doctor.recipe_checks import check_room
from r1sdk.planning.disk import RECORDS, room_for
from r1sdk.planning.memory import Shape
from r1sdk.planning.resolve import plan_run
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import Recipe


def room(trainer=None, accelerate=None, cuda=True, **more):
    recipe = Recipe.model_validate({"model": "m", "env": "countdown", "trainer": trainer or {}, **more})
    return room_for(Shape.of(QWEN_1_5B), recipe, accelerate or {}, cuda)


PARAMETERS = Shape.of(QWEN_1_5B).parameters


def test_a_checkpoint_holds_the_weights_and_both_moments_of_each():
    assert room().checkpoint == 12 * PARAMETERS
    assert room().model == 4 * PARAMETERS
    assert room(dtype="bfloat16").checkpoint == 6 * PARAMETERS


def test_under_deepspeed_the_float32_weights_lie_beside_those_in_bfloat16():
    assert room(accelerate=ZERO2).checkpoint == 14 * PARAMETERS


def test_a_checkpoint_of_adapters_is_small_and_the_model_is_not():
    adapters = room(lora=16)
    assert adapters.checkpoint < 0.2 * PARAMETERS and adapters.model == 2 * PARAMETERS


@pytest.mark.parametrize(
    ("trainer", "checkpoints"),
    [
        ({}, 3),  # the new one is written before the oldest of two goes
        ({"save_total_limit": 5}, 6),
        ({"save_total_limit": None, "max_steps": 100, "save_steps": 10}, 10),
        ({"max_steps": 60}, 2),
        ({"save_strategy": "no"}, 0),
    ],
)
def test_as_many_checkpoints_lie_there_as_the_trainer_keeps_and_one_more(trainer, checkpoints):
    found = room(trainer)
    assert found.checkpoints == checkpoints
    assert found.most == checkpoints * found.checkpoint + found.model + RECORDS
    assert found.least == min(1, checkpoints) * found.checkpoint + found.model + RECORDS


def test_a_large_model_is_refused_where_a_small_one_would_fit(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps(QWEN_1_5B))
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    registry, usage = load_plugins(), shutil.disk_usage(tmp_path)
    run = plan_run(Recipe.model_validate({"model": str(tmp_path), "env": "countdown"}), registry)
    for free, status in ((20 << 30, "failure"), (40 << 30, "warning"), (80 << 30, "ok")):
        monkeypatch.setattr(shutil, "disk_usage", lambda path, free=free: usage._replace(free=free))
        (found,) = check_room(run, tmp_path / "run")
        assert found.status == status
        assert "a checkpoint takes about 17.3 GB, 3 at a time" in found.text


def test_a_run_that_goes_on_needs_no_room_for_the_checkpoints_that_are_there(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps(QWEN_1_5B))
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    registry, usage = load_plugins(), shutil.disk_usage(tmp_path)
    run = plan_run(Recipe.model_validate({"model": str(tmp_path), "env": "countdown"}), registry)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=30 << 30))
    assert [found.status for found in check_room(run, tmp_path)] == ["warning"]
    for step in (50, 100):
        (tmp_path / "checkpoints" / f"checkpoint-{step}").mkdir(parents=True)
    assert [found.status for found in check_room(run, tmp_path)] == ["ok"]
