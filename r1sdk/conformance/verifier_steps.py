"""The steps for a verifier: right answers earn 1.0, near ones do not, and hostile replies do not slow it down."""

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any

from ..contracts import HasExamples, HasVariants, Verifier
from ..errors import Unverifiable
from ..records import Task, Verdict
from ..reply_format import reply_with
from ..scoring.score_rollouts import verify
from ..scoring.verification import VerifierAlone, gold_reply_of
from .environment_steps import LENIENT
from .findings import ContractFinding, failed, passed, skipped
from .near_answers import alterations
from .steps import NotTried, TrialCandidate, TrialStep, build_step, hostile_steps, list_first, pickle_step, run_async
from .trial_replies import HOSTILE, attempt

TASKS = 32  # tasks whose gold answers are verified
_NO_GOLD = Task([{"role": "user", "content": "No task has this."}], None, {}, "a task without a gold answer")


def steps(candidate: TrialCandidate, timeout_s: float) -> list[TrialStep]:
    """Return all steps for one verifier."""
    trial = _Trial(candidate)
    return [
        build_step(candidate),
        pickle_step(candidate),
        TrialStep("gold", trial.gold_is_right, observes=True),
        TrialStep("near gold", trial.variants_are_wrong),
        TrialStep("no answer", trial.no_answer_is_wrong),
        TrialStep("no gold", trial.a_task_without_gold_is_unverifiable),
        TrialStep("repeats", trial.repeats),
        *hostile_steps(trial.hostile, timeout_s),
    ]


class _Trial:
    def __init__(self, candidate: TrialCandidate) -> None:
        self.candidate = candidate

    @cached_property
    def gold(self) -> list[tuple[Task, str]]:
        """Tasks with a readable gold answer, each with a reply that must earn 1.0. Raises: NotTried if there are none."""
        verifier: Verifier = self.candidate.built
        if self.candidate.task_source is None and isinstance(verifier, HasExamples):
            return list(islice(verifier.examples(), TASKS))
        pairs = [(task, reply) for task in self._tasks() if (reply := gold_reply_of(verifier, task)) is not None]
        if pairs:
            return pairs
        raise NotTried("no gold answer to check: give it examples(), or choose an environment's tasks with --env")

    def _tasks(self) -> list[Task]:
        """Return tasks of the verifier's kind. Raises: NotTried, with the reason, if it can verify none of them."""
        verifier: Verifier = self.candidate.built
        if self.candidate.task_source is None and isinstance(verifier, HasExamples):
            return [task for task, _ in islice(verifier.examples(), TASKS)]
        found, reasons = [], []
        for task in self.candidate.tasks(TASKS):
            try:
                verifier.read_gold(task)
            except Unverifiable as error:
                reasons.append(str(error))
            else:
                found.append(task)
        if reasons and not found:
            which = "the made-up task" if self.candidate.task_source is None else f"{len(reasons)} tasks"
            raise NotTried(
                f"{which} cannot be verified: {reasons[0]}\ngive it examples(), or choose another environment with --env"
            )
        return found

    def _verdicts(self, pairs: Sequence[tuple[Task, str]], verifier: Verifier | None = None) -> list[Verdict]:
        """Return the verdicts on replies, as in a run. Raises: RewardError; NotTried if a service does not respond."""
        environment = VerifierAlone(self.candidate.built if verifier is None else verifier)
        rollouts = run_async(verify([attempt(task, reply) for task, reply in pairs], environment))
        found: list[Verdict] = [rollout.verdict for rollout in rollouts]
        if silent := [verdict.reason for verdict in found if verdict.status == "error"]:
            raise NotTried(f"{len(silent)} of {len(found)} replies could not be verified: {silent[0]}")
        return found

    def gold_is_right(self) -> ContractFinding | tuple[ContractFinding, Any]:
        """Check that the gold answer of each task earns 1.0."""
        verdicts = self._verdicts(self.gold)
        faults = [
            f"task {task.id or task.prompt!r:.60}: {_describe(verdict)}: {reply[-200:]!r}"
            for (task, reply), verdict in zip(self.gold, verdicts, strict=True)
            if verdict.value != 1.0
        ]
        if faults:
            return failed(
                "gold", f"{len(faults)} of {len(verdicts)} right replies do not earn 1.0:\n{list_first(faults)}"
            )
        earned = f"{len(verdicts)} right {'reply earns' if len(verdicts) == 1 else 'replies earn'} 1.0"
        return passed("gold", earned), [_describe(verdict) for verdict in verdicts]

    def variants_are_wrong(self) -> ContractFinding:
        """Check that answers close to the gold answer earn less: the verifier's own variants, or else altered gold answers."""
        verifier: Any = self.candidate.built
        if isinstance(verifier, HasVariants):
            lenient = 0.0
            near = [
                (task, reply_with(text))
                for task in self._tasks()
                for text in islice(verifier.variants(self.candidate.built.read_gold(task)), TASKS)
            ]
        else:
            lenient, near = LENIENT, alterations(VerifierAlone(verifier), self.gold)
        if not near:
            return skipped("near gold", "no near answers: give it variants(gold)")
        paid = [
            f"task {task.id or task.prompt!r:.60}: {reply[-200:]!r}"
            for (task, reply), verdict in zip(near, self._verdicts(near), strict=True)
            if verdict.value == 1.0
        ]
        if len(paid) > lenient * len(near):
            return failed("near gold", f"{len(paid)} of {len(near)} near answers earn 1.0:\n{list_first(paid)}")
        return passed("near gold", f"{len(near) - len(paid)} of {len(near)} near answers earn less than 1.0")

    def no_answer_is_wrong(self) -> ContractFinding:
        """Check that a reply without an answer earns 0.0."""
        task = self._tasks()[0]
        replies = ("", "<think>I do not know</think>", reply_with(""))
        for reply, verdict in zip(replies, self._verdicts([(task, reply) for reply in replies]), strict=True):
            if verdict.value != 0.0:
                return failed(
                    "no answer", f"{_describe(verdict)} for {reply!r}: a reply without an answer must earn 0.0"
                )
        return passed("no answer", f"{len(replies)} replies without an answer earn 0.0")

    def a_task_without_gold_is_unverifiable(self) -> ContractFinding:
        """Check that `read_gold` raises Unverifiable, with a reason, for a task without a gold answer."""
        try:
            self.candidate.built.read_gold(_NO_GOLD)
        except Unverifiable as error:
            reason = str(error).strip()
            return passed("no gold", reason) if reason else failed("no gold", "r1sdk.Unverifiable without a reason")
        except Exception as error:  # noqa: BLE001 - someone else's code
            return failed(
                "no gold",
                f"{type(error).__name__}: {str(error)[:200]}\nraise r1sdk.Unverifiable(reason) for a task that cannot be verified",
            )
        return skipped("no gold", "it verifies a task without a gold answer too")

    def repeats(self) -> ContractFinding:
        """Check that the same object and a second one give the same verdicts again, and that they change no task."""
        tasks = self._tasks()
        pairs = [(task, reply) for task in tasks[:4] for reply in (reply_with("4"), reply_with("no"), "4")]
        before = [
            replace(task, prompt=[dict(message) for message in task.prompt], info=dict(task.info)) for task in tasks
        ]
        first, again = self._verdicts(pairs), self._verdicts(pairs)
        from_other = self._verdicts(pairs, self.candidate.fresh())
        if before != tasks:
            return failed("repeats", "it changes the tasks it is given, which other verifiers read too")
        for whose, second in (("", again), (" from a second object", from_other)):
            for (_, reply), one, two in zip(pairs, first, second, strict=True):
                if _describe(one) != _describe(two):
                    return failed("repeats", f"{_describe(one)}, then {_describe(two)}{whose}: {reply!r:.80}")
        return passed("repeats", "the same verdicts again, and from a second object")

    def hostile(self, name: str) -> ContractFinding:
        """Check that one hostile reply gets a verdict other than 1.0."""
        task = self._tasks()[0]
        started = time.perf_counter()
        (verdict,) = self._verdicts([(task, HOSTILE[name])])
        if verdict.value == 1.0:
            return failed("hostile", "earns 1.0")
        return passed("hostile", f"{(time.perf_counter() - started) * 1000:.0f} ms")


def _describe(verdict: Verdict) -> str:
    value = "" if verdict.value is None else f" {verdict.value:g}"
    return f"{verdict.status}{value}{': ' + verdict.reason if verdict.reason else ''}"
