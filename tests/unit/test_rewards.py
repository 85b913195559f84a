"""The rewards that come with r1sdk, each held in both directions."""

import os
import pickle
import subprocess
import sys

import pytest

import r1_rewards
from r1_rewards import CountdownReward, Format, TagCount, accuracy
from r1sdk import SYSTEM_PROMPT, Completion, RewardError, Rollout, Task, Verdict

PLAIN = "<think>a</think><answer>b</answer>"
LINES = "<think>\na\n</think>\n<answer>\nb\n</answer>"


def rollout(text, info=None, verdict=None):
    task = Task([{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": "?"}], info=info or {})
    return Rollout(task, Completion([{"role": "assistant", "content": text}]), verdict)


def test_the_plugin_registers_each_reward_under_its_name():
    registered = {}
    r1_rewards.r1_register_rewards(registered.__setitem__)
    ours = {"accuracy": accuracy, "countdown": CountdownReward, "format": Format, "tag_count": TagCount}
    assert registered.items() >= ours.items()


@pytest.mark.parametrize("reward", [accuracy, CountdownReward, Format, TagCount])
def test_each_reward_states_its_range_in_the_first_line_of_its_docstring(reward):
    first = reward.__doc__.partition("\n")[0]
    assert first.endswith(".")
    assert any(number in first for number in ("1.0", "[0, 1]"))


@pytest.mark.parametrize(
    "reward", [accuracy, CountdownReward(scoring="tinyzero"), Format(think_is_open=True), TagCount()]
)
def test_each_reward_survives_pickling(reward):
    assert pickle.loads(pickle.dumps(reward)) == reward


def test_importing_the_rewards_loads_no_arithmetic_library_and_nothing_of_the_trainer():
    heavy = ["torch", "transformers", "datasets", "trl", "pydantic", "fractions", "decimal", "numpy"]
    program = f"import sys, r1_rewards; print([name for name in {heavy} if name in sys.modules])"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_accuracy_is_the_value_of_the_verdict(value):
    assert accuracy(rollout("anything", verdict=Verdict(value))) == value


@pytest.mark.parametrize("status", ["unverifiable", "error"])
def test_accuracy_does_not_apply_where_the_environment_could_not_judge(status):
    assert accuracy(rollout("anything", verdict=Verdict(None, status))) is None


def test_accuracy_refuses_a_rollout_that_was_never_judged():
    with pytest.raises(RewardError, match="no verdict"):
        accuracy(rollout("anything"))


# text, format, format with strict_newlines, tag_count, tag_count with strict_newlines
REPLIES = {
    "canonical": (LINES, 1, 1, 1, 1),
    "on one line": (PLAIN, 1, 0, 1, 0),
    "a blank line between": (LINES.replace("</think>\n", "</think>\n\n"), 1, 0, 1, 1),
    "a newline in front": ("\n" + LINES, 1, 0, 1, 1),
    "a newline at the end": (LINES + "\n", 1, 1, 1, 1),
    "two newlines at the end": (LINES + "\n\n", 1, 0, 1, 1),
    "a space at the end": (LINES + " ", 1, 0, 1, 1),
    "CRLF": (LINES.replace("\n", "\r\n"), 1, 0, 1, 0.25),
    "many lines": (LINES.replace("\na\n", "\na\n\nb\nc\n"), 1, 1, 1, 1),
    "text after the answer": (LINES + "\nmore", 0, 0, 1, 1),
    "text before": ("Sure! " + LINES, 0, 0, 1, 1),
    "text between": (LINES.replace("</think>\n", "</think>\nso\n"), 0, 0, 1, 1),
    "two whole pairs": (LINES + "\n" + LINES, 0, 0, 0, 0),
    "two think blocks": ("<think>\na\n</think>\n" + LINES, 0, 0, 0.5, 0.5),
    "two answer blocks": (LINES + "\n<answer>\nc\n</answer>", 0, 0, 0.5, 0.5),
    "empty blocks": ("<think>\n\n</think>\n<answer>\n\n</answer>", 0, 0, 1, 1),
    "empty think": (LINES.replace("\na\n", "\n\n", 1), 0, 0, 1, 1),
    "swapped blocks": ("<answer>\nb\n</answer>\n<think>\na\n</think>\n", 0, 0, 1, 0.75),
    "the answer inside the think block": ("<think>\na\n<answer>\nb\n</answer>\n</think>", 0, 0, 1, 0.75),
    "no <think>": (LINES.removeprefix("<think>\n"), 0, 0, 0.75, 0.75),
    "no </answer>": (LINES.removesuffix("\n</answer>"), 0, 0, 0.75, 0.75),
    "no tags": ("b", 0, 0, 0, 0),
    "nothing": ("", 0, 0, 0, 0),
}


@pytest.mark.parametrize("case", REPLIES)
def test_format_and_tag_count_pay_what_the_table_says(case):
    text, form, strict_form, count, strict_count = REPLIES[case]
    paid = [
        Format()(rollout(text)),
        Format(strict_newlines=True)(rollout(text)),
        TagCount()(rollout(text)),
        TagCount(strict_newlines=True)(rollout(text)),
    ]
    assert paid == [form, strict_form, count, strict_count]


@pytest.mark.parametrize("tag", ["<think>", "</think>", "<answer>", "</answer>"])
def test_each_tag_that_is_missing_or_doubled_costs_a_quarter(tag):
    assert TagCount()(rollout(PLAIN.replace(tag, ""))) == 0.75
    assert TagCount()(rollout(PLAIN.replace(tag, tag * 2))) == 0.75


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("reward", [Format, TagCount])
def test_a_completion_inside_an_open_think_block_is_whole_only_when_told_so(reward, strict):
    inside = rollout(LINES.removeprefix("<think>\n"))
    assert reward(strict_newlines=strict, think_is_open=True)(inside) == 1.0
    assert reward(strict_newlines=strict)(inside) < 1.0


def test_opening_the_think_block_a_second_time_is_out_of_format():
    assert Format(think_is_open=True)(rollout(LINES)) == 0.0
    assert TagCount(think_is_open=True)(rollout(LINES)) == 0.75


def test_format_reads_a_reply_of_a_million_tags():
    assert Format()(rollout("<think>" * 1_000_000)) == 0.0
    assert TagCount()(rollout("<think>" * 1_000_000)) == 0.0


GAME = {"nums": [3, 9, 2], "target": 25}


def said(answer):
    return f"<think>let me see</think>\n<answer>{answer}</answer>"


@pytest.mark.parametrize(
    ("text", "binary", "tinyzero"),
    [
        (said("3*9-2"), 1.0, 1.0),
        (said("3 × 9 − 2 = 25"), 1.0, 1.0),
        ("<answer>3*9-2</answer>", 1.0, 1.0),  # the format is another reward's business
        (said("3*9+2"), 0.0, 0.1),
        (said("25"), 0.0, 0.1),
        (said("words"), 0.0, 0.1),
        (said(""), 0.0, 0.1),
        ("<think>3*9-2</think>", 0.0, 0.0),
        ("<think><answer>3*9-2</answer></think>", 0.0, 0.0),
        ("3*9-2", 0.0, 0.0),
        ("", 0.0, 0.0),
    ],
)
def test_countdown_pays_the_right_equation_and_under_tinyzero_a_tenth_for_a_wrong_one(text, binary, tinyzero):
    assert CountdownReward()(rollout(text, GAME)) == binary
    assert CountdownReward(scoring="tinyzero")(rollout(text, GAME)) == tinyzero


def test_countdown_lets_numbers_be_left_over_only_when_told_so():
    attempt = rollout(said("3*9"), {"nums": [3, 9, 2], "target": 27})
    assert CountdownReward()(attempt) == 0.0
    assert CountdownReward(use_all=False)(attempt) == 1.0


@pytest.mark.parametrize("info", [{}, {"nums": [3, 9]}, {"target": 27}])
@pytest.mark.parametrize("scoring", ["binary", "tinyzero"])
def test_countdown_does_not_apply_to_a_task_without_numbers_or_target(info, scoring):
    assert CountdownReward(scoring=scoring)(rollout(said("3*9"), info)) is None


def test_countdown_does_not_need_the_verdict_of_the_environment():
    for verdict in (None, Verdict(0.0), Verdict(None, "error")):
        assert CountdownReward()(rollout(said("3*9-2"), GAME, verdict)) == 1.0


def test_countdown_keeps_to_the_operators_of_the_task():
    assert CountdownReward()(rollout(said("3*9-2"), {**GAME, "operators": "+-*"})) == 1.0
    assert CountdownReward()(rollout(said("3*9-2"), {**GAME, "operators": "+-"})) == 0.0
