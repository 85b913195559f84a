"""What runs differently on a GPU, on one: `pytest -m gpu`. On a machine without one the same checks run on its CPU, and prove less."""

import json

import pytest

torch = pytest.importorskip("torch")

from r1sdk.planning.hardware import Hardware
from r1sdk.receipts.tensor_digest import digest
from r1sdk.storage.run_folder import RunFolder

pytestmark = pytest.mark.gpu

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("shape", [(7, 5), (1024, 300), (3, 70_000)])
def test_a_digest_is_the_same_on_every_device(dtype, shape):
    tensor = noise(*shape).to(dtype)
    there = tensor.to(DEVICE)
    assert digest(there).value == digest(tensor).value
    assert digest(there[1:, 2:], 1, 2).value == digest(tensor[1:, 2:], 1, 2).value
    changed = there.clone()
    changed[-1, -1] += 1
    assert digest(changed).value != digest(tensor).value


def test_rounding_to_the_samplers_type_is_the_same_on_every_device():
    tensor = noise(512, 512)
    assert digest(tensor.to(DEVICE).to(torch.bfloat16)).value == digest(tensor.to(torch.bfloat16)).value


def test_the_machine_is_read_as_it_is():
    machine = Hardware.here()
    assert len(machine.gpus) == torch.cuda.device_count()
    for at, gpu in enumerate(machine.gpus):
        assert gpu.memory_bytes == pytest.approx(torch.cuda.get_device_properties(at).total_memory, rel=0.1)


@pytest.mark.parametrize("more", [(), ("--lora", "4")], ids=["whole", "lora"])
def test_a_model_is_trained_here_whole_and_by_adapters(run_r1, small, tmp_path, more):
    command = ("train", "--env", "countdown", "--model", "tiny", "--rewards", "accuracy,format", *small, *more)
    said = run_r1(*command, "--steps", 2, "--out", tmp_path / "run")
    assert said.code == 0, said.err
    folder = RunFolder(tmp_path / "run")
    lines = folder.metrics()
    assert [line["step"] for line in lines] == [1, 2]
    assert all(line["grad_norm"] >= 0 and line["loss"] == line["loss"] for line in lines)
    assert (folder.model / "config.json").is_file() or (folder.model / "adapter_config.json").is_file()


def test_doctor_finds_the_machine_fit(run_r1):
    said = run_r1("doctor", "--json")
    found = {line["name"]: line["status"] for line in json.loads(said.out)["findings"]}
    assert found and "error" not in {found.get("torch"), found.get("transformers"), found.get("trl")}
