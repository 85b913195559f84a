"""Answers that are almost certainly wrong: altered gold answers, and gold answers of other tasks."""

from collections.abc import Sequence
from dataclasses import replace

from ..contracts import Environment
from ..records import Task
from ..scoring.gold_check import gold_reply


def alterations(environment: Environment, gold: Sequence[tuple[Task, str]]) -> list[tuple[Task, str]]:
    """Return each task of `gold` with the gold reply of the next task, and with its own gold answer altered."""
    found = []
    for (task, reply), (other, foreign) in zip(gold, [*gold[1:], gold[0]], strict=True):
        if foreign != reply and (task.answer is None or task.answer != other.answer):
            found.append((task, foreign))
        if task.answer is not None:
            changed = [gold_reply(environment, replace(task, answer=text)) for text in _changes(task.answer)]
            found += [(task, text) for text in changed if text is not None and text != reply]
    return found


def _changes(answer: str) -> list[str]:
    """Return altered versions of the answer that mean something else."""
    changed = [answer.rstrip() + "7"]
    if answer.strip().lstrip("-").isdecimal():
        changed.append(str(int(answer) + 1))
    return changed
