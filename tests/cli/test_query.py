"""The viewer's filter: what each term lets through, and that what cannot be read says so."""

import json

import pytest

from r1sdk import R1Error
from r1sdk.report.index import RolloutIndex
from r1sdk.report.query import parse


def line(step, task, text, value, total, tokens=10, finish="stop", status="ok", **rewards):
    return {
        "step": step,
        "task": {
            "prompt": [{"role": "user", "content": f"Make {task}"}],
            "answer": None,
            "info": {},
            "id": f"train/{task}",
        },
        "completion": {"messages": [{"role": "assistant", "content": text}], "tokens": tokens, "finish": finish},
        "verdict": {"value": value, "status": status, "extracted": "1", "seconds": 0.0, "reason": ""},
        "rewards": rewards,
        "total": total,
    }


LINES = [
    line(1, 5, 'first ATTEMPT "quoted"', 0.0, 0.5, format=0.5),
    line(1, 6, "second", 1.0, 2.0, tokens=300, finish="length", format=1.0),
    line(2, 5, "third attempt", None, 0.0, status="timeout", format=None),
    line(12, 7, "fourth", 0.4, 1.4, tokens=120, format=1.0) | {"dropped": "zero variance"},
]


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    file = tmp_path_factory.mktemp("rollouts") / "rollouts.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in LINES), encoding="utf-8")
    index = RolloutIndex.open(file)
    index.refresh()
    return index


@pytest.mark.parametrize(
    "text, found",
    [
        ("", [0, 1, 2, 3]),
        ("step:1", [0, 1]),
        ("step>1", [2, 3]),
        ("step:2-12", [2, 3]),
        ("step!=1", [2, 3]),
        ("verdict:right", [1]),
        ("verdict:wrong", [0]),
        ("verdict:partly", [3]),
        ("verdict:none", [2]),
        ("verdict!=right", [0, 2, 3]),
        ("status:timeout", [2]),
        ("status!=ok", [2]),
        ("reward>1.2", [1, 3]),
        ("reward<=0.5", [0, 2]),
        ("reward.format<1", [0]),
        ("tokens:100-300", [1, 3]),
        ("cut:yes", [1]),
        ("cut:no tokens>100", [3]),
        ("dropped:yes", [3]),
        ("dropped!=yes verdict:right", [1]),
        ("task:train/5", [0, 2]),
        ("attempt", [0, 2]),
        ("ATTEMPT -third", [0]),
        ('"first attempt"', [0]),
        ('"make 7"', [3]),
        ("attempt step:2", [2]),
        ("nowhere", []),
    ],
)
def test_a_filter_lets_through_what_it_names(index, text, found):
    query = parse(text)
    rows = [at for at, row in enumerate(index.rows) if query.matches_row(row) and query.matches_text(index.read(row))]
    assert rows == found


@pytest.mark.parametrize(
    "text, message",
    [
        ("verdit:wrong", "no filter 'verdit'; did you mean 'verdict'"),
        ("verdict:rihgt", "did you mean 'right'"),
        ("status:late", "available: ok, timeout"),
        ("reward>much", "'much' is not a number"),
        ("step:1-x", "'1-x' is not a number"),
        ("tokens.long>3", "tokens takes no name after a dot"),
        ("verdict>right", "works only for numbers"),
        ('"open', "a quotation mark is not closed"),
    ],
)
def test_a_filter_that_cannot_be_read_says_why(text, message):
    with pytest.raises(R1Error) as raised:
        parse(text)
    assert message in str(raised.value)


def test_every_term_that_cannot_be_read_is_reported_at_once():
    with pytest.raises(R1Error) as raised:
        parse("verdit:wrong reward>much")
    assert "verdit" in str(raised.value) and "much" in str(raised.value)
