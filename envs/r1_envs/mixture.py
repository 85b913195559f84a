"""The environment `mixture`: tasks of several environments in given shares, each verified by its own environment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

import r1sdk


@dataclass(frozen=True)
class Mixture:
    """Tasks of several environments, mixed by weight. Each is verified by its own environment and has its own metrics.

    Any number of first tasks has about the shares that the weights say. `info["env"]` of a task names its part.
    """

    parts: tuple[r1sdk.Part, ...] = r1sdk.environments_option()  # names, or {name, weight, options, as}
    exhausted: Literal["stop", "go_on"] = "stop"  # when a part runs out of tasks; go_on: continue with the others
    train_size: int | None = None  # at most this many tasks
    test_size: int | None = None

    def __post_init__(self) -> None:
        if not self.parts:
            raise ValueError("parts: list the environments, e.g. [countdown, {name: maths, weight: 2}]")
        names = [part.name for part in self.parts]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(
                f"{', '.join(twice)} is there twice: give one of them another name, {{name: ..., as: ...}}"
            )
        if inner := [part.name for part in self.parts if isinstance(part.environment, Mixture)]:
            raise ValueError(f"{', '.join(inner)} is a mixture: list its parts here")
        for size in (self.train_size, self.test_size):
            if size is not None and size < 1:
                raise ValueError(f"a size is at least 1, got {size}")

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """Yield the tasks of every part, in shares by weight. Raises: R1Error that names the faulty part."""
        for part, task in self._drawn([_Source(part, iter(self._tasks_of(part, split))) for part in self.parts], split):
            yield _marked(task, part)

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield the demonstrations of every part, in shares by weight. Raises: R1Error if a part has none."""
        without = [part.name for part in self.parts if not hasattr(part.environment, "demonstrations")]
        if without:
            raise r1sdk.R1Error(f"{', '.join(without)} has no demonstrations: leave it out of the mixture")
        environments: list[Any] = [part.environment for part in self.parts]
        sources = [
            _Source(part, iter(e.demonstrations(split))) for part, e in zip(self.parts, environments, strict=True)
        ]
        for part, (task, completion) in self._drawn(sources, split):
            yield _marked(task, part), completion

    def rows(self, split: str) -> Iterator[tuple[r1sdk.Task, str, Mapping[str, Any]]]:
        """Yield the tasks with their rows. Raises: R1Error if a part has no rows."""
        without = [part.name for part in self.parts if not hasattr(part.environment, "rows")]
        if without:
            raise r1sdk.R1Error(f"{', '.join(without)} has no rows: work with the parts of a mixture one by one")
        environments: list[Any] = [part.environment for part in self.parts]
        sources = [_Source(part, iter(e.rows(split))) for part, e in zip(self.parts, environments, strict=True)]
        for part, (task, problem, row) in self._drawn(sources, split):
            yield _marked(task, part), problem, row

    def part_of(self, task: r1sdk.Task) -> r1sdk.Environment:
        """Return the environment that `task` came from."""
        return self._part(task).environment

    def verify(self, rollout: r1sdk.Rollout) -> Any:
        """Return the verdict of the task's own environment."""
        return self.part_of(rollout.task).verify(rollout)

    def summary(self) -> str:
        """Return one line: the parts with their shares."""
        whole = sum(part.weight for part in self.parts)
        return "Mixture of " + "; ".join(
            f"{part.name} ({part.weight / whole:.0%}): {getattr(part.environment, 'summary', lambda: '')()}".rstrip(
                ": "
            )
            for part in self.parts
        )

    def _part(self, task: r1sdk.Task) -> r1sdk.Part:
        for part in self.parts:
            if part.name == task.info.get("env"):
                return part
        raise r1sdk.R1Error(
            f"task {task.id!r} is of no part of this mixture: info has env {task.info.get('env')!r}, and there are "
            f"{', '.join(part.name for part in self.parts)}"
        )

    def _tasks_of(self, part: r1sdk.Part, split: str) -> Iterator[r1sdk.Task]:
        try:
            yield from part.environment.tasks(split)
        except r1sdk.R1Error as error:
            raise r1sdk.R1Error(f"{part.name}: {error}") from None

    def _drawn(self, sources: Sequence[_Source], split: str) -> Iterator[tuple[r1sdk.Part, Any]]:
        return islice(
            _mixed(list(sources), self.exhausted == "go_on"), self.train_size if split == "train" else self.test_size
        )


@dataclass
class _Source:
    part: r1sdk.Part
    items: Iterator[Any]
    drawn: int = 0


def _mixed(sources: list[_Source], go_on: bool) -> Iterator[tuple[r1sdk.Part, Any]]:
    """Yield from the part that is furthest behind its share."""
    while sources:
        whole = sum(source.part.weight for source in sources)
        turn = 1 + sum(source.drawn for source in sources)
        source = max(sources, key=lambda s: s.part.weight / whole * turn - s.drawn)
        try:
            item = next(source.items)
        except StopIteration:
            if not go_on:
                return
            sources.remove(source)
            for other in sources:
                other.drawn = 0  # the shares have changed
            continue
        source.drawn += 1
        yield source.part, item


def _marked(task: r1sdk.Task, part: r1sdk.Part) -> r1sdk.Task:
    return replace(task, info={**task.info, "env": part.name}, id=f"{part.name}/{task.id}")
