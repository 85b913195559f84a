"""The environment `maths_tools`: problems and verification of another environment, with tools."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import r1sdk

from ..maths import Maths
from .calculator import calculator
from .python_tool import Python

_ARITHMETIC = re.compile(r"What is ([-+*/() 0-9]+)\?")


def _runs_programs(options: Mapping[str, Any]) -> bool:
    return "python" in options["tools"]


@dataclass(frozen=True)
class MathsTools:
    """The problems of `maths`, or of another environment, attempted with tools; judged as there.

    `of` lists that one environment: `of: [gsm8k]`, `of: [{name: maths, options: {level: 3}}]`. The tools are described in the
    system message. A program starts from nothing each time: no variable of an earlier one is left.
    """

    tools: tuple[Literal["calculator", "python"], ...] = ("calculator",)
    of: tuple[r1sdk.Part, ...] = r1sdk.environments_option()  # none: maths
    sandbox: r1sdk.Sandbox | None = r1sdk.sandbox_option(needed=_runs_programs)  # for python
    brief: bool = False  # describe the tools in one line each, without a JSON schema
    demonstrated_calls: float = 1.0  # share of the demonstrations that call the calculator; the others answer at once
    program_s: float = 5.0  # a program may take
    memory_mb: int = 512  # a program may take

    def __post_init__(self) -> None:
        known = ("calculator", "python")
        if not self.tools or (unknown := [name for name in self.tools if name not in known]):
            raise ValueError(
                f"tools are some of {', '.join(known)}, got {', '.join(unknown) if self.tools else 'none'}"
            )
        if len(set(self.tools)) < len(self.tools):
            raise ValueError(f"a tool is listed once, got {', '.join(self.tools)}")
        if len(self.of) > 1:
            raise ValueError("of lists one environment: for several, list a maths_tools for each in a mixture")
        if any(isinstance(part.environment, r1sdk.Interactive) for part in self.of):
            raise ValueError("of lists an environment without sessions of its own")
        if not 0.0 <= self.demonstrated_calls <= 1.0:
            raise ValueError(f"demonstrated_calls is a share between 0 and 1, got {self.demonstrated_calls}")
        if self.program_s <= 0 or self.memory_mb < 16:
            raise ValueError("program_s is above 0, and memory_mb at least 16")

    def tasks(self, split: str) -> Iterator[r1sdk.Task]:
        """The tasks of the other environment, with the tools in their prompts."""
        functions = self._functions()
        for task in self._inner().tasks(split):
            yield replace(task, prompt=r1sdk.with_tools(task.prompt, functions, self.brief))

    def rows(self, split: str) -> Iterator[tuple[r1sdk.Task, str, Mapping[str, Any]]]:
        """Yield the rows of the other environment. Raises: R1Error if it has none."""
        inner: Any = self._inner()
        if not hasattr(inner, "rows"):
            raise r1sdk.R1Error("these problems are drawn, and come from no rows")
        functions = self._functions()
        for task, problem, row in inner.rows(split):
            yield replace(task, prompt=r1sdk.with_tools(task.prompt, functions, self.brief)), problem, row

    def demonstrations(self, split: str) -> Iterator[tuple[r1sdk.Task, r1sdk.Completion]]:
        """Yield attempts at the arithmetic among the tasks: one call of the calculator, or the answer at once.

        Raises: R1Error if the tools have no calculator, or no task is "What is" an expression.
        """
        if "calculator" not in self.tools:
            raise r1sdk.R1Error("maths_tools demonstrates the calculator: list it in the option tools")
        found = False
        for task in self.tasks(split):
            asked = _ARITHMETIC.match(str(task.prompt[-1]["content"]))
            if asked is None:
                continue
            found = True
            calls = random.Random(f"maths_tools {task.id} {asked[1]}").random() < self.demonstrated_calls
            yield task, r1sdk.Completion(_attempt(asked[1], calls))
        if not found:
            raise r1sdk.R1Error(
                "maths_tools demonstrates arithmetic: of=[{name: maths, options: {kinds: [arithmetic]}}]"
            )

    def repeats(self, split: str) -> str:
        """Return why a task may come twice, as the other environment says."""
        return str(getattr(self._inner(), "repeats", lambda split: "")(split))

    def session(self, task: r1sdk.Task) -> r1sdk.ToolSession:
        """Return the session of one attempt: the tools."""
        return r1sdk.ToolSession(self._functions())

    def part_of(self, task: r1sdk.Task) -> r1sdk.Environment:
        """Return the environment that verifies."""
        return self._inner()

    def verify(self, rollout: r1sdk.Rollout) -> Any:
        """Return the other environment's verdict on the last turn."""
        return self._inner().verify(rollout)

    def summary(self) -> str:
        """Return one line: the problems and the tools."""
        said = getattr(self._inner(), "summary", lambda: self.of[0].name if self.of else "maths")()
        return f"{said}; with {' and '.join(self.tools)}"

    def _inner(self) -> r1sdk.Environment:
        return self.of[0].environment if self.of else Maths()

    def _functions(self) -> Sequence[Callable[..., Any]]:
        python = Python(self.sandbox, self.program_s, self.memory_mb).python
        return [{"calculator": calculator, "python": python}[name] for name in self.tools]


def _attempt(expression: str, calls: bool) -> list[r1sdk.Message]:
    """Return the turns of one attempt: a call of the calculator, and its result as the answer. Without `calls`, the answer alone."""
    result = calculator(expression)
    if not calls:
        return [_turn(expression, f"<answer>{result.partition(' ')[0]}</answer>")]
    call = json.dumps({"name": "calculator", "arguments": {"expression": expression}})
    answer = result.partition(" ")[0]
    return [
        _turn(expression, f"<tool_call>\n{call}\n</tool_call>"),
        {"role": "tool", "content": result},
        _turn(answer, f"<answer>{answer}</answer>"),
    ]


def _turn(thought: str, then: str) -> r1sdk.Message:
    return {"role": "assistant", "content": f"<think>\n{thought}\n</think>\n{then}"}
