"""Choose sample attempts from a run folder: at one task before, during and after training."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from ..storage.jsonl import Damage
from ..storage.run_folder import RunFolder
from .reply_view import ReplyPart, message_text, shortened, split_reply

SHOWN = 6  # tasks
LONGEST = 6000  # characters of one completion
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
    return HeldOut({key: found[key] for key in _choose_varied(found)}, flips if both else None)


def training_attempts(folder: RunFolder, last: int, damage: Damage) -> Mapping[str, Sequence[Attempt]]:
    """Return the first completions of the first, a middle and the last step, for a run without evaluations."""
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
    """Convert a line that `rollout_line` wrote for display. Model-written text may be anything and is treated as plain text."""
    task, completion = line.get("task") or {}, line.get("completion") or {}
    verdict = line.get("verdict") or {}
    return Attempt(
        when=when,
        task=str(task.get("id") or ""),
        prompt=shortened(last_prompt(line), LONGEST),
        parts=[ReplyPart(p.kind, shortened(p.text, LONGEST), p.closed) for p in reply_parts(line)],
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
    found: list[ReplyPart] = []
    for message in messages:
        if message.get("role") == "assistant":
            found += split_reply(message_text(message))
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


def _first_attempts(
    lines: Iterable[Mapping[str, Any]], when: str, followed: set[str]
) -> tuple[dict[str, Attempt], dict[str, bool]]:
    """Return the first attempt at each task to display, and for every task if its first attempt was correct."""
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


def _key(line: Mapping[str, Any]) -> str:
    task = line.get("task") or {}
    return str(task.get("id") or json.dumps(task.get("prompt")))
