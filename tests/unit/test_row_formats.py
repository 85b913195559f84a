"""Rows of other people's data sets: read from the right columns, or refused with the reason."""

import json

import pytest

from r1sdk import R1Error
from r1sdk.data.row_formats import RowColumns, demonstration, demonstrations_in, describe

USER, TOLD = {"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}
CALL = {"function": {"name": "add", "arguments": '{"a": 2, "b": 2}'}}
PLAIN_CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 2}}}
TOOLS = [{"type": "function", "function": {"name": "add"}}]


def read(row, **columns):
    task, completion = demonstration(row, RowColumns(**columns))
    return task.prompt, completion.messages


SHAPES = {
    "Alpaca": ({"instruction": "Add.", "input": "2 2", "output": "4"}, "Add.\n\n2 2", "4"),
    "Alpaca without input": ({"instruction": "Add 2 and 2.", "input": "", "output": "4"}, "Add 2 and 2.", "4"),
    "question and answer": ({"question": "2+2?", "answer": "4"}, "2+2?", "4"),
    "columns in capitals": ({"Question": "2+2?", "Answer": "4"}, "2+2?", "4"),
    "query and response": ({"query": "2+2?", "response": "4"}, "2+2?", "4"),
    "a worked solution goes before a bare answer": ({"problem": "2+2?", "solution": "It is 4.", "answer": "4"}, "2+2?", "It is 4."),
    "role and content under conversations": ({"conversations": [USER, TOLD]}, "2+2?", "4"),
    "messages as JSON text": ({"messages": json.dumps([USER, TOLD])}, "2+2?", "4"),
    "a reply that is JSON stays a text": ({"prompt": "As JSON?", "completion": '{"a": 1}'}, "As JSON?", '{"a": 1}'),
    "a list of dicts that is no chat stays a text": ({"prompt": "List?", "completion": '[{"a": 1}]'}, "List?", '[{"a": 1}]'),
    "content in parts": ({"messages": [{"role": "user", "content": [{"type": "text", "text": "2+"}, {"type": "text", "text": "2?"}]}, TOLD]}, "2+2?", "4"),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_read_from_its_columns(shape):
    row, asked, told = SHAPES[shape]
    assert read(row) == ([{"role": "user", "content": asked}], [{"role": "assistant", "content": told}])


THINKING = {
    "reasoning_content": {"messages": [USER, {**TOLD, "reasoning_content": "two and two"}]},
    "thinking": {"messages": [USER, {**TOLD, "thinking": "two and two"}]},
    "a part of type thinking": {
        "messages": [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "two and two"}, {"type": "text", "text": "4"}]}]
    },
    "s1K": {"question": "2+2?", "thinking_trajectories": ["two and two"], "attempt": "4"},
    "s1K-1.1": {"question": "2+2?", "deepseek_thinking_trajectory": "two and two", "deepseek_attempt": "4", "solution": "x"},
    "dolphin-r1": {"messages": [USER], "reasoning": "two and two", "answer": "4"},
    "a column beside the reply": {"question": "2+2?", "reasoning": "two and two", "response": "4"},
}  # fmt: skip


@pytest.mark.parametrize("shape", THINKING)
def test_the_thinking_of_a_reply_is_kept(shape):
    assert read(THINKING[shape]) == ([USER], [{**TOLD, "reasoning_content": "two and two"}])


def test_marks_of_open_thoughts_become_think_tags_unless_they_are_to_be_kept():
    marked = "<|begin_of_thought|>\n\nhm\n\n<|end_of_thought|>\n\n<|begin_of_solution|>\n\n4\n\n<|end_of_solution|>"
    row = {
        "system": "Think.",
        "conversations": [{"from": "user", "value": "?"}, {"from": "assistant", "value": marked}],
    }
    assert read(row)[1][0]["content"] == "<think>\nhm\n</think>\n\n4"
    assert read(row, thought_marks="keep")[1][0]["content"] == marked
    assert "is written as <think>" in describe(row)


def test_tool_calls_their_results_and_the_tools_are_kept():
    talk = [USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}, {"role": "tool", "content": "4"}, TOLD]
    task, completion = demonstration({"messages": talk, "tools": json.dumps([{"name": "add"}])})
    assert task.info["tools"] == TOOLS and completion.messages == [TOLD]
    assert (
        task.prompt[1] == {"role": "assistant", "content": "", "tool_calls": [PLAIN_CALL]}
        and task.prompt[2]["role"] == "tool"
    )
    sharegpt = [
        {"from": "human", "value": "2+2?"},
        {"from": "function_call", "value": '{"name": "add", "arguments": {"a": 2, "b": 2}}'},
        {"from": "observation", "value": "4"},
        {"from": "gpt", "value": "4"},
    ]
    task, completion = demonstration({"conversations": sharegpt, "tools": "[]"})
    assert task.prompt[1]["tool_calls"] == [PLAIN_CALL] and completion.messages == [TOLD]
    _, ends_in_a_call = demonstration({"messages": talk[:2]})
    assert ends_in_a_call.messages[0]["tool_calls"] == [PLAIN_CALL]


def test_of_several_generations_the_first_that_is_right_is_learnt():
    row = {"problem": "2+2?", "generations": ["5", "4", "four"], "correctness_math_verify": [False, True, True]}
    assert read(row)[1][0]["content"] == "4" and "correctness_math_verify" in describe(row)
    with pytest.raises(R1Error, match="none of the 2 `generations` is right"):
        demonstration({"problem": "?", "generations": ["5", "6"], "correctness_math_verify": [False, False]})


def test_each_turn_of_the_assistant_is_a_demonstration_where_the_recipe_says_so():
    talk = [USER, TOLD, {"role": "user", "content": "and 3?"}, {"role": "assistant", "content": "7"}]
    (only,) = demonstrations_in({"messages": talk})
    assert only[1].text == "7" and "data.turns=all" in describe({"messages": talk})
    both = demonstrations_in({"messages": talk}, RowColumns(turns="all"))
    assert [(task.prompt, completion.messages) for task, completion in both] == [
        (talk[:1], talk[1:2]),
        (talk[:3], talk[3:]),
    ]


def test_columns_go_by_the_names_that_the_recipe_gives():
    row = {"asked": "2+2?", "told": "4", "why": "two and two", "rules": "Be brief."}
    found = read(row, prompt="asked", completion="told", reasoning="why", system="rules")
    assert found == ([{"role": "system", "content": "Be brief."}, USER], [{**TOLD, "reasoning_content": "two and two"}])
    with pytest.raises(R1Error, match="data.prompt_column is 'askd'; did you mean 'asked'"):
        demonstration(row, RowColumns(prompt="askd", completion="told"))


REFUSED = [
    ({"messages": [{"role": "user", "content": None}, TOLD]}, r"turn 1 \(user\) has no content"),
    ({"messages": [{"role": "user", "content": [{"type": "image", "url": "x"}]}, TOLD]}, "a part of type 'image'"),
    ({"messages": [{"role": "user", "content": 5}, TOLD]}, "a text is needed"),
    ({"messages": [USER, {"role": "assistant", "content": " ", "reasoning_content": "hm"}]}, "the reply is empty"),
    ({"messages": [USER]}, "a reply of the assistant are needed, got user"),
    ({"messages": [USER, {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}]}, "must be an object"),
    ({"messages": [USER, TOLD], "tools": "nothing"}, "must be a list of JSON schemas"),
    ({"asked": "?", "told": "!"}, "data.prompt_column"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "said"), REFUSED, ids=[said for _, said in REFUSED])
def test_a_row_that_cannot_be_learnt_says_why(row, said):
    with pytest.raises(R1Error, match=said):
        demonstration(row)
