"""Quantized weights under adapters: a run by bitsandbytes on the CPU, what is refused, and what it saves.

The runs need bitsandbytes: pip install 'r1sdk[quantize]'.
"""

from importlib.util import find_spec

import pytest
from model_shapes import QWEN_7B, ZERO2, recipe

from r1sdk.planning.memory import Shape, advice, estimate
from r1sdk.plugins.loading import load_plugins
from r1sdk.storage.run_folder import RunFolder

bits = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="needs pip install 'r1sdk[quantize]'")


def train(r1, *flags):
    return r1("train", "--env", "countdown", "--model", "tiny", *flags, "--dry-run")


def test_quantized_weights_without_adapters_are_refused(r1):
    said = train(r1, "--quantize", "4bit")
    assert said.code == 1
    assert "quantized weights cannot be trained, adapters on them can; add --lora 16" in said.err


@pytest.mark.parametrize("kind", ["zero2", "zero3"])
def test_quantized_weights_are_not_shared_out(r1, kind):
    said = train(r1, "--quantize", "4bit", "--lora", "4", "--accelerate", kind, "--processes", "2")
    assert said.code == 1
    assert f"quantized weights are not shared out: not with --accelerate {kind}; use ddp" in said.err


def test_an_unknown_number_of_bits_is_refused(r1):
    said = train(r1, "--quantize", "3bit", "--lora", "4")
    assert said.code == 1 and "recipe key 'quantize': input should be '4bit' or '8bit', got '3bit'" in said.err


@pytest.mark.skipif(find_spec("bitsandbytes") is not None, reason="bitsandbytes is here")
def test_without_bitsandbytes_the_command_that_brings_it_is_said(r1):
    said = train(r1, "--quantize", "4bit", "--lora", "4")
    assert said.code == 1 and "quantize: bitsandbytes is not installed; pip install 'r1sdk[quantize]'" in said.err


def test_the_estimate_counts_packed_weights_and_whole_embeddings():
    shape = Shape.of(QWEN_7B)
    embeddings = 2 * 152064 * 3584
    assert shape.embeddings == embeddings

    def weights(**more):
        return estimate(shape, recipe(lora=16, **more), {}, cuda=True).training["weights"]

    assert weights() == 2 * shape.parameters
    assert weights(quantize="8bit") == shape.parameters - embeddings + 2 * embeddings
    assert weights(quantize="4bit") == pytest.approx(0.516 * (shape.parameters - embeddings) + 2 * embeddings)


def test_where_adapters_alone_do_not_fit_quantized_weights_are_the_advice():
    shape = Shape.of(QWEN_7B)
    for more, words in (
        ({}, "--quantize 4bit"),
        ({"quantize": "8bit"}, "--quantize 4bit"),
        ({"quantize": "4bit"}, "smaller"),
    ):
        asked = recipe(lora=16, trainer={"per_device_train_batch_size": 1}, **more)
        assert words in advice(estimate(shape, asked, ZERO2 if not more else {}, cuda=True), asked)


@pytest.fixture(scope="module", params=["4bit", "8bit"])
def trained(request, run_r1, small, tmp_path_factory):
    """Two steps of GRPO with an evaluation before and after, then a third step after a resume."""
    out = tmp_path_factory.mktemp("quantized") / "run"
    flags = ["--env", "countdown", "--model", "tiny", "--rewards", "format", "--set", "generation.max_tokens=48"]
    flags += ["--lora", "4", "--quantize", request.param, "--set", "trainer.learning_rate=1e-2"]
    for arguments in (
        ["train", *small, *flags, "--set", "evaluation.tasks=8", "--steps", "2", "--out", out],
        ["train", "--resume", out, "--steps", "3"],
    ):
        said = run_r1(*arguments)
        assert said.code == 0, said.err
    return RunFolder(out)


def weights_of(folder):
    from safetensors.torch import load_file

    return load_file(next(folder.glob("*.safetensors")))


@bits
@pytest.mark.slow
def test_adapters_on_quantized_weights_are_trained_resumed_merged_into_whole_ones_and_evaluated(trained):
    assert [line["step"] for line in trained.metrics()] == [1, 2, 3]
    assert any(line["grad_norm"] > 0 for line in trained.metrics())  # where a group has some spread
    assert trained.evaluation("before")["accuracy"]["n"] == trained.evaluation("after")["accuracy"]["n"] == 8
    base = weights_of(load_plugins().get("model", "tiny").target)
    adapter, merged = weights_of(trained.adapter), weights_of(trained.model)
    assert merged.keys() == base.keys()
    changed = 0
    for name, before in base.items():
        assert merged[name].dtype == before.dtype  # nothing packed is left in what is exported
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{stem}.lora_A.weight" not in adapter:
            assert (merged[name] == before).all(), name
            continue
        update = adapter[f"{stem}.lora_B.weight"].float() @ adapter[f"{stem}.lora_A.weight"].float() * (32 / 4)
        assert (merged[name] - before - update).abs().max() < 1e-4, name
        changed += bool(update.abs().max() > 0)
    assert changed > 10
    assert "MatMul8bitLt" not in trained.log_file.read_text()
