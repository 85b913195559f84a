"""The second generation of verifiers, `verifiers.v1`: a package exports a Taskset, whose tasks score traces."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import r1sdk

from .package_types import PackageRow, Scores, plain, same_prompt


def open_taskset(name: str, args: Mapping[str, Any]) -> Tasks:
    """Return the taskset that the package exports, with `args` as its settings. Raises: R1Error."""
    import verifiers.v1 as vf
    from verifiers.v1.utils import loaders

    try:
        kind = loaders.taskset_class(name)
        settings = loaders.taskset_config_type(name).model_validate({**args, "id": name})
        taskset = kind(settings)
    except ModuleNotFoundError as error:
        raise r1sdk.R1Error(f"environment package {name!r} cannot be had: {error}") from error
    except Exception as error:
        raise r1sdk.R1Error(f"{name} cannot be loaded: {type(error).__name__}: {error}") from error
    if loaders.environment_class(name) is not vf.SingleAgentEnv:
        raise _refused(name, "brings a loop of its own, with several agents or turns")
    if loaders.default_harness_id(name) == name:
        raise _refused(name, "brings a program that talks with the model")
    task_type = kind.task_type()
    if kind.toolsets(settings) or task_type.toolsets(settings.task):
        raise _refused(name, "gives its tasks tools")
    if task_type.NEEDS_CONTAINER:
        raise _refused(name, "needs a container")
    for hook in ("setup", "finalize"):
        if getattr(task_type, hook) is not getattr(vf.Task, hook):
            raise _refused(name, f"prepares a machine for each task (it has {hook})")
    return Tasks(name, taskset)


def _refused(name: str, why: str) -> r1sdk.R1Error:
    return r1sdk.R1Error(f"{name} {why}, and this environment gives one reply to a task, as text")


class Tasks:
    """A taskset. It may be infinite: as many tasks are kept as were asked for."""

    has_test = False

    def __init__(self, name: str, taskset: Any) -> None:
        self.kind = f"verifiers v1, {type(taskset).__name__}"
        self._name = name
        self._stream = iter(taskset)
        self._drawn: list[Any] = []

    def rows(self, test: bool) -> Iterator[PackageRow]:
        index = 0
        while (task := self._task(index)) is not None:
            yield self._row(index, task)
            index += 1

    async def scores(self, index: int, test: bool, prompt: list[r1sdk.Message], reply: str, cut: bool) -> Scores:
        task = self._task(index)
        if task is None:
            raise r1sdk.R1Error(f"task {index} of {self._name} is not there any more")
        same_prompt(index, prompt, self._row(index, task))
        trace = _trace(task, prompt, reply, cut)
        await task.score(trace)
        unscored = [name for name, reward in trace.rewards.items() if reward is None]
        if unscored:
            raise RuntimeError(f"no score of {', '.join(unscored)}")
        return {name: (reward.score, reward.weight) for name, reward in trace.rewards.items()}

    def _task(self, index: int) -> Any:
        while len(self._drawn) <= index:
            task = next(self._stream, None)
            if task is None:
                return None
            if not self._drawn:
                self._check(task)
            self._drawn.append(task)
        return self._drawn[index]

    def _check(self, task: Any) -> None:
        """Raises: R1Error if a reward of the first task needs a machine, which is not available here."""
        scorers = [*task.hooks("reward"), *(judge.score for judge in task.plugged_judges())]
        for scorer in scorers:
            machine = inspect.signature(scorer).parameters.get("runtime")
            if machine is not None and machine.default is machine.empty:
                raise _refused(self._name, f"looks at a machine in its reward {scorer.__name__}")
        if not scorers:
            raise r1sdk.R1Error(f"{self._name} has no rewards: nobody would judge")

    def _row(self, index: int, task: Any) -> PackageRow:
        data, where = task.data, f"task {index} of {self._name}"
        if data.prompt is None:
            raise _refused(self._name, "lets a user speak first")
        if data.image:
            raise _refused(self._name, "needs a container")
        asked = [{"role": "user", "content": data.prompt}] if isinstance(data.prompt, str) else data.prompt
        messages = [m if isinstance(m, Mapping) else m.model_dump(exclude_none=True) for m in asked]
        prompt = [{"role": str(m["role"]), "content": plain(m["content"], where)} for m in messages]
        if data.system_prompt:
            prompt.insert(0, {"role": "system", "content": data.system_prompt})
        answer = getattr(data, "answer", None)
        return PackageRow(index, prompt, answer if isinstance(answer, str) and answer else None)


def _trace(task: Any, prompt: list[r1sdk.Message], reply: str, cut: bool) -> Any:
    """Return the record of a conversation of one turn, as the library's own loop makes it."""
    from verifiers.v1 import graph, state, trace, types
    from verifiers.v1.configs.agent import WireAgentConfig

    said = {"system": types.SystemMessage, "user": types.UserMessage, "assistant": types.AssistantMessage}
    messages = [said[message["role"]](content=message["content"]) for message in prompt]
    messages.append(types.AssistantMessage(content=reply))
    nodes = [
        graph.MessageNode(parent=at - 1 if at else None, message=message, sampled=at == len(prompt))
        for at, message in enumerate(messages)
    ]
    kind = trace.Trace[type(task.data), state.state_cls(type(task)), WireAgentConfig]
    return kind(
        task=trace.TraceTask(type=type(task).__name__, data=task.data, key=task.key, hash=task.hash),
        agent=trace.AgentInfo(config=WireAgentConfig()),
        nodes=nodes,
        calls=[trace.ModelCall(node=len(prompt), finish_reason="length" if cut else "stop")],
        is_completed=True,
        ok=True,
        stop_condition="agent_completed",
        state=state.state_cls(type(task))(),
    )
