"""The estimate of a run's memory: its parts are those that the arithmetic of training says."""

import json

import pytest
from model_shapes import QWEN_1_5B, QWEN_7B, ZERO2, ZERO3, recipe

from r1sdk.planning.memory import GB, Shape, advice, estimate, read_shape
from r1sdk.plugins.loading import load_plugins


@pytest.mark.parametrize(("config", "parameters"), [(QWEN_1_5B, 1.5437e9), (QWEN_7B, 7.6156e9)])
def test_the_parameters_of_known_models_are_counted(config, parameters):
    assert Shape.of(config).parameters == pytest.approx(parameters, rel=1e-3)


def test_the_parameters_of_the_embedded_model_are_those_in_its_file():
    folder = load_plugins().get("model", "tiny").target
    shape = read_shape(folder)
    assert shape.parameters == Shape.of(json.loads((folder / "config.json").read_text())).parameters


def test_a_mixture_of_experts_is_not_counted_as_a_dense_model():
    assert Shape.of({**QWEN_7B, "num_local_experts": 8}) is None
    assert Shape.of({**QWEN_7B, "num_local_experts": 8}, parameters=47 * 10**9).parameters == 47 * 10**9


def test_full_training_takes_sixteen_bytes_a_parameter():
    shape = Shape.of(QWEN_7B)
    parts = estimate(shape, recipe(), {}, cuda=True).training
    assert parts["weights"] + parts["gradients"] + parts["optimizer"] == 16 * shape.parameters


def test_lora_takes_two_bytes_a_parameter_and_little_more():
    shape = Shape.of(QWEN_7B)
    parts = estimate(shape, recipe(lora=16), {}, cuda=True).training
    assert parts["weights"] == 2 * shape.parameters
    adapters = (parts["gradients"] + parts["optimizer"]) / 12
    assert adapters == pytest.approx(
        40.4e6, rel=0.01
    )  # what peft counts for rank 16 on all linear layers of this model


def test_zero_shares_out_what_it_says():
    shape, eight = Shape.of(QWEN_7B), recipe(launch={"accelerate": "zero3", "processes": 8})
    two, three = (estimate(shape, eight, config, cuda=True).training for config in (ZERO2, ZERO3))
    assert two["weights"] == 2 * shape.parameters
    assert two["optimizer"] == three["optimizer"] == 12 * shape.parameters // 8
    assert three["weights"] == 2 * shape.parameters // 8


def test_the_cache_of_keys_and_values_grows_with_completions_and_their_length():
    shape = Shape.of(QWEN_1_5B)
    short = estimate(shape, recipe(), {}, cuda=True).generating["KV cache"]
    assert short == 2 * 28 * 256 * (256 + 512) * 8 * 4
    long = estimate(shape, recipe(generation={"max_tokens": 512 + 768}), {}, cuda=True).generating["KV cache"]
    assert long == 2 * short


def test_a_reference_model_is_counted_where_there_is_one():
    shape = Shape.of(QWEN_1_5B)
    assert "reference model" not in estimate(shape, recipe(), {}, cuda=True).training
    assert (
        estimate(shape, recipe(trainer={"beta": 0.01}), {}, cuda=True).training["reference model"]
        == 4 * shape.parameters
    )


def test_the_advice_is_of_what_is_largest():
    shape = Shape.of(QWEN_7B)
    full = recipe()
    assert "--lora" in advice(estimate(shape, full, {}, cuda=True), full)
    wide = recipe(lora=16, generation={"max_tokens": 8192}, trainer={"per_device_train_batch_size": 64})
    assert "per_device_train_batch_size" in advice(estimate(shape, wide, {}, cuda=True), wide)


@pytest.mark.heavy
def test_a_run_that_will_not_fit_is_told_so_before_it_starts(r1, tmp_path, monkeypatch):
    from r1sdk.planning import hardware

    (tmp_path / "config.json").write_text(json.dumps(QWEN_7B))
    (tmp_path / "pytorch_model.bin").write_bytes(b"PK")
    monkeypatch.setattr(hardware, "memory_bytes", lambda: 16 * GB)  # this machine's, whatever it has
    monkeypatch.setattr(hardware, "gpus", lambda: ())
    said = r1("doctor", "default", "--env", "countdown", "--model", str(tmp_path), "--set", "trainer.beta=0.0")
    line = next(line for line in said.out.splitlines() if "memory of the run" in line)
    assert line.startswith("warning") and "of 16.0 GB" in line
    assert "train adapters (--lora 16)" in said.out
