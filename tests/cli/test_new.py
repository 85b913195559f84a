"""`r1 new`: what it writes passes its own tests, mypy in strict mode, the linter and `r1 check` as it stands."""

import tomllib
from pathlib import Path

import pytest
from programs_of_python import run_module

EXAMPLES = [path.parent for path in Path(__file__).parents[2].glob("docs/examples/*/pyproject.toml")]
KINDS = {  # by name, with flags
    "reward": [],
    "environment": [],
    "verifier": [],
    "sandbox": [],
    "advantage": [],
    "environment_with_tools": ["--tools"],
}


def distribution(kind):
    return f"r1-my-{kind.replace('_', '-')}"


@pytest.fixture(scope="module")
def packages(tmp_path_factory, run_r1):
    """A folder with a package of each kind, named after it, and `site`, where all are installed from their wheels."""
    folder = tmp_path_factory.mktemp("new")
    for kind, flags in KINDS.items():
        said = run_r1("new", kind.partition("_")[0], f"my_{kind}", *flags, cwd=folder)
        assert said.code == 0 and f"r1 check my_{kind}" in said.out, said.err
    sources = [f"./{distribution(kind)}" for kind in KINDS]
    offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
    run_module("pip", "install", *offline, "--target", "site", *sources, cwd=folder)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_its_own_tests_and_with_them_the_check(packages, kind):
    package = packages / distribution(kind)
    assert (
        f'check_plugin("{kind.partition("_")[0]}", "my_{kind}")'
        in (package / "tests" / f"test_my_{kind}.py").read_text()
    )
    said = run_module("pytest", "-q", cwd=package, path=[packages / "site"])
    assert "passed" in said and "failed" not in said


def test_new_packages_and_the_examples_are_strictly_typed(packages):
    sources = [f"{distribution(kind)}/{part}" for kind in KINDS for part in (f"r1_my_{kind}.py", "tests")]
    sources += [example / part for example in EXAMPLES for part in (example.name.replace("-", "_"), "tests")]
    assert "no issues found in 20 source files" in run_module("mypy", "--strict", *sources, cwd=packages)
    for kind in KINDS:
        settings = tomllib.loads((packages / distribution(kind) / "pyproject.toml").read_text())["tool"]["mypy"]
        assert settings == {"strict": True, "files": [f"r1_my_{kind}.py", "tests"]}


def test_nothing_of_the_templates_is_left_over(packages):
    for file in (file for kind in KINDS for file in (packages / distribution(kind)).rglob("*.py")):
        text = file.read_text()
        assert "$" not in text and text.endswith("\n") and max(map(len, text.splitlines())) <= 120


def test_a_new_plugin_is_listed_and_found_by_a_recipe(packages, run_r1):
    site = packages / "site"
    said = run_r1("plugins", path=[site])
    assert said.err == ""
    for kind in KINDS:
        assert f"[{distribution(kind)} 0.1.0 (my_{kind})]" in said.out
    train = ("train", "--env", "my_environment", "--rewards", "accuracy,my_reward=0.2", "--dry-run")
    assert run_r1(*train, path=[site]).code == 0


@pytest.mark.parametrize(
    ("license", "words"), [("MIT", "the shouters"), ("BSD-3-Clause", "the shouters"), ("none", None)]
)
def test_the_licence_is_the_one_that_was_chosen(r1, tmp_path, license, words):
    out = tmp_path / "mine"
    said = r1("new", "reward", "mine", "--license", license, "--author", "the shouters", "--out", out)
    assert said.code == 0, said.err
    project = tomllib.loads((out / "pyproject.toml").read_text())["project"]
    assert project.get("license") == (None if words is None else license)
    assert (out / "LICENSE").exists() == (words is not None)
    if words is not None:
        assert words in (out / "LICENSE").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["reward", "Shout-Loud"], "lower_snake_case, e.g. shout_loud; got 'Shout-Loud'"),
        (["reward", "r1-shout"], "e.g. shout"),
        (["reward", "format"], "reward 'format' is already provided by r1sdk"),
        (["environment", "countdown"], "environment 'countdown' is already provided by r1sdk"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_before_anything_is_written(r1, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    said = r1("new", *arguments)
    assert said.code == 1 and message in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_is_left_alone(r1, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("r1-mine").mkdir()
    said = r1("new", "reward", "mine")
    assert said.code == 1 and "nothing is overwritten" in said.err
    assert list(Path("r1-mine").iterdir()) == []


@pytest.mark.parametrize("name", ["none", "any", "verify_reply", "a", "n2_x"])
def test_the_module_compiles_whatever_the_name(r1, tmp_path, name):
    for kind, flags in KINDS.items():
        out = tmp_path / f"{kind}-{name}"
        assert r1("new", kind.partition("_")[0], name, *flags, "--out", out).code == 0
        for file in out.rglob("*.py"):
            compile(file.read_text(), file, "exec")
