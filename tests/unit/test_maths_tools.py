"""Mathematics with tools: the calculator is exact and safe, programs run in the sandbox, the other environment judges."""

import asyncio
import json
import time
from itertools import islice

import pytest

import r1sdk
from r1sdk import R1Error, Rollout
from r1sdk.planning.build import build_environment
from r1sdk.plugins.loading import load_plugins
from r1sdk.recipe.key_groups import SessionLimits
from r1sdk.rollout.episode import Episode
from r1sdk.scoring.score_rollouts import score


@pytest.fixture(scope="module")
def calculator():
    (function,) = load_plugins().build("environment", "maths_tools", {}).session(None).tools
    return function


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("2+3*4", "14"),
        ("(2 + 3) * 4", "20"),
        ("1/3", "1/3 = 0.333333333333..."),
        ("12.5*4", "50"),
        ("0.1+0.2", "3/10 = 0.3"),
        ("-7/2", "-7/2 = -3.5"),
        ("3 × 4 ÷ 6 − 1", "1"),
        (r"\frac{1}{2}+\frac{1}{3}", "5/6 = 0.833333333333..."),
        ("0.0", "0"),
        ("10.50 - 0.05", "209/20 = 10.45"),
    ],
)
def test_the_calculator_is_exact(calculator, expression, result):
    assert calculator(expression) == result


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "2**9**9",
        "1/0",
        "1/(2-2)",
        "9" * 10,
        "1+" * 400 + "1",
        "(" * 100 + "1" + ")" * 100,
        "__import__('os')",
        "x",
        "1.2.3",
    ]
    + ["1..2", ".5", "1e9", "1,000", "2 3", "()", "\ud800", "1\n+\n", "0.123456789"],
)
def test_the_calculator_refuses_in_no_time_what_is_no_arithmetic(calculator, expression):
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"."):
        calculator(expression)
    assert time.perf_counter() - started < 1.0


def attempt(environment, *turns, task=None):
    """What is said to each turn, and the judged attempt."""
    task = task or next(iter(environment.tasks("train")))
    episode = Episode(task, environment.session(task), SessionLimits(timeout_s=60))
    said = []
    for turn in turns:
        messages = asyncio.run(episode.step(turn(task) if callable(turn) else turn))
        episode.observe(messages)
        said += [message["content"] for message in messages]
    ((judged,), _) = score([episode.rollout()], environment, {})
    return said, judged


def call(name, **arguments):
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def gold(task):
    return f"<think>\nso\n</think>\n<answer>{task.answer}</answer>"


def test_the_last_turn_is_judged_as_the_other_environment_judges_it():
    environment = load_plugins().build("environment", "maths_tools", {})
    said, judged = attempt(environment, call("calculator", expression="6*7"), gold)
    assert said == ["42"] and judged.verdict.value == 1.0 and judged.session.calls == 1
    _, judged = attempt(environment, call("calculator", expression="1/0"), "<think>\nso\n</think>\n<answer>no</answer>")
    assert judged.verdict.value == 0.0 and judged.session.failed == 1
    _, judged = attempt(
        environment, lambda task: f"<answer>{task.answer}</answer>{call('calculator', expression='1')}", "I am done."
    )
    assert judged.verdict.value == 0.0, "an answer that was not in the last turn"


def test_it_goes_over_other_environments_with_their_options():
    registry = load_plugins()
    environment = registry.build(
        "environment", "maths_tools", {"of": [{"name": "maths", "options": {"kinds": ["divisors"], "level": 1}}]}
    )
    inner = registry.build("environment", "maths", {"kinds": ["divisors"], "level": 1})
    ours, plain = next(iter(environment.tasks("test"))), next(iter(inner.tasks("test")))
    assert (ours.answer, ours.info, ours.id, ours.prompt[1:]) == (plain.answer, plain.info, plain.id, plain.prompt[1:])
    assert (
        ours.prompt[0]["content"].startswith(plain.prompt[0]["content"]) and '"calculator"' in ours.prompt[0]["content"]
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tools": []}, "some of calculator, python"),
        ({"tools": ["calculator", "calculator"]}, "listed once"),
        ({"tools": ["compiler"]}, "compiler"),
        ({"of": ["maths", "countdown"]}, "one environment"),
        ({"of": ["guess"]}, "without sessions"),
        ({"tools": ["python"], "program_s": 0}, "above 0"),
        ({"demonstrated_calls": 1.5}, "between 0 and 1"),
    ],
)
def test_options_that_cannot_work_are_refused(options, said):
    with pytest.raises(r1sdk.R1Error, match=said):
        load_plugins().build("environment", "maths_tools", options)


def test_the_calculator_alone_needs_no_sandbox():
    assert load_plugins().build("environment", "maths_tools", {}).sandbox is None


@pytest.fixture(scope="module")
def with_python():
    try:
        return load_plugins().build(
            "environment", "maths_tools", {"tools": ["python", "calculator"], "program_s": 20.0}
        )
    except r1sdk.R1Error as error:
        pytest.skip(f"no sandbox here: {error}")


def test_programs_run_in_the_sandbox_and_each_begins_anew(with_python):
    said, judged = attempt(
        with_python,
        call("python", code="x = 6\nprint(x * 7)"),
        call("python", code="print(x)"),
        call("python", code="x = 1") + call("python", code="import sys; sys.exit(3)"),
        call("python", code="import socket; socket.create_connection(('127.0.0.1', 9)); print('out')"),
        gold,
    )
    assert said[0] == "42"
    assert "NameError" in said[1]
    assert said[2] == "(nothing was printed)" and "exit code 3" in said[3]
    assert "Error" in said[4] and "out" not in said[4].splitlines()
    assert judged.verdict.value == 1.0 and judged.session.calls == 5 and judged.session.failed == 0


@pytest.mark.heavy
def test_programs_are_bounded():
    try:
        environment = load_plugins().build("environment", "maths_tools", {"tools": ["python"], "program_s": 1.0})
    except r1sdk.R1Error as error:
        pytest.skip(f"no sandbox here: {error}")
    said, _ = attempt(
        environment,
        call("python", code="while True: pass"),
        call("python", code="print('x' * 10_000_000)"),
        call("python", code="#" * 30_000),
    )
    assert said[0] == "error: ended at its limit of time"
    assert "error: ended at its limit of output" in said[1] and len(said[1]) < 5000
    assert "at most 20000 characters" in said[2]


ARITHMETIC = {"of": [{"name": "maths", "options": {"kinds": ["arithmetic"], "level": 1}}]}


def test_demonstrations_call_the_calculator_and_earn_the_verdict():
    environment = build_environment(load_plugins(), "maths_tools", ARITHMETIC)
    pairs = list(islice(environment.demonstrations("train"), 40))
    assert len(pairs) == 40
    for task, completion in pairs:
        call, result, answer = completion.messages
        assert call["content"].count("<tool_call>") == 1 and result["role"] == "tool"
        assert result["content"].partition(" ")[0] in answer["content"]
        ((verified,), _) = score([Rollout(task, completion)], environment, {})
        assert verified.verdict.value == 1.0, completion.messages


def test_a_share_of_the_demonstrations_calls_and_the_others_answer_at_once():
    for share, least, most in ((0.0, 0, 0), (0.4, 60, 100), (1.0, 200, 200)):
        environment = build_environment(load_plugins(), "maths_tools", {"demonstrated_calls": share, **ARITHMETIC})
        pairs = list(islice(environment.demonstrations("train"), 200))
        assert least <= sum(len(completion.messages) == 3 for _, completion in pairs) <= most
        for task, completion in pairs[:20]:
            ((verified,), _) = score([Rollout(task, completion)], environment, {})
            assert verified.verdict.value == 1.0 and len(completion.messages) in (1, 3)
    again = list(islice(environment.demonstrations("train"), 20))
    assert [completion for _, completion in again] == [completion for _, completion in pairs[:20]]


@pytest.mark.parametrize(
    "options",
    [
        {"tools": ["python"], **ARITHMETIC},
        {"of": [{"name": "maths", "options": {"kinds": ["linear"], "train_size": 20}}]},
    ],
)
def test_what_cannot_be_demonstrated_is_said(options):
    environment = build_environment(load_plugins(), "maths_tools", options)
    with pytest.raises(R1Error, match="maths_tools demonstrates"):
        next(iter(environment.demonstrations("train")))


def test_a_brief_description_names_every_tool_and_parameter_and_shows_a_call():
    options = {"tools": ["calculator", "python"], "brief": True}
    brief = next(iter(build_environment(load_plugins(), "maths_tools", options).tasks("test"))).prompt[0]["content"]
    whole = next(iter(build_environment(load_plugins(), "maths_tools", options | {"brief": False}).tasks("test")))
    assert "calculator(expression)" in brief and "python(code)" in brief and '"name": "calculator"' in brief
    assert len(brief) < len(whole.prompt[0]["content"]) / 2
