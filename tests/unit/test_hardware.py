"""What this machine has. GPUs are told of by a program that stands for `nvidia-smi`: there is none where the tests run."""

import os

import pytest

from r1sdk.planning import hardware

LINES = """0, NVIDIA H100 80GB HBM3, 81559, 580.82.07, GPU-aaaa
1, NVIDIA H100 80GB HBM3, 81559, 580.82.07, GPU-bbbb
"""


@pytest.fixture
def nvidia_smi(tmp_path, monkeypatch):
    """Puts a program in front of the others that prints the given lines."""

    def put(lines):
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{lines}END\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        hardware.gpus.cache_clear()

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    yield put
    hardware.gpus.cache_clear()


def test_the_gpus_are_those_that_nvidia_smi_names(nvidia_smi):
    nvidia_smi(LINES)
    assert [gpu.uuid for gpu in hardware.gpus()] == ["GPU-aaaa", "GPU-bbbb"]
    assert hardware.gpus()[0] == hardware.Gpu("NVIDIA H100 80GB HBM3", 81559 << 20, "580.82.07", "GPU-aaaa")


@pytest.mark.parametrize(
    ("chosen", "seen"), [("1", ["GPU-bbbb"]), ("GPU-aaaa", ["GPU-aaaa"]), ("1,7,0", ["GPU-bbbb"]), ("", []), ("-1", [])]
)
def test_cuda_visible_devices_chooses_as_cuda_does(nvidia_smi, monkeypatch, chosen, seen):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", chosen)
    nvidia_smi(LINES)
    assert [gpu.uuid for gpu in hardware.gpus()] == seen


def test_without_nvidia_smi_there_is_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    hardware.gpus.cache_clear()
    assert hardware.gpus() == ()
    hardware.gpus.cache_clear()


def test_each_gpu_gets_a_process_unless_told_otherwise(nvidia_smi, r1):
    nvidia_smi(LINES)
    said = r1("train", "--env", "countdown", "--accelerate", "ddp", "--launcher", "none", "--out", "run", "--dry-run")
    assert said.code == 0, said.err
    from r1sdk.planning.resolve import resolve
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import Recipe

    for accelerate, processes in (("ddp", 2), (None, 1)):
        asked = Recipe.model_validate({"model": "tiny", "env": "countdown", "launch": {"accelerate": accelerate}})
        assert resolve(asked, load_plugins()).recipe.launch.processes == processes


def test_more_processes_than_gpus_are_refused(nvidia_smi, r1):
    nvidia_smi(LINES)
    said = r1("train", "--env", "countdown", "--accelerate", "ddp", "--processes", "3", "--dry-run")
    assert said.code == 1 and "3 processes, and this machine has 2 GPUs" in said.err


@pytest.mark.heavy
def test_an_old_driver_and_a_torch_without_cuda_are_failures_with_what_to_do(nvidia_smi, r1):
    nvidia_smi(LINES.replace("580.82.07", "550.54.14"))
    said = r1("doctor")
    assert said.code == 1
    assert "failure  driver" in said.out and "install driver 580 or newer" in said.out


def test_memory_and_cores_are_known_here():
    assert hardware.cores() >= 1
    assert 1 << 28 < hardware.memory_bytes() < 1 << 50


@pytest.mark.parametrize(
    ("has", "words"),
    [
        ((), "this CPU has no bf16 instructions"),
        (("avx512_bf16",), "this CPU has avx512_bf16 but no amx_bf16"),
        (("amx_bf16", "avx512_bf16"), None),
    ],
)
def test_bf16_on_a_cpu_that_is_slower_by_it_is_a_warning(has, words):
    from r1sdk.doctor import recipe_checks as doctor
    from r1sdk.planning.resolve import plan_run
    from r1sdk.plugins.loading import load_plugins
    from r1sdk.recipe.schema import Recipe

    asked = Recipe.model_validate({"model": "tiny", "env": "countdown", "trainer": {"bf16": True}})
    found = list(doctor.check_precision(plan_run(asked, load_plugins(), hardware.Hardware(bf16=has))))
    assert [finding.status for finding in found] == (["warning"] if words else [])
    assert words is None or words in found[0].text


def test_flash_attention_is_refused_where_it_cannot_run(r1, monkeypatch):
    said = r1("train", "--env", "countdown", "--set", "attention=flash_attention_2", "--dry-run")
    assert said.code == 1 and "attention: flash_attention_2 runs on a GPU, and there is none; use sdpa" in said.err
    said = r1("train", "--env", "countdown", "--set", "attention=flash_atention_2", "--dry-run")
    assert said.code == 1 and "did you mean 'flash_attention_2'?" in said.err
