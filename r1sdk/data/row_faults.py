"""Faults in the tasks of an environment: duplicates, gold answers, lengths, empty cells, leakage between the splits."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import islice
from typing import Any

from ..contracts import Environment
from ..errors import R1Error
from ..plugins.environment_calls import call_method, iterate_method
from ..plugins.frozen import frozen_task
from ..records import Task
from ..scoring.gold_check import Fault, Suspect, check_gold
from .items import Item, items, plain

SHOWN = 5  # of each kind, in words

Lengths = Callable[[Sequence[Task]], list[int]]
"""The prompts' lengths in tokens."""


@dataclass(frozen=True, slots=True)
class SplitReport:
    """The faults of one split. Lists name tasks."""

    split: str
    tasks: int
    unreadable: tuple[str, ...] = ()  # rows that make no task
    duplicates: tuple[str, ...] = ()  # "train/row 7 is train/row 3 again"
    repeats: str = ""  # why duplicates belong to this split, by the environment's word; empty: they are faults
    disagreeing: tuple[str, ...] = ()  # duplicates with another answer
    gold: tuple[Fault, ...] = ()  # gold answers that do not earn 1.0
    suspects: tuple[Suspect, ...] = ()  # gold answers that pay a wrong answer too
    checked: int = 0  # gold answers
    unanswered: int = 0  # tasks without a gold answer
    empty: Mapping[str, int] = field(default_factory=dict)  # columns -> rows in which they are empty
    prompt_tokens: Mapping[str, int] = field(default_factory=dict)  # median, p99, longest
    too_long: tuple[str, ...] = ()  # prompts that leave no room for max_tokens
    why_empty: str = ""  # the reason, where there are no tasks

    @property
    def grouped_faults(self) -> list[str]:
        """The rows that make no task, those with the same fault in one line."""
        places: dict[str, list[str]] = {}
        for fault in self.unreadable:
            place, colon, reason = fault.partition(": ")
            places.setdefault(reason if colon else place, []).append(fault)
        return [
            faults[0] if len(faults) == 1 else f"{faults[0]}\n  and {len(faults) - 1} more rows with this fault"
            for faults in places.values()
        ]


@dataclass(frozen=True, slots=True)
class DataReport:
    splits: tuple[SplitReport, ...]
    leaked: tuple[str, ...] = ()  # "test/row 3 is train/row 9"

    @property
    def is_clean(self) -> bool:
        """True if no fault spoils a training or its figures. Empty cells of other columns do not."""
        return (
            not self.leaked
            and any(split.tasks for split in self.splits)
            and not any(s.unreadable or s.gold or s.suspects or s.too_long or s.disagreeing for s in self.splits)
            and not any(s.duplicates and not s.repeats for s in self.splits)
        )

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "clean": self.is_clean}


def check_data(
    environment: Environment,
    splits: Sequence[str],
    limit: int | None = None,
    lengths: Lengths | None = None,
    room: int | None = None,
    gold: bool = True,
) -> DataReport:
    """The first `limit` tasks of each split, checked. `lengths` counts tokens; a prompt may have `room` of them. Raises: RewardError."""
    reports: list[SplitReport] = []
    seen: dict[str, dict[str, Item]] = {}
    for split in splits:
        try:
            faults = _faults(environment, split, limit)
        except R1Error as error:
            if split not in getattr(environment, "splits", ()):
                raise
            # The split is there, and cannot be read at all.
            reports.append(SplitReport(split, 0, (str(error),)))
            seen[split] = {}
            continue
        found = _readable(environment, split, limit, bool(faults))
        report = _check(environment, split, found, faults, lengths, room, gold)
        reports.append(report if found or faults else replace(report, why_empty=why_empty(environment, split)))
        seen[split] = {plain(item.problem): item for item in reversed(found)}
    leaked = [
        f"{second[key].task.id} is {first[key].task.id}"
        for at, left in enumerate(splits)
        for right in splits[at + 1 :]
        for first, second in [(seen[left], seen[right])]
        for key in second
        if key in first
    ]
    return DataReport(tuple(reports), tuple(leaked))


def _faults(environment: Environment, split: str, limit: int | None) -> tuple[str, ...]:
    if not hasattr(environment, "faults"):
        return ()
    return tuple(islice(iterate_method(environment, "faults", split), limit))


def repeats_of(environment: Environment, split: str) -> str:
    """Return why the same task may come twice in `split`, from the environment's optional `repeats(split)`; or an empty text."""
    said = getattr(environment, "repeats", None)
    return str(said(split)) if callable(said) else ""


def why_empty(environment: Environment, split: str) -> str:
    """Return why `split` has no tasks, from the environment's optional `why_empty(split)`; or an empty text."""
    return str(call_method(environment, "why_empty", split)) if hasattr(environment, "why_empty") else ""


def _readable(environment: Environment, split: str, limit: int | None, has_faults: bool) -> list[Item]:
    """The items of `split`; of a table with rows at fault, those of the others."""
    readable = getattr(environment, "readable", None)
    if has_faults and readable is not None:
        return list(
            islice(
                (Item(frozen_task(task), *more) for task, *more in iterate_method(environment, "readable", split)),
                limit,
            )
        )
    return list(islice(items(environment, split), limit))


def _check(
    environment: Environment,
    split: str,
    found: Sequence[Item],
    faults: tuple[str, ...],
    lengths: Lengths | None,
    room: int | None,
    gold: bool,
) -> SplitReport:
    first: dict[str, Item] = {}
    duplicates, disagreeing = [], []
    for item in found:
        before = first.setdefault(plain(item.problem), item)
        if before is not item:
            duplicates.append(f"{item.task.id} is {before.task.id} again")
            if before.task.answer != item.task.answer:
                disagreeing.append(
                    f"{item.task.id} says {item.task.answer!r:.40}, {before.task.id} {before.task.answer!r:.40}"
                )
    tasks = [item.task for item in found]
    golds = check_gold(tasks, environment) if gold else None
    counts = lengths(tasks) if lengths and tasks else []
    ordered = sorted(counts)
    empty = Counter(name for item in found for name, value in item.row.items() if _is_empty(value))
    return SplitReport(
        split,
        len(tasks),
        faults,
        tuple(duplicates),
        repeats_of(environment, split),
        tuple(disagreeing),
        golds.faults if golds else (),
        golds.suspects if golds else (),
        golds.checked if golds else 0,
        sum(task.answer is None for task in tasks),
        dict(empty.most_common()),
        {
            "median": ordered[len(ordered) // 2],
            "p99": ordered[math.ceil(0.99 * len(ordered)) - 1],
            "longest": ordered[-1],
        }
        if ordered
        else {},
        tuple(
            f"{task.id} has {count} tokens"
            for task, count in zip(tasks, counts, strict=False)
            if room is not None and count > room
        ),
    )


def splits_of(environment: Environment, wanted: Sequence[str]) -> list[str]:
    """Return the splits of `wanted` that the environment has. Raises: R1Error with the environment's own message if it has none.

    An environment may name its splits in an attribute `splits`: one of these that cannot be read is a fault of the data.
    """
    named = getattr(environment, "splits", None)
    if named is not None and (there := [split for split in wanted if split in named]):
        return there
    look = "faults" if hasattr(environment, "faults") else "tasks"  # a row at fault is for the check
    there = []
    said: list[R1Error] = []
    for split in wanted:
        try:
            next(iterate_method(environment, look, split), None)
            there.append(split)
        except R1Error as error:
            said.append(error)
    if not there:
        raise said[0]
    return there


def _is_empty(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip()) or value == []
