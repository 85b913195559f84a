"""The reply format: what is asked for is what is read back, and hostile text costs no more than its length."""

import time

import pytest

from r1sdk import SYSTEM_PROMPT, TAGS, Reply, extract_answer, opened_think, parse_reply


def test_a_reply_is_taken_apart_into_its_two_stripped_parts():
    assert parse_reply("<think>\n3*9 is 27 \n</think>\n<answer>\n 3*9\n</answer>") == Reply("3*9 is 27", "3*9")


@pytest.mark.parametrize(
    "text",
    [
        "<think>a</think><answer>b</answer>",
        "<think>a</think>\n\n<answer>b</answer>",
        "\n<think>\na\n</think>\n<answer>\nb\n</answer>\n\n",
        "<think>\r\na\r\n</think>\r\n<answer>\r\nb\r\n</answer>",
        " \t<think>a</think> <answer>b</answer>\t ",
    ],
)
def test_space_around_and_between_the_blocks_is_free(text):
    assert parse_reply(text) == Reply("a", "b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "27",
        "<think>a</think>",
        "<answer>b</answer>",
        "<think>a</think>b",
        "a</think><answer>b</answer>",
        "<think>a<answer>b</answer>",
        "<think>a</think><answer>b",
        "<think></think><answer>b</answer>",
        "<think> \n </think><answer>b</answer>",
        "<think>a</think><answer></answer>",
        "<think>a</think><answer> \n </answer>",
        "so: <think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer> and more",
        "<think>a</think> hence <answer>b</answer>",
        "<answer>b</answer><think>a</think>",
        "<think>a<answer>b</answer></think>",
        "<think>a<answer></think>b</answer>",
        "<think><answer>a</answer></think>",
        "<think>a</think><think>a</think><answer>b</answer>",
        "<think>a<think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer><answer>c</answer>",
        "<think>a</think><answer>b</answer><think>a</think><answer>b</answer>",
        "<think>a</think><answer>b</answer></answer>",
        "<think>a</think></answer>b<answer>",
        "<THINK>a</THINK><ANSWER>b</ANSWER>",
        "< think>a</think><answer>b</answer>",
    ],
)
def test_a_reply_out_of_format_has_no_parts(text):
    assert parse_reply(text) is None


def test_the_system_prompt_names_the_tags_in_the_order_that_the_parser_wants():
    places = [SYSTEM_PROMPT.index(tag) for tag in TAGS]
    assert places == sorted(places)
    assert parse_reply("a".join(TAGS[:2]) + "b".join(TAGS[2:])) == Reply("a", "b")


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>a</think><answer>3*9</answer>", "3*9"),
        ("<answer> 3*9\n</answer>", "3*9"),
        ("a</think><answer>3*9</answer>", "3*9"),
        ("<think>a</think><answer>1</answer><answer>2</answer>", "2"),
        ("<think>a</think><answer>1</answer> no, <answer>2", "1"),
        ("<think>a</think><answer><answer>1</answer>", "1"),
        ("<think>a</think><answer>1</answer> or </answer>", "1"),
        ("<think>a</think><answer></answer>", ""),
        ("<think>a</think><answer>3\n*9</answer>\ntext after it", "3\n*9"),
        ("<think>a</think>b</think><answer>1</answer>", "1"),
        ("<think><answer>1</answer></think><answer>2</answer>", "2"),
    ],
)
def test_the_answer_is_the_last_block_after_the_last_think(text, answer):
    assert extract_answer(text) == answer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "3*9",
        "<think>a</think>3*9",
        "<think><answer>3*9</answer></think>",
        "<think><answer>3*9</answer></think> as above",
        "<think>a <answer>3*9</answer>",  # the think block is never closed
        "<answer>3*9</answer><think>",
        "<think>a</think><answer>3*9",
        "<think>a</think>3*9</answer>",
        "<think>a</think></answer><answer>",
        "<think>a</think><answer>3*9</think></answer>",
    ],
)
def test_without_an_answer_block_after_the_thinking_there_is_no_answer(text):
    assert extract_answer(text) is None


@pytest.mark.parametrize(
    ("prompt", "opened"),
    [
        ("<|im_start|>assistant\n<think>\n", "<think>\n"),
        ("<|im_start|>assistant\n<think>", "<think>"),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", "<think>\n\n</think>\n\n"),
        ("<|im_start|>assistant\n", ""),
        ("think inside <think> and </think>, then\n", ""),
        ("", ""),
    ],
)
def test_only_a_think_tag_that_ends_the_prompt_is_opened_by_it(prompt, opened):
    assert opened_think(prompt) == opened


def test_an_opened_think_put_back_makes_the_reply_whole():
    prompt, completion = "<|im_start|>assistant\n<think>\n", "a\n</think>\n<answer>b</answer>"
    assert parse_reply(completion) is None
    assert parse_reply(opened_think(prompt) + completion) == Reply("a", "b")


HOSTILE = [
    *TAGS,
    "<think>\n",
    "<answer></answer>",
    "<think></think>",
    "</think><answer>",
    "<",
    "<think",
    " ",
    "\n",
    "<think> </think> ",
]


@pytest.mark.heavy
def test_a_million_hostile_tags_are_read_in_time_that_grows_with_their_length():
    def seconds(times):
        started = time.perf_counter()
        for piece in HOSTILE:
            for text in (piece * times, piece * times + "x", f"<think>a</think><answer>{piece * times}</answer>"):
                parse_reply(text)
                extract_answer(text)
                opened_think(text)
        return time.perf_counter() - started

    seconds(100)
    # Ten times the length may take far more than ten times as long on a busy machine; quadratic would be a hundred.
    assert seconds(1_000_000) < 60 * max(seconds(100_000), 0.01)
