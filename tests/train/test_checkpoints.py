"""Checkpoints that are no longer as they were written: which file, and what a run goes on from."""

import json

import pytest

from r1sdk import RunError
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.checkpoints import BLOCK, BLOCKS, damage, mark_complete
from r1sdk.storage.run_folder import RunFolder

FILES = {
    "model.safetensors": bytes(range(256)) * 40,
    "optimizer.pt": b"moments" * 1000,
    "rng_state.pth": b"state",
    "trainer_state.json": b'{"global_step": 1}',
    "global_step1/zero_0.pt": b"shard" * 100,
}


def checkpoint(folder, step):
    path = folder.checkpoints / f"checkpoint-{step}"
    for name, content in FILES.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    mark_complete(path)
    return path


@pytest.fixture
def folder(tmp_path):
    made = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    for step in range(1, 6):
        made.append_metrics({"kind": "step", "step": step})
    return made


def cut(file):
    file.write_bytes(file.read_bytes()[:-1])


def zeroed(file):
    file.write_bytes(bytes(file.stat().st_size))


def one_bit(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def lost(file):
    file.unlink()


def longer(file):
    file.write_bytes(file.read_bytes() + b"\0")


def test_a_checkpoint_as_it_was_written_is_whole(folder):
    assert damage(checkpoint(folder, 1)) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("harm", [cut, zeroed, one_bit, lost, longer])
def test_any_file_that_is_not_as_it_was_written_is_named(folder, name, harm):
    path = checkpoint(folder, 1)
    harm(path / name)
    (found,) = damage(path)
    assert found.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "mark", ["", "{", "[]", "{}", '{"files": 3}', '{"files": {"model.safetensors": 3}}', "\x00" * 80]
)
def test_a_mark_that_cannot_be_read_is_damage_too(folder, mark):
    path = checkpoint(folder, 1)
    (path / "complete").write_text(mark)
    assert len(damage(path)) == 1


def test_of_a_large_file_the_ends_and_blocks_between_are_looked_at(tmp_path):
    path = tmp_path / "checkpoint-1"
    path.mkdir()
    large, size = path / "model.safetensors", 3 * BLOCKS * BLOCK  # sparse: it takes no room
    with large.open("wb") as file:
        file.truncate(size)
    mark_complete(path)
    assert damage(path) == []
    for start, length in ((0, 1), (size - 1, 1), (size // 2, 4 * BLOCK)):
        with large.open("r+b") as file:
            file.seek(start)
            file.write(b"\1" * length)
        assert damage(path) == ["model.safetensors: not what was written"]
        with large.open("r+b") as file:
            file.seek(start)
            file.write(bytes(length))


def test_a_run_goes_back_past_a_damaged_checkpoint_keeps_it_and_says_so(folder):
    whole, damaged = checkpoint(folder, 2), checkpoint(folder, 4)
    cut(damaged / "model.safetensors")
    assert folder.rewind() == whole
    assert [line["step"] for line in folder.metrics()] == [1, 2]
    (warning,) = folder.metrics("warning")
    assert (warning["name"], warning["step"]) == ("damaged", 2)
    aside = folder.checkpoints / "damaged-checkpoint-4"
    assert warning["text"] == (
        f"checkpoint-4 is damaged (model.safetensors: 10239 bytes, and 10240 were written): kept as {aside}; "
        "going on from step 2"
    )
    assert (aside / "optimizer.pt").read_bytes() == FILES["optimizer.pt"] and not damaged.exists()
    assert folder.rewind() == whole and aside.exists()  # it stays where it is


def test_where_every_checkpoint_is_damaged_nothing_is_touched_and_each_file_is_named(folder):
    first, second = checkpoint(folder, 2), checkpoint(folder, 4)
    zeroed(first / "optimizer.pt")
    lost(second / "rng_state.pth")
    before = folder.metrics_file.read_bytes()
    with pytest.raises(RunError) as raised:
        folder.rewind()
    assert f"{second}/rng_state.pth: is not there" in str(raised.value)
    assert f"{first}/optimizer.pt: not what was written" in str(raised.value)
    assert f"or delete {folder.checkpoints} to begin again at step 0" in str(raised.value)
    assert first.is_dir() and second.is_dir() and folder.metrics_file.read_bytes() == before


def test_a_checkpoint_that_was_damaged_can_be_written_again(folder):
    checkpoint(folder, 2)
    for _ in range(2):
        cut(checkpoint(folder, 4) / "optimizer.pt")
        folder.rewind()
    assert json.loads((folder.checkpoints / "damaged-checkpoint-4" / "complete").read_text())["files"]
    checkpoint(folder, 4)
    assert folder.rewind() == folder.checkpoints / "checkpoint-4"
