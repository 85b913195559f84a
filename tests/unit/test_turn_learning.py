"""The figures of benchmarks/turn_learning.py: the dialogues that a run needed, and the table."""

import importlib
import sys
from pathlib import Path

import pytest


@pytest.fixture
def learning(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    yield importlib.import_module("turn_learning")
    sys.modules.pop("turn_learning", None)


def test_the_dialogues_needed_are_those_up_to_the_first_window_that_reaches_the_level(learning):
    steps = [0.3, 0.3, 0.9, 0.3, 0.3, 0.3, 0.5, 0.7, 0.5]
    assert learning.dialogues_needed(steps, 0.45) == 4 * learning.DIALOGUES
    assert learning.dialogues_needed(steps, 0.5) == 9 * learning.DIALOGUES
    assert learning.number(learning.dialogues_needed(steps, 0.6)) == f"more than {learning.STEPS * learning.DIALOGUES}"


def test_the_table_names_what_was_not_run(learning):
    right = [0.3] * 10 + [0.5] * (learning.STEPS - 10)
    row = {"variant": "turn_loo", "seed": 1, "rate": learning.RATE, "right": right, "cpu_s": 1.0}
    text = "\n".join(learning.table([row, {**row, "seed": 2}, {**row, "seed": 0, "rate": 1.0}]))
    needed, never = 13 * learning.DIALOGUES, f"more than {learning.STEPS * learning.DIALOGUES}"
    assert f"| `turn_loo` | not run, {needed}, {needed} | {needed} ± 0 | not run, {never}, {never} |  | 0.300 ±" in text
    assert "| 0.500 ± 0.000 |" in text and "| `turn_episode` | not run, not run, not run |  |" in text
