"""The viewer's filter: what each term lets through, and that what cannot be read says so."""

import json

import pytest

from r1sdk import R1Error
from r1sdk.report.index import RolloutIndex
from r1sdk.report.query import parse, select


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


REASONED = [
    line(1, 1, "alpha", 0.0, 0.0)
    | {"verdict": {"value": 0.0, "status": "ok", "reason": "uses 57, which is not given"}},
    line(1, 2, "beta", 1.0, 1.0),
    line(2, 3, "gamma", 0.0, 0.0) | {"reasons": {"judge": "no verdict twice"}, "statuses": {"judge": "error"}},
    line(2, 4, "don't a:b", 0.0, 0.0) | {"verdict": {"value": 0.0, "status": "ok", "reason": "Uses 3 twice"}},
    line(3, 5, 'K\u212a é "x\\y"', 0.0, 0.0),
]


@pytest.fixture(scope="module")
def reasoned(tmp_path_factory):
    file = tmp_path_factory.mktemp("rollouts") / "rollouts.jsonl"
    file.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in REASONED), encoding="utf-8")
    index = RolloutIndex.open(file)
    index.refresh()
    return index


@pytest.mark.parametrize(
    "text, found",
    [
        ("given", [0]),
        ('"not given"', [0]),
        ('reason:"NOT given"', [0]),
        ("reason:twice", [2, 3]),
        ("reason!=twice verdict:wrong", [0, 4]),
        ('kind:"uses N"', [0, 3]),
        ("kind:'uses N twice'", [3]),
        ("reason:alpha", []),
        ("-twice", [0, 1, 4]),
        ('-"not given" step:1', [1]),
        ("don't", [3]),
        ('"a:b"', [3]),
        ("'a:b'", [3]),
        ("Verdict:right", [1]),
        ("kk", [4]),
        ("é", [4]),
        ('"x\\y"', [4]),
        ("'\"x'", [4]),
    ],
)
def test_a_filter_searches_the_reasons_too_and_quoted_text_is_text(reasoned, text, found):
    query = parse(text)
    assert [reasoned.rows.index(row) for row in select(reasoned, query)] == found
    slow = [
        at for at, row in enumerate(reasoned.rows) if query.matches_row(row) and query.matches_text(reasoned.read(row))
    ]
    assert slow == found


@pytest.mark.parametrize(
    "text, message",
    [
        ("reasn:given", "did you mean 'reason'"),
        ("my_field:3", "no filter 'my_field'"),
        ("reason>given", "works only for numbers"),
        ("kind.x:given", "takes no name after a dot"),
        ("change:lots", "did you mean 'lost'"),
        ("a:b", "in quotation marks"),
        ("step:befor", "before, after or held-out"),
    ],
)
def test_a_name_that_is_no_filter_is_reported_with_the_nearest(text, message):
    with pytest.raises(R1Error) as raised:
        parse(text)
    assert message in str(raised.value)


def test_a_reward_that_the_rollouts_lack_is_reported_with_the_nearest(index):
    assert "no reward 'forma'; did you mean 'format'?" in parse("reward.forma<1").fault(index.reward_names())
    assert parse("reward.format<1 reward>0").fault(index.reward_names()) is None
