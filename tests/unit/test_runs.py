"""The run folder: written so that a kill at any moment loses nothing, and read back as it was."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from r1sdk import Completion, Rollout, RunError, Score, Task, Verdict
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage import jsonl
from r1sdk.storage.checkpoints import mark_complete
from r1sdk.storage.manifest import differences, manifest
from r1sdk.storage.run_folder import RunFolder, file_digest, latest_run, rollout_line

RECIPE = load_recipe(None, {"model": "tiny", "env": "countdown"})
HOSTILE = 'a\nb\r\x00\x1b[2J\u2028\x85"}\\ é 𝕏 \ufffd'


@pytest.fixture
def folder(tmp_path):
    return RunFolder.create(tmp_path / "run", RECIPE, {"seed": 0})


def attempt(text="hello", step=1):
    task = Task([{"role": "user", "content": HOSTILE}], "2", {"nums": [1, 2]}, f"train/{step}")
    verdict = Verdict(0.0, extracted=text, reason="uses 3 twice")
    return Rollout(task, Completion([{"role": "assistant", "content": text}], [1, 2, 3], "length"), verdict)


def checkpoint(folder, step, whole=True):
    path = folder.checkpoints / f"checkpoint-{step}"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "state.bin").write_bytes(b"state")
    if whole:
        mark_complete(path)
    return path


def test_a_new_folder_holds_the_recipe_and_the_manifest_and_is_prepared(folder):
    opened = RunFolder.open(folder.path)
    assert opened.recipe() == RECIPE
    assert opened.manifest() == {"seed": 0}
    assert opened.status()["state"] == "prepared"
    assert opened.metrics() == [] and list(opened.rollouts()) == [] and opened.evaluation("after") is None


def test_a_folder_that_holds_a_run_is_replaced_only_when_asked(folder):
    folder.append_metrics({"kind": "step", "step": 1})
    folder.set_status("finished")
    with pytest.raises(
        RunError, match="already holds a run .finished.: continue it with --resume .*--out.*--overwrite"
    ):
        RunFolder.create(folder.path, RECIPE, {})
    assert folder.metrics() == [{"kind": "step", "step": 1}]
    again = RunFolder.create(folder.path, RECIPE, {}, overwrite=True)
    assert again.metrics() == [] and again.status()["state"] == "prepared"


def test_a_folder_or_file_of_something_else_is_never_touched(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("years of work")
    (tmp_path / "file").write_text("work")
    for path in (tmp_path / "thesis", tmp_path / "file"):
        with pytest.raises(RunError, match="is no run folder"):
            RunFolder.create(path, RECIPE, {}, overwrite=True)
    assert (tmp_path / "thesis" / "chapter.tex").read_text() == "years of work"


def test_an_empty_folder_may_become_a_run(tmp_path):
    assert RunFolder.create(tmp_path, RECIPE, {}).recipe() == RECIPE


def test_what_is_no_run_folder_is_not_opened(tmp_path):
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(RunError, match="is no run folder: it has no recipe.yaml"):
            RunFolder.open(path)


def test_one_process_at_a_time_holds_a_folder_and_it_is_not_overwritten_meanwhile(folder):
    other = RunFolder.open(folder.path)
    folder.lock()
    with pytest.raises(RunError, match=f"in use by another process .pid {os.getpid()}."):
        other.lock(wait_s=0.1)
    with pytest.raises(RunError, match="in use"):
        RunFolder.create(folder.path, RECIPE, {}, overwrite=True)
    folder.unlock()
    other.lock()
    other.unlock()


def test_the_status_is_replaced_as_a_whole_and_one_that_cannot_be_read_is_empty(folder):
    folder.set_status("running", phase="training", done=3, total=80)
    folder.set_status("finished", done=80)
    assert {key: value for key, value in folder.status().items() if key not in ("pid", "updated")} == {
        "state": "finished",
        "done": 80,
    }
    for broken in ("", '{"state": "run', "[1]", "3"):
        folder.status_file.write_text(broken)
        assert folder.status() == {}
    folder.status_file.unlink()
    assert folder.status() == {}


def test_metrics_are_read_back_in_order_and_by_kind(folder):
    lines = [{"kind": "step", "step": 1}, {"kind": "warning", "step": 1, "text": HOSTILE}, {"kind": "step", "step": 2}]
    for line in lines:
        folder.append_metrics(line)
    assert folder.metrics() == [lines[0], lines[2]]
    assert folder.metrics("warning") == [lines[1]]
    assert folder.metrics(None) == lines


def test_a_line_that_a_kill_cut_short_is_not_read(folder):
    folder.append_metrics({"kind": "step", "step": 1})
    with folder.metrics_file.open("ab") as file:
        file.write('{"kind": "step", "text": "é'.encode()[:-1])
    assert folder.metrics() == [{"kind": "step", "step": 1}]


@pytest.mark.parametrize("text", ["", HOSTILE, "\ud800", "x" * 100_000])
def test_any_rollout_is_one_line_that_reads_back(folder, text):
    score = Score({"accuracy": 0.0, "format": None}, 0.0)
    folder.append_rollouts(7, [attempt(text), attempt()], [score, score])
    first, second = folder.rollouts()
    assert first["step"] == 7
    assert first["task"] == {
        "prompt": [{"role": "user", "content": HOSTILE}],
        "answer": "2",
        "info": {"nums": [1, 2]},
        "id": "train/1",
    }
    assert first["completion"]["messages"][0]["content"] == text
    assert (first["completion"]["tokens"], first["completion"]["finish"]) == (3, "length")
    assert (first["verdict"]["value"], first["verdict"]["reason"]) == (0.0, "uses 3 twice")
    assert (first["rewards"], first["total"]) == ({"accuracy": 0.0, "format": None}, 0.0)
    assert second["completion"]["messages"][0]["content"] == "hello"


def test_a_rollout_that_was_not_judged_or_priced_has_a_line_too():
    line = rollout_line(Rollout(attempt().task, attempt().completion))
    assert line["verdict"] is None and "rewards" not in line
    json.dumps(line)


def test_a_line_says_which_rewards_were_not_priced_and_why_and_nothing_where_all_were():
    priced = Score({"a": None, "b": 1.0}, 1.0, {"a": "timeout"}, {"a": 2.0, "b": 0.1}, {"a": "no result within 2 s"})
    line = rollout_line(attempt(), priced)
    assert (line["statuses"], line["reasons"]) == ({"a": "timeout"}, {"a": "no result within 2 s"})
    assert not {"statuses", "reasons"} & set(rollout_line(attempt(), Score({"a": 1.0}, 1.0)))


def test_evaluations_are_kept_by_name(folder):
    folder.write_evaluation("before", {"accuracy": {"mean": 0.25, "stderr": 0.1, "n": 20}})
    assert folder.evaluation("before") == {"accuracy": {"mean": 0.25, "stderr": 0.1, "n": 20}}
    assert folder.evaluation("after") is None


def test_a_checkpoint_counts_once_it_is_whole_and_they_are_in_order_of_their_steps(folder):
    for step in (9, 10, 100):
        checkpoint(folder, step)
    checkpoint(folder, 200, whole=False)
    assert [path.name for path in folder.complete_checkpoints()] == ["checkpoint-9", "checkpoint-10", "checkpoint-100"]


def test_rewinding_makes_the_folder_as_it_was_at_the_last_whole_checkpoint(folder):
    for step in range(1, 14):
        folder.append_metrics({"kind": "step", "step": step})
        folder.append_rollouts(step, [attempt(step=step)], [Score({}, 0.0)])
    folder.append_metrics({"kind": "warning", "step": 12, "name": "flat", "text": "flat"})
    with folder.metrics_file.open("a") as file:
        file.write('{"kind": "st')
    checkpoint(folder, 9)
    last = checkpoint(folder, 10)
    half = checkpoint(folder, 12, whole=False)
    assert folder.rewind() == last
    assert not half.exists() and last.exists()
    assert [line["step"] for line in folder.metrics(None)] == [*range(1, 11)]
    assert [line["step"] for line in folder.rollouts()] == [*range(1, 11)]
    before = folder.metrics_file.read_bytes(), folder.rollouts_file.read_bytes()
    assert folder.rewind() == last
    assert (folder.metrics_file.read_bytes(), folder.rollouts_file.read_bytes()) == before


def test_rewinding_without_a_whole_checkpoint_starts_over(folder):
    folder.append_metrics({"kind": "step", "step": 1})
    folder.append_rollouts(1, [attempt()], [Score({}, 0.0)])
    checkpoint(folder, 1, whole=False)
    assert folder.rewind() is None
    assert folder.metrics(None) == [] and list(folder.rollouts()) == [] and not list(folder.checkpoints.iterdir())


def test_rewinding_a_folder_that_was_never_trained_does_nothing(folder):
    assert folder.rewind() is None


def test_the_latest_run_is_the_one_written_to_last(tmp_path):
    with pytest.raises(RunError, match="no run folder under"):
        latest_run(tmp_path / "runs")
    old, new = (RunFolder.create(tmp_path / "runs" / name, RECIPE, {}) for name in ("b", "a"))
    (tmp_path / "runs" / "notes").mkdir()
    os.utime(old.status_file, (1, 1))
    assert latest_run(tmp_path / "runs").path == new.path
    new.status_file.unlink()  # killed before it was written
    assert latest_run(tmp_path / "runs").path == old.path


def a_run(path, **manifest):
    recipe = load_recipe(None, {"model": "tiny", "env": "countdown"})
    return RunFolder.create(path, recipe, {"recipe": file_digest(recipe.to_yaml()), **manifest})


def test_a_recipe_that_was_changed_or_cut_since_the_run_began_is_refused(tmp_path):
    folder = a_run(tmp_path / "run")
    assert folder.recipe() == RECIPE
    text = folder.recipe_file.read_bytes()
    for damaged in (text[: len(text) // 2], b"", text + b"seed: 7\n", text.replace(b"tiny", b"tidy")):
        folder.recipe_file.write_bytes(damaged)
        with pytest.raises(RunError, match=r"recipe\.yaml is not the recipe that this run was made with"):
            folder.recipe()
        with pytest.raises(RunError, match=r"recipe\.yaml"):
            folder.check()
    folder.recipe_file.write_bytes(text)
    longer = load_recipe(None, {"model": "tiny", "env": "countdown", "trainer": {"max_steps": 7}})
    folder.extend(longer, ["r1", "train"])
    assert folder.recipe() == longer and folder.manifest()["continued"] == [{"command": ["r1", "train"], "from": None}]


@pytest.mark.parametrize(
    "content", [None, "", '{"seed": ', "null", "[1]", "\x00" * 20, "[" * 100_000, '{"a": 1}', '{"versions": 3}']
)
def test_a_damaged_manifest_is_named(tmp_path, content):
    folder = a_run(tmp_path / "run")
    folder.manifest_file.unlink() if content is None else folder.manifest_file.write_text(content)
    for read in (folder.manifest, folder.check):
        with pytest.raises(RunError, match=r"manifest\.json is (damaged|missing)"):
            read()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", '{"tasks": 1, "checked": 1, "faults": [{"index": "x"}]}', "[" * 100_000]
)
def test_damaged_gold_and_figures_are_named_together(tmp_path, content):
    folder = a_run(tmp_path / "run")
    (folder.path / "gold.json").write_text(content)
    (folder.evaluations / "before.json").write_text(content)
    with pytest.raises(RunError) as error:
        folder.check()
    assert "gold.json is damaged" in str(error.value) and "before.json is damaged" in str(error.value)
    assert "2 problems" in str(error.value)


def test_a_status_of_wrong_types_loses_them_and_nothing_else(folder):
    folder.status_file.write_text('{"state": "running", "done": "x", "total": [], "phase": 3, "pid": 7}')
    assert folder.status() == {"state": "running", "pid": 7}
    folder.status_file.write_text("[" * 100_000)
    assert folder.status() == {}


def test_a_resumed_run_says_which_rows_are_damaged_or_gone(tmp_path):
    folder = a_run(tmp_path / "run")
    folder.append_evaluation("before", [attempt()] * 2, [Score({}, 0.0)] * 2)
    folder.write_evaluation("before", {"accuracy": {"mean": None, "stderr": None, "n": 0}})
    for step in range(1, 5):
        folder.append_metrics({"kind": "step", "step": step})
        folder.append_rollouts(step, [attempt(step=step)] * 3, [Score({}, 0.0)] * 3)
        checkpoint(folder, step)
        folder.note_rows(step)
    assert folder.manifest()["rows"]["4"] == {
        "metrics.jsonl": 4, "rollouts.jsonl": 12, "evaluations/before.jsonl": 2, "evaluations/before.json": 1,
    }  # fmt: skip
    folder.rewind()
    assert folder.metrics("warning") == []
    lines = folder.rollouts_file.read_bytes().split(b"\n")
    lines[4] = lines[4] + lines.pop(5)  # a newline that a disk lost
    folder.rollouts_file.write_bytes(b"\n".join(lines))
    folder.evaluation_file("before").unlink()
    (folder.evaluations / "before.json").unlink()
    folder.rewind()
    first, second, third, fourth = [line["text"] for line in folder.metrics("warning")]
    assert "rollouts.jsonl has 1 damaged lines, which are left out" in first and "line 5 is not JSON" in first
    assert "rollouts.jsonl has 10 of the 12 lines that were written" in second
    assert "before.jsonl has 0 of the 2 lines" in third and "before.json is missing" in fourth
    assert len(list(folder.rollouts())) == 10
    folder.metrics_file.write_bytes(b"")
    folder.rewind()
    assert "metrics.jsonl has 0 of the 4 lines" in folder.metrics("warning")[0]["text"]
    damage = jsonl.Damage()
    assert len(folder.metrics(None, damage)) == 4 and damage.count == 0


def test_the_rows_of_checkpoints_that_are_gone_are_forgotten(tmp_path):
    folder = a_run(tmp_path / "run")
    for step in (1, 2):
        checkpoint(folder, step)
        folder.note_rows(step)
    shutil.rmtree(folder.checkpoints / "checkpoint-1")
    checkpoint(folder, 3)
    folder.note_rows(3)
    assert set(folder.manifest()["rows"]) == {"2", "3"}


def test_the_rows_of_an_evaluation_that_is_made_again_are_counted_anew(tmp_path):
    folder = a_run(tmp_path / "run")
    folder.append_evaluation("after", [attempt("short")] * 3, [Score({}, 0.0)] * 3)
    checkpoint(folder, 1)
    folder.note_rows(1)
    folder.drop_evaluation("after")
    folder.append_evaluation("after", [attempt("a longer one")] * 3, [Score({}, 0.0)] * 3)
    folder.note_rows()
    assert folder.manifest()["rows"]["end"]["evaluations/after.jsonl"] == 3
    (checkpoint(folder, 2), folder.note_rows(2))
    folder.append_metrics({"kind": "step", "step": 3})
    folder.rewind()
    folder.append_metrics({"kind": "step", "step": 3, "longer": "than before"})
    folder.note_rows()
    assert folder.manifest()["rows"]["end"]["metrics.jsonl"] == 1


REWIND = """
import resource, sys
from pathlib import Path
from r1sdk.storage.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
folder.rewind()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.heavy
def test_the_memory_of_a_resume_does_not_grow_with_the_rollouts(tmp_path):
    folder = a_run(tmp_path / "run")
    for step in range(1, 41):  # 40 MB
        folder.append_rollouts(step, [attempt("x" * 100_000, step)] * 10, [Score({}, 0.0)] * 10)
    checkpoint(folder, 39)
    folder.note_rows(39)
    said = subprocess.run([sys.executable, "-c", REWIND, folder.path], capture_output=True, text=True, check=True)
    assert int(said.stdout) < 12_000, "kB"
    assert {line["step"] for line in folder.rollouts()} == set(range(1, 40))


CREATE = """
import sys, time
from pathlib import Path
from r1sdk import RunError
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder
recipe = load_recipe(None, {"model": "tiny", "env": "countdown", "seed": int(sys.argv[2])})
print("ready", flush=True)
sys.stdin.readline()
for number in range(20):
    time.sleep(max(0.0, float(sys.argv[3]) + 0.05 * number - time.time()))
    try:
        RunFolder.create(Path(sys.argv[1]) / str(number), recipe, {})
        print("made", number, flush=True)
    except RunError:
        pass
"""


@pytest.mark.heavy
def test_of_processes_that_make_one_folder_at_the_same_moment_one_gets_it(tmp_path):
    start = time.time() + 4
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", CREATE, tmp_path, str(seed), str(start)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for seed in range(3)
    ]  # fmt: skip
    made = {}
    for seed, maker in enumerate(makers):
        out, _ = maker.communicate("go\n", timeout=60)
        made[seed] = [int(line.split()[1]) for line in out.splitlines() if line.startswith("made")]
    assert sorted(number for numbers in made.values() for number in numbers) == [*range(20)]
    for seed, numbers in made.items():
        assert all(RunFolder.open(tmp_path / str(number)).recipe().seed == seed for number in numbers)


def test_what_a_kill_leaves_of_a_folder_that_was_being_made_is_made_again(tmp_path):
    path = tmp_path / "run"
    (path / "evaluations").mkdir(parents=True)
    (path / "manifest.json").write_text("{}")
    (path / ".recipe.yaml.77.new").write_text("model")
    assert RunFolder.create(path, RECIPE, {}).recipe() == RECIPE
    assert not list(path.glob("*.new"))


def test_a_folder_of_the_run_that_is_not_as_it_was_written_is_named(tmp_path):
    folder = a_run(tmp_path / "run")
    folder.model.mkdir()
    for name in ("config.json", "model.safetensors"):
        (folder.model / name).write_text("{}")
    folder.check_folder(folder.model)
    folder.note_folder(folder.model)
    folder.check_folder(folder.model)
    (folder.model / "model.safetensors").write_text("")
    (folder.model / "config.json").unlink()
    with pytest.raises(
        RunError, match=r"(?s)config\.json: is not there.*model\.safetensors: 0 bytes, and 2 were written"
    ):
        folder.check_folder(folder.model)


def test_an_accelerate_config_that_is_gone_or_changed_is_named(tmp_path):
    (tmp_path / "ddp.yaml").write_text("num_processes: 2\n")
    folder = RunFolder.create(tmp_path / "run", RECIPE, {}, accelerate=tmp_path / "ddp.yaml")
    folder.check()
    for damage in (lambda: folder.accelerate_file.write_text("num_processes: 1\n"), folder.accelerate_file.unlink):
        damage()
        with pytest.raises(RunError, match=r"accelerate\.yaml is missing, or was changed"):
            folder.check()


def test_other_plugins_and_packages_than_when_the_run_began_are_said():
    registry = load_plugins()
    before = manifest(RECIPE, registry, ["r1"])
    assert differences(before, RECIPE, registry) == []
    before["plugins"]["environment countdown"] = "r1-countdown 0.9 (mine)"
    before["versions"] |= {"pluggy": "0.1", "python": "3.12.0"}
    first, *others = differences(before, RECIPE, registry)
    assert first.startswith("environment countdown is r1sdk ") and "and was r1-countdown 0.9 (mine)" in first
    assert any(other.startswith("package python is 3.") for other in others)
