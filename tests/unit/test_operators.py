"""The environment `operators`: its equations, its dialogues, the rewards of their turns, and its verdicts."""

import pickle
from dataclasses import replace
from itertools import islice

import pytest

import r1sdk
from r1_envs.operators import OPERATORS, is_true, read_operator
from r1sdk.plugins.loading import load_plugins
from r1sdk.testing import play_replies


def env(**options):
    return load_plugins().build("environment", "operators", options)


def reply(sign):
    return f"<answer>{sign}</answer>"


def right_answers(task):
    return [next(sign for sign in OPERATORS if is_true(text, sign)) for text in task.info["equations"]]


def wrong(sign):
    return "-" if sign == "+" else "+"


def test_each_equation_has_one_right_operator_and_the_gold_answer_names_it():
    drawn = list(islice(env().tasks("train"), 500))
    for task in drawn:
        equations = task.info["equations"]
        assert len(equations) == 8 and task.prompt[-1]["content"].endswith(f".\n{equations[0]}")
        assert [[sign for sign in OPERATORS if is_true(text, sign)] for text in equations] == [
            [sign] for sign in task.answer.split()
        ]
    signs = "".join(task.answer for task in drawn)
    assert all(0.23 < signs.count(sign) / 4000 < 0.27 for sign in OPERATORS)


def test_the_turn_of_a_right_answer_earns_1_and_of_another_0():
    environment = env(equations=4)
    task = next(iter(environment.tasks("train")))
    first, second, _, fourth = right_answers(task)
    rollout = play_replies(
        environment, task, reply(first), reply(wrong(second)), "no idea", "<think>so</think>" + reply(fourth)
    )
    assert rollout.session.turn_rewards == [1.0, 0.0, 0.0, 1.0] == rollout.turn_rewards
    said = [m["content"] for m in rollout.completion.messages if m["role"] == "user"]
    assert said == task.info["equations"][1:] and rollout.session.ended == "done"
    verdict = rollout.verdict
    assert verdict.value == 0.5 and verdict.reason == "2 of 4 right"
    assert verdict.extracted == f"{first} {wrong(second)} none {fourth}"


def test_all_right_is_1_all_wrong_is_0_and_equations_not_reached_are_wrong():
    environment = env(equations=3)
    task = next(iter(environment.tasks("test")))
    answers = right_answers(task)
    assert play_replies(environment, task, *map(reply, answers)).verdict.value == 1.0
    assert play_replies(environment, task, *(reply(wrong(sign)) for sign in answers)).verdict.value == 0.0
    some = [{"role": "assistant", "content": reply(sign)} for sign in answers[:2]]
    assert environment.verify(r1sdk.Rollout(task, r1sdk.Completion(some))).value == pytest.approx(2 / 3)


def test_a_single_reply_with_all_operators_is_judged_and_another_equation_changes_the_verdict():
    environment = env()
    task = next(iter(environment.tasks("train")))

    def value(task, answer):
        message = {"role": "assistant", "content": reply(answer)}
        return environment.verify(r1sdk.Rollout(task, r1sdk.Completion([message]))).value

    assert value(task, task.answer) == 1.0
    signs = task.answer.split()
    assert value(task, " ".join([wrong(signs[0]), *signs[1:]])) == 7 / 8
    assert value(task, f"{task.answer} +") == value(task, " ".join(signs[1:])) == value(task, "") == 0.0
    left, right = task.info["equations"][0].split("=")
    changed = replace(task, info={"equations": [f"{left}={int(right) + 1}", *task.info["equations"][1:]]})
    assert value(changed, task.answer) == 7 / 8


def test_all_operators_at_once_earn_nothing_for_their_turn_in_a_dialogue():
    environment = env(equations=2)
    task = next(iter(environment.tasks("train")))
    rollout = play_replies(environment, task, reply(task.answer), reply(task.answer))
    assert rollout.session.turn_rewards == [0.0, 0.0] and rollout.verdict.value == 0.0


@pytest.mark.parametrize(
    "text", ["", "+", "<answer>+", reply("+-"), reply("plus"), reply("+ -"), "<think>" + reply("+"), reply("＋")]
)
def test_what_is_no_operator_in_the_answer_tags_is_wrong(text):
    assert read_operator(text) is None


def test_an_equation_is_judged_exactly():
    assert is_true("12?5=17", "+") and not is_true("12?5=17", "-") and not is_true("12?5=17", None)
    assert is_true("12?4=3", "/") and not is_true("13?4=3", "/") and is_true("4?2=2", "-") and is_true("4?2=2", "/")


@pytest.mark.parametrize("largest", [6, 12, 30])
def test_no_equation_of_the_test_split_is_trained_on_and_every_operator_is_in_both(largest):
    seen = {}
    for split in ("train", "test"):
        drawn = list(islice(env(largest=largest).tasks(split), 500))
        seen[split] = {text for task in drawn for text in task.info["equations"]}
        assert {sign for task in drawn for sign in task.answer.split()} == set(OPERATORS)
    assert not seen["train"] & seen["test"]


@pytest.mark.parametrize(("shown", "least", "most"), [(1.0, 1.0, 1.0), (0.5, 0.45, 0.55), (0.0, 0.0, 0.0)])
@pytest.mark.heavy
def test_demonstrations_are_dialogues_of_a_player_who_is_right_so_often(shown, least, most):
    environment = env(shown_right=shown)
    values = []
    for task, completion in islice(environment.demonstrations("train"), 200):
        replies = [m["content"] for m in completion.messages if m["role"] == "assistant"]
        played = play_replies(environment, task, *replies)
        assert played.completion.messages == completion.messages
        values.append(played.verdict.value)
    assert least <= sum(values) / len(values) <= most
    assert list(islice(env(shown_right=shown).demonstrations("train"), 5)) == list(
        islice(environment.demonstrations("train"), 5)
    )


def test_options_that_make_no_dialogue_are_refused():
    for options, said in [
        ({"equations": 0}, "at least 1 equation"),
        ({"largest": 5}, "from 6 to 100"),
        ({"shown_right": 1.5}, "a share from 0 to 1"),
        ({"test_size": 0}, "at least 1"),
    ]:
        with pytest.raises(r1sdk.R1Error, match=said):
            env(**options)
    with pytest.raises(r1sdk.R1Error, match="splits train and test"):
        next(iter(env().tasks("dev")))


def test_the_environment_survives_pickling():
    environment = env(equations=3)
    again = pickle.loads(pickle.dumps(environment))
    assert again == environment and next(iter(again.tasks("train"))) == next(iter(environment.tasks("train")))
