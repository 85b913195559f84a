"""A distribution of somebody else's: built, installed with pip, found, trained with; and broken ones that break nothing."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from r1sdk.storage.run_folder import RunFolder

PYPROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "r1-brevity"
version = "0.1.0"
dependencies = ["r1sdk"]

[project.entry-points.r1sdk]
brevity = "r1_brevity"
"""

BREVITY = '''
from dataclasses import dataclass

import r1sdk


@dataclass(frozen=True)
class Brevity:
    """1.0 up to `budget` tokens, then falling to 0.0 at twice that."""

    budget: int = 512  # tokens

    def __call__(self, rollout: r1sdk.Rollout) -> float:
        over = len(rollout.completion.token_ids) / self.budget - 1
        return min(1.0, max(0.0, 1.0 - over))


@r1sdk.hookimpl
def r1_register_rewards(register):
    register("brevity", Brevity)
'''

WITHIN_PYPROJECT = PYPROJECT.replace("brevity", "within")
WITHIN = '''
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import r1sdk


@dataclass(frozen=True)
class Within:
    """1.0 for a number within the tolerance that the row or the option gives, else 0.0."""

    tolerance: float = 0.5  # where the row has no column of that name

    reads: ClassVar[Sequence[str]] = ("answer",)

    def pose(self, row: r1sdk.RowView) -> r1sdk.Posed:
        tolerance = float(row.row.get("tolerance") or self.tolerance)
        return r1sdk.Posed(f"Within {tolerance:g} is close enough.", str(row.get("answer")), {"tolerance": tolerance})

    def read_gold(self, task: r1sdk.Task) -> tuple[float, float]:
        try:
            return float(task.answer or ""), float(task.info.get("tolerance", self.tolerance))
        except ValueError:
            raise r1sdk.Unverifiable(f"{task.answer!r:.40} is no number") from None

    async def verify(self, gold: tuple[float, float], reply: r1sdk.Submission) -> r1sdk.Verdict:
        try:
            number = float((reply.answer or "")[:40])
        except ValueError:
            return r1sdk.Verdict(0.0, reason="no number")
        is_close = math.isfinite(number) and abs(number - gold[0]) <= gold[1]
        return r1sdk.Verdict(float(is_close), extracted=f"{number:g}", reason="" if is_close else f"is not {gold[0]:g}")

    def variants(self, gold: tuple[float, float]) -> Iterator[str]:
        yield str(gold[0] + 2 * gold[1] + 1)


@r1sdk.hookimpl
def r1_register_verifiers(register):
    register("within", Within)
'''

HOOK = "import r1sdk\n\n@r1sdk.hookimpl\ndef {hook}(register):\n    register({name!r}, lambda rollout: 1.0)\n"

BROKEN = {
    "r1-import": ("import no_such_module\n", "ModuleNotFoundError: No module named 'no_such_module'"),
    "r1-syntax": ("def broken(:\n", "SyntaxError"),
    "r1-leaves": ("import sys\nsys.exit('no licence')\n", "SystemExit: no licence"),
    "r1-empty": ("", "registered nothing"),
    "r1-misspelt": (HOOK.format(hook="r1_register_reward", name="mine"), "r1_register_reward"),
    "r1-name": (HOOK.format(hook="r1_register_rewards", name="My Reward"), "must be lower_snake_case"),
}


def pip(*arguments):
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def brevity(tmp_path_factory):
    """The folder that `r1-brevity` was installed into, from a wheel."""
    source, wheels, site = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "site"))
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "r1_brevity.py").write_text(BREVITY)
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", wheels, source)
    pip("install", "--no-deps", "--no-index", "--find-links", wheels, "--target", site, "r1-brevity")
    return site


def test_an_installed_reward_is_listed_with_its_source_and_its_range(run_r1, brevity):
    said = run_r1("plugins", "--kind", "reward", path=[brevity])
    assert said.code == 0 and said.err == ""
    (line,) = (line for line in said.out.splitlines() if "brevity" in line)
    assert "1.0 up to `budget` tokens, then falling to 0.0 at twice that." in line
    assert line.endswith("[r1-brevity 0.1.0 (brevity)]")


def test_an_installed_reward_is_trained_with_by_its_name_and_its_options(run_r1, brevity, small, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("rewards:\n- accuracy\n- {name: brevity, weight: 0.5, options: {budget: 10}}\n")
    said = run_r1(
        "train",
        file,
        "--env",
        "countdown",
        "--model",
        "tiny_blank",
        "--steps",
        "2",
        *small,
        "--set",
        "evaluation.tasks=4",
        "--out",
        tmp_path / "run",
        path=[brevity],
    )
    assert said.code == 0, said.err
    folder = RunFolder.open(tmp_path / "run")
    assert folder.manifest()["plugins"]["reward brevity"] == "r1-brevity 0.1.0 (brevity)"
    generation = folder.manifest()["generation"]
    assert f"generation by {generation['backend']} ({generation['why']})" in folder.log_file.read_text()
    first, second = folder.metrics()
    for line in (first, second):
        assert 0.4 <= line["rewards/brevity/mean"] <= 1.0  # 16 tokens at a budget of 10 are 0.4
        assert line["reward"] == pytest.approx(line["rewards/accuracy/mean"] + 0.5 * line["rewards/brevity/mean"])
    for rollout in folder.rollouts():
        assert rollout["rewards"]["brevity"] == pytest.approx(min(1.0, 2.0 - rollout["completion"]["tokens"] / 10))
    for name in ("before", "after"):
        assert folder.evaluation(name)["rewards"]["brevity"]["n"] == 4
    assert "reward brevity" in said.out and "brevity 0." in said.err


def test_a_mistyped_option_of_an_installed_reward_is_found_before_anything_is_loaded(run_r1, brevity, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("model: tiny_blank\nenv: countdown\nrewards: [{name: brevity, options: {bugdet: 10}}]\n")
    said = run_r1("train", file, "--dry-run", path=[brevity])
    assert said.code == 1
    assert said.err == "error: reward 'brevity' has no option 'bugdet'; did you mean 'budget'?\n"


def test_a_disabled_distribution_is_as_if_it_were_not_installed(run_r1, brevity, monkeypatch):
    monkeypatch.setenv("R1_DISABLE_PLUGINS", "r1_brevity")
    assert "brevity" not in run_r1("plugins", path=[brevity]).out


@pytest.fixture(scope="module")
def broken(tmp_path_factory, install):
    site = tmp_path_factory.mktemp("broken")
    for distribution, (source, _) in BROKEN.items():
        install(site, distribution, source)
    return site


def test_broken_plugins_do_not_touch_the_help(run_r1, broken):
    said = run_r1("--help", path=[broken])
    assert said.code == 0 and said.err == "" and "Usage" in said.out


def test_broken_plugins_are_listed_with_their_reasons_beside_those_that_work(run_r1, broken, brevity):
    said = run_r1("plugins", path=[broken, brevity])
    assert said.code == 0
    assert "brevity" in said.out and "accuracy" in said.out and "Traceback" not in said.err
    failures = {line.split()[2]: line for line in said.err.splitlines() if line.startswith("not loaded: ")}
    assert {*failures} == {*BROKEN}
    for distribution, (_, reason) in BROKEN.items():
        assert reason in failures[distribution]


def test_broken_plugins_do_not_stop_a_run_and_are_named_beside_an_unknown_name(run_r1, broken):
    train = ("train", "--env", "countdown", "--dry-run")
    assert run_r1(*train, path=[broken]).code == 0
    said = run_r1(*train, "--rewards", "mine", path=[broken])
    assert said.code == 1
    assert "unknown reward 'mine'" in said.err and "not loaded: r1-misspelt 0.1 (mine)" in said.err


def test_a_taken_name_is_a_conflict_for_that_name_alone(run_r1, install, tmp_path):
    install(tmp_path, "r1-taken", HOOK.format(hook="r1_register_rewards", name="accuracy"))
    listed = run_r1("plugins", path=[tmp_path])
    assert listed.code == 0
    assert "conflict: reward 'accuracy' is provided by " in listed.err and "r1-taken 0.1 (mine)" in listed.err
    train = ("train", "--env", "countdown", "--dry-run", "--rewards")
    assert run_r1(*train, "format", path=[tmp_path]).code == 0
    said = run_r1(*train, "accuracy", path=[tmp_path])
    assert said.code == 1
    assert "'accuracy' is provided by" in said.err and "R1_DISABLE_PLUGINS" in said.err


@pytest.fixture(scope="module")
def within(tmp_path_factory):
    """The Python of a new virtual environment that `r1-within` was installed into by pip, from a wheel.

    The libraries that r1sdk needs, and r1sdk itself, are those of this environment.
    """
    source, wheels, folder = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "venv"))
    (source / "pyproject.toml").write_text(WITHIN_PYPROJECT)
    (source / "r1_within.py").write_text(WITHIN)
    pip("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", wheels, source)
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "libraries.pth").write_text("\n".join(path for path in sys.path if Path(path).is_dir()))
    pip("--python", python, "install", "--no-deps", "--no-index", "--find-links", wheels, "r1-within")
    return python


def run_there(python, *arguments):
    return subprocess.run(
        [python, "-m", "r1_cli", *map(str, arguments)], capture_output=True, text=True, timeout=180, check=False
    )


@pytest.fixture
def heights(tmp_path):
    rows = [
        {"problem": f"How high is hill {n}?", "answer": 100 + n, "tolerance": 2 if n % 2 else None} for n in range(40)
    ]
    file = tmp_path / "heights.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def test_an_installed_verifier_is_listed_and_keeps_the_contract(within):
    said = run_there(within, "plugins", "--kind", "verifier")
    assert said.returncode == 0, said.stderr
    (line,) = (line for line in said.stdout.splitlines() if line.startswith("  within"))
    assert line.endswith("[r1-within 0.1.0 (within)]")
    assert {line.split()[0] for line in said.stdout.splitlines()[1:]} == {
        *("choice", "code", "countdown", "exact", "judge", "maths", "within")
    }
    checked = run_there(within, "check", "within")
    assert checked.returncode == 0 and "near gold  1 of 1 near answers earn less than 1.0" in checked.stdout, (
        checked.stdout
    )


def test_an_installed_verifier_judges_the_rows_of_a_table(within, heights, tmp_path):
    replies = tmp_path / "replies.jsonl"
    rows = [("100.4", None), ("101", None), ("101", 2), ("", 2), ("nan", 2)]
    replies.write_text(
        "".join(
            json.dumps(
                {
                    "prompt": "?",
                    "answer": "100",
                    "completion": f"<think>so</think><answer>{text}</answer>",
                    **({"tolerance": tolerance} if tolerance else {}),
                }
            )
            + "\n"
            for text, tolerance in rows
        )
    )
    env = ("--env", "file", "--set", f"env.options.source={heights}", "--set", "env.options.verifier=within")
    said = run_there(within, "score", replies, *env, "--rewards", "accuracy", "--out", tmp_path / "scored.jsonl")
    assert said.returncode == 0, said.stderr
    scored = [json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines()]
    assert [row["rewards"]["accuracy"] for row in scored] == [1.0, 0.0, 1.0, 0.0, 0.0]


def test_an_installed_verifier_is_trained_with_and_stands_in_the_manifest(within, heights, small, tmp_path):
    options = {"source": str(heights), "test_share": 0.2, "verifier": {"name": "within", "options": {"tolerance": 1.5}}}
    (tmp_path / "mine.yaml").write_text(
        json.dumps(
            {"env": {"name": "file", "options": options}, "rewards": ["accuracy", "format"], "model": "tiny_blank"}
        )
    )
    small = [argument for setting in small[1::2] if not setting.startswith("env.") for argument in ("--set", setting)]
    small += ["--set", "evaluation.tasks=4"]
    said = run_there(within, "train", tmp_path / "mine.yaml", "--steps", "1", *small, "--out", tmp_path / "run")
    assert said.returncode == 0, said.stderr
    folder = RunFolder.open(tmp_path / "run")
    assert folder.manifest()["plugins"]["verifier within"] == "r1-within 0.1.0 (within)"
    rollout = next(iter(folder.rollouts()))
    assert rollout["task"]["info"]["tolerance"] in (1.5, 2.0)
    assert "close enough" in rollout["task"]["prompt"][-1]["content"]
    assert rollout["verdict"]["status"] == "ok"
    dry = run_there(
        *(within, "train", tmp_path / "mine.yaml", "--dry-run"),
        *("--set", "env.options.verifier.options.tolerence=1", "--set", "env.options.test_share=7"),
    )
    assert dry.returncode == 1
    assert "verifier 'within' has no option 'tolerence'; did you mean 'tolerance'?" in dry.stderr
    assert "test_share is from 0 to 1" in dry.stderr
