"""LoRA: adapters are trained, and what is exported is a whole model."""

import json

import pytest

from r1sdk.plugins.loading import load_plugins
from r1sdk.storage.run_folder import RunFolder

pytest.importorskip("peft")
pytest.importorskip("torch")


@pytest.fixture(scope="module")
def trained(run_r1, small, tmp_path_factory):
    """Two steps of GRPO, then a third after a resume."""
    out = tmp_path_factory.mktemp("lora") / "run"
    flags = ["--env", "countdown", "--model", "tiny", "--rewards", "format", "--set", "generation.max_tokens=48"]
    settings = ["--set", "trainer.learning_rate=1e-2", "--set", "lora={rank: 4, alpha: 8}"]
    for arguments in (
        ["train", *small, *flags, *settings, "--steps", "2", "--out", out],
        ["train", "--resume", out, "--steps", "3"],
    ):
        said = run_r1(*arguments)
        assert said.code == 0, said.err
    return RunFolder(out)


def weights(folder):
    from safetensors.torch import load_file

    return load_file(next(folder.glob("*.safetensors")))


def test_the_run_goes_on_from_its_adapter(trained):
    assert [line["step"] for line in trained.metrics()] == [1, 2, 3]
    assert trained.status()["state"] == "finished"


def test_the_model_is_the_base_with_the_adapter_merged_in(trained):
    base = weights(load_plugins().get("model", "tiny").target)
    adapter, merged = weights(trained.adapter), weights(trained.model)
    assert merged.keys() == base.keys()
    changed = 0
    for name, before in base.items():
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        if f"{stem}.lora_A.weight" not in adapter:
            assert (merged[name] == before).all(), name
            continue
        update = adapter[f"{stem}.lora_B.weight"] @ adapter[f"{stem}.lora_A.weight"] * (8 / 4)
        assert (merged[name] - before - update).abs().max() < 1e-5, name
        changed += bool(update.abs().max() > 0)
    assert changed > 10


def test_it_is_evaluated_as_any_other_run(trained, run_r1):
    said = run_r1("eval", trained.path, "--tasks", "2", "--json")
    assert said.code == 0, said.err
    ((found,),) = (by_environment.values() for by_environment in json.loads(said.out)["results"].values())
    assert found["accuracy"]["n"] == 2


def test_muon_and_adapters_are_refused_together(r1):
    said = r1("train", "--env", "countdown", "--method", "sft", "--lora", "4", "--set", "optimizer=muon", "--dry-run")
    assert said.code == 1 and "choose one" in said.err
