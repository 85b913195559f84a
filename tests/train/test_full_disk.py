"""A disk that fills up during a run. The disk is a real one of a few megabytes, which only root may mount."""

import errno
import os
import subprocess
from pathlib import Path

import pytest

from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.checkpoints import damage
from r1sdk.storage.run_folder import RunFolder
from r1sdk.training.monitor.disk_full import drop_half_written, fills, give_back, keep_room, out_of_room

MB = 1 << 20


class Disk:
    """A file system in memory."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        path.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            pytest.skip(f"no small disk can be mounted here, which takes root: {done.stderr.strip()}")

    def grow(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True)

    def fill(self) -> None:
        with pytest.raises(OSError, match="No space left"), (self.path / "filler").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """Full after a checkpoint or so: `disk(size)`."""
    mounted = []

    def mount(size):
        mounted.append(Disk(tmp_path_factory.mktemp("disk") / "small", size))
        return mounted[-1]

    yield mount
    for one in mounted:
        one.unmount()


def by_torch(file):
    import torch

    torch.save({"moments": torch.ones(MB)}, file)


def by_safetensors(file):
    import torch
    from safetensors.torch import save_file

    save_file({"weights": torch.ones(MB)}, file)


def by_open(file):
    file.write_bytes(bytes(4 * MB))


@pytest.mark.parametrize("write", [by_open, by_torch, by_safetensors])
def test_what_each_library_makes_of_a_full_disk_is_known_for_what_it_is(disk, write):
    with pytest.raises(Exception) as raised:
        write(disk(2 * MB).path / "file")
    assert fills(raised.value)


def test_what_caused_an_error_is_looked_at_too_and_other_errors_are_not_taken_for_it():
    with pytest.raises(RuntimeError) as raised:
        try:
            with open("/dev/full", "w") as file:
                file.write("x")
        except OSError as error:
            raise RuntimeError("cannot save") from error
    assert fills(raised.value)
    for error in (OSError(errno.EACCES, "Permission denied"), RuntimeError("CUDA out of memory"), KeyError("room")):
        assert not fills(error)


def test_a_full_disk_has_room_left_to_say_so(disk):
    small = disk(2 * MB)
    folder = RunFolder.create(small.path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    folder.set_status("running", phase="training")
    keep_room(folder)
    small.fill()
    with pytest.raises(OSError, match="No space left") as raised:
        folder.set_status("failed", message="x" * 4096)
    assert folder.status()["state"] == "running"  # as it was, not cut short
    message = out_of_room(folder, raised.value)
    folder.set_status("failed", message=message)
    assert folder.status()["message"] == message
    assert f"no room on the disk of {folder.path}" in message and "(0 MB were free)" in message
    assert "there is no whole checkpoint yet" in message and f"r1 train --resume {folder.path}" in message


def test_what_was_half_written_goes_and_what_is_whole_stays(tmp_path):
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    for name in ("checkpoints/checkpoint-1", "checkpoints/checkpoint-2", ".model.new", "model"):
        (folder.path / name).mkdir()
        (folder.path / name / "weights").write_bytes(b"weights")
    (folder.checkpoints / "checkpoint-1" / "complete").touch()
    keep_room(folder)
    give_back(folder)
    drop_half_written(folder)
    assert [path.name for path in folder.checkpoints.iterdir()] == ["checkpoint-1"]
    assert not (folder.path / ".model.new").exists() and not (folder.path / ".room").exists()
    assert (folder.model / "weights").exists()


STEPS = 8


@pytest.fixture(scope="module")
def filled(disk, run_r1, small):
    """A run whose disk has room for some of its checkpoints: the disk, what was said, and the folder as it was left."""
    place = disk(96 * MB)
    said = run_r1(
        *("train", "--env", "countdown", "--model", "tiny", "--steps", STEPS, *small),
        *("--set", f"trainer.save_total_limit={STEPS}", "--out", place.path / "run"),
    )
    return place, said, RunFolder(place.path / "run")


def test_a_run_whose_disk_fills_up_ends_says_so_and_goes_on_when_there_is_room(filled, run_r1):
    place, said, folder = filled
    assert said.code == 1 and "Traceback" not in said.err
    assert "warning: disk: " in said.err and "it may fill up during the run" in said.err  # before it began
    whole = folder.complete_checkpoints()
    assert 2 <= len(whole) < STEPS and not any(map(damage, whole))
    assert f"error: no room on the disk of {folder.path}" in said.err
    assert f"the last whole checkpoint is {whole[-1]}" in said.err
    assert f"make room, and go on: r1 train --resume {folder.path}" in said.err
    status = folder.status()
    assert status["state"] == "failed" and status["message"].startswith("no room on the disk")
    assert {*folder.checkpoints.glob("*/")} == {*whole}
    assert os.listdir(folder.path).count("report.html") == 1

    place.grow(512 * MB)
    again = run_r1("train", "--resume", folder.path)
    assert again.code == 0, again.err
    assert f"resuming at step {len(whole)}" in folder.log_file.read_text()
    assert [line["step"] for line in folder.metrics()] == [*range(1, STEPS + 1)]
    assert folder.status()["state"] == "finished" and (folder.model / "model.safetensors").is_file()
    assert not (folder.path / ".room").exists()
