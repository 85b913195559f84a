"""A run folder in, attempts at one task before, during and after the training out."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ..storage.jsonl import Damage
from ..storage.run_folder import RunFolder
from .reply_view import ReplyPart, content, parts, shortened

SHOWN = 6  # tasks
LONGEST = 6000  # characters of one completion
CANDIDATES = 64  # tasks to choose from where none was attempted during training


@dataclass(frozen=True, slots=True)
class Attempt:
    """One completion with its verdict, ready to be shown."""

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
    cut: bool
    turns: str = ""  # what happened between them, where there were several


@dataclass(frozen=True, slots=True)
class Flips:
    """Held-out tasks by whether they were right before and after; a task with several samples by its first."""

    gained: int = 0
    lost: int = 0
    kept: int = 0
    missed: int = 0


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What the evaluations of a run kept."""

    attempts: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)  # by task
    flips: Flips | None = None  # None: not both evaluations were kept


def held_out(folder: RunFolder, damage: Damage) -> HeldOut:
    """Return some held-out tasks with an attempt from each moment that attempted them. `damage` counts damaged lines."""
    during = list(folder.evaluation_rollouts("during", damage))
    followed = {_key(line) for line in during}
    before, right_before = _first_attempts(folder.evaluation_rollouts("before", damage), "before", followed)
    after, right_after = _first_attempts(folder.evaluation_rollouts("after", damage), "after", followed)
    both = right_before.keys() & right_after.keys()
    found: dict[str, list[Attempt]] = {key: [attempt] for key, attempt in before.items()}
    for line in during:
        found.setdefault(_key(line), []).append(attempt_of(line, f"step {line.get('step')}"))
    for key, attempt in after.items():
        found.setdefault(key, []).append(attempt)
    flips = Flips(
        gained=sum(right_after[key] and not right_before[key] for key in both),
        lost=sum(right_before[key] and not right_after[key] for key in both),
        kept=sum(right_before[key] and right_after[key] for key in both),
        missed=sum(not right_before[key] and not right_after[key] for key in both),
    )
    return HeldOut({key: found[key] for key in _varied(found)}, flips if both else None)


def training_attempts(folder: RunFolder, last: int, damage: Damage) -> Mapping[str, Sequence[Attempt]]:
    """Where no evaluation was kept: the first completions of the first, a middle and the last step, at different tasks."""
    wanted = sorted({1, max(1, last // 2), last})
    rows: dict[str, list[Attempt]] = {}
    for step, lines in groupby(folder.rollouts(damage=damage), key=lambda line: line.get("step")):
        if step not in wanted:
            continue
        seen: list[str] = []
        for line in lines:
            if len(seen) < SHOWN // 2 and (key := _key(line)) not in seen:
                seen.append(key)
                rows.setdefault(f"{len(seen)}", []).append(attempt_of(line, f"step {step}"))
    return rows


def attempt_of(line: Mapping[str, Any], when: str) -> Attempt:
    """A line that `rollout_line` wrote, ready to be shown. What a model wrote is taken as text, whatever it is."""
    task, completion = line.get("task") or {}, line.get("completion") or {}
    verdict = line.get("verdict") or {}
    return Attempt(
        when=when,
        task=str(task.get("id") or ""),
        prompt=shortened(asked(line), LONGEST),
        parts=[ReplyPart(p.kind, shortened(p.text, LONGEST), p.closed) for p in said_parts(line)],
        value=verdict.get("value"),
        status=str(verdict.get("status") or ""),
        reason=shortened(str(verdict.get("reason") or ""), 400),
        total=line.get("total"),
        rewards=line.get("rewards") or {},
        tokens=completion.get("tokens") or 0,
        cut=completion.get("finish") == "length",
        turns=between_turns(line),
    )


def asked(line: Mapping[str, Any]) -> str:
    """The last message of the prompt."""
    prompt = (line.get("task") or {}).get("prompt") or []
    return content(prompt[-1]) if prompt else ""


def said(line: Mapping[str, Any]) -> str:
    """What the model said; where it took several turns, each with who speaks."""
    messages = (line.get("completion") or {}).get("messages") or []
    if len(messages) == 1:
        return content(messages[0])
    return "\n\n".join(f"[{message.get('role', '?')}]\n{content(message)}" for message in messages)


def said_parts(line: Mapping[str, Any]) -> Sequence[ReplyPart]:
    """What the model said, taken apart turn by turn, with what it was told between them."""
    messages = (line.get("completion") or {}).get("messages") or []
    found: list[ReplyPart] = []
    for message in messages:
        if message.get("role") == "assistant":
            found += parts(content(message))
        else:
            who = " ".join(filter(None, [str(message.get("role", "?")), str(message.get("name") or "")]))
            found.append(ReplyPart("told", f"{who}: {content(message)}"))
    return found


_ENDED = {"turns": "the limit on turns", "tokens": "the limit on tokens", "error": "an error: "}


def between_turns(line: Mapping[str, Any]) -> str:
    """`3 turns, 2 calls, 1 failed`; an empty text where there was a single turn."""
    session = line.get("session")
    if not isinstance(session, Mapping):
        return ""
    counts = [("turns", "turns"), ("calls", "calls"), ("failed", "failed"), ("timeouts", "timed out")]
    counts += [("malformed", "malformed"), ("refused", "not made")]
    said = [f"{session[key]} {word}" for key, word in counts if session.get(key)]
    if session.get("ended") in _ENDED:
        said.append(f"ended by {_ENDED[session['ended']]}{session.get('reason') or ''}")
    return ", ".join(said)


def _first_attempts(
    lines: Iterable[Mapping[str, Any]], when: str, followed: set[str]
) -> tuple[dict[str, Attempt], dict[str, bool]]:
    """The first attempt at each task that may be shown, and whether the first attempt at any task was right."""
    attempts: dict[str, Attempt] = {}
    right: dict[str, bool] = {}
    for line in lines:
        key = _key(line)
        if key in right:
            continue
        right[key] = (line.get("verdict") or {}).get("value") == 1.0
        if key in followed or (not followed and len(right) <= CANDIDATES):
            attempts[key] = attempt_of(line, when)
    return attempts, right


def _varied(found: Mapping[str, Sequence[Attempt]]) -> list[str]:
    """At most `SHOWN` tasks, one of each course (wrong then right, ...) in turn; those with the most moments first."""
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


def _key(line: Mapping[str, Any]) -> str:
    task = line.get("task") or {}
    return str(task.get("id") or json.dumps(task.get("prompt")))
