"""Prices the rows of a table of hostile completions, one after the other, as the trainer would; run by test_hostile.py.

    python tests/support/hostile_table.py TABLE [FIRST]

Prints JSON lines: `{"memory": bytes}` once all is loaded, `{"start": row}` and `{"row", "value", "status", "reason", "seconds"}` for each row
from FIRST on, `{"peak": bytes}` at the end. A row has an `id`, a `reward` or an `environment` with its `options`, the
`completion`, what it is `expected` to earn and `why`. Optional: `info`, `answer` and `verdict` (1.0 where it says nothing)
of its task, the number of its `tokens`, the `status` of its verdict, and the completions that stand `beside` it in its group.

A completion is a text, or a list of texts, `{"repeat": text, "times": n}` and `{"numbers": n, "before": a, "after": b}`.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from r1sdk import Completion, Rollout, Task, Verdict
from r1sdk.plugins.loading import load_plugins
from r1sdk.plugins.registry import Registry
from r1sdk.scoring.score_rollouts import score

DEADLINES = {"maths": 2.0}  # seconds for one answer, of the environments that have such an option


@dataclass(frozen=True)
class Given:
    """An environment whose verdict is the one that the table gives."""

    def tasks(self, split: str) -> list[Task]:
        return []

    def verify(self, rollout: Rollout) -> Verdict:
        value = rollout.task.info["verdict"]
        return Verdict(value, "error" if value is None else "ok")


def text_of(parts: str | Sequence[Any]) -> str:
    """The completion that a row spells out."""
    if isinstance(parts, str):
        return parts
    return "".join(part if isinstance(part, str) else _generated(part) for part in parts)


def _generated(part: Mapping[str, Any]) -> str:
    if "repeat" in part:
        return str(part["repeat"]) * int(part["times"])
    return "".join(f"{part['before']}{number}{part['after']}" for number in range(part["numbers"]))


def rollout(row: Mapping[str, Any], one: Mapping[str, Any]) -> Rollout:
    """One completion of a row, the row's own or one beside it."""
    info = {**row.get("info", {}), "verdict": one.get("verdict", 1.0)}
    completion = Completion([{"role": "assistant", "content": text_of(one["completion"])}], [0] * one.get("tokens", 10))
    return Rollout(Task([{"role": "user", "content": "?"}], row.get("answer"), info, row["id"]), completion)


def price(row: Mapping[str, Any], registry: Registry, environments: Mapping[str, Any]) -> dict[str, Any]:
    """What the row's completion earns, with the status of its verdict or, for a reward, of its price."""
    group = [rollout(row, one) for one in (row, *row.get("beside", ()))]
    name = row.get("reward", "accuracy")
    rewards = {name: (registry.build("reward", name, row.get("options", {})), 1.0)}
    judge = environments[row["environment"]] if "environment" in row else Given()
    judged, scores = score(group, judge, rewards, len(group))
    value, status, reason = scores[0].rewards[name], scores[0].statuses.get(name, "ok"), ""
    if "environment" in row:
        verdict = judged[0].verdict
        assert verdict is not None and verdict.value == value
        status, reason = verdict.status, verdict.reason
    return {"value": value, "status": status, "reason": reason[:300]}


def build_environments(registry: Registry, names: set[str]) -> dict[str, Any]:
    """Those that the table names."""
    options = {name: {"timeout_s": seconds} for name, seconds in DEADLINES.items()}
    return {name: registry.build("environment", name, options.get(name, {})) for name in names}


def memory(peak: bool = False) -> int:
    """Bytes that this process holds now, or has held at most."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(wanted):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {wanted}")


def say(**line: Any) -> None:
    print(json.dumps(line), flush=True)


def main() -> None:
    table, first = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    rows = [json.loads(line) for line in table.read_text(encoding="ascii").splitlines()]
    registry = load_plugins()
    environments = build_environments(registry, {row["environment"] for row in rows if "environment" in row})
    for row in {row.get("reward") or row["environment"]: row for row in reversed(rows)}.values():
        price(row, registry, environments)  # the first of each: imports and the first worker are no row's time
    if "maths" in environments:  # most answers need no worker: this one does
        integral = {
            "id": "start",
            "environment": "maths",
            "answer": "1/3",
            "completion": r"<answer>\int_0^1 x^2 dx</answer>",
        }
        price(integral, registry, environments)
    say(memory=memory())
    for nth, row in enumerate(rows[first:], first):
        say(start=nth)
        started = time.perf_counter()
        say(row=nth, **price(row, registry, environments), seconds=time.perf_counter() - started)
    say(peak=memory(peak=True))


if __name__ == "__main__":
    main()
