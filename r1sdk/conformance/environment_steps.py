"""The steps for an environment: its tasks and splits, and what it makes of right, wrong and hostile answers."""

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
from ..scoring.score_rollouts import judge
from . import session_steps
from .findings import ContractFinding, failed, passed, skipped
from .near_answers import alterations
from .steps import TrialCandidate, TrialStep, as_json, build_step, digest, listed, pickle_step, run_async
from .task_faults import faults_of
from .trial_replies import HOSTILE, attempt

SPLITS = ("train", "test")
TASKS = 200  # of each split that are looked at
GOLD = 16  # of each split whose answers are judged
LENIENT = 0.1  # the share of altered answers that may be right after all: two answers can mean the same


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """All steps for one environment."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        TrialStep("draws", trial.has_tasks, gate=True),
        pickle_step(candidate),
        TrialStep("tasks", trial.tasks_are_well_formed, observes=True),
        TrialStep("same tasks", trial.draws_the_same_again),
        TrialStep("splits", trial.splits_are_disjoint),
        TrialStep("gold", trial.gold_is_right),
        TrialStep("altered", trial.altered_is_wrong),
        *session_steps.steps(candidate, timeout_s),
        *(
            TrialStep("hostile", lambda name=name: trial.hostile(name), timeout_s, part=name)  # type: ignore[misc]
            for name in HOSTILE
        ),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate

    @cached_property
    def refused(self) -> dict[str, R1Error]:
        """The splits that are not there, each with what is said of it."""
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
    def drawn(self) -> dict[str, list[Task]]:
        return self._draw(self.candidate.built)

    def _draw(self, environment: Environment) -> dict[str, list[Task]]:
        return {split: list(islice(environment.tasks(split), TASKS)) for split in self.splits}

    @cached_property
    def gold(self) -> list[tuple[Task, str]]:
        """Tasks, each with a reply that must be right: its own gold reply, or else a demonstration that is right.

        Demonstrations may be wrong on purpose: they leave something to learn.
        """
        environment = unwrapped(self.candidate.built)
        found = [
            (task, reply)
            for split in self.splits
            for task in self.drawn[split][:GOLD]
            if (reply := gold_reply(environment, task)) is not None
        ]
        if not found and isinstance(environment, Demonstrator):
            shown = [pair for split in self.splits for pair in islice(environment.demonstrations(split), GOLD)]
            pairs = [(task, completion.text) for task, completion in shown]
            found = [pair for pair, verdict in zip(pairs, self._judged(pairs), strict=True) if verdict.value == 1.0]
            if pairs and not found:
                raise ValueError(f"none of {len(pairs)} demonstrations is judged right")
        return found

    def _judged(self, attempts: Iterable[tuple[Task, str]]) -> list[Verdict]:
        rollouts = [attempt(task, reply) for task, reply in attempts]
        judged = run_async(judge(rollouts, self.candidate.built))
        return [rollout.verdict for rollout in judged]

    def has_tasks(self) -> ContractFinding:
        """A first task can be had, files and data sets included; an environment for evaluation alone has one split."""
        if not self.splits:
            raise self.refused[SPLITS[-1]]
        said = "".join(f"\nnot of {split}: {error}" for split, error in self.refused.items())
        return passed("draws", f"a first task of {' and of '.join(self.splits)}{said}")

    def tasks_are_well_formed(self) -> tuple[ContractFinding, Any]:
        """Both splits have tasks, of plain JSON, with names of their own."""
        faults: list[str] = []
        for split in self.splits:
            faults += [
                f"{split} task {at}: {fault}" for at, task in enumerate(self.drawn[split]) for fault in faults_of(task)
            ]
            names = Counter(task.id for task in self.drawn[split] if task.id)
            faults += [f"split {split!r}: several tasks have one id: {name!r}" for name, n in names.items() if n > 1][
                :1
            ]
        said = digest([as_json(task) for tasks in self.drawn.values() for task in tasks])
        if faults:
            return failed("tasks", listed(faults)), said
        counts = ", ".join(f"{len(tasks)}{'+' * (len(tasks) == TASKS)} {split}" for split, tasks in self.drawn.items())
        return passed("tasks", counts), said

    def draws_the_same_again(self) -> ContractFinding:
        """A resumed run and two evaluations meet the same tasks."""
        for whose, environment in (("", self.candidate.built), (" from another of its kind", self.candidate.fresh())):
            again = self._draw(environment)
            for split in self.splits:
                if again[split] != self.drawn[split]:
                    pairs = zip(self.drawn[split], again[split], strict=False)
                    at = next((n for n, (one, two) in enumerate(pairs) if one != two), "the last")
                    return failed("same tasks", f"{split} task {at} is another one on the second call{whose}")
        return passed("same tasks", "on a second call, and from a second environment")

    def splits_are_disjoint(self) -> ContractFinding:
        """No prompt in both; a split that is not there is said so."""
        asked = {split: {json.dumps(task.prompt, default=repr) for task in self.drawn[split]} for split in self.splits}
        if shared := sorted(set[str].intersection(*asked.values())) if len(asked) > 1 else []:
            return failed("splits", f"{len(shared)} tasks are in train and in test, as {shared[0][-200:]}")
        try:
            next(iter(self.candidate.built.tasks("no such split")), None)
        except R1Error:
            return passed("splits", f"no task of the first {TASKS} in both; another split is refused")
        except Exception as error:  # noqa: BLE001 - someone else's code
            return failed("splits", f"an unknown split must be an R1Error, not {type(error).__name__}: {error}")
        return failed("splits", "an unknown split must be an R1Error: a mistyped one would train on something else")

    def gold_is_right(self) -> ContractFinding:
        """What the task itself says is right earns 1.0."""
        if not self.gold:
            return skipped("gold", "no task has an answer; with gold_reply(task) every run could check its tasks")
        verdicts = self._judged(self.gold)
        faults = [
            f"{task.id or task.prompt[-1]['content']!r:.60}: {_said(verdict)}"
            for (task, _), verdict in zip(self.gold, verdicts, strict=True)
            if verdict.value != 1.0
        ]
        if faults:
            return failed("gold", f"{len(faults)} of {len(self.gold)} gold answers are not right:\n{listed(faults)}")
        own = self.gold[0][0].answer is not None or hasattr(unwrapped(self.candidate.built), "gold_reply")
        return passed("gold", f"{len(self.gold)} {'gold answers' if own else 'demonstrations'} earn 1.0")

    def altered_is_wrong(self) -> ContractFinding:
        """No answer is never right; altered answers, and those of other tasks, are not."""
        if not self.gold:
            return skipped("altered", "no gold answers to alter")
        empty = [
            (task, text) for task, _ in self.gold[:GOLD] for text in ("", "<think>\nso\n</think>\n<answer></answer>")
        ]
        for (task, text), verdict in zip(empty, self._judged(empty), strict=True):
            if verdict.value == 1.0:
                return failed("altered", f"{task.id!r:.60}: the reply {text!r} is judged right")
        altered = alterations(unwrapped(self.candidate.built), self.gold)
        right = [
            f"{task.id or 'a task'!r:.60}: {reply[-80:]!r}"
            for (task, reply), verdict in zip(altered, self._judged(altered), strict=True)
            if verdict.value == 1.0
        ]
        if len(right) > LENIENT * len(altered):
            return failed(
                "altered", f"{len(right)} of {len(altered)} altered answers are judged right:\n{listed(right)}"
            )
        return passed(
            "altered", f"{len(altered) - len(right)} of {len(altered)} altered answers are wrong, empty ones are"
        )

    def hostile(self, name: str) -> ContractFinding:
        """A verdict, and not 1.0, for one hostile reply."""
        task = self.drawn[self.splits[0]][0]
        started = time.perf_counter()
        (verdict,) = self._judged([(task, HOSTILE[name])])
        if verdict.value == 1.0:
            return failed("hostile", "judged right")
        return passed("hostile", f"{(time.perf_counter() - started) * 1000:.0f} ms")


def _said(verdict: Verdict) -> str:
    value = "" if verdict.value is None else f" {verdict.value:g}"
    return f"{verdict.status}{value}{': ' + verdict.reason if verdict.reason else ''}"
