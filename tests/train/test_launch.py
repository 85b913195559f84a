"""How a run is started in several processes: what is refused, what accelerate is told, what Slurm is given."""

import itertools
import os
import stat
import subprocess

import pytest

from r1sdk.launch.slurm import script
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.layers import dotted
from r1sdk.recipe.schema import Recipe, load_recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.processes import arguments


def recipe(**launch):
    return Recipe.model_validate({"model": "tiny", "env": "countdown", "launch": launch})


def test_the_ways_to_share_out_the_work_are_registered():
    assert load_plugins().names("accelerate") == ["ddp", "fsdp2", "zero2", "zero3"]


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--processes", "2"], "add --accelerate ddp"),
        (["--accelerate", "zero22"], "did you mean 'zero2'?"),
        (["--accelerate", "mine.yaml"], "no file 'mine.yaml'"),
        (["--accelerate", "ddp", "--nodes", "2"], "use --launcher slurm"),
        (["--launcher", "slurm"], "add --accelerate ddp"),
        (["--accelerate", "ddp", "--set", "optimizer=muon", "--set", "lora=8", "--method", "sft"], "choose one"),
    ],
)
def test_what_cannot_be_started_is_refused_with_the_way_out(r1, flags, reason):
    said = r1("train", "--env", "countdown", *flags, "--dry-run")
    assert said.code == 1
    assert reason in said.err


def test_a_config_of_ones_own_may_be_a_file_and_must_start_several(r1, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text("distributed_type: MULTI_GPU\nuse_cpu: true\n")
    said = r1("train", "--env", "countdown", "--accelerate", str(mine), "--processes", "2", "--dry-run")
    assert said.code == 1 and "with use_cpu accelerate starts one process only" in said.err
    mine.write_text("distributed_type: MULTI_GPU\n")
    assert r1("train", "--env", "countdown", "--accelerate", str(mine), "--processes", "2", "--dry-run").code == 0


def folder_of(path, **launch):
    return RunFolder.create(path / "run", recipe(**launch), {})


def test_accelerate_is_told_how_many_and_where(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    told = arguments(folder_of(tmp_path, accelerate="ddp", processes=4, nodes=2, launcher="none"), 1, "first:29400")
    pairs = dict(itertools.pairwise(told))
    assert (pairs["--num_processes"], pairs["--num_machines"], pairs["--machine_rank"]) == ("8", "2", "1")
    assert (pairs["--main_process_ip"], pairs["--main_process_port"]) == ("first", "29400")
    assert pairs["--num_cpu_threads_per_process"] == "3"
    assert told[-3:] == ["r1sdk.training.run", str(tmp_path / "run"), "--end-with-parent"]


def test_a_time_of_day_in_a_recipe_is_text():
    layer = dotted("launch.sbatch.time=12:00:00")
    assert layer == {"launch": {"sbatch": {"time": "12:00:00"}}}
    again = load_recipe(None, {"model": "tiny", "env": "countdown"}, layer)
    assert again.launch.sbatch == {"time": "12:00:00"}
    assert "12:00:00" in again.to_yaml()


def test_the_recipe_of_a_slurm_job_reads_back_as_itself(tmp_path):
    folder = folder_of(tmp_path, accelerate="ddp", processes=2, launcher="slurm", sbatch={"time": "1:00:00"})
    assert folder.recipe().launch.sbatch == {"time": "1:00:00"}


def test_the_script_is_a_bash_program_with_the_options_of_the_recipe(tmp_path):
    text = script(
        recipe(accelerate="ddp", processes=8, nodes=2, sbatch={"partition": "gpu", "gpus-per-node": 8}), tmp_path
    )
    assert subprocess.run(["bash", "-n"], input=text, text=True, check=False).returncode == 0
    directives = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert {"#SBATCH --nodes=2", "#SBATCH --partition=gpu", "#SBATCH --gpus-per-node=8", "#SBATCH --requeue"} <= set(
        directives
    )
    assert f"#SBATCH --output={tmp_path}/slurm/%j.log" in directives
    assert "{{" not in text


def test_a_dry_run_prints_the_script(r1):
    said = r1(
        "train", "--env", "countdown", "--accelerate", "ddp", "--processes", "2", "--launcher", "slurm", "--dry-run"
    )
    assert said.code == 0, said.err
    assert said.out.startswith("#!/usr/bin/env bash\n")
    assert "r1sdk.training.processes" in said.out


def test_a_template_of_ones_own_is_used_and_a_wrong_name_in_it_is_refused(r1, tmp_path):
    template = tmp_path / "mine.sbatch"
    template.write_text("#!/bin/sh\n#SBATCH --nodes={{ nodes }}\n{{python}} -m mine {{run_dir}}\n")
    flags = ["--env", "countdown", "--accelerate", "ddp", "--processes", "2", "--launcher", "slurm", "--nodes", "3"]
    said = r1("train", *flags, "--set", f"launch.template={template}", "--dry-run")
    assert said.code == 0 and "#SBATCH --nodes=3\n" in said.out and " -m mine " in said.out
    template.write_text("{{run_dirs}}\n")
    said = r1("train", *flags, "--set", f"launch.template={template}", "--dry-run")
    assert said.code == 1 and "asks for run_dirs; did you mean 'run_dir'?" in said.err


def test_the_job_is_handed_to_sbatch_with_its_script_in_the_run_folder(r1, tmp_path, monkeypatch):
    """sbatch is replaced by a program that keeps what it is given: there is no cluster here."""
    fake = tmp_path / "bin" / "sbatch"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/given\necho "17;cluster"\n')
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    flags = ["--env", "countdown", "--accelerate", "ddp", "--processes", "2", "--launcher", "slurm"]
    monkeypatch.setenv("PATH", str(fake.parent), prepend=os.pathsep)
    said = r1("train", *flags, "--out", str(tmp_path / "run"))
    assert (said.code, said.out) == (0, "17\n"), said.err
    file = tmp_path / "run" / "slurm" / "job.sbatch"
    assert (tmp_path / "given").read_text().split() == ["--parsable", str(file)]
    assert str(tmp_path / "run") in file.read_text()
    assert (tmp_path / "run" / "accelerate.yaml").is_file()


def test_without_slurm_nothing_is_written(r1, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    flags = ["--env", "countdown", "--accelerate", "ddp", "--processes", "2", "--launcher", "slurm"]
    said = r1("train", *flags, "--out", str(tmp_path / "run"))
    assert said.code == 1 and "no sbatch here" in said.err
    assert not (tmp_path / "run").exists()


def test_launcher_none_prepares_the_folder_and_prints_what_each_machine_runs(r1, tmp_path):
    flags = ["--env", "countdown", "--accelerate", "ddp", "--processes", "2", "--launcher", "none", "--nodes", "2"]
    said = r1("train", *flags, "--out", str(tmp_path / "run"))
    assert said.code == 0, said.err
    assert f"-m r1sdk.training.processes {tmp_path}/run --node-rank RANK --address FIRST_MACHINE:PORT" in said.out
    assert RunFolder(tmp_path / "run").status()["state"] == "prepared"
