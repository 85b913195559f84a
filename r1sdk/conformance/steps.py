"""`TrialStep`, a check that calls a plugin's code within a time limit, and helpers for the steps of every kind."""

import asyncio
import hashlib
import inspect
import json
import pickle
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from typing import Any

from ..contracts import Sandbox, Verifier
from ..errors import R1Error, RewardError
from ..planning.build import build_advantage, build_environment, build_rewards
from ..plugins import guard
from ..plugins.registry import Registry
from ..recipe.key_groups import AdvantageSettings, Named, WeightedReward
from ..recipe.schema import Recipe
from ..records import Task
from ..scoring.isolation import unwrapped
from .findings import ContractFinding, Subject, failed, passed, skipped
from .trial_replies import HOSTILE, MADE_UP

STEP_S = 60.0  # for a step that reads files, loads tasks or starts a sandbox


@dataclass(frozen=True)
class TrialStep:
    """One check. `run` returns its finding, or raises.

    `observes`: its second result must be the same in every process. `gate`: if it fails, the remaining steps are not tried.
    """

    check: str
    run: Callable[[], ContractFinding | tuple[ContractFinding, Any]]
    limit_s: float = STEP_S
    observes: bool = False
    gate: bool = False
    part: str = ""  # its name among several steps that make up one check


class TrialCandidate:
    """A plugin on trial, built on first use. `task_source`: the environment that rewards and verifiers get tasks from."""

    def __init__(self, registry: Registry, subject: Subject, task_source: Subject | None) -> None:
        self.registry = registry
        self.subject = subject
        self.task_source = task_source

    def fresh(self) -> Any:
        """Build another object of the plugin. Raises: R1Error."""
        name, options = self.subject.name, dict(self.subject.options)
        match self.subject.kind:
            case "reward":
                recipe = Recipe(
                    model="none", env=Named(name="none"), rewards=(WeightedReward(name=name, options=options),)
                )
                return build_rewards(self.registry, recipe)[name][0]
            case "environment":
                return build_environment(self.registry, name, options)
            case "verifier":
                verifier = self.registry.build("verifier", name, options)
                if not isinstance(verifier, Verifier):
                    raise R1Error(f"verifier {name!r} must have read_gold(task) and verify(gold, reply)")
                return verifier
            case "advantage":
                given = AdvantageSettings(name=name, options=options)
                return build_advantage(self.registry, Recipe(model="none", env=Named(name="none"), advantage=given))
            case _:
                built = self.registry.build("sandbox", name, options)
                if not isinstance(built, Sandbox):
                    raise R1Error(f"sandbox {name!r} must have run(code, stdins) and check()")
                return built

    @cached_property
    def built(self) -> Any:
        return self.fresh()

    def tasks(self, most: int) -> list[Task]:
        """Return tasks to try a reward or a verifier on: from `task_source`, or a made-up one."""
        if self.task_source is None:
            return [MADE_UP]
        source = TrialCandidate(self.registry, self.task_source, None).built
        return list(islice(source.tasks("train"), most))


class NotTried(Exception):
    """The reason why a check could not be tried. It becomes a finding `skipped`, not a failure."""


def run_guarded(step: TrialStep) -> tuple[ContractFinding, Any]:
    """Run `step` and return its result. Any exception of the plugin is a finding, since it is someone else's code.

    So is a change of the process that it leaves behind: a run restores it, at the cost of saying so in its log.
    """
    left: list[str] = []
    try:
        with guard.reporting(left.append):
            result = guard.call("it", step.run)
    except NotTried as reason:
        return skipped(step.check, str(reason)), None
    except Exception as error:  # noqa: BLE001 - see above
        return failed(step.check, describe_error(error)), None
    if left:
        return failed(step.check, list_first(left)), None
    return result if isinstance(result, tuple) else (result, None)


def describe_error(error: BaseException) -> str:
    """Return the error, and the line of the plugin that raised it."""
    cause = error.__cause__ if isinstance(error, RewardError) and error.__cause__ is not None else error
    frames = traceback.extract_tb(cause.__traceback__)
    last = f"\n{frames[-1].filename}, line {frames[-1].lineno}" if frames and not isinstance(cause, R1Error) else ""
    text = str(error) if isinstance(error, R1Error) else f"{type(error).__name__}: {error}"
    return f"{text:.600}{last}"


def hostile_steps(hostile: Callable[[str], ContractFinding], timeout_s: float) -> list[TrialStep]:
    """Return one step for each hostile reply, by name: together they are the check `hostile`."""
    return [TrialStep("hostile", partial(hostile, name), timeout_s, part=name) for name in HOSTILE]


def build_step(candidate: TrialCandidate) -> TrialStep:
    def run() -> ContractFinding:
        built = unwrapped(candidate.built)
        return passed("builds", f"{built!r:.100}" if candidate.subject.options else "without options")

    return TrialStep("builds", run, gate=True)


def pickle_step(candidate: TrialCandidate) -> TrialStep:
    """Return the step that pickles the plugin, as a run does to pass it to its processes and workers."""

    def run() -> ContractFinding:
        built = unwrapped(candidate.built)
        try:
            copy = pickle.loads(pickle.dumps(built))
        except Exception as error:  # noqa: BLE001 - someone else's code
            return failed(
                "pickles",
                f"{type(error).__name__}: {str(error)[:200]}\nmake it a function of a module, or a frozen dataclass "
                "whose fields are its options, without locks and connections",
            )
        if type(copy) is not type(built) or (_is_comparable(built) and copy != built):
            return failed("pickles", f"comes back as {copy!r:.100} instead of {built!r:.100}")
        return passed("pickles", "and comes back equal")

    return TrialStep("pickles", run)


def _is_comparable(value: Any) -> bool:
    """True if the class defines `__eq__`, or the value is a plain function, which is pickled by reference."""
    return inspect.isfunction(value) or "__eq__" in vars(type(value))


def digest(value: Any) -> str:
    """Return a short hash that is the same for the same value in every process."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode("utf-8", "replace")).hexdigest()[:16]


def as_json(task: Task) -> Mapping[str, Any]:
    return {"prompt": task.prompt, "answer": task.answer, "info": dict(task.info), "id": task.id}


def run_async(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def list_first(items: Sequence[str], most: int = 3) -> str:
    """Return the first items, one per line, and the number of the remaining ones."""
    more = [f"and {len(items) - most} more"] if len(items) > most else []
    return "\n".join([*items[:most], *more])
