"""`--json`: one shape for every command that has it, an object on stdout and nothing else there."""

import json

import pytest
import typer

import r1_cli
from r1sdk.recipe.schema import load_recipe
from r1sdk.storage.run_folder import RunFolder

RECIPE = {"model": "tiny", "env": "countdown", "trainer": {"max_steps": 8}}
PLACE = "env.options.source"


def with_json(command, words=()):
    """Yield the words of every command that takes --json."""
    if any("--json" in param.opts for param in command.params):
        yield " ".join(words)
    for name, inner in getattr(command, "commands", {}).items():
        yield from with_json(inner, (*words, name))


CASES = {  # by command: its arguments, and a key of what it prints
    "check": (("exact", "--kind", "verifier"), "conform"),
    "data check": (("--env", "countdown", "--set", "countdown.train_size=20"), "clean"),
    "data decontaminate": (
        ("--env", "file", "--set", f"{PLACE}=rows.jsonl", "--against", "countdown", "--out", "clean.jsonl"),
        "matches",
    ),
    "data difficulty": (("evals/e", "--out", "rated.jsonl"), "pass_rates"),
    "doctor": (("--model", "tiny"), "findings"),
    "eval": (
        (
            "tiny_blank",
            "--env",
            "file",
            "--set",
            f"{PLACE}=rows.jsonl",
            "--tasks",
            "2",
            "--samples",
            "2",
            "--out",
            "evals/e",
        )
        + ("--set", "generation.max_tokens=4"),
        "results",
    ),
    "plugins": (("--kind", "reward"), "plugins"),
    "recipes": ((), "recipes"),
    "runs": ((), "runs"),
    "runs compare": (("runs/a", "runs/b"), "settings"),
    "sandbox": (("unsafe",), "guarantees"),
    "score": (("--text", "<think>a</think>", "--rewards", "format"), "rows"),
}


def test_every_command_with_json_is_tried():
    assert set(CASES) == set(with_json(typer.main.get_command(r1_cli.app)))


@pytest.fixture(scope="module")
def place(tmp_path_factory, run_r1):
    """A folder with rows, two runs, and an evaluation."""
    folder = tmp_path_factory.mktemp("json")
    rows = [{"problem": f"What is {n} + {n}?", "answer": str(2 * n)} for n in range(40)]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name in "ab":
        RunFolder.create(folder / "runs" / name, load_recipe(None, RECIPE), {}).set_status("finished")
    return folder


@pytest.fixture(scope="module")
def evaluated(place, run_r1):
    """What `r1 eval --json` printed; data difficulty reads its folder."""
    said = run_r1("eval", *CASES["eval"][0], "--json", cwd=place)
    assert said.code == 0, said.err
    return said


@pytest.mark.parametrize("name", [name for name in CASES if name != "sandbox"])
def test_json_is_one_object_on_stdout(name, r1, place, evaluated, monkeypatch):
    monkeypatch.chdir(place)
    said = evaluated if name == "eval" else r1(*name.split(), *CASES[name][0], "--json")
    found = json.loads(said.out)
    assert isinstance(found, dict) and CASES[name][1] in found, said.err


def test_a_command_that_finds_a_fault_prints_the_object_and_ends_with_1(r1):
    said = r1("sandbox", *CASES["sandbox"][0], "--json")
    assert said.code == 1 and isinstance(json.loads(said.out), dict)


def test_an_error_with_json_is_text_on_stderr_and_nothing_on_stdout(r1):
    said = r1("runs", "--root", "nowhere", "--json")
    assert said.code == 1 and said.out == "" and said.err.startswith("error: no folder nowhere")
