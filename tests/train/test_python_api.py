"""r1sdk from Python: the verbs train, evaluate, generate and score as a program or a notebook calls them, and what they refuse."""

import json
import signal
import subprocess
import sys
import textwrap
from dataclasses import FrozenInstanceError, dataclass

import pytest
from r1_command import QUIET

import r1sdk
from r1sdk.storage.run_folder import RunFolder

SETTINGS = {
    "env.options.train_size": 64,
    "trainer.per_device_train_batch_size": 8,
    "trainer.save_steps": 1,
    "trainer.logging_steps": 1,
    "generation.samples": 4,
    "generation.max_tokens": 16,
    "evaluation.tasks": 4,
}


class Shorter:
    """A reward that only this program knows."""

    def __call__(self, rollout):
        return 1.0 / (1 + len(rollout.completion.text))


@dataclass(frozen=True)
class SaySeven:
    """An environment that only this program knows."""

    answer: str = "7"

    def tasks(self, split):
        return [r1sdk.Task([{"role": "user", "content": "Say 7."}], self.answer, id=f"{split}/{n}") for n in range(8)]

    def verify(self, rollout):
        return float(r1sdk.extract_answer(rollout.completion.text) == self.answer)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run of two steps by name, in a process of its own."""
    out = tmp_path_factory.mktemp("api") / "run"
    return r1sdk.train(
        "countdown/tiny", rewards=["accuracy", "format=0.2"], steps=2, settings=SETTINGS, out=out, progress=False
    )


def test_train_returns_a_frozen_record_of_the_run(trained):
    assert trained.state == "finished" and trained.env == "countdown"
    assert (trained.model_path / "config.json").is_file()
    for found, name in ((trained.before, "before"), (trained.after, "after")):
        saved = RunFolder(trained.folder).evaluation(name)
        assert (found.accuracy.mean, found.accuracy.n) == (saved["accuracy"]["mean"], 4)
        assert set(found.rewards) == {"accuracy", "format"}
        assert len(found.rollouts_file.read_text().splitlines()) == 4
    recipe = RunFolder(trained.folder).recipe()
    assert [(reward.name, reward.weight) for reward in recipe.rewards] == [("accuracy", 1.0), ("format", 0.2)]
    with pytest.raises(FrozenInstanceError):
        trained.state = "prepared"


def test_a_run_is_resumed_by_its_folder_and_made_longer(trained):
    longer = r1sdk.train(resume=trained.folder, steps=3, progress=False)
    assert [line["step"] for line in RunFolder(longer.folder).metrics()] == [1, 2, 3]
    with pytest.raises(r1sdk.RunError, match="nothing to resume"):
        r1sdk.train(resume=trained.folder, progress=False)
    with pytest.raises(r1sdk.RecipeError, match="leave out --model"):
        r1sdk.train(resume=trained.folder, model="tiny", progress=False)


def test_rewards_and_environments_may_be_objects_of_the_program(tmp_path):
    before = signal.getsignal(signal.SIGINT)
    rewards = {"accuracy": 1.0, "shorter": (Shorter(), 0.5)}
    settings = {key: value for key, value in SETTINGS.items() if not key.startswith("env.")}
    run = r1sdk.train(
        env=SaySeven(), model="tiny", rewards=rewards, steps=1, settings=settings, out=tmp_path / "run", progress=False
    )
    (line,) = RunFolder(run.folder).metrics()
    assert 0.0 < line["rewards/shorter/mean"] < 1.0
    assert line["reward"] == pytest.approx(line["rewards/accuracy/mean"] + 0.5 * line["rewards/shorter/mean"], abs=1e-4)
    assert RunFolder(run.folder).manifest()["plugins"]["reward shorter"] == "an object of this program"
    assert signal.getsignal(signal.SIGINT) is before
    # Only this program can resume it, and says so.
    with pytest.raises(r1sdk.R1Error, match="unknown environment 'say_seven'"):
        r1sdk.train(resume=run.folder, steps=2, progress=False)
    longer = r1sdk.train(resume=run.folder, steps=2, env=SaySeven(), rewards={"shorter": Shorter()}, progress=False)
    assert len(RunFolder(longer.folder).metrics()) == 2
    assert "Logging error" not in RunFolder(longer.folder).log_file.read_text()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"accelerate": "ddp", "processes": 2}, "--accelerate ddp trains in others"),
        ({"launcher": "none"}, "launcher none trains in another one"),
    ],
)
def test_an_object_is_refused_where_other_processes_train(options, reason, tmp_path):
    with pytest.raises(r1sdk.RecipeError, match=reason):
        r1sdk.train(env="countdown", rewards={"shorter": Shorter()}, out=tmp_path / "run", progress=False, **options)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stpes": 2}, "train has no option 'stpes'; did you mean 'steps'"),
        ({"rewards": ["acuracy"]}, "did you mean 'accuracy'"),
        ({"rewards": {"accuracy": Shorter()}}, "reward 'accuracy' is already provided by r1sdk"),
        ({"rewards": {"Not a name": Shorter()}}, "must be lower_snake_case"),
        ({"rewards": {"mine": "text"}}, "reward 'mine' must be a weight, a mapping, or a function"),
        ({"env": object()}, "an object with tasks"),
        ({"settings": {"trainer.max_stps": 1}}, "recipe has no key 'trainer.max_stps'"),
    ],
)
def test_what_cannot_be_is_an_error_with_the_text_of_the_command_line(options, message, tmp_path):
    with pytest.raises(r1sdk.R1Error, match=message):
        r1sdk.train(**{"env": "countdown", "out": tmp_path / "run", "progress": False, **options})


def test_a_recipe_may_be_a_mapping_and_is_returned_with_all_its_keys():
    recipe = r1sdk.load_recipe({"env": "countdown", "model": "tiny"}, {"generation.samples": 4}, seed=3)
    assert (recipe.env.name, recipe.generation.samples, recipe.seed, recipe.method) == ("countdown", 4, 3, "grpo")
    assert r1sdk.load_recipe("countdown/tiny").env.name == "countdown"


def test_evaluate_generate_and_score_return_records(tmp_path):
    found = r1sdk.evaluate(
        "tiny",
        env="countdown",
        tasks=2,
        samples=2,
        rewards={"accuracy": 1.0, "shorter": Shorter()},
        settings={"generation.max_tokens": 16},
        out=tmp_path / "evals",
        progress=False,
    )
    assert found.accuracy.n == 2 and set(found.pass_at) == {1, 2} and 0.0 < found.rewards["shorter"].mean < 1.0
    assert len(found.rollouts_file.read_text().splitlines()) == 4
    file = tmp_path / "made.jsonl"
    data = r1sdk.generate("tiny", env="countdown", tasks=2, samples=2, max_tokens=16, out=file, progress=False)
    assert (data.path, data.answers, data.wanted, data.problem()) == (file, 4, 4, None)
    assert data.kept == len(file.read_text().splitlines())
    scores = r1sdk.score(found.rollouts_file, env="countdown", rewards="accuracy,format")
    assert len(scores) == 4 and all(set(score.rewards) == {"accuracy", "format"} for score in scores)


def test_texts_are_scored_against_their_tasks():
    task = r1sdk.Task([{"role": "user", "content": "Say 7."}], "7", id="a")
    right, wrong = (f"<think>so</think>\n<answer>{answer}</answer>" for answer in "78")
    scores = r1sdk.score([right, wrong], env=SaySeven(), rewards={"accuracy": 1.0, "format": 0.5}, tasks=[task, task])
    assert [score.rewards["accuracy"] for score in scores] == [1.0, 0.0]
    assert [score.total for score in scores] == [1.5, 0.5]
    with pytest.raises(r1sdk.R1Error, match="score needs a task for each text: 2 replies, no tasks"):
        r1sdk.score([right, wrong], env=SaySeven(), rewards=["accuracy"])


def test_a_script_trains_without_a_main_guard(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import r1sdk\n"
        f"run = r1sdk.train('countdown/tiny', steps=1, settings={SETTINGS!r}, out='run')\n"
        "print(run.state, run.after.accuracy.n)\n"
    )
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=False, env={**environ(), **QUIET}
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["finished", "4"]
    assert "step 1/1" in done.stderr and "run folder   run" in done.stderr


def environ():
    import os

    return dict(os.environ)


def test_a_notebook_trains_with_its_own_reward_and_shows_the_progress(tmp_path, monkeypatch):
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    cells = [
        """
        import r1sdk

        def shorter(rollout):
            return 1.0 / (1 + len(rollout.completion.text))
        """,
        f"run = r1sdk.train('countdown/tiny', steps=2, settings={SETTINGS!r}, out='by-name')",
        f"""
        mine = r1sdk.train(
            'countdown/tiny', rewards={{'accuracy': 1.0, 'shorter': shorter}}, steps=2, settings={SETTINGS!r}, out='mine'
        )
        """,
        "found = r1sdk.evaluate('mine', tasks=2, rewards='accuracy', settings={'generation.max_tokens': 16}, out='evals')",
        "print(run.state, mine.state, mine.after.rewards['shorter'].n, found.accuracy.n)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(textwrap.dedent(text)) for text in cells])
    nbclient.NotebookClient(notebook, timeout=150, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [json.dumps(cell["outputs"]) for cell in notebook.cells]
    assert "finished finished 4 2" in shown[4]
    for outputs in shown[1:3]:
        assert "run folder" in outputs and "2/2" in outputs, outputs[-2000:]
    assert "shorter" in shown[2] and "display_data" in shown[2]
    assert "2/2" in shown[3]
