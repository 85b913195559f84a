"""Functions as tools: what the model is told of them, the calls it writes, and whether their arguments fit."""

import json
from typing import Literal

import pytest

import r1sdk
from r1sdk.rollout.tool_calls import MalformedCall, ToolCall, read_calls
from r1sdk.rollout.tools import as_chat, tool_of, tools_of


def look_up(word: str, most: int = 3, kind: Literal["noun", "verb"] | None = None) -> str:
    """Find a word in the dictionary.

    Args:
        word: in lower case
        most (int): how many meanings
    """
    return f"{word} {most} {kind}"


def call(name, **arguments):
    return f"<tool_call>\n{json.dumps({'name': name, 'arguments': arguments})}\n</tool_call>"


def test_a_function_tells_its_name_docstring_and_parameters():
    assert tool_of(look_up).schema == {
        "name": "look_up",
        "description": "Find a word in the dictionary.",
        "parameters": {
            "type": "object",
            "properties": {
                "word": {"type": "string", "description": "in lower case"},
                "most": {"type": "integer", "description": "how many meanings"},
                "kind": {"type": "string", "enum": ["noun", "verb"]},
            },
            "required": ["word"],
        },
    }


def test_the_prompt_says_what_the_tools_are_and_how_they_are_called():
    asked = [{"role": "system", "content": "Think."}, {"role": "user", "content": "?"}]
    system, user = r1sdk.with_tools(asked, [look_up])
    assert system["content"].startswith("Think.\n\n") and user == asked[1] and asked[0]["content"] == "Think."
    assert json.dumps(tool_of(look_up).schema) in system["content"]
    (example,) = [
        json.loads(line) for line in system["content"].splitlines() if line.startswith('{"name": "look_up", "arg')
    ]
    assert example == {"name": "look_up", "arguments": {"word": "..."}}
    assert r1sdk.with_tools([asked[1]], [look_up])[1:] == [asked[1]]


def test_functions_that_cannot_be_tools_are_refused():
    def silent(word: str): ...

    def untyped(word):
        """Find it."""

    def rest(*words: str):
        """Find them."""

    def strange(word: object):
        """Find it."""

    for function, said in (
        (silent, "docstring"),
        (untyped, "'word' must be annotated"),
        (rest, "'words'"),
        (strange, "annotated"),
    ):
        with pytest.raises(r1sdk.PluginError, match=said):
            tool_of(function)
    with pytest.raises(r1sdk.PluginError, match="two tools"):
        tools_of([look_up, look_up])


def test_calls_are_read_after_the_last_thought():
    reply = f"<think>{call('no')}</think>Now {call('look_up', word='a')} and\n{call('look_up', word='b', most=2)}"
    assert read_calls(reply) == [ToolCall("look_up", {"word": "a"}), ToolCall("look_up", {"word": "b", "most": 2})]
    assert read_calls("<think>\nso\n</think>\n<answer>4</answer>") == []
    assert read_calls(f"<think>not closed {call('x')}") == [ToolCall("x", {})]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<tool_call>", "not closed"),
        ("<tool_call></tool_call>", "must be JSON"),
        ("<tool_call>{'name': 'x'}</tool_call>", "must be JSON"),
        ("<tool_call>[1]</tool_call>", "must be an object"),
        ('<tool_call>{"name": 3}</tool_call>', "must be an object"),
        ('<tool_call>{"name": "x", "arguments": "1"}</tool_call>', "arguments"),
        ('<tool_call>{"name": "x", "arguments": {"a": NaN}}</tool_call>', "NaN"),
        ('<tool_call>{"name": "x", "arguments": {"a": ' + "9" * 10_000 + "}}</tool_call>", "must be JSON"),
        ("<tool_call>" + "[" * 60_000 + "</tool_call>", "must be JSON"),
        ("<tool_call>" + " " * 100_000 + "</tool_call>", "65536 characters"),
    ],
)
def test_what_is_no_call_is_malformed_and_says_why(text, said):
    (found,) = read_calls(text)
    assert isinstance(found, MalformedCall) and said in found.reason


def test_arguments_must_fit():
    tool = tool_of(look_up)
    assert tool.argument_problem({"word": "a", "most": 2, "kind": "verb"}) is None
    for arguments, said in [
        ({}, "needs the argument 'word'"),
        ({"word": 3}, "'word' of look_up must be string, got 3"),
        ({"word": "a", "most": True}, "must be integer"),
        ({"word": "a", "kind": "x"}, "must be"),
        ({"word": "a", "wrod": "b"}, "no argument 'wrod'; it takes word, most, kind"),
    ]:
        assert said in tool.argument_problem(arguments)


def test_what_tools_returned_is_one_turn_of_the_user():
    messages = [
        {"role": "assistant", "content": "call"},
        {"role": "tool", "name": "a", "content": "1"},
        {"role": "tool", "name": "b", "content": "2"},
        {"role": "assistant", "content": "done"},
    ]
    assert as_chat(messages) == [
        {"role": "assistant", "content": "call"},
        {"role": "user", "content": "<tool_response>\n1\n</tool_response>\n<tool_response>\n2\n</tool_response>"},
        {"role": "assistant", "content": "done"},
    ]
