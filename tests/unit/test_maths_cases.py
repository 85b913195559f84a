"""Answers that people have: gold answers of real data sets, and replies to them, each with what a mathematician says."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from r1_verifiers import maths

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "data" / "maths_cases.jsonl").read_text(encoding="utf-8").splitlines()
]
KINDS = defaultdict(list)
for row in ROWS:
    KINDS[row["kind"]].append(row)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_verdicts_are_those_of_a_mathematician(kind):
    wrong = []
    for row in KINDS[kind]:
        verdict = maths.check(row["reply"], row["gold"])
        if (verdict.status if verdict.status != "ok" else verdict.value) != row["verdict"]:
            wrong.append(f"{row['gold']!r}, {row['reply'][-80:]!r}: {row['verdict']} expected, got {verdict}")
    assert not wrong, "\n".join(wrong)


def test_no_case_pays_a_wrong_answer_or_calls_a_wrong_gold_answer_wrong():
    for row in ROWS:
        verdict = maths.check(row["reply"], row["gold"])
        assert not (row["verdict"] == 0.0 and verdict.value == 1.0), row
        assert not (row["verdict"] == "unverifiable" and verdict.value == 0.0), row


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_no_variant_of_a_gold_answer_is_paid(kind):
    for gold in {row["gold"] for row in KINDS[kind]}:
        for variant in maths.variants(gold):
            verdict = maths.check(f"<answer>{variant}</answer>", gold)
            assert verdict.value == 0.0, f"{variant!r} for {gold!r}"


def test_a_left_side_that_stands_in_the_problem_may_name_the_answer():
    problem = r"If $x + y = 3$, what is the value of $2x + 2y$?"
    assert maths.check("<answer>2x + 2y = 6</answer>", "6", problem=problem).value == 1.0
    assert maths.check("<answer>2x + 2y = 6</answer>", "6").value == 0.0
    assert maths.check("<answer>2x + 3y = 6</answer>", "6", problem=problem).value == 0.0
