"""The steps for an environment with sessions: they are independent, they end, their tools are described and survive hostile calls."""

import asyncio
import json
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from ..recipe.key_groups import SessionLimits
from ..records import Message, Task
from ..rollout.episode import Episode
from ..rollout.loop import play
from ..rollout.policies import ScriptedPolicy
from ..rollout.run_tool import run_tool
from ..rollout.sessions import check_session, session_of
from ..rollout.tool_calls import ToolCall
from ..rollout.tools import CALL, CALL_END, Tool, tools_of
from ..scoring.blocking import run_blocking
from ..scoring.gold_check import gold_reply
from ..scoring.isolation import unwrapped
from .findings import ContractFinding, failed, passed, skipped
from .steps import NotTried, TrialCandidate, TrialStep, as_json
from .trial_replies import HOSTILE, in_format

TURNS = 40
_LIMITS = SessionLimits(turns=TURNS, calls=2 * TURNS)
_QUIET = ("", "I would rather not say.", in_format("1"), in_format("nothing"))
_BROKEN = (
    f"{CALL}",
    f"{CALL}{CALL_END}",
    f"{CALL}[1]{CALL_END}",
    f"{CALL}{{not json{CALL_END}",
    f"{CALL}{'[' * 20_000}{CALL_END}",
    f'{CALL}{{"name": "no_such_tool", "arguments": {{}}}}{CALL_END}',
    CALL * 20_000,
    f"{CALL}{{}}{CALL_END}" * 5_000,
)


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """Return the steps for an environment's sessions; none if it has no sessions."""
    if not hasattr(candidate.registry.get("environment", candidate.subject.name).target, "session"):
        return []
    trial = _Trial(candidate, timeout_s)
    return [
        TrialStep("sessions", trial.sessions_start, gate=True),
        TrialStep("independent", trial.sessions_are_independent),
        TrialStep("ends", trial.sessions_end),
        TrialStep("calls", trial.sessions_survive_calls, limit_s=60.0 + len(HOSTILE) * 2 * timeout_s),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate, timeout_s: float) -> None:
        self.candidate = candidate
        self.timeout_s = timeout_s

    def _task(self) -> Task:
        for split in ("train", "test"):
            try:
                tasks: list[Task] = list(islice(self.candidate.built.tasks(split), 1))
                return tasks[0]
            except Exception:  # noqa: BLE001, S112 - the step `draws` reports the faults of a split
                continue
        raise NotTried("no tasks")

    def sessions_start(self) -> ContractFinding:
        """Check that the first task has a session whose tools have names, docstrings and a schema."""
        task = self._task()
        if not check_session(self.candidate.built, task):
            return skipped("sessions", "the first task has a single turn")
        tools = self._tools(task)
        for tool in tools.values():
            json.dumps(tool.schema)
        found = f"tools {', '.join(tools)}" if tools else "no tools"
        if tools and (missing := [n for n in tools if n not in json.dumps([m["content"] for m in task.prompt])]):
            return failed(
                "sessions",
                f"the prompt does not name the tool {', '.join(missing)}: the model knows tools only from its prompt\n"
                "put r1sdk.with_tools(prompt, tools) into the tasks",
            )
        return passed("sessions", found)

    def sessions_are_independent(self) -> ContractFinding:
        """Check that a session changes neither its task nor another session of the same task."""
        task = self._task()
        before = json.dumps(as_json(task))
        script = [*_QUIET, gold_reply(unwrapped(self.candidate.built), task) or in_format("2")] * 2
        alone, again, other = self._episode(task), self._episode(task), self._episode(task)
        run_blocking(play([alone], ScriptedPolicy(script)))
        run_blocking(_side_by_side(again, script, other, [in_format("3")] * len(script)))
        if again.messages != alone.messages:
            return failed("independent", "a session answers differently while another one of the same task is played")
        if json.dumps(as_json(task)) != before:
            return failed("independent", f"a session changes its task {task.id!r}")
        return passed("independent", "of another session of the same task")

    def sessions_end(self) -> ContractFinding:
        """Check that a session ends by itself or at the limit on turns, whatever the model says, and logs JSON."""
        task = self._task()
        ends = set()
        for reply in _QUIET:
            episode = self._episode(task)
            run_blocking(play([episode], ScriptedPolicy([reply] * TURNS)))
            log = episode.rollout().session
            ends.add(f"{log.ended} after {log.turns}" if log else "")
        return passed("ends", "; ".join(sorted(ends)))

    def sessions_survive_calls(self) -> ContractFinding:
        """Check that every hostile call gets a text as its result, in time."""
        task = self._task()
        tools = self._tools(task)
        started = time.perf_counter()
        for reply in (*_BROKEN, *HOSTILE.values()):
            if fault := _fault(run_blocking(self._episode(task).step(reply))):
                return failed("calls", f"after {reply[:60]!r}: {fault}")
        limits = SessionLimits(timeout_s=self.timeout_s, output_chars=2000)
        made = 0
        for tool in tools.values():
            for text in HOSTILE.values():
                result = run_blocking(run_tool(ToolCall(tool.name, _hostile_arguments(tool, text)), tools, limits))
                made += 1
                if result.status == "timeout":
                    return failed("calls", f"{tool.name}({text[:60]!r}...) gave no result in {self.timeout_s:g} s")
                if len(result.text) > limits.output_chars + 100:
                    return failed("calls", f"{tool.name} returned {len(result.text)} characters")
        what = f"{made} hostile calls of tools" if tools else f"{len(_BROKEN) + len(HOSTILE)} hostile turns"
        return passed("calls", f"{what} answered in {time.perf_counter() - started:.1f} s")

    def _episode(self, task: Task) -> Episode:
        session = session_of(self.candidate.built, task)
        if session is None:
            raise NotTried("the first task has a single turn")
        return Episode(task, session, _LIMITS)

    def _tools(self, task: Task) -> dict[str, Tool]:
        return tools_of(getattr(session_of(self.candidate.built, task), "tools", ()))


async def _side_by_side(one: Episode, script: Sequence[str], other: Episode, others: Sequence[str]) -> None:
    """Play two episodes concurrently, each with its own script."""
    await asyncio.gather(play([other], ScriptedPolicy(others)), play([one], ScriptedPolicy(script)))


def _fault(messages: Sequence[Message]) -> str | None:
    if sum(len(message["content"]) for message in messages) > (_LIMITS.calls + 2) * (_LIMITS.output_chars + 100):
        return "the environment's answer is longer than the limit allows"
    return None


def _hostile_arguments(tool: Tool, text: str) -> dict[str, Any]:
    """Return arguments of the right types, with hostile text for every string."""
    kinds: dict[str, Any] = {
        "string": text,
        "integer": 10**30,
        "number": 1e308,
        "boolean": True,
        "array": [],
        "object": {},
    }
    properties = tool.parameters["properties"]
    return {
        name: kinds[schema["type"]] if "enum" not in schema else schema["enum"][0]
        for name, schema in properties.items()
    }
