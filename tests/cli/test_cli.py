"""The `r1` command: every mistake is one message and exit status 1, and all of them are said at once."""

import json

import pytest
import yaml

from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder

TRAIN = ("train", "--env", "countdown", "--model", "tiny_blank")


def refused(said):
    """The message of a command that ended as it should on a mistake."""
    assert said.code == 1, said
    assert said.out == ""
    assert said.err.startswith("error: ") and said.err.count("error: ") == 1
    assert "Traceback" not in said.err
    return said.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--rewards", "acuracy"], "unknown reward 'acuracy'; did you mean 'accuracy'?"),
        (["--env", "cuontdown"], "unknown environment 'cuontdown'; did you mean 'countdown'?"),
        (["--set", "env.options.levle=easy"], "environment 'countdown' has no option 'levle'; did you mean 'level'?"),
        (["--set", "env.options.level=hard"], "environment 'countdown', option 'level': input should be"),
        (["--set", "env.options.numbers=[4, 3]"], "numbers are from 2 to 6, least first"),
        (["--set", "generation.sampels=4"], "recipe has no key 'generation.sampels'; did you mean 'samples'?"),
        (["--set", "generation.samples=many"], "recipe key 'generation.samples': input should be a valid integer"),
        (["--set", "trainer.learning_rat=1e-4"], "no key 'trainer.learning_rat'; did you mean 'learning_rate'?"),
        (["--set", "trainer.num_generations=4"], "'trainer.num_generations' is set by r1sdk: use generation.samples"),
        (["--set", "nonsense"], "--set takes key=value"),
        (
            ["--method", "ppo"],
            "recipe key 'method': input should be 'grpo', 'sft', 'dpo', 'distill' or 'generate', got 'ppo'",
        ),
        (["--model", "./no/such/model"], "no model './no/such/model'"),
        (["--model", "tinny"], "no model 'tinny'; did you mean 'tiny'?"),
        (["--rewards", "format,format"], "a reward is listed once"),
        (["--rewards", "format=much"], "input should be a valid number"),
        (
            ["--set", "generation.samples=6", "--set", "trainer.per_device_train_batch_size=8"],
            "does not divide by the group size 6",
        ),
        (["--set", "evaluation.split=validation"], "countdown has the splits train and test, not 'validation'"),
    ],
)
@pytest.mark.parametrize("how", [["--dry-run"], []], ids=["dry run", "run"])
def test_a_mistake_is_one_message_and_nothing_is_written(r1, tmp_path, flags, message, how):
    assert message in refused(r1(*TRAIN, "--out", tmp_path / "run", *flags, *how))
    assert not (tmp_path / "run").exists()


def test_several_mistakes_are_said_at_once(r1):
    message = refused(
        r1(
            "train",
            "--env",
            "cuontdown",
            "--rewards",
            "acuracy,fromat",
            "--model",
            "tinny",
            "--set",
            "trainer.seed=1",
            "--set",
            "trainer.max_step=1",
        )
    )
    for name in ("cuontdown", "acuracy", "fromat", "tinny", "trainer.seed", "trainer.max_step"):
        assert name in message
    assert message.startswith("error: 6 problems:")


def test_several_mistakes_in_a_recipe_file_are_said_at_once(r1, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("modle: tiny\nenv: countdown\ngeneration: {sampels: 4}\nseed: -1\n")
    message = refused(r1("train", str(file)))
    assert message.startswith("error: 4 problems:")
    for key in ("no model given", "'modle'; did you mean 'model'?", "'generation.sampels'", "'seed'"):
        assert key in message


def test_mistakes_of_different_kinds_are_said_at_once(r1):
    """Of the assignments, the keys of the recipe, the options of plugins, the names of plugins and the trainer's values."""
    given = (
        "nonsense",
        "rewardz=1",
        "countdown.levle=easy",
        "maths.level=2",
        "trainer.max_stepz=1",
        "trainer.adam_beta1=2",
    )
    sets = [part for text in given for part in ("--set", text)]
    message = refused(r1("train", "--env", "countdown", "--rewards", "acuracy,format=nan", *sets, "--dry-run"))
    assert message.startswith("error: 8 problems:")
    for said in ("'nonsense'", "'rewardz'", "'levle'", "maths", "max_stepz", "adam_beta1", "'acuracy'", "(format)"):
        assert said in message


@pytest.mark.parametrize("how", [["--dry-run"], []], ids=["dry run", "run"])
def test_a_recipe_whose_environment_has_an_empty_name_has_none(r1, tmp_path, how):
    file = tmp_path / "mine.yaml"
    file.write_text("model: tiny\nenv: ''\n")
    assert "no environment given" in refused(r1("train", file, *how))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no recipe file"),
        (b"model: [", "is not YAML"),
        (b"- model", "must be a mapping"),
        (b"\xff\xfe", "cannot read recipe"),
    ],
)
def test_a_recipe_file_that_cannot_be_read_is_named(r1, tmp_path, content, message):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_bytes(content)
    said = refused(r1("train", str(file), "--env", "countdown"))
    assert message in said and "mine.yaml" in said


def test_an_unknown_recipe_is_an_error_with_the_nearest(r1):
    assert "unknown recipe 'defualt'; did you mean 'default'?" in refused(r1("train", "defualt", "--env", "countdown"))


def test_training_without_an_environment_says_what_is_missing(r1):
    assert "no environment given" in refused(r1("train", "default"))


def test_a_folder_that_is_no_model_is_an_error(r1, tmp_path):
    assert "the folder has no config.json" in refused(r1(*TRAIN, "--model", tmp_path, "--dry-run"))


@pytest.mark.parametrize(
    "arguments", [["train", "--no-such-flag"], ["trian"], ["train", "--steps", "0"], ["train", "--steps", "many"]]
)
def test_wrong_usage_exits_with_status_two(r1, arguments):
    said = r1(*arguments)
    assert said.code == 2 and "Traceback" not in said.err


def test_a_dry_run_prints_the_whole_recipe_which_reads_back_equal_and_writes_nothing(r1, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = r1(
        *TRAIN,
        "--rewards",
        "accuracy,format=0.2",
        "--steps",
        "7",
        "--seed",
        "3",
        "--out",
        "there",
        "--set",
        "trainer.learning_rate=3e-5",
        "--dry-run",
    )
    assert said.code == 0 and said.err == ""
    file = tmp_path / "printed.yaml"
    file.write_text(said.out)
    recipe = load_recipe(file)
    assert recipe.to_yaml() == said.out
    assert (recipe.seed, recipe.trainer["max_steps"], recipe.trainer["learning_rate"]) == (3, 7, 3e-5)
    assert [(r.name, r.weight) for r in recipe.rewards] == [("accuracy", 1.0), ("format", 0.2)]
    assert yaml.safe_load(said.out)["output_dir"] == "there"
    again = r1("train", str(file), "--dry-run")
    assert again.out == said.out
    assert {path.name for path in tmp_path.iterdir()} == {"printed.yaml"}


@pytest.fixture
def finished(tmp_path):
    folder = RunFolder.create(tmp_path / "done", load_recipe(None, {"model": "tiny_blank", "env": "countdown"}), {})
    folder.set_status("finished", done=6, total=6)
    return folder


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--env", "countdown", "--seed", "0"], "--env, --seed"),
        (["default"], "recipe"),
        (["--overwrite"], "--overwrite"),
        (["--out", "elsewhere"], "--out"),
        (["--model", "tiny", "--rewards", "format", "--method", "sft"], "--rewards, --model, --method"),
    ],
)
def test_resuming_takes_no_other_settings(r1, finished, flags, named):
    assert f"leave out {named}" in refused(r1("train", "--resume", finished.path, *flags))


def test_what_cannot_be_resumed_is_an_error_that_says_why(r1, finished, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "is finished: nothing to resume" in refused(r1("train", "--resume", finished.path))
    assert "is no run folder" in refused(r1("train", "--resume", tmp_path / "none"))
    assert "no run folder under runs" in refused(r1("train", "--resume", "last"))


def test_a_run_is_made_longer_and_nothing_else_about_it_changes(r1, finished):
    assert "seed cannot change" in refused(r1("train", "--resume", finished.path, "--set", "seed=7", "--steps", "99"))
    assert "--steps must be more" in refused(r1("train", "--resume", finished.path, "--steps", "1"))
    assert "no key 'trainer.lr'" in refused(
        r1("train", "--resume", finished.path, "--steps", "99", "--set", "trainer.lr=1")
    )


def test_a_finished_run_is_not_overwritten(r1, finished):
    message = refused(r1(*TRAIN, "--out", finished.path))
    assert "already holds a run (finished)" in message and "--overwrite" in message
    assert finished.status()["state"] == "finished"


def test_a_run_that_another_process_holds_is_not_started_twice(r1, finished):
    finished.set_status("interrupted")
    finished.lock()
    assert "is in use by another process" in refused(r1("train", "--resume", finished.path))
    finished.unlock()


def test_plugins_are_listed_by_kind_with_what_they_do_and_where_they_come_from(r1):
    said = r1("plugins")
    assert said.code == 0 and said.err == ""
    assert "rewards\n  accuracy " in said.out
    assert "The environment's verdict, in [0, 1]" in said.out and "[r1sdk " in said.out
    only = r1("plugins", "--kind", "environment").out
    assert "countdown" in only and "accuracy" not in only
    rows = json.loads(r1("plugins", "--json").out)
    assert {"kind": "reward", "name": "accuracy"}.items() <= rows["plugins"][0].items()
    assert "did you mean 'reward'?" in refused(r1("plugins", "--kind", "rewad"))


@pytest.mark.parametrize("command", ["eval", "generate"])
def test_evaluating_and_generating_report_mistakes_before_a_model_is_loaded(r1, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    message = refused(r1(command, "tinny", "--env", "cuontdown", "--rewards", "fromat"))
    assert message.startswith("error: 3 problems:")
    assert "not 'validation'" in refused(r1(command, "tiny_blank", "--env", "countdown", "--split", "validation"))
    assert not list(tmp_path.iterdir())


def test_generating_does_not_replace_a_file_unless_asked(r1, tmp_path):
    file = tmp_path / "rollouts.jsonl"
    file.write_text("mine\n")
    assert "--overwrite" in refused(r1("generate", "tiny_blank", "--env", "countdown", "--out", file))
    assert file.read_text() == "mine\n"


def test_a_prompt_too_long_for_the_model_stops_the_run_with_one_message(run_r1, small, tmp_path):
    said = run_r1(*TRAIN, *small, "--set", "generation.max_tokens=1020", "--out", tmp_path / "run")
    assert said.code == 1 and said.err.count("error: ") == 1 and "Traceback" not in said.err
    assert "more than the 1024 positions" in said.err and "set generation.max_tokens to" in said.err
    assert RunFolder.open(tmp_path / "run").status()["state"] == "failed"


def test_rollouts_are_generated_judged_kept_and_written(run_r1, tmp_path):
    file = tmp_path / "made.jsonl"
    said = run_r1(
        "generate",
        "tiny_blank",
        "--env",
        "countdown",
        "--tasks",
        "3",
        "--samples",
        "2",
        "--keep",
        "wrong",
        "--set",
        "generation.max_tokens=8",
        "--out",
        file,
    )
    assert said.code == 0, said.err
    assert said.out == "kept 6 of 6 rollouts (wrong)\n"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["id"] for line in lines] == [f"train/{i}" for i in (0, 0, 1, 1, 2, 2)]
    assert all(line["correct"] == 0.0 and set(line["rewards"]) == {"accuracy", "format"} for line in lines)
    assert f"r1 train --method sft --model tiny_blank --data {file}\n" in said.err


def test_the_version_is_printed(run_r1):
    from importlib.metadata import version

    said = run_r1("--version")
    assert (said.code, said.out) == (0, f"r1sdk {version('r1sdk')}\n")


def test_a_run_that_was_killed_in_its_report_says_how_to_make_it(r1, tmp_path):
    folder = RunFolder.create(tmp_path / "run", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    folder.set_status("finished")
    said = r1("train", "--resume", folder.path)
    assert said.code == 1 and f"it has no report: r1 report {folder.path}" in said.err
    (folder.path / "report.html").touch()
    assert "it has no report" not in r1("train", "--resume", folder.path).err


def test_default_names_of_runs_that_begin_in_the_same_second_differ(r1, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("time.strftime", lambda *_: "20260101-000000")
    for _ in range(3):
        said = r1("train", "--env", "countdown", "--model", "tiny_blank", "--launcher", "none")
        assert said.code == 0, said.err
    names = {path.name.rpartition("20260101-000000")[2] for path in (tmp_path / "runs").iterdir()}
    assert names == {"", "-2", "-3"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--vllm-mode", "server", "--env", "countdown"],
            "'generation.vllm.mode' is server, and transformers generates",
        ),
        (
            ["--method", "sft", "--model", "tiny"],
            "method sft learns from --data FILE, or from the demonstrations of --env",
        ),
        (["--method", "dpo", "--model", "tiny"], "dpo learns from pairs, --data FILE"),
    ],
)
def test_what_a_method_or_an_engine_lacks_is_said_with_the_right_option(r1, arguments, said):
    assert said in refused(r1("train", *arguments, "--dry-run"))


def test_a_recipe_may_be_json_and_a_table_of_rows_is_none(r1, tmp_path):
    recipe, rows = tmp_path / "r.json", tmp_path / "rows.json"
    recipe.write_text('{"model": "tiny", "env": "countdown", "trainer": {"max_steps": 7}}')
    rows.write_text('{"env": ["a"], "model": ["b"]}')
    assert "max_steps: 7" in r1("train", recipe, "--dry-run").out
    assert "that is a file of rows" in refused(r1("train", rows, "--dry-run"))


def test_a_run_folder_in_place_of_a_recipe_is_answered_with_its_options(r1, tmp_path):
    RunFolder.create(tmp_path / "a", load_recipe(None, {"model": "tiny", "env": "countdown"}), {})
    message = refused(r1("train", tmp_path / "a"))
    for said in (f"r1 train --resume {tmp_path}/a", f"--model {tmp_path}/a", f"r1 train {tmp_path}/a/recipe.yaml"):
        assert said in message


def test_a_stage_without_a_name_is_told_its_place(r1, tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("env: countdown\nmodel: tiny\nstages:\n- {method: sft}\n- {name: b}\n")
    assert "stage 1 has no name" in refused(r1("train", file, "--dry-run"))
