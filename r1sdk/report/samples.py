"""Choose sample attempts from a run folder: at one task before, during and after training."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..evaluation.statistics import Estimate, estimate
from ..storage import jsonl
from ..storage.jsonl import Damage
from ..storage.row_checks import rollout_fault
from ..storage.run_folder import RunFolder
from .index import LEARNED, LOST
from .reply_view import ReplyPart, message_text, shortened, split_reply
from .turns import turn_rewards

SHOWN = 6  # tasks
LONGEST = 6000  # characters of one completion
EXAMPLE_LONGEST = 1500  # characters of a completion that shows one kind of failure, or one change
CHANGED = 3  # tasks shown of those that training learned, and of those that it lost
CANDIDATES = 64  # tasks to choose from if none was attempted during training


@dataclass(frozen=True, slots=True)
class Attempt:
    """One completion with its verdict, shortened for display."""

    when: str  # "before", "step 20", "after"
    task: str  # its id
    prompt: str
    parts: Sequence[ReplyPart]
    value: float | None
    status: str
    reason: str
    total: float | None
    rewards: Mapping[str, float | None]
    tokens: int
    truncated: bool  # by the token limit
    turns: str = ""  # summary of an attempt of several turns


@dataclass(frozen=True, slots=True)
class Flips:
    """Held-out tasks by their correctness before and after. A task with several samples counts by its first."""

    gained: int = 0
    lost: int = 0
    kept: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Attempts saved by the evaluations of a run."""

    attempts: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)  # by task
    flips: Flips | None = None  # None: at least one of the two evaluations was not saved
    during: Mapping[int, Estimate] = field(default_factory=dict)  # by step: the accuracy on the tasks attempted there
    changed: Mapping[str, Sequence[tuple[Attempt, Attempt]]] = field(
        default_factory=dict
    )  # learned, lost: before, after


def held_out(folder: RunFolder, damage: Damage) -> HeldOut:
    """Return some held-out tasks with an attempt from each moment that attempted them. `damage` counts damaged lines."""
    during = list(folder.evaluation_rollouts("during", damage))
    followed = {task_key(line) for line in during}
    before, right_before = _first_attempts(folder, "before", followed, damage)
    after, right_after = _first_attempts(folder, "after", followed, damage)
    both = [key for key in right_before if key in right_after]
    found: dict[str, list[Attempt]] = {key: [attempt] for key, attempt in before.items()}
    for line in during:
        found.setdefault(task_key(line), []).append(attempt_of(line, f"step {line.get('step')}"))
    for key, attempt in after.items():
        found.setdefault(key, []).append(attempt)
    courses: dict[tuple[bool, bool], list[str]] = {}
    for key in both:
        courses.setdefault((right_before[key].right, right_after[key].right), []).append(key)
    count = {course: len(keys) for course, keys in courses.items()}
    flips = Flips(
        gained=count.get((False, True), 0),
        lost=count.get((True, False), 0),
        kept=count.get((True, True), 0),
        missed=count.get((False, False), 0),
    )
    changed = {
        change: [
            (
                _attempt_at(folder, "before", right_before[key].offset),
                _attempt_at(folder, "after", right_after[key].offset),
            )
            for key in courses.get(course, [])[:CHANGED]
        ]
        for change, course in ((LEARNED, (False, True)), (LOST, (True, False)))
    }
    chosen = {key: found[key] for key in _choose_varied(found)}
    return HeldOut(chosen, flips if both else None, _accuracies(during), changed)


def _accuracies(during: Sequence[Mapping[str, Any]]) -> Mapping[int, Estimate]:
    """Return the accuracy at each step that attempted held-out tasks."""
    steps: dict[int, dict[str, list[float | None]]] = {}
    for line in during:
        if line.get("step") is not None:
            value = (line.get("verdict") or {}).get("value")
            steps.setdefault(line["step"], {}).setdefault(task_key(line), []).append(value)
    return {step: estimate(list(tasks.values())) for step, tasks in sorted(steps.items())}


@dataclass
class FirstSteps:
    """Collector of the first completions of the first, a middle and the last step, for a run without evaluations."""

    last: int
    _rows: dict[int, list[Attempt]] = field(default_factory=dict)
    _seen: dict[int, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for step in sorted({1, max(1, self.last // 2), self.last}):
            self._rows[step], self._seen[step] = [], set()

    def add(self, step: int, read: Callable[[], Mapping[str, Any]]) -> None:
        """Keep the rollout that `read` returns, if its step shows it."""
        if step not in self._rows or len(self._rows[step]) >= SHOWN // 2:
            return
        line = read()
        if (key := task_key(line)) not in self._seen[step]:
            self._seen[step].add(key)
            self._rows[step].append(attempt_of(line, f"step {step}"))

    def found(self) -> Mapping[str, Sequence[Attempt]]:
        """Return rows of attempts, one from each step."""
        rows = [[some[at] for some in self._rows.values() if at < len(some)] for at in range(SHOWN // 2)]
        return {str(at): row for at, row in enumerate(rows, 1) if row}


def attempt_of(line: Mapping[str, Any], when: str, longest: int = LONGEST) -> Attempt:
    """Convert a line that `rollout_line` wrote for display. Model-written text may be anything and is treated as plain text.

    `longest`: characters of the prompt and of each part of the reply.
    """
    task, completion = line.get("task") or {}, line.get("completion") or {}
    verdict = line.get("verdict") or {}
    return Attempt(
        when=when,
        task=str(task.get("id") or ""),
        prompt=shortened(last_prompt(line), longest),
        parts=[ReplyPart(p.kind, shortened(p.text, longest), p.closed) for p in reply_parts(line)],
        value=verdict.get("value"),
        status=str(verdict.get("status") or ""),
        reason=shortened(str(verdict.get("reason") or ""), 400),
        total=line.get("total"),
        rewards=line.get("rewards") or {},
        tokens=completion.get("tokens") or 0,
        truncated=completion.get("finish") == "length",
        turns=session_summary(line),
    )


def last_prompt(line: Mapping[str, Any]) -> str:
    """Return the last message of the prompt."""
    prompt = (line.get("task") or {}).get("prompt") or []
    return message_text(prompt[-1]) if prompt else ""


def reply_text(line: Mapping[str, Any]) -> str:
    """Return the model's reply; if it took several turns, each with its role."""
    messages = (line.get("completion") or {}).get("messages") or []
    if len(messages) == 1:
        return message_text(messages[0])
    return "\n\n".join(f"[{message.get('role', '?')}]\n{message_text(message)}" for message in messages)


def reply_parts(line: Mapping[str, Any]) -> Sequence[ReplyPart]:
    """Return the model's reply split into parts, turn by turn, with the environment's messages between the turns."""
    messages = (line.get("completion") or {}).get("messages") or []
    rewards = iter(turn_rewards(line))
    found: list[ReplyPart] = []
    for message in messages:
        if message.get("role") == "assistant":
            found += split_reply(message_text(message))
            if (reward := next(rewards, None)) is not None:
                found.append(ReplyPart("turn", f"reward of this turn: {reward:.3g}"))
        else:
            who = " ".join(filter(None, [str(message.get("role", "?")), str(message.get("name") or "")]))
            found.append(ReplyPart("environment", f"{who}: {message_text(message)}"))
    return found


_ENDED = {"turns": "the limit on turns", "tokens": "the limit on tokens", "error": "an error: "}


def session_summary(line: Mapping[str, Any]) -> str:
    """Return `3 turns, 2 calls, 1 failed`, or an empty text for a single turn."""
    session = line.get("session")
    if not isinstance(session, Mapping):
        return ""
    counts = [("turns", "turns"), ("calls", "calls"), ("failed", "failed"), ("timeouts", "timed out")]
    counts += [("malformed", "malformed"), ("refused", "not made")]
    facts = [f"{session[key]} {word}" for key, word in counts if session.get(key)]
    if session.get("ended") in _ENDED:
        facts.append(f"ended by {_ENDED[session['ended']]}{session.get('reason') or ''}")
    return ", ".join(facts)


class _First(NamedTuple):
    """The first attempt at a task in a file."""

    right: bool
    offset: int  # bytes


def _first_attempts(
    folder: RunFolder, moment: str, followed: set[str], damage: Damage
) -> tuple[dict[str, Attempt], dict[str, _First]]:
    """Return the first attempt at each task to display, and for every task where its first attempt is and if it was correct."""
    attempts: dict[str, Attempt] = {}
    first: dict[str, _First] = {}
    file = folder.evaluation_file(moment)
    for place, line in jsonl.read_numbered(file, damage=damage, check=rollout_fault):
        key = task_key(line)
        if key in first:
            continue
        first[key] = _First((line.get("verdict") or {}).get("value") == 1.0, place.offset)
        if key in followed or (not followed and len(first) <= CANDIDATES):
            attempts[key] = attempt_of(line, moment)
    return attempts, first


def _attempt_at(folder: RunFolder, moment: str, offset: int) -> Attempt:
    place = next(jsonl.lines(folder.evaluation_file(moment), offset))
    return attempt_of(jsonl.parse(place.data), moment, EXAMPLE_LONGEST)


def _choose_varied(found: Mapping[str, Sequence[Attempt]]) -> list[str]:
    """Return at most `SHOWN` tasks, alternating between outcomes (wrong then right, ...), most attempted tasks first."""
    courses: dict[tuple[bool, bool], list[str]] = {
        (False, True): [],
        (True, True): [],
        (True, False): [],
        (False, False): [],
    }
    for key, attempts in sorted(found.items(), key=lambda item: -len(item[1])):
        courses[attempts[0].value == 1.0, attempts[-1].value == 1.0].append(key)
    chosen: list[str] = []
    while len(chosen) < SHOWN and any(courses.values()):
        chosen += [keys.pop(0) for keys in courses.values() if keys]
    return chosen[:SHOWN]


def task_key(line: Mapping[str, Any]) -> str:
    """Return the id of a line's task, or a digest of its prompt where it has none."""
    task = line.get("task") or {}
    return str(task.get("id") or hashlib.blake2b(json.dumps(task.get("prompt")).encode(), digest_size=16).hexdigest())
