"""Every command that the program prints runs as it is printed: examples of the help, `next:` lines, advice in messages, new packages.

Two nets. All texts of the source are searched for `r1 COMMAND --option`, and each option must be one of that command's. And the
commands that can be met in a first hour are printed by the program and then run, in the folder where they were printed; `SHORTER`
says what is added so that they take seconds, `NOT_RUN` what is left out and why.
"""

import ast
import io
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
import typer
from programs_of_python import run_module

import r1_cli
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.seed_folder import SeedFolder

ROOT = Path(__file__).parents[2]
SOURCES = [file for part in ("cli", "r1sdk", "plugins", "envs", "recipes") for file in (ROOT / part).rglob("*.py")]
TEXTS = [
    *(ROOT / "cli/r1_cli/templates").rglob("*.txt"),
    *(ROOT / "recipes").rglob("*.yaml"),
    *(ROOT / ".github").rglob("*.yml"),
    ROOT / "plugins/r1_models/tiny/README.md",
    ROOT / "Dockerfile",
]

NOT_RUN = {  # by the first words of a printed command
    "pip install": "needs a package index; the package is installed from its folder instead, without one",
    "r1 view": "needs a terminal: tests/cli/test_view.py drives it",
    "vllm serve": "needs vLLM and a GPU",
    "r1 train --env openr1_math": "needs the hub",
    "r1 data decontaminate": "needs the hub; its options are checked",
    "r1 data difficulty": "reads an evaluation with several samples: tests/cli/test_data.py",
    "r1 doctor": "looks at every service of the machine: tests/cli/test_doctor.py",
    "r1 check format": "takes half a minute of hostile replies: tests/cli/test_check.py",
    "r1 sandbox": "attacks the machine's sandbox for minutes: tests/sandbox",
}
SMALL = ("--tasks", "2", "--set", "generation.max_tokens=8")
SHORTER = {  # by the first words: what is added, or for a training the check of everything but the training
    "r1 train": ("--dry-run",),
    "r1 eval": SMALL,
    "r1 generate": ("--tasks", "2", "--set", "generation.max_tokens=8", "--keep", "all"),
}


def commands():
    """Every command of the program by its words, as Click has it."""
    found = {}

    def walk(command, words):
        found[words] = command
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{words} {name}")

    walk(typer.main.get_command(r1_cli.app), "r1")
    return found


COMMANDS = commands()


def mentions(text):
    """Yield (command, rest of the clause) for each `r1 COMMAND ...` in a text."""
    for found in re.finditer(r"\br1((?: [a-z]+)+)((?:[^\n;`]|`(?=\S))*)", text):
        words = found[1].split()
        for count in (2, 1):
            name = " ".join(["r1", *words[:count]])
            if name in COMMANDS and len(words) >= count:
                rest = " ".join(words[count:]) + found[2]
                yield name, re.split(r"\br1 [a-z]|, (?:or|and) ", rest)[0]
                break


def texts_of(file):
    """Yield the texts that a source file holds, with {} where a value is put in; docstrings of functions too."""
    if file.suffix != ".py":
        yield file.read_text(encoding="utf-8")
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(p.value if isinstance(p, ast.Constant) else "{}" for p in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_every_option_that_a_text_of_the_program_gives_to_a_command_is_one_of_its_options():
    seen, wrong = 0, []
    for file in [*SOURCES, *TEXTS]:
        for text in texts_of(file):
            for name, rest in mentions(text):
                known = {option for param in COMMANDS[name].params for option in param.opts} | {"-h", "--help"}
                for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", rest):
                    seen += 1
                    if option not in known:
                        wrong.append(f"{file.relative_to(ROOT)}: {name} has no {option}: {rest.strip()!r:.100}")
    assert not wrong, "\n".join(wrong)
    assert seen > 60, "the search has found too little"


def test_the_search_finds_a_wrong_option_and_takes_a_clause_for_its_end():
    found = dict(mentions("run r1 data check --env x; --out is not its own, or `r1 runs compare a b`"))
    assert found == {"r1 data check": " --env x", "r1 runs compare": "a b"}


def test_no_placeholder_stands_where_the_program_knows_the_name():
    """Capital words are for what only the reader knows: a file, an environment that has no name yet."""
    allowed = {"FILE", "NAME", "OWNER/NAME", "RECIPE", "MODEL", "SEED", "N", "KEY", "VALUE", "NUMBER", "ENV", "RUN"}
    for file in SOURCES:
        for text in texts_of(file):
            if text.startswith("next:"):
                assert not set(re.findall(r"\b[A-Z][A-Z/]+\b", text)) & allowed, f"{file}: {text}"


@pytest.fixture(scope="module")
def place(tmp_path_factory, run_r1, small):
    """A folder with two trained runs, runs/a and runs/b, and what their training printed."""
    folder = tmp_path_factory.mktemp("hour")
    train = ("train", "--env", "countdown", "--model", "tiny_blank", *small, "--steps", "1")
    said = run_r1(*train, "--set", "evaluation.tasks=4", "--out", "runs/a", cwd=folder)
    assert said.code == 0, said.err
    shutil.copytree(folder / "runs/a", folder / "runs/b")
    rows = [{"problem": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(40)]
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder, said


def printed(said):
    """The commands of the `next:` lines and of the indented lines below one."""
    found, below = [], False
    for line in said.splitlines():
        if line.startswith("next:"):
            below = line == "next:"
            found += [part.strip() for part in line.removeprefix("next:").split(",")]
        elif below and line.startswith("  "):
            found += [part.strip() for part in line.split("&&")]
        else:
            below = False
    return [command for command in found if command]


@pytest.fixture
def run_as_printed(r1, run_r1, monkeypatch):
    """Runs one printed command in a folder; it must end well. With `path`, packages there are installed for it."""

    def run(command, folder, path=()):
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        _run_as_printed(command, folder, run_r1 if path else lambda *words, **_: r1(*words), path)

    return run


def _run_as_printed(command, folder, run_r1, path):
    if any(command.startswith(words) for words in NOT_RUN):
        return
    words = shlex.split(command)
    if words[0] == "pytest":
        assert "passed" in run_module(*words, "-q", cwd=folder, path=path)
        return
    assert words[0] == "r1", command
    more = next((more for start, more in SHORTER.items() if command.startswith(start)), ())
    said = run_r1(*words[1:], *(() if "--dry-run" in words else more), cwd=folder, path=path)
    assert said.code == 0, f"{command}\n{said.out}{said.err}"


OTHERS = [("reward", "shout"), ("environment", "sums"), ("sandbox", "box"), ("advantage", "plain")]


def examples():
    """The commands below `Try:` in the help of every command."""
    found = {}
    for command in COMMANDS.values():
        if command.epilog:
            found[command.epilog.removeprefix("Try: ")] = None
    return list(found)


@pytest.mark.parametrize("command", examples())
def test_each_example_of_the_help_runs(command, place, run_as_printed):
    folder, _ = place
    if command == "r1 runs rm runs/a":
        shutil.copytree(folder / "runs/a", folder / "runs/old")
        command = "r1 runs rm runs/old --yes"
    run_as_printed(command, folder)


def test_the_example_list_is_that_of_the_help(r1):
    assert f"Try: {examples()[0]}" in " ".join(r1("--help").out.split()) and len(examples()) > 15


def test_what_a_training_says_to_do_next_runs(place, run_as_printed):
    folder, said = place
    (after,) = [line for line in said.err.splitlines() if line.startswith("next:")]
    assert printed(after) == ["r1 view runs/a", "r1 eval runs/a --samples 8"]
    run_as_printed(printed(after)[1].replace("--samples 8", "--samples 2"), folder)
    assert (folder / re.search(r"report +(\S+)", said.err)[1]).is_file()


def test_what_a_generation_says_to_do_next_runs(r1, run_as_printed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = r1("generate", "tiny", "--env", "countdown", "--tasks", "4", "--keep", "all", "--out", "a.jsonl")
    (command,) = printed(made.err)
    assert command == "r1 train --method sft --model tiny --data a.jsonl"
    run_as_printed(command, tmp_path)
    assert "r1 train --method sft --data a.jsonl" in (tmp_path / "a.jsonl.md").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("recipes",),
        ("recipes", "copy", "countdown/tiny", "mine.yaml"),
        ("new", "verifier", "same"),
        ("new", "environment", "sums", "--tools"),
        *(pytest.param(("new", *words), marks=pytest.mark.slow) for words in OTHERS),
    ],
    ids=" ".join,
)
def test_what_a_command_says_to_do_next_runs(arguments, run_r1, run_as_printed, tmp_path):
    """A new package is installed from its folder, as `pip install -e` would, but without a package index."""
    made = run_r1(*arguments, cwd=tmp_path)
    assert made.code == 0, made.err
    found = printed(made.out + made.err)
    assert found
    path = []
    if arguments[0] == "new":
        offline = ("--no-deps", "--no-index", "--no-build-isolation", "--disable-pip-version-check", "--quiet")
        source = shlex.split(found[0])[-1].removesuffix("[test]")
        assert found[0].startswith("pip install -e ") and (tmp_path / source).is_dir()
        run_module("pip", "install", *offline, "--target", "site", source, cwd=tmp_path)
        path = [tmp_path / "site"]
        found = [
            command for command in found if not command.startswith(("pytest", "r1 check"))
        ]  # tests/cli/test_new.py
        readme = next(tmp_path.glob("r1-*/README.md")).read_text()
        found += [line for line in readme.splitlines() if line.startswith("r1 train")]
    for command in found:
        run_as_printed(command, tmp_path, path)


ADVICE = [  # a mistake, and the command that its message prints
    (("train",), "r1 plugins --kind environment"),
    (("train", "--env", "rows.jsonl"), "r1 train --method sft --data rows.jsonl"),
    (("train", "rows.jsonl"), "r1 train --env file --set env.options.source=rows.jsonl"),
    (("report", "runs/seeds"), "r1 train --resume runs/seeds"),
    (("eval", "runs/seeds"), "r1 train --resume runs/seeds"),
    (("runs", "--root", "none"), "r1 train --env countdown --rewards accuracy,format"),
    (("chat",), "r1 chat --env countdown"),
    (("train", "--env", "maths_tools", "--steps", "3", "--dry-run"), "r1 train maths_tools/tiny"),
]


@pytest.mark.parametrize(
    ("mistake", "command"), ADVICE, ids=lambda value: " ".join(value) if isinstance(value, tuple) else ""
)
def test_the_command_that_a_message_advises_runs(mistake, command, r1, run_as_printed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [{"prompt": f"What is {n} + {n}?", "answer": str(2 * n), "completion": str(2 * n)} for n in range(40)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "none").mkdir()
    recipe = load_recipe(None, {"model": "tiny_blank", "env": "countdown", "trainer": {"max_steps": 1}})
    SeedFolder.create(tmp_path / "runs/seeds", (0,), recipe)
    said = r1(*mistake)
    assert command in said.err, said.err
    if "--resume" not in command:  # which tests/cli/test_seeds.py does
        run_as_printed(command, tmp_path)
