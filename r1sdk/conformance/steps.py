"""A `TrialStep`: one check that calls a plugin's code, with a deadline; and what the steps of every kind share."""

import asyncio
import hashlib
import inspect
import json
import pickle
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from ..contracts import Sandbox, Verifier
from ..errors import R1Error, RewardError
from ..planning.build import build_environment, build_rewards
from ..plugins.registry import Registry
from ..recipe.key_groups import Named, WeightedReward
from ..recipe.schema import Recipe
from ..records import Task
from ..scoring.isolation import unwrapped
from .findings import ContractFinding, Subject, failed, passed, skipped
from .trial_replies import MADE_UP

STEP_S = 60.0  # for a step that reads files, draws tasks or starts a jail


@dataclass(frozen=True)
class TrialStep:
    """One check. `run` returns what came of it, or raises.

    `observes`: its second result must be the same in every process. `gate`: where it fails, nothing after it is tried.
    """

    check: str
    run: Callable[[], ContractFinding | tuple[ContractFinding, Any]]
    limit_s: float = STEP_S
    observes: bool = False
    gate: bool = False
    part: str = ""  # of several steps that make up one check, which


class TrialCandidate:
    """A plugin on trial, built when it is first asked for. `task_source`: the environment that rewards and verifiers get tasks from."""

    def __init__(self, registry: Registry, subject: Subject, task_source: Subject | None) -> None:
        self.registry = registry
        self.subject = subject
        self.task_source = task_source

    def fresh(self) -> Any:
        """The plugin, built anew. Raises: R1Error."""
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
            case _:
                built = self.registry.build("sandbox", name, options)
                if not isinstance(built, Sandbox):
                    raise R1Error(f"sandbox {name!r} must have run(code, stdins) and check()")
                return built

    @cached_property
    def built(self) -> Any:
        return self.fresh()

    def tasks(self, most: int) -> list[Task]:
        """Tasks to try a reward or a verifier on: of the environment that was named, or one made up here."""
        if self.task_source is None:
            return [MADE_UP]
        source = TrialCandidate(self.registry, self.task_source, None).built
        return list(islice(source.tasks("train"), most))


class NotTried(Exception):
    """Why a check could not be tried: a finding of its own, and no failure."""


def guarded(step: TrialStep) -> tuple[ContractFinding, Any]:
    """What came of `step`. Whatever the plugin raises is a finding: it is someone else's code."""
    try:
        came = step.run()
    except NotTried as reason:
        return skipped(step.check, str(reason)), None
    except Exception as error:  # noqa: BLE001 - see above
        return failed(step.check, explained(error)), None
    return came if isinstance(came, tuple) else (came, None)


def explained(error: BaseException) -> str:
    """The error, and the line of the plugin that raised it."""
    cause = error.__cause__ if isinstance(error, RewardError) and error.__cause__ is not None else error
    frames = traceback.extract_tb(cause.__traceback__)
    last = f"\n{frames[-1].filename}, line {frames[-1].lineno}" if frames and not isinstance(cause, R1Error) else ""
    said = str(error) if isinstance(error, R1Error) else f"{type(error).__name__}: {error}"
    return f"{said:.600}{last}"


def build_step(candidate: TrialCandidate) -> TrialStep:
    def run() -> ContractFinding:
        built = unwrapped(candidate.built)
        return passed("builds", f"{built!r:.100}" if candidate.subject.options else "without options")

    return TrialStep("builds", run, gate=True)


def pickle_step(candidate: TrialCandidate) -> TrialStep:
    """A worker process, and each process of a run, gets the plugin by pickle."""

    def run() -> ContractFinding:
        built = unwrapped(candidate.built)
        try:
            copy = pickle.loads(pickle.dumps(built))
        except Exception as error:  # noqa: BLE001 - someone else's code
            return failed(
                "pickles",
                f"{type(error).__name__}: {str(error)[:200]}\nmake it a function of a module, or a frozen dataclass "
                "whose fields are its options; keep locks and connections out of it",
            )
        if type(copy) is not type(built) or (_is_compared(built) and copy != built):
            return failed("pickles", f"comes back as {copy!r:.100}, and was {built!r:.100}")
        return passed("pickles", "and comes back equal")

    return TrialStep("pickles", run)


def _is_compared(value: Any) -> bool:
    """Whether its class says what being equal means, or it is the only one of its name, as a function is."""
    return inspect.isfunction(value) or "__eq__" in vars(type(value))


def digest(value: Any) -> str:
    """A short text that is the same for the same value in every process."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=repr).encode("utf-8", "replace")).hexdigest()[:16]


def as_json(task: Task) -> Mapping[str, Any]:
    return {"prompt": task.prompt, "answer": task.answer, "info": dict(task.info), "id": task.id}


def run_async(what: Any) -> Any:
    return asyncio.run(what)


def listed(items: Sequence[str], most: int = 3) -> str:
    """The first of `items`, one a line, and how many more there are."""
    more = [f"and {len(items) - most} more"] if len(items) > most else []
    return "\n".join([*items[:most], *more])
