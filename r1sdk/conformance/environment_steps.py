"""The steps for an environment: its tasks and splits, and its verdicts on right, wrong and hostile answers."""

import json
import time
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from typing import Any

from ..contracts import Demonstrator, Environment
from ..errors import R1Error
from ..planning.build import first_task
from ..records import Task, Verdict
from ..scoring.gold_check import gold_reply
from ..scoring.isolation import unwrapped
from ..scoring.score_rollouts import verify
from . import session_steps
from .findings import ContractFinding, failed, passed, skipped
from .near_answers import alterations
from .steps import (
    TrialCandidate,
    TrialStep,
    as_json,
    build_step,
    digest,
    hostile_steps,
    list_first,
    pickle_step,
    run_async,
)
from .task_faults import faults_of
from .trial_replies import HOSTILE, attempt

SPLITS = ("train", "test")
TASKS = 200  # tasks of each split that are inspected
GOLD = 16  # tasks of each split whose gold answers are verified
LENIENT = 0.1  # share of altered answers that may be right after all, since two answers can mean the same


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """Return all steps for one environment."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        TrialStep("draws", trial.has_tasks, gate=True),
        pickle_step(candidate),
        TrialStep("tasks", trial.tasks_are_well_formed, observes=True),
        TrialStep("same tasks", trial.tasks_repeat),
        TrialStep("splits", trial.splits_are_disjoint),
        TrialStep("gold", trial.gold_is_right),
        TrialStep("altered", trial.altered_is_wrong),
        *session_steps.steps(candidate, timeout_s),
        *hostile_steps(trial.hostile, timeout_s),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate

    @cached_property
    def refused(self) -> dict[str, R1Error]:
        """The splits that are not available, each with its error."""
        found = {}
        for split in SPLITS:
            try:
                first_task(self.candidate.built, self.candidate.subject.name, split)
            except R1Error as error:
                found[split] = error
        return found

    @property
    def splits(self) -> list[str]:
        return [split for split in SPLITS if split not in self.refused]

    @cached_property
    def tasks(self) -> dict[str, list[Task]]:
        return self._load_tasks(self.candidate.built)

    def _load_tasks(self, environment: Environment) -> dict[str, list[Task]]:
        return {split: list(islice(environment.tasks(split), TASKS)) for split in self.splits}

    @cached_property
    def gold(self) -> list[tuple[Task, str]]:
        """Tasks, each with a reply that must earn 1.0: its gold reply, or else a demonstration with that verdict.

        Demonstrations may be wrong on purpose, to leave something to learn.
        """
        environment = unwrapped(self.candidate.built)
        found = [
            (task, reply)
            for split in self.splits
            for task in self.tasks[split][:GOLD]
            if (reply := gold_reply(environment, task)) is not None
        ]
        if not found and isinstance(environment, Demonstrator):
            demonstrations = [pair for split in self.splits for pair in islice(environment.demonstrations(split), GOLD)]
            pairs = [(task, completion.text) for task, completion in demonstrations]
            found = [pair for pair, verdict in zip(pairs, self._verdicts(pairs), strict=True) if verdict.value == 1.0]
            if pairs and not found:
                raise ValueError(f"none of {len(pairs)} demonstrations earns 1.0")
        return found

    def _verdicts(self, attempts: Iterable[tuple[Task, str]]) -> list[Verdict]:
        rollouts = [attempt(task, reply) for task, reply in attempts]
        verified = run_async(verify(rollouts, self.candidate.built))
        return [rollout.verdict for rollout in verified]

    def has_tasks(self) -> ContractFinding:
        """Check that the first task of a split loads, with its files and data sets. One split is enough for evaluation."""
        if not self.splits:
            raise self.refused[SPLITS[-1]]
        missing = "".join(f"\nno task of {split}: {error}" for split, error in self.refused.items())
        return passed("draws", f"a first task of {' and of '.join(self.splits)}{missing}")

    def tasks_are_well_formed(self) -> tuple[ContractFinding, Any]:
        """Check that tasks are plain JSON and that their ids are unique in each split."""
        faults: list[str] = []
        for split in self.splits:
            faults += [
                f"{split} task {at}: {fault}" for at, task in enumerate(self.tasks[split]) for fault in faults_of(task)
            ]
            names = Counter(task.id for task in self.tasks[split] if task.id)
            faults += [f"split {split!r}: several tasks have one id: {name!r}" for name, n in names.items() if n > 1][
                :1
            ]
        seen = digest([as_json(task) for tasks in self.tasks.values() for task in tasks])
        if faults:
            return failed("tasks", list_first(faults)), seen
        counts = ", ".join(f"{len(tasks)}{'+' * (len(tasks) == TASKS)} {split}" for split, tasks in self.tasks.items())
        return passed("tasks", counts), seen

    def tasks_repeat(self) -> ContractFinding:
        """Check that a second call gives the same tasks, as a resumed run and a second evaluation need."""
        for whose, environment in (("", self.candidate.built), (" of a second object", self.candidate.fresh())):
            again = self._load_tasks(environment)
            for split in self.splits:
                if again[split] != self.tasks[split]:
                    pairs = zip(self.tasks[split], again[split], strict=False)
                    at = next((n for n, (one, two) in enumerate(pairs) if one != two), "the last")
                    return failed("same tasks", f"{split} task {at} differs on the second call{whose}")
        return passed("same tasks", "on a second call, and from a second object")

    def splits_are_disjoint(self) -> ContractFinding:
        """Check that no prompt is in both splits, and that an unknown split is an error."""
        prompts = {
            split: {json.dumps(task.prompt, default=repr) for task in self.tasks[split]} for split in self.splits
        }
        if shared := sorted(set[str].intersection(*prompts.values())) if len(prompts) > 1 else []:
            return failed("splits", f"{len(shared)} tasks are in both train and test, such as {shared[0][-200:]}")
        try:
            next(iter(self.candidate.built.tasks("no such split")), None)
        except R1Error:
            return passed("splits", f"none of the first {TASKS} tasks is in both; an unknown split is an error")
        except Exception as error:  # noqa: BLE001 - someone else's code
            return failed("splits", f"an unknown split must raise R1Error, not {type(error).__name__}: {error}")
        return failed("splits", "an unknown split must raise R1Error: a mistyped name would train on something else")

    def gold_is_right(self) -> ContractFinding:
        """Check that each task's gold reply earns 1.0."""
        if not self.gold:
            return skipped("gold", "no task has an answer; with gold_reply(task) every run could check its tasks")
        verdicts = self._verdicts(self.gold)
        faults = [
            f"{task.id or task.prompt[-1]['content']!r:.60}: {_describe(verdict)}"
            for (task, _), verdict in zip(self.gold, verdicts, strict=True)
            if verdict.value != 1.0
        ]
        if faults:
            return failed(
                "gold", f"{len(faults)} of {len(self.gold)} gold answers do not earn 1.0:\n{list_first(faults)}"
            )
        own = self.gold[0][0].answer is not None or hasattr(unwrapped(self.candidate.built), "gold_reply")
        return passed("gold", f"{len(self.gold)} {'gold answers' if own else 'demonstrations'} earn 1.0")

    def altered_is_wrong(self) -> ContractFinding:
        """Check that empty answers, altered answers and those of other tasks do not earn 1.0."""
        if not self.gold:
            return skipped("altered", "no gold answers to alter")
        empty = [
            (task, text) for task, _ in self.gold[:GOLD] for text in ("", "<think>\nso\n</think>\n<answer></answer>")
        ]
        for (task, text), verdict in zip(empty, self._verdicts(empty), strict=True):
            if verdict.value == 1.0:
                return failed("altered", f"{task.id!r:.60}: the reply {text!r} earns 1.0")
        altered = alterations(unwrapped(self.candidate.built), self.gold)
        right = [
            f"{task.id or 'a task'!r:.60}: {reply[-80:]!r}"
            for (task, reply), verdict in zip(altered, self._verdicts(altered), strict=True)
            if verdict.value == 1.0
        ]
        if len(right) > LENIENT * len(altered):
            return failed("altered", f"{len(right)} of {len(altered)} altered answers earn 1.0:\n{list_first(right)}")
        return passed(
            "altered", f"{len(altered) - len(right)} of {len(altered)} altered answers are wrong, as are empty ones"
        )

    def hostile(self, name: str) -> ContractFinding:
        """Check that one hostile reply gets a verdict other than 1.0."""
        task = self.tasks[self.splits[0]][0]
        started = time.perf_counter()
        (verdict,) = self._verdicts([(task, HOSTILE[name])])
        if verdict.value == 1.0:
            return failed("hostile", "earns 1.0")
        return passed("hostile", f"{(time.perf_counter() - started) * 1000:.0f} ms")


def _describe(verdict: Verdict) -> str:
    value = "" if verdict.value is None else f" {verdict.value:g}"
    return f"{verdict.status}{value}{': ' + verdict.reason if verdict.reason else ''}"
