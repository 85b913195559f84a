"""One recipe with several seeds: its folder, how it resumes, and the two errors of its accuracy."""

import json
import math
import shutil
import signal
import statistics
import time

import pytest

from r1sdk import RecipeError, RunError
from r1sdk.evaluation.seed_spread import seed_accuracy, seed_difference, seed_spread
from r1sdk.evaluation.statistics import estimate
from r1sdk.launch.seed_runs import extend_seeds, read_seeds
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder
from r1sdk.storage.seed_folder import SeedFolder, run_paths

RECIPE = load_recipe(None, {"model": "tiny", "env": "countdown", "trainer": {"max_steps": 4}})


def test_the_spread_of_seeds_is_told_from_the_sampling_error():
    always, never = {str(task): [1.0] for task in range(50)}, {str(task): [0.0] for task in range(50)}
    found = seed_spread({0: always, 1: never, 2: always})
    assert found.mean == pytest.approx(2 / 3)
    assert found.deviation == pytest.approx(statistics.stdev([1.0, 0.0, 1.0]))
    assert found.stderr == pytest.approx(found.deviation / math.sqrt(3))
    assert found.chance == pytest.approx(0.0), "every task went as the seed did: sampling has no part"
    assert found.task_stderr == pytest.approx(0.0)


def test_seeds_that_differ_on_single_tasks_alone_differ_by_chance():
    draw = {seed: {str(task): [float((task * 7 + seed * 3) % 5 == 0)] for task in range(500)} for seed in range(3)}
    found = seed_spread(draw)
    assert found.deviation == pytest.approx(0.0) and found.chance == pytest.approx(math.sqrt(0.2 / 500), rel=0.01)
    hard = {seed: {str(task): [float(task < 250)] for task in range(500)} for seed in range(3)}
    assert seed_spread(hard).chance == pytest.approx(0.0)
    assert seed_spread(hard).task_stderr == pytest.approx(estimate([[1.0], [0.0]] * 250).stderr)


def test_tasks_that_a_seed_has_no_verdict_on_are_no_zeros():
    found = seed_spread({0: {"a": [1.0], "b": [None], "c": [1.0]}, 1: {"a": [1.0], "b": [1.0], "c": [1.0]}})
    assert (found.mean, found.tasks, found.n) == (1.0, 2, 2)
    assert seed_spread({0: {"a": [None]}}).mean is None


def test_two_recipes_are_compared_over_seeds_by_welchs_interval():
    first = seed_spread({at: {"a": [x], "b": [x]} for at, x in enumerate([0.50, 0.52, 0.54])})
    second = seed_spread({at: {"a": [x], "b": [x]} for at, x in enumerate([0.60, 0.62, 0.64])})
    gap = seed_difference(first, second)
    assert gap.mean == pytest.approx(0.10)
    assert gap.high - gap.mean == pytest.approx(2.776 * math.sqrt(2 * 0.02**2 / 3), rel=1e-3), "t with 4 degrees"
    assert seed_difference(first, seed_spread({0: {"a": [0.6]}})).low is None, "one seed says nothing of its spread"


@pytest.mark.parametrize("given", ["", "1,1", "a", "0,-1", "1.5", "0;1", [True], [], "²"])
def test_seeds_are_whole_numbers_each_once(given):
    with pytest.raises(RecipeError, match="e.g. --seeds 0,1,2"):
        read_seeds(given)


def test_seeds_are_read_from_text_and_lists():
    assert read_seeds("0, 2,10") == read_seeds([0, 2, 10]) == (0, 2, 10)


def test_a_folder_of_seeds_reads_back_and_a_damaged_one_is_named(tmp_path):
    made = SeedFolder.create(tmp_path / "s", (0, 2), RECIPE)
    assert SeedFolder.open(tmp_path / "s") == made
    assert made.recipe_of(2).seed == 2 and made.recipe_of(2).output_dir.name == "seed-2"
    with pytest.raises(RunError, match="already holds the runs of several seeds"):
        SeedFolder.create(tmp_path / "s", (0,), RECIPE)
    with pytest.raises(RunError, match="no seed of .* has begun"):
        run_paths(tmp_path / "s")
    file = tmp_path / "s/seeds.yaml"
    file.write_text(file.read_text().replace("- 2", "- 3"))
    with pytest.raises(RunError, match=r"seeds\.yaml was changed or damaged"):
        SeedFolder.open(tmp_path / "s")


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s/mine.txt").write_text("mine")
    with pytest.raises(RunError, match="choose another --out"):
        SeedFolder.create(tmp_path / "s", (0,), RECIPE)


def test_seeds_are_added_and_runs_made_longer_in_one_file(tmp_path):
    made = SeedFolder.create(tmp_path / "s", (0,), RECIPE)
    extend_seeds(made, (0, 1), 9)
    found = SeedFolder.open(tmp_path / "s")
    assert found.seeds == (0, 1) and found.recipe.trainer["max_steps"] == 9
    run = RunFolder.create(found.run(0).path, found.recipe_of(0), {})
    run.set_status("interrupted", done=7)
    with pytest.raises(RunError, match="has come to step 7"):
        extend_seeds(found, (), 5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--seeds", "0,1", "--seed", "2"), "leave one of them out"),
        (("--seeds", "0,0"), "each seed once"),
        (("--seeds", "0,1", "--launcher", "none"), "start each one with --seed"),
        (("--seeds", "0,1", "--resume", "."), "and . is none"),
    ],
)
def test_what_seeds_cannot_do_is_said_before_anything_is_written(r1, tmp_path, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    ended = r1("train", *(() if "--resume" in arguments else ("--env", "countdown")), *arguments)
    assert ended.code == 1 and said in ended.err and not list(tmp_path.iterdir())


def test_a_pipeline_says_how_to_run_it_with_several_seeds(r1, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "--seed N" in r1("train", "r1/tiny", "--seeds", "0,1").err


@pytest.fixture(scope="module")
def trained(tmp_path_factory, start_r1, run_r1, small):
    """Two seeds in one folder: stopped by Ctrl-C in the second, then resumed to the end."""
    root = tmp_path_factory.mktemp("seeds") / "s"
    arguments = ["train", "--env", "countdown", "--model", "tiny_blank", *small, "--set", "evaluation.tasks=6"]
    process = start_r1(*arguments, "--steps", "2", "--seeds", "0,3", "--out", root)
    second = RunFolder(root / "seed-3")
    limit = time.monotonic() + 150
    while second.status().get("state") != "running" and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    stopped = process.communicate(timeout=60)[1]
    first_updated = RunFolder(root / "seed-0").status()["updated"]
    resumed = run_r1("train", "--resume", root)
    return root, process.returncode, stopped, first_updated, resumed, arguments


@pytest.mark.usefixtures("trained")
class TestTrained:
    """One training of two seeds, looked at from every side."""

    def test_ctrl_c_says_how_all_seeds_resume(self, trained):
        root, code, stopped, *_ = trained
        assert code == 130 and f"continue with: r1 train --resume {root}\n" in stopped
        assert "seed 3 (2 of 2)" in stopped

    def test_a_finished_seed_is_not_run_again(self, trained):
        root, _, _, updated, resumed, _ = trained
        assert resumed.code == 0, resumed.err
        assert "seed 0 (1 of 2): finished before" in resumed.err
        assert RunFolder(root / "seed-0").status()["updated"] == updated
        assert "mean" in resumed.out and "over seeds" in resumed.out
        assert f"r1 report {root}" in resumed.err

    def test_each_seed_has_the_recipe_that_the_seed_alone_would_have(self, trained, r1, tmp_path):
        root, *_, arguments = trained
        for seed in (0, 3):
            run = root / f"seed-{seed}"
            alone = r1(*arguments, "--steps", "2", "--seed", str(seed), "--out", run, "--dry-run")
            (tmp_path / "alone.yaml").write_text(alone.out)
            wanted = load_recipe(tmp_path / "alone.yaml", {"launch": {"processes": 1}})
            assert load_recipe(run / "recipe.yaml") == wanted
        texts = [[line["completion"] for line in RunFolder(root / f"seed-{seed}").rollouts()] for seed in (0, 3)]
        assert texts[0] != texts[1] and len(texts[0]) == len(texts[1]) == 16

    def test_the_table_of_runs_shows_the_mean_and_each_seed(self, trained, r1):
        root, *_ = trained
        said = r1("runs", "--root", root.parent)
        _, group, first, second = said.out.splitlines()
        assert group.startswith(f"{root}") and "finished" in group and "4/4" in group
        assert first.startswith("  seed 0") and second.startswith("  seed 3")
        assert "over the seeds" in said.err
        (found,) = json.loads(r1("runs", "--root", root.parent, "--json").out)["runs"]
        assert set(found["seeds"]) == {"0", "3"} and found["after"]["n"] == 2

    def test_the_page_shows_every_seed(self, trained, r1, tmp_path):
        root, *_ = trained
        assert r1("report", root, "--out", tmp_path / "page.html").code == 0
        page = (tmp_path / "page.html").read_text()
        assert "seed-0" in page and "seed-3" in page

    def test_eval_names_both_errors(self, trained, run_r1, r1, tmp_path):
        root, *_ = trained
        short = ("--tasks", "6", "--set", "generation.max_tokens=8", "--out", tmp_path / "e")
        said = run_r1("eval", root, *short, "--json")
        assert said.code == 0, said.err
        found = json.loads(said.out)
        assert set(found["results"]) == {f"{root}/seed-0", f"{root}/seed-3"}
        over = found["over_seeds"][str(root)]["countdown"]
        assert over["n"] == 2 and over["tasks"] == 6 and found["differences"]["from"] == str(root)
        text = r1("eval", root, *short).out
        assert "over seeds    ±" in text and "over tasks    ±" in text

    def test_a_folder_of_seeds_is_no_single_run(self, trained, r1):
        root, *_ = trained
        assert f"{root}/seed-0" in r1("view", root).err
        assert f"{root}/seed-0" in r1("train", "--env", "countdown", "--model", root).err

    def test_the_python_call_returns_the_runs_and_both_spreads(self, trained):
        import r1sdk

        root, *_ = trained
        run = r1sdk.train(resume=root, progress=False)
        assert list(run.seeds) == [0, 3] and run.seeds[3].after.accuracy.n == 6
        assert run.over_seeds["after"] == seed_accuracy(SeedFolder.open(root))

    def test_runs_of_seeds_are_removed_as_one(self, trained, r1, tmp_path):
        root, *_ = trained
        shutil.copytree(root, tmp_path / "copy")
        assert r1("runs", "rm", tmp_path / "copy", "--yes").code == 0
        assert not list(tmp_path.iterdir())

    def test_a_seed_that_has_not_finished_is_named_by_eval(self, trained, r1, tmp_path):
        root, *_ = trained
        shutil.copytree(root, tmp_path / "copy")
        RunFolder(tmp_path / "copy/seed-3").set_status("interrupted")
        said = r1("eval", tmp_path / "copy", "--tasks", "4")
        assert said.code == 1 and "seeds 3 are not finished" in said.err
