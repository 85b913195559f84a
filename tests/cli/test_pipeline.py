"""Recipes with stages: what they refer to, and a run of one that is killed in each stage and goes on."""

import json
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest

from r1sdk import Completion, R1Error, Rollout, RunError, Score, Task
from r1sdk.launch.pipelines import start_pipeline
from r1sdk.launch.stage_table import other_tasks
from r1sdk.planning.stages import check_stages, load_stages, to_yaml
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.layers import dotted
from r1sdk.storage.atomic import sealed
from r1sdk.storage.run_folder import RunFolder

SMALL = """
model: tiny_blank
env: {name: countdown, options: {level: easy, train_size: 48}}
generation: {max_tokens: 24, samples: 2}
evaluation: {tasks: 6}
stages:
- name: shown
  method: sft
  trainer: {max_steps: 4, per_device_train_batch_size: 8, max_length: 300, save_steps: 1}
- name: sampled
  method: generate
  model: stage:shown
  env: {options: {train_size: 300}}
  collect: {tasks: 300, keep: all}
- name: again
  method: sft
  model: stage:shown
  data: stage:sampled
  trainer: {max_steps: 4, per_device_train_batch_size: 8, max_length: 300, save_steps: 1}
"""


def stages_of(text, tmp_path, *sets):
    file = tmp_path / "pipeline.yaml"
    file.write_text(text)

    def find(name):
        return load_plugins().get("recipe", name).target

    return load_stages(file, [dotted(one) for one in sets], find)


@pytest.fixture
def registry_stages(tmp_path):
    """A recipe with stages, and the stages."""
    return tmp_path / "pipeline.yaml", stages_of(SMALL, tmp_path)


def refused(text, tmp_path, *sets):
    with pytest.raises(R1Error) as error:
        check_stages(stages_of(text, tmp_path, *sets), load_plugins())
    return str(error.value)


def test_what_stands_beside_the_stages_goes_under_each_and_sets_go_over_one_or_all(tmp_path):
    text = SMALL + "- name: last\n  recipe: countdown/tiny\n  model: stage:again\n"
    shown, sampled, again, last = stages_of(text, tmp_path, "stages.shown.trainer.max_steps=9", "evaluation.tasks=3")
    assert (shown.recipe.trainer["max_steps"], again.recipe.trainer["max_steps"]) == (9, 4)
    assert {stage.recipe.evaluation.tasks for stage in (shown, sampled, again, last)} == {3}
    assert last.recipe.trainer["max_steps"] == 80 and last.recipe.generation.max_tokens == 24
    assert (again.model_from, again.data_from, shown.model_from) == ("shown", "sampled", None)


def test_what_is_set_for_all_goes_over_a_stage_s_own_keys_but_not_over_the_output_of_another(tmp_path):
    sets = ("trainer.max_steps=7", "stages.again.trainer.max_steps=8", "model=tiny_blank", "data=countdown")
    shown, sampled, again = stages_of(SMALL, tmp_path, *sets)
    assert (shown.recipe.trainer["max_steps"], again.recipe.trainer["max_steps"]) == (7, 8)
    assert shown.recipe.model == "tiny_blank"
    assert (sampled.model_from, again.model_from, again.data_from) == ("shown", "shown", "sampled")


def test_a_pipeline_reads_back_from_its_own_yaml(tmp_path):
    stages = stages_of(SMALL, tmp_path)
    assert stages_of(to_yaml(stages), tmp_path) == stages


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("model: stage:shown\n  env", "model: stage:shwn\n  env"), "did you mean 'shown'"),
        (("data: stage:sampled", "data: stage:shown"), "'data' needs rows, and stage 'shown' makes none"),
        (("model: stage:shown\n  data", "model: stage:sampled\n  data"), "'model' needs a model"),
        (("- name: shown\n", "- name: again\n"), "must be named once"),
        (("collect: {tasks: 300", "collect: {task: 300"), "stage 'sampled': recipe has no key 'collect.task'"),
        (("trainer: {max_steps", "trainer: {maks_steps"), "stage 'shown': recipe has no key 'trainer.maks_steps'"),
        (("name: countdown", "name: cuontdown"), "did you mean 'countdown'"),
    ],
)
def test_every_stage_is_checked_before_the_first_runs(tmp_path, change, said):
    assert change[0] in SMALL
    assert said in refused(SMALL.replace(*change, 1), tmp_path)


def test_a_set_for_a_stage_that_is_not_there_is_refused(tmp_path):
    assert "did you mean 'shown'" in refused(SMALL, tmp_path, "stages.showm.model=tiny")


def test_flags_that_would_be_for_one_stage_are_refused(r1, tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_text(SMALL)
    said = r1("train", file, "--steps", "3", "--model", "tiny", "--lora", "8", "--experimental-async")
    assert said.code == 1 and "--model, --steps, --lora, --experimental-async would be for one" in said.err
    said = r1("train", file, "--dry-run")
    assert said.code == 0 and said.out.startswith("stages:\n- name: shown\n  method: sft")


def test_the_pipeline_measured_for_a_pair_is_taken_where_nothing_else_is_asked_for(r1):
    said = r1("train", "--env", "guess", "--dry-run")
    assert said.out.startswith("stages:\n- name: rules") and "recipe       guess/tiny, made for" in said.err
    quick = r1("train", "--env", "guess", "--model", "tiny", "--quick", "--dry-run")
    assert quick.out.startswith("stages:") and "tasks: 16" in quick.out
    seeded = r1("train", "--env", "guess", "--seed", "7", "--dry-run")
    assert seeded.out.count("\n  seed: 7\n") == 2 and "made for" in seeded.err
    assert r1("train", "guess/tiny", "--seed", "7", "--dry-run").out == seeded.out
    for more in (("--steps", "3"), ("--rewards", "accuracy"), ("--set", "guess.numbers=7"), ("--seeds", "0,1")):
        other = r1("train", "--env", "guess", *more, "--dry-run")
        assert (
            other.out.startswith("method: grpo")
            and "note: tiny learns guess in stages: r1 train guess/tiny" in other.err
        )
    assert "stages" not in r1("train", "--env", "countdown", "--dry-run").out


def test_last_is_the_pipeline_or_the_run_that_was_written_to_last(tmp_path, monkeypatch):
    from r1sdk.launch.pipelines import resumed_folder

    monkeypatch.chdir(tmp_path)
    assert resumed_folder(Path("last")) == Path("last")
    stage, run = (RunFolder(tmp_path / "runs" / name) for name in ("whole/01-shown", "one"))
    for at, folder in enumerate((stage, run)):
        folder.path.mkdir(parents=True)
        folder.set_status("running")
        os.utime(folder.status_file, (at, at))
    (stage.path.parent / "pipeline.yaml").write_text("stages: []")
    assert resumed_folder(Path("last")) == Path("runs/one")
    os.utime(stage.status_file, (9, 9))
    assert resumed_folder(Path("last")) == resumed_folder(Path("runs/whole")) == Path("runs/whole")


def test_a_stage_with_held_out_tasks_of_its_own_is_named(tmp_path):
    done = []
    for name, questions in (("first", "ab"), ("same", "ba"), ("samples", ""), ("other", "ac")):
        folder = RunFolder(tmp_path / name)
        folder.path.mkdir()
        rollouts = [
            Rollout(Task([{"role": "user", "content": q}]), Completion([{"role": "assistant", "content": name}]))
            for q in questions
        ]
        if rollouts:
            folder.append_evaluation("after", rollouts, [Score({}, 0.0)] * len(rollouts))
        done.append((name, folder))
    assert other_tasks(done) == ["other"]


def wait(condition, seconds=120.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "places", [("sampled",), pytest.param(("shown", "sampled", "again"), marks=pytest.mark.slow)], ids=["one", "each"]
)
def test_a_pipeline_that_is_killed_goes_on_and_ends_with_one_table(start_r1, tmp_path, places):
    pytest.importorskip("trl")
    file, root = tmp_path / "small.yaml", tmp_path / "run"
    file.write_text(SMALL)
    folders = {name: RunFolder(root / f"{at:02}-{name}") for at, name in enumerate(("shown", "sampled", "again"), 1)}
    answers = folders["sampled"].path / "data.jsonl.work" / "answers.jsonl"

    def in_the_middle(name):
        folder = folders[name]
        if name == "sampled":
            return answers.is_file() and answers.read_bytes().count(b"\n") > 0 and not folder.evaluation("collected")
        return bool(folder.metrics()) and not folder.model.is_dir()

    process = start_r1("train", file, "--out", root)
    for name in places:
        wait(lambda place=name, command=process: in_the_middle(place) or command.poll() is not None)
        assert process.poll() is None, process.communicate()
        worker = folders[name].status()["pid"]
        process.kill()
        os.kill(worker, signal.SIGKILL)
        process.communicate()
        process = start_r1("train", "--resume", root)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 0, err
    assert "stage 1 of 3, shown: done before" in err and f"{places[-1]}: going on" in err
    table = out.splitlines()
    assert [line.split()[0] for line in table] == ["stage", "tiny_blank", "shown", "sampled", "again"]
    assert "± " in table[2] and "of 600" in table[3] and (root / "stages.txt").read_text() == out
    rows = [json.loads(line) for line in answers.read_text().splitlines()]
    assert len({(row["place"], row["sample"]) for row in rows}) == len(rows) == 600
    # The model that a stage begins with was evaluated when the stage that made it ended.
    assert folders["again"].evaluation("before")["accuracy"] == folders["shown"].evaluation("after")["accuracy"]
    assert folders["shown"].status()["done"] == folders["again"].status()["done"] == 4
    (folders["shown"].model / "model.safetensors").write_bytes(b"")
    process = start_r1("train", "--resume", root)
    err = process.communicate(timeout=180)[1]
    assert f"{folders['shown'].model}/model.safetensors: 0 bytes, and" in err


def test_a_pipeline_whose_recipe_was_cut_since_it_began_is_refused(r1, tmp_path):
    whole = sealed(to_yaml(stages_of(SMALL, tmp_path)))
    root = tmp_path / "run"
    root.mkdir()
    for text in (
        whole[: whole.index("- name: sampled")],
        whole + "seed: 3\n",
        "",
        "\x00" * 50,
        whole[: len(whole) // 2],
    ):
        (root / "pipeline.yaml").write_text(text)
        said = r1("train", "--resume", root)
        assert said.code == 1 and "pipeline.yaml was changed or damaged since it was written" in said.err
    assert [path.name for path in root.iterdir() if path.is_dir()] == []


def test_a_stage_that_was_stopped_after_its_last_step_trains_no_further_one(run_r1, tmp_path):
    text = SMALL[: SMALL.index("- name: sampled")]
    (tmp_path / "one.yaml").write_text(text)
    said = run_r1("train", tmp_path / "one.yaml", "--out", tmp_path / "run")
    assert said.code == 0, said.err
    folder = RunFolder(tmp_path / "run" / "01-shown")
    weights, lines = (folder.model / "model.safetensors").read_bytes(), folder.metrics(None)
    after = folder.evaluation("after")
    shutil.rmtree(folder.model)
    (folder.evaluations / "after.json").unlink()
    folder.set_status("interrupted", done=4, total=4)
    said = run_r1("train", "--resume", tmp_path / "run")
    assert said.code == 0 and "step 5" not in said.err, said.err
    assert (folder.status()["done"], folder.metrics(None)) == (4, lines)
    assert (folder.model / "model.safetensors").read_bytes() == weights
    assert folder.evaluation("after")["accuracy"] == after["accuracy"]


def test_of_two_that_begin_a_pipeline_in_one_folder_one_gets_it(tmp_path, registry_stages):
    path, stages = registry_stages
    start, ends = threading.Barrier(4), []

    def begin():
        start.wait()
        try:
            ends.append(start_pipeline(path, stages, tmp_path / "out", overwrite=False))
        except RunError as error:
            ends.append(str(error))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends.count(tmp_path / "out") == 1
    assert all("in use" in end or "already holds a pipeline" in end for end in ends if isinstance(end, str))


def test_what_a_kill_left_of_a_pipeline_that_was_being_made_is_no_obstacle(tmp_path, registry_stages):
    path, stages = registry_stages
    out = tmp_path / "out"
    out.mkdir()
    for name in (".lock", ".pipeline.yaml.4711.new"):
        (out / name).write_text("1")
    assert start_pipeline(path, stages, out, overwrite=False) == out
    (out / "pipeline.yaml").unlink()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match="is no pipeline"):
        start_pipeline(path, stages, out, overwrite=True)


def test_a_pipeline_without_its_file_and_a_stage_without_its_recipe_are_never_made_anew(r1, tmp_path, registry_stages):
    path, stages = registry_stages
    out = start_pipeline(path, stages, tmp_path / "out", overwrite=False)
    stage = out / "01-shown"
    stage.mkdir()
    (stage / "metrics.jsonl").write_text("{}\n")
    said = r1("train", "--resume", out)
    assert said.code == 1 and f"{stage / 'recipe.yaml'} is missing" in said.err
    (stage / "recipe.yaml").write_text("model: tiny")
    (out / "pipeline.yaml").unlink()
    said = r1("train", "--resume", out)
    assert said.code == 1 and "pipeline.yaml is missing" in said.err


def test_mistakes_in_the_keys_of_one_stage_do_not_hide_those_of_the_others(r1, tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(
        "env: countdown\nstages:\n- {name: a, method: sft, model: tiny, sead: 1, trainer: {max_stepz: 1}}\n"
        "- {name: b, model: 'stage:a', trainer: {adam_beta1: 2}, rewards: acuracy}\n"
    )
    said = r1("train", file, "--dry-run")
    assert said.code == 1 and "4 problems" in said.err
    for part in ("stage 'a': recipe has no key 'sead'", "max_stepz", "stage 'b'", "adam_beta1", "'acuracy'"):
        assert part in said.err
