"""The first generation of verifiers, up to 0.3: `load_environment()` returns a SingleTurnEnv with data sets and a rubric."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import r1sdk

from .package_types import PackageRow, Scores, plain, same_prompt


def open_environment(module: ModuleType, name: str, args: Mapping[str, Any]) -> OpenedEnvironment:
    """Return the environment that the package's `load_environment(**args)` makes. Raises: R1Error."""
    try:
        import verifiers

        single, base = verifiers.SingleTurnEnv, verifiers.Environment
    except (ImportError, AttributeError):
        raise r1sdk.R1Error(
            f"{name} is made for verifiers before 0.4 (it has load_environment), and another version is installed:\\n"
            "  pip install 'verifiers<0.4'"
        ) from None
    loader = module.load_environment
    known = inspect.signature(loader).parameters
    unknown = [key for key in args if key not in known]
    if unknown and not any(each.kind is each.VAR_KEYWORD for each in known.values()):
        raise r1sdk.R1Error(
            f"{name} takes no {', '.join(map(repr, unknown))}; it takes {', '.join(known) or 'nothing'}"
        )
    try:
        made = loader(**args)
    except Exception as error:
        raise r1sdk.R1Error(f"load_environment of {name} failed: {type(error).__name__}: {error}") from error
    if not isinstance(made, base):
        raise r1sdk.R1Error(f"load_environment of {name} returned {made!r:.100}, which is no environment of verifiers")
    if hasattr(made, "envs"):
        raise r1sdk.R1Error(f"{name} is a group of environments: name them one by one, in the environment mixture")
    if not isinstance(made, single) or getattr(made, "tool_defs", None) or getattr(made, "oai_tools", None):
        raise r1sdk.R1Error(
            f"{name} is a {type(made).__name__}: several turns or tools, and this environment gives one reply to a task"
        )
    if made.rubric.has_group_rewards:
        raise r1sdk.R1Error(f"{name} has rewards that compare the replies to one prompt; a verdict is about one reply")
    return OpenedEnvironment(name, made)


class OpenedEnvironment:
    """A SingleTurnEnv. The rubric's functions are called one by one, because the rubric counts one that raises as 0.0."""

    def __init__(self, name: str, made: Any) -> None:
        self.kind = f"verifiers v0, {type(made).__name__}"
        self._name = name
        self._made = made
        train, test = made.build_dataset(), made.build_eval_dataset()
        self.has_test = train is not None and test is not None
        self._sets = (test if train is None else train, test)

    def rows(self, test: bool) -> Iterator[PackageRow]:
        data = self._data(test)
        yield from (self._row(data, index) for index in range(len(data)))

    async def scores(self, index: int, test: bool, prompt: list[r1sdk.Message], reply: str, cut: bool) -> Scores:
        from verifiers.types import State
        from verifiers.utils.message_utils import normalize_messages

        data = self._data(test)
        same_prompt(index, prompt, self._row(data, index))
        row = copy.deepcopy(dict(data[index]))
        if isinstance(row.get("info"), str):
            row["info"] = json.loads(row["info"])
        row = {**row, "prompt": normalize_messages(row["prompt"])}
        completion = normalize_messages([{"role": "assistant", "content": reply}])
        step = {"prompt": row["prompt"], "completion": completion, "is_truncated": cut, "extras": {}}
        unset = dict.fromkeys(("response", "tokens", "reward", "advantage"))
        state = State(input=row)
        state.update(task=row, model="", sampling_args={}, tool_defs=[], trajectory=[{**step, **unset}])
        state.update(completion=completion, is_completed=True, is_truncated=cut, error=None, reward=None, metrics=None)
        state = await self._made.setup_state(state) or state
        found: dict[str, tuple[float, float]] = {}
        for rubric in _parts(self._made.rubric):
            for function, weight in zip(rubric.funcs, rubric.weights, strict=True):
                score = await _called(function, rubric.score_objects(state))
                name = getattr(function, "__name__", type(function).__name__)
                before = found.get(name)
                found[name] = (score, weight) if before is None else _merged(before, (score, weight))
        return found

    def _data(self, test: bool) -> Any:
        return self._sets[1 if test and self.has_test else 0]

    def _row(self, data: Any, index: int) -> PackageRow:
        row = data[index]
        prompt = row["prompt"] if not isinstance(row["prompt"], str) else [{"role": "user", "content": row["prompt"]}]
        where = f"row {index} of {self._name}"
        messages = [{"role": message["role"], "content": plain(message["content"], where)} for message in prompt]
        answer = row.get("answer")
        return PackageRow(index, messages, None if answer in (None, "") else str(answer))


def _parts(rubric: Any) -> Iterator[Any]:
    """Yield the rubrics that contain functions; a RubricGroup contains other rubrics."""
    others = getattr(rubric, "rubrics", None)
    if others is None:
        yield rubric
        return
    for other in others:
        yield from _parts(other)


async def _called(function: Any, objects: Mapping[str, Any]) -> float:
    parameters = inspect.signature(function).parameters
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        objects = {name: value for name, value in objects.items() if name in parameters}
    score = function(**objects)
    return float(await score if inspect.isawaitable(score) else score)


def _merged(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """Merge functions of the same name into one with the sum of their weights."""
    weight = one[1] + other[1]
    return ((one[0] * one[1] + other[0] * other[1]) / weight if weight else one[0], weight)
