"""Options, arguments and commands as other tools name them: the message has the words here, and the command that runs."""

import re
import shlex

import pytest

BASE = ("train", "--env", "countdown")


def refusal(said):
    assert said.code == 2 and said.out == "" and "Traceback" not in said.err, said
    return said.err


def printed(message):
    """The corrected command at the end of a message, without `r1`."""
    last = message.strip().splitlines()[-1]
    found = re.fullmatch(r"  r1 (.+)", last)
    assert found, message
    return shlex.split(found[1])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--learning_rate", "1e-6"], "--set trainer.learning_rate=1e-6"),
        (["--learning-rate=1e-6"], "--set trainer.learning_rate=1e-6"),
        (["--lr", "1e-6"], "--set trainer.learning_rate=1e-6"),
        (["--lr"], "--set trainer.learning_rate=1e-06"),
        (["--per_device_train_batch_size", "16"], "--set trainer.per_device_train_batch_size=16"),
        (["--batch-size", "16"], "--set trainer.per_device_train_batch_size=16"),
        (["--epochs", "1"], "--set trainer.num_train_epochs=1"),
        (["--num-generations", "4"], "--set generation.samples=4"),
        (["--model_name_or_path", "tiny"], "--model tiny"),
        (["--output_dir", "out"], "--out out"),
        (["--environment", "countdown"], "--env countdown"),
        (["--max_steps=3"], "--steps 3"),
        (["--reward", "accuracy"], "--rewards accuracy"),
        (["--rewrads", "accuracy"], "--rewards accuracy"),
        (["--lora_rank", "8"], "--lora 8"),
        (["--bf16"], "--set dtype=bfloat16"),
        (["--dry_run"], "--dry-run"),
        (["--temperature", "0.9"], "--set generation.temperature=0.9"),
        (["--trainer.beta", "0.1"], "--set trainer.beta=0.1"),
        (["--countdown.level", "easy"], "--set countdown.level=easy"),
        (["trainer.max_steps=3"], "--set trainer.max_steps=3"),
        (["--config", "countdown/tiny"], "countdown/tiny"),
    ],
)
def test_an_option_of_another_trainer_is_answered_with_a_command_that_runs(r1, flags, words):
    message = refusal(r1("train", *flags))
    command = printed(message)
    assert command == ["train", *words.split()] and f"write {words}" in message
    named = "--env" in command or "countdown/tiny" in command
    assert r1(*command, *([] if named else ["--env", "countdown"]), "--dry-run").code == 0


def test_all_wrong_options_of_a_command_are_told_at_once_and_the_command_has_the_right_ones(r1):
    message = refusal(r1(*BASE, "--lr", "1e-6", "--steps", "3", "--num_generations", "4"))
    assert message.count("has no option") == 2
    words = "train --env countdown --set trainer.learning_rate=1e-6 --steps 3 --set generation.samples=4"
    assert printed(message) == words.split()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("eval tiny --env countdown --limit 2", "eval tiny --env countdown --tasks 2"),
        ("eval tiny --env countdown -n 2", "eval tiny --env countdown --samples 2"),
        ("eval tiny --env countdown --max-tokens 8", "eval tiny --env countdown --set generation.max_tokens=8"),
        ("eval --model tiny --env countdown", "eval tiny --env countdown"),
        ("generate tiny --env countdown --max_new_tokens 8", "generate tiny --env countdown --max-tokens 8"),
        ("generate tiny --env countdown --num_samples 2", "generate tiny --env countdown --samples 2"),
        ("score rows.jsonl --reward format", "score rows.jsonl --rewards format"),
        ("score rows.jsonl --rewards format countdown", "score rows.jsonl --rewards format --env countdown"),
        ("plugins rewards", "plugins --kind reward"),
        ("--env countdown train", "train --env countdown"),
        ("sft", "train --method sft --env countdown"),
        ("grpo --env countdown", "train --method grpo --env countdown"),
        ("rollout tiny --env countdown", "generate tiny --env countdown"),
        ("list", "runs"),
        ("evaluate tiny --env countdown", "eval tiny --env countdown"),
        ("runs list", "runs"),
        ("runs show runs/a", "report runs/a"),
        ("runs remove runs/a", "runs rm runs/a"),
        ("data dedup --env countdown", "data check --env countdown"),
        ("recipes list", "recipes"),
        ("tain --env countdown", "train --env countdown"),
    ],
)
def test_the_words_of_other_tools_are_answered_with_those_here(r1, typed, meant):
    assert printed(refusal(r1(*typed.split()))) == meant.split()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("train --env countdown --zzz 3", "r1 train has no option --zzz: r1 train --help lists them"),
        ("eval tiny --env countdown --batch_size 3", "r1 eval has no option --batch_size: r1 eval --help"),
        ("train --env countdown --max_prompt_length 9", "prompts are never cut"),
        ("plugins accuracy", "r1 check accuracy"),
        ("new rewrd mine", "Did you mean 'reward'?"),
        ("export trl countdown", "r1sdk.for_trl"),
        ("foo", "r1 has no command 'foo': r1 --help lists them"),
    ],
)
def test_what_has_no_counterpart_is_said_without_a_command_that_would_not_run(r1, typed, said):
    assert said in refusal(r1(*typed.split()))


@pytest.mark.parametrize("option", ["--env", "--model", "--rewards", "--out", "--data", "--method", "--backend"])
def test_an_empty_value_is_refused(r1, option):
    assert f"{option} is empty" in refusal(r1("train", option, "", "--dry-run"))


def test_an_empty_text_is_a_text(r1):
    assert r1("score", "--text", "", "--rewards", "format").code == 0


def test_a_list_that_is_given_twice_is_answered_with_both(r1):
    message = refusal(r1(*BASE, "--rewards", "accuracy", "--steps", "2", "--rewards=format"))
    assert printed(message) == [*BASE, "--steps", "2", "--rewards", "accuracy,format"]


def test_of_an_option_that_is_no_list_the_last_counts(r1):
    assert "seed: 2" in r1(*BASE, "--seed", "1", "--seed", "2", "--dry-run").out


def test_a_path_that_is_no_text_is_refused_before_anything_is_written(r1, tmp_path):
    assert "is not valid UTF-8" in refusal(r1(*BASE, "--out", f"{tmp_path}/caf\udce9"))
    assert list(tmp_path.iterdir()) == []


PRINTS = """
import r1sdk
print("PRINTED at import")
def chatty(rollout):
    "0 to 1."
    print("PRINTED in a call")
    return 1.0
@r1sdk.hookimpl
def r1_register_rewards(register):
    register("chatty", chatty)
"""


def test_what_a_plugin_prints_goes_to_stderr(run_r1, install, tmp_path):
    import json

    plugin = install(tmp_path, "r1-chatty", PRINTS)
    said = run_r1("score", "--text", "x", "--rewards", "chatty", "--json", path=[plugin])
    assert said.code == 0 and json.loads(said.out)["completions"] == 1
    assert "PRINTED at import" in said.err and "PRINTED in a call" in said.err
