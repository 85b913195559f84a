"""One order of layers in every command: flags over `--set` over the recipe, and an environment's options go with its name."""

import pytest


@pytest.mark.parametrize(
    "command",
    [
        ["train", "--dry-run", "--env", "countdown"],
        ["eval", "tiny", "--env", "countdown"],
        ["generate", "tiny", "--env", "countdown"],
        ["score", "--text", "x", "--env", "countdown"],
        ["data", "check", "--env", "countdown"],
        ["doctor", "--env", "countdown"],
        ["export", "verifiers", "countdown"],
    ],
    ids=lambda command: command[0],
)
def test_in_every_command_the_name_is_the_flags_and_the_options_are_those_of_set(r1, command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = r1(*command, "--set", "env.options.levle=easy")
    assert said.code == 1
    assert "environment 'countdown' has no option 'levle'; did you mean 'level'?" in said.err + said.out
    # A name given by --set gives way to the flag, and takes its options with it.
    said = r1(*command, "--set", "env=guess", "--set", "env.options.gueses=2", "--set", "rewards=nosuch")
    assert "gueses" not in said.err + said.out


def test_the_dry_run_prints_the_recipe_of_the_flags(r1):
    import yaml

    said = r1("train", "--env", "countdown", "--set", "env=guess", "--set", "env.options.guesses=2", "--dry-run")
    assert said.code == 0, said.err
    env = yaml.safe_load(said.out)["env"]
    assert env["name"] == "countdown" and "guesses" not in env["options"]
