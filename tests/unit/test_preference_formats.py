"""Rows of preferences in the shapes that published data sets have."""

import json

import pytest

from r1sdk import R1Error
from r1sdk.data.demonstrations import FromFile, check_file
from r1sdk.data.preference_formats import describe_preference, preferences_in
from r1sdk.data.row_formats import RowColumns

USER, BETTER, WORSE = (
    {"role": "user", "content": "2 + 3?"},
    {"role": "assistant", "content": "5"},
    {"role": "assistant", "content": "6"},
)
SYSTEM = {"role": "system", "content": "Be brief."}
FIRST = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "2 + 3?", "chosen": "5", "rejected": "6"}, [USER]),
        ({"prompt": [USER], "chosen": [BETTER], "rejected": [WORSE]}, [USER]),
        ({"prompt": [SYSTEM, USER], "chosen": [BETTER], "rejected": [WORSE]}, [SYSTEM, USER]),
        # the prompt in all three columns, as in UltraFeedback's binarized set
        ({"prompt": "2 + 3?", "chosen": [USER, BETTER], "rejected": [USER, WORSE]}, [USER]),
        ({"prompt": json.dumps([USER]), "chosen": json.dumps([BETTER]), "rejected": json.dumps([WORSE])}, [USER]),
        # conversations alone
        ({"chosen": [USER, BETTER], "rejected": [USER, WORSE]}, [USER]),
        ({"chosen": [*FIRST, USER, BETTER], "rejected": [*FIRST, USER, WORSE]}, [*FIRST, USER]),
        # a system prompt beside the question, as in Orca's pairs
        ({"system": "Be brief.", "question": "2 + 3?", "chosen": "5", "rejected": "6"}, [SYSTEM, USER]),
        ({"system": "", "question": "2 + 3?", "chosen": "5", "rejected": "6"}, [USER]),
        (
            {"system": "Be brief.", "prompt": "2 + 3?", "chosen": [USER, BETTER], "rejected": [USER, WORSE]},
            [SYSTEM, USER],
        ),
        ({"instruction": "2 + 3?", "chosen_response": "5", "rejected_response": "6"}, [USER]),
        ({"Prompt": "2 + 3?", "Chosen": "5", "Rejected": "6"}, [USER]),
        # ShareGPT turns
        (
            {
                "chosen": [{"from": "human", "value": "2 + 3?"}, {"from": "gpt", "value": "5"}],
                "rejected": [{"from": "human", "value": "2 + 3?"}, {"from": "gpt", "value": "6"}],
            },
            [USER],
        ),
        # a transcript, as in HH-RLHF
        ({"chosen": "\n\nHuman: 2 + 3?\n\nAssistant: 5", "rejected": "\n\nHuman: 2 + 3?\n\nAssistant: 6"}, [USER]),
    ],
)
def test_a_row_of_a_known_shape_is_read(row, prompt):
    (found,) = preferences_in(row)
    assert found.task.prompt == prompt
    assert (found.chosen.messages, found.rejected.messages) == ([BETTER], [WORSE])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"prompt": "2 + 3?", "completion": "5"}, "no chosen and rejected reply"),
        ({"prompt": "2 + 3?", "chosen": "5", "rejected": "5"}, "are the same"),
        ({"prompt": "2 + 3?", "chosen": "5", "rejected": " "}, "`rejected` is empty"),
        ({"prompt": "2 + 3?", "chosen": "5", "rejected": None}, "no chosen and rejected reply"),
        ({"chosen": "5", "rejected": "6"}, "there is no prompt"),
        ({"chosen": [USER, BETTER], "rejected": [FIRST[0], WORSE]}, "must be one reply of the assistant"),
        ({"chosen": [USER], "rejected": [USER]}, "must be one reply of the assistant"),
        ({"prompt": "2 + 3?", "chosen": [BETTER, USER, BETTER], "rejected": [WORSE]}, "one reply of the assistant"),
        ({"prompt": "2 + 3?", "chosen": 5.5, "rejected": {"score": 1}}, "`rejected`"),
    ],
)
def test_a_row_without_a_pair_is_refused_with_the_reason(row, said):
    with pytest.raises(R1Error, match=said):
        preferences_in(row)


def test_columns_can_be_named_and_a_wrong_name_gets_the_nearest():
    row = {"q": "2 + 3?", "good": "5", "bad": "6"}
    columns = RowColumns(prompt="q", learns="pairs", chosen="good", rejected="bad")
    assert preferences_in(row, columns)[0].rejected.text == "6"
    assert describe_preference(row, columns) == "read from `q` -> `good` over `bad`"
    with pytest.raises(R1Error, match=r"data\.chosen_column is 'goo'.*good"):
        preferences_in(row, RowColumns(prompt="q", learns="pairs", chosen="goo", rejected="bad"))


def test_thinking_and_tools_of_a_row_are_kept():
    row = {
        "prompt": "2 + 3?",
        "chosen": [{**BETTER, "reasoning_content": "2 and 3 are 5"}],
        "rejected": [WORSE],
        "tools": [{"name": "add", "parameters": {}}],
        "answer": 5,
    }
    (found,) = preferences_in(row)
    assert found.chosen.messages[0]["reasoning_content"] == "2 and 3 are 5"
    assert found.task.info["tools"][0]["function"]["name"] == "add" and found.task.answer == "5"


def test_a_file_of_pairs_is_checked_row_by_row(tmp_path):
    file = tmp_path / "pairs.jsonl"
    rows = [{"prompt": "2 + 3?", "chosen": "5", "rejected": str(n)} for n in (6, 5, 7)]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = FromFile(file, columns=RowColumns(learns="pairs"))
    report = check_file(source)
    assert (report.rows, report.demonstrations) == (3, 2) and "line 2" in report.bad[0]
    with pytest.raises(R1Error, match="are the same"):
        source.check()
    assert [one.rejected.text for one in FromFile(file, columns=source.columns, skip_bad=1).train()] == ["6", "7"]
