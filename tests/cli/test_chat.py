"""`r1 chat`: a talk with a model, and tasks attempted by hand or by the model, over pipes and at a terminal."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from r1_command import QUIET

AT_TERMINAL = Path(__file__).parents[1] / "support" / "at_terminal.py"


@pytest.fixture
def typed(r1, monkeypatch):
    """The `r1` command with lines on its standard input."""

    def run(lines, *arguments):
        monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
        return r1("chat", *arguments)

    return run


def test_an_answer_by_hand_gets_the_verdict_and_the_rewards_of_a_model(typed):
    wrong = typed("1+1\n", "--env", "countdown", "--tasks", "1", "--rewards", "accuracy,format=0.5")
    assert wrong.code == 0
    assert "verdict  0.000 ok  uses 1, which is not given" in wrong.out
    assert "format    1.000" in wrong.out and "total     0.500" in wrong.out
    assert "verdict  1.000" in typed("69\n", "--env", "maths_tools", "--tasks", "1", *ARITHMETIC).out


ARITHMETIC = ("--set", "env.options.of=[{name: maths, options: {kinds: [arithmetic], level: 2}}]")


def test_a_game_by_hand_is_played_turn_by_turn(typed):
    said = typed("1\n2\n3\n4\n5\n", "--env", "guess", "--tasks", "1")
    assert said.code == 0 and said.out.count("higher") + said.out.count("lower") == 4
    assert "guessed 1, 2, 3, 4, 5" in said.out


def test_a_tool_is_called_by_hand(typed):
    call = '<tool_call>{"name": "calculator", "arguments": {"expression": "(35 + 6) * 2"}}</tool_call>'
    said = typed(f"{call}\n82\n", "--env", "maths_tools", "--tasks", "1")
    assert "<tool_response>\n82\n</tool_response>" in said.out and "verdict" in said.out


def test_tasks_are_skipped_and_the_end_of_input_ends_it(typed):
    said = typed("/next\n/next\n", "--env", "countdown")
    assert said.code == 0 and said.out.count("\ntask test/") == 3 and "verdict" not in said.out
    assert typed("/quit\n", "--env", "countdown").out.count("\ntask") == 1


def test_input_that_ends_inside_a_game_ends_the_chat_without_a_traceback(typed):
    said = typed("1\n", "--env", "guess")
    assert said.code == 0 and "Traceback" not in said.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "r1 chat tiny, r1 chat --env countdown"),
        (("tinny",), "did you mean 'tiny'"),
        (("--env", "cuontdown"), "did you mean 'countdown'"),
        (("--env", "countdown", "--rewards", "acuracy"), "did you mean 'accuracy'"),
        (("--env", "countdown", "--system", "x"), "--system is for a talk without --env"),
        (("--env", "countdown", "--set", "countdown.levle=easy"), "did you mean 'level'"),
        (("--env", "countdown", "--split", "tset"), "tset"),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_loaded(typed, arguments, said):
    ended = typed("", *arguments)
    assert ended.code == 1 and said in ended.err and "Traceback" not in ended.err


def test_a_reply_cannot_control_the_terminal(typed):
    said = typed("\x1b]0;pwned\x07\x1b[2J\n", "--env", "countdown", "--tasks", "1")
    assert said.code == 0 and "\x1b" not in said.out and "\x07" not in said.out


def test_a_model_talks_and_attempts_tasks(typed):
    asked = "Use the numbers 3, 5 and 7, each exactly once, with + - * / and parentheses, to make 15."
    said = typed(f"{asked}\n/new\n", "tiny")
    assert said.code == 0 and "<answer>" in said.out
    short = ("--max-tokens", "200", "--seed", "1")
    said = typed("\n", "tiny", "--env", "countdown", "--tasks", "1", *short)
    assert said.code == 0 and "reply: <think>" in said.out and "verdict" in said.out
    again = typed("\n", "tiny", "--env", "countdown", "--tasks", "1", *short)
    assert again.out == said.out, "the seed decides the replies"


def test_a_talk_that_is_too_long_says_how_to_start_over(typed):
    long = "word " * 900
    assert "more than the 1024 positions" in typed(f"{long}\n", "tiny").err
    said = typed(f"hi\n{long}\n", "tiny", "--max-tokens", "8")
    assert said.code == 0 and "start over with /new" in said.err


@pytest.mark.parametrize(("key", "code"), [(3, 130), (4, 0)], ids=["ctrl-c", "ctrl-d"])
def test_at_a_terminal_it_ends_without_a_word_of_failure(key, code):
    program = [sys.executable, AT_TERMINAL, "answer> ", str(key), "chat", "--env", "countdown"]
    environment = {**os.environ, **QUIET, "TERM": "dumb"}
    said = subprocess.run(program, capture_output=True, text=True, env=environment, timeout=90, check=True).stdout
    assert said.endswith(f"answer> \n\nexit {code}\n"), said
